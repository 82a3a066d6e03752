// SPDX-License-Identifier: Apache-2.0
// A frame of noise, one word, and the largest values of both signs with their bias.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>
#include <vector>

typedef ap_axiu<32, 1, 1, 1> Word;
extern "C" void moving_average(hls::stream<Word>& in, hls::stream<Word>& out, ap_int<8> bias,
                               ap_uint<20>* count);

static int failures(const std::vector<int>& samples, int bias) {
  hls::stream<Word> in, out;
  const int n = samples.size();
  for (int i = 0; i < n; ++i) {
    Word word;
    word.data = samples[i] & 0xFFFF;
    word.keep = word.strb = 15;
    word.user = word.id = word.dest = i & 1;
    word.last = i == n - 1;
    in.write(word);
  }
  ap_uint<20> count = 0;
  moving_average(in, out, bias, &count);
  int wrong = int(count) != n;
  for (int i = 0; i < n; ++i) {
    int sum = bias;
    for (int k = 0; k < 8 && k <= i; ++k) sum += samples[i - k];
    const Word word = out.read();
    wrong += ap_int<32>(word.data) != ap_int<32>(sum >> 3) || word.last != (i == n - 1);
    wrong += word.user != (i & 1) || word.keep != 15;
  }
  return wrong;
}

int main() {
  std::vector<int> noise;
  unsigned state = 29;
  for (int i = 0; i < 50; ++i)
    noise.push_back(short((state = state * 1664525u + 1013904223u) >> 16));
  const int wrong = failures(noise, 4) + failures(std::vector<int>(1, -3), 0) +
                    failures(std::vector<int>(20, -32768), -128) +
                    failures(std::vector<int>(20, 32767), 127);
  std::printf("%d wrong\n", wrong);
  return wrong != 0;
}
