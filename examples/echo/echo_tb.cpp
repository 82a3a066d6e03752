// SPDX-License-Identifier: Apache-2.0
// Noise and its echo, which must be learnt to 5 %; the same without learning; a silent loudspeaker.
#include <ap_int.h>
#include <hls_stream.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

typedef hls::stream<ap_int<16>> Sound;

extern "C" void echo(Sound& far, Sound& near, Sound& clean, ap_uint<15> rate, ap_uint<12> n);

static std::int16_t low16(std::int64_t x) { return std::int16_t(std::uint64_t(x)); }

/// What is left, by definition, sample by sample.
static std::vector<int> expected(const std::vector<int>& far, const std::vector<int>& near,
                                 int rate) {
  std::vector<int> clean;
  std::int64_t x[8] = {}, w[8] = {};
  for (std::size_t i = 0; i < far.size(); ++i) {
    std::int64_t heard = 0;
    for (int k = 7; k > 0; --k) x[k] = x[k - 1];
    x[0] = far[i];
    for (int k = 0; k < 8; ++k) heard += w[k] * x[k];
    clean.push_back(low16(near[i] - low16(heard >> 15)));
    const std::int64_t step = low16(std::int64_t(clean.back()) * rate >> 15);
    for (int k = 0; k < 8; ++k) {
      w[k] += step * x[k] >> 15;
      w[k] = (w[k] & 0x3ffff) - ((w[k] & 0x20000) << 1);  // 18 bits
    }
  }
  return clean;
}

/// Samples that differ from the definition; `loudest`: of the last eighth of what is left.
static int wrong(const std::vector<int>& far, const std::vector<int>& near, int rate,
                 int& loudest) {
  Sound out, in, clean;
  for (int v : far) out.write(v);
  for (int v : near) in.write(v);
  echo(out, in, clean, rate, far.size());
  int found = 0;
  loudest = 0;
  const std::vector<int> right = expected(far, near, rate);
  for (std::size_t i = 0; i < far.size(); ++i) {
    const int left = clean.read();
    found += left != right[i];
    if (i >= far.size() * 7 / 8) loudest = std::max(loudest, left < 0 ? -left : left);
  }
  return found;
}

int main() {
  const int samples = 400;
  std::vector<int> far, near;
  unsigned state = 7;
  for (int i = 0; i < samples; ++i) {
    far.push_back(int((state = state * 1664525u + 1013904223u) >> 18) - 8192);
    near.push_back((i < 2 ? 0 : far[i - 2] / 2) - (i < 5 ? 0 : far[i - 5] / 4));
  }
  int learnt, kept, silent;
  int bad = wrong(far, near, 16384, learnt) + wrong(far, near, 0, kept);
  bad += wrong(std::vector<int>(20, 0), std::vector<int>(20, 99), 16384, silent);
  bad += wrong({}, {}, 1, silent);
  std::printf("%d wrong; left of the echo: %d of %d\n", bad, learnt, kept);
  return bad != 0 || learnt * 20 > kept;
}
