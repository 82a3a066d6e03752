// SPDX-License-Identifier: Apache-2.0
#include "rtlsim_ports.h"

#include <algorithm>

namespace hlsc_rtlsim {

namespace {

void copy_bits(uint8_t* to, int to_low, const uint8_t* from, int from_low, int bits) {
  for (int i = 0; i < bits; ++i) {
    const int at = to_low + i;
    const int bit = from[(from_low + i) / 8] >> (from_low + i) % 8 & 1;
    to[at / 8] = static_cast<uint8_t>((to[at / 8] & ~(1 << at % 8)) | bit << at % 8);
  }
}

}  // namespace

template <class Visit>
void Stream::each_channel(Visit visit) const {
  visit(data, 0, data_bits);
  int low = data_bits;
  for (const Pin* side : {&keep, &strb, &user, &last, &id, &dest}) {
    if (!*side) continue;
    visit(*side, low, side->width());
    low += side->width();
  }
}

int Stream::word_bytes() const {
  int bits = 0;
  each_channel([&](const Pin&, int, int width) { bits += width; });
  return (bits + 7) / 8;
}

void Stream::begin(const Given& given, uint64_t expect) {
  expected = expect;
  moved = 0;
  if (!input) {
    got.clear();
    got_flags.clear();
    return;
  }
  count = given.count == kNone ? 0 : given.count;
  Reader bytes = given.bytes;
  words = bytes.take(count * (whole ? word_bytes() : data_bytes()));
  flags = whole ? nullptr : bytes.take(count);
}

void Stream::drive() {
  if (!input) {
    // A free-running design may go on with a run that nobody asked for: not more than is expected.
    ready.set(stall.go() && !(frugal && moved >= expected));
    return;
  }
  if (offered) return;  // a word that was offered stays until it is taken
  if (moved < count && stall.go()) {
    offered = true;
    blank = false;
    if (whole) {
      const uint8_t* word = words + moved * word_bytes();
      each_channel([word](const Pin& pin, int low, int bits) {
        pin.fill(false);
        copy_bits(pin.data(), 0, word, low, bits);
      });
      valid.set(1);
      return;
    }
    data.load(words + moved * data_bytes(), data_bytes());
    keep.fill(true);
    strb.fill(true);
    user.fill(false);
    id.fill(false);
    dest.fill(false);
    last.set(flags[moved] & 1);
  } else if (!blank) {
    data.fill(true);  // a kernel that looks at it without TVALID is found out
    last.set(1);
    blank = true;
  }
  valid.set(offered);
}

bool Stream::sample() {
  if (input) {
    if (!offered || !ready.high()) return false;
    offered = false;
    ++moved;
    return true;
  }
  const bool now = valid.high();
  if (holding && (!now || std::memcmp(held.data(), data.data(), held.size()) != 0)) {
    throw Failure("stream " + name + " must keep TVALID and TDATA until TREADY, but " +
                  (now ? "TDATA changed" : "TVALID fell") + " before beat " +
                  std::to_string(moved) + " was taken");
  }
  holding = now && !ready.high();
  if (holding) held.assign(data.data(), data.data() + data.bytes());
  if (!now || !ready.high()) return false;
  ++moved;
  if (whole) {
    const size_t at = got.size();
    got.resize(at + word_bytes());
    each_channel([this, at](const Pin& pin, int low, int bits) {
      copy_bits(&got[at], low, pin.data(), 0, bits);
    });
    return true;
  }
  got.insert(got.end(), data.data(), data.data() + data_bytes());
  got_flags.push_back((!last || last.high() ? 1 : 0) | (!keep || keep.full() ? 0 : 2));
  return true;
}

void Stream::save(Writer& out) const {
  if (input) {
    out.put(count - moved);
    out.put(count);
    out.put(uint64_t(0));
    return;
  }
  out.put(uint64_t(0));
  out.put(uint64_t(0));
  out.put(moved);
  if (!moved) return;
  std::memcpy(out.grow(got.size()), got.data(), got.size());
  std::memcpy(out.grow(got_flags.size()), got_flags.data(), got_flags.size());
}

std::string Stream::report() const {
  const uint64_t all = input ? count : expected;
  std::string text = "  " + name + ": " + std::to_string(moved);
  if (all != kNone) text += " of " + std::to_string(all);
  text += input ? " beats sent" : " beats received";
  text += std::string(", TVALID=") + (valid.high() ? "1" : "0") +
          " TREADY=" + (ready.high() ? "1" : "0");
  if (input && offered && !ready.high()) text += ": the kernel does not take the next beat";
  if (input && moved == count && ready.high()) text += ": the kernel would take more";
  if (!input && !valid.high() && moved < all && all != kNone) text += ": the kernel sends nothing";
  return text;
}

void Memory::begin(const Given& given) {
  Reader bytes = given.bytes;
  if (given.count != depth) {
    throw Failure("array " + name + " must have " + std::to_string(depth) + " words, not " +
                  std::to_string(given.count));
  }
  const uint8_t* from = bytes.take(depth * this->bytes());
  words.assign(from, from + depth * this->bytes());
}

void Memory::sample() {
  for (Side& s : sides) {
    s.enabled = s.ce.high();
    if (!s.enabled) continue;
    s.at = s.address.get();
    s.writes = s.we.high();
    s.out.assign(bytes(), 0xa5);  // beyond the end: nothing that C++ would see
    if (s.at < depth) s.out.assign(&words[s.at * bytes()], &words[s.at * bytes()] + bytes());
    if (s.writes) s.in.assign(s.d.data(), s.d.data() + bytes());
  }
  for (Side& s : sides) {
    if (!s.enabled || !s.writes) continue;
    if (s.at >= depth) {
      throw Failure("array " + name + " must be written below " + std::to_string(depth) +
                    ", not at " + std::to_string(s.at));
    }
    std::memcpy(&words[s.at * bytes()], s.in.data(), bytes());
  }
}

void Memory::drive() const {
  for (const Side& s : sides) {
    if (s.enabled && s.q) {
      s.q.fill(false);
      copy_bits(s.q.data(), 0, s.out.data(), 0, width);
    }
  }
}

void Fifo::sample() {
  if (in_valid.high() && in_ready.high()) ++pushed, ++fill;
  if (in_valid.high() && !in_ready.high()) ++blocked;
  if (out_valid.high() && out_ready.high()) --fill;
  if (fill > high) high = fill;
  if (samples.empty() || cycles == span) {
    if (samples.size() == 512) {
      for (size_t i = 0; i < 256; ++i) samples[i] = std::max(samples[2 * i], samples[2 * i + 1]);
      samples.resize(256);
      span *= 2;
    }
    samples.push_back(0);
    cycles = 0;
  }
  if (fill > samples.back()) samples.back() = fill;
  ++cycles;
}

void Fifo::save(Writer& out) const {
  out.text(name);
  for (uint64_t value : {pushed, fill, high, blocked}) out.put(value);
  out.put(static_cast<uint8_t>(in_valid.high() | in_ready.high() << 1 | out_valid.high() << 2 |
                               out_ready.high() << 3));
  out.put(span);
  out.put(static_cast<uint32_t>(samples.size()));
  for (uint64_t value : samples) out.put(value);
}

void Scalar::save(Writer& out) const {
  uint8_t* to = out.grow(bytes());
  std::memset(to, 0, bytes());
  if (input || value.empty()) return;
  std::memcpy(to, value.data(), bytes());
  if (width % 8) to[bytes() - 1] &= static_cast<uint8_t>((1 << width % 8) - 1);
}

}  // namespace hlsc_rtlsim
