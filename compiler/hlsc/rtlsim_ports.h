// SPDX-License-Identifier: Apache-2.0
// What stands at the ports of a Verilated model: the far sides of streams, the memories behind
// ap_memory ports, scalars; and FIFOs inside, which are only watched.
#ifndef HLSC_RTLSIM_PORTS_H_
#define HLSC_RTLSIM_PORTS_H_

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "csim_bytes.h"

namespace hlsc_rtlsim {

using hlsc_csim::Given;
using hlsc_csim::Reader;
using hlsc_csim::Writer;

const uint64_t kNone = ~uint64_t(0);

// A rule that the design broke; it ends the run.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A port of the model.  Verilator keeps every port in little-endian words without bits above its
// width.
class Pin {
 public:
  Pin() : at_(nullptr), width_(0) {}
  template <class T>
  Pin(T& port, int width) : at_(reinterpret_cast<uint8_t*>(&port)), width_(width) {}

  explicit operator bool() const { return at_ != nullptr; }
  int width() const { return width_; }
  int bytes() const { return (width_ + 7) / 8; }

  void set(uint64_t value) const {
    if (!at_) return;
    if (width_ < 64) value &= (uint64_t(1) << width_) - 1;
    if (width_ <= 8) {  // most pins, every cycle
      *at_ = static_cast<uint8_t>(value);
      return;
    }
    std::memcpy(at_, &value, bytes() < 8 ? bytes() : 8);
  }
  uint64_t get() const {
    uint64_t value = 0;
    if (at_) std::memcpy(&value, at_, bytes() < 8 ? bytes() : 8);
    return value;
  }
  bool high() const { return at_ && (*at_ & 1); }
  // The first `size` bytes; what the pin has beyond is 0.
  void load(const uint8_t* from, int size) const {
    std::memset(at_, 0, bytes());
    std::memcpy(at_, from, size < bytes() ? size : bytes());
  }
  uint8_t* data() const { return at_; }
  void fill(bool ones) const {
    if (!at_) return;
    std::memset(at_, ones ? 255 : 0, bytes());
    if (ones && width_ % 8) at_[bytes() - 1] = static_cast<uint8_t>((1 << width_ % 8) - 1);
  }
  bool full() const {
    for (int bit = 0; bit < width_; ++bit) {
      if (!(at_[bit / 8] >> bit % 8 & 1)) return false;
    }
    return true;
  }

 private:
  uint8_t* at_;
  int width_;
};

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x1234567) {}
  uint32_t next() {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<uint32_t>((z ^ (z >> 31)) >> 16);
  }

 private:
  uint64_t state_;
};

// Whether a stream's far side takes part in a cycle.  periodic: three cycles in five, out of step
// with the other streams; random: by chance, whose odds change every 64 cycles from rarely to
// nearly always.
class Stall {
 public:
  Stall(uint32_t mode, uint64_t seed) : mode_(mode), random_(seed), cycle_(seed % 5), odds_(128) {}
  bool go() {
    if (mode_ == 0) return true;
    ++cycle_;
    if (mode_ == 1) return cycle_ % 5 < 3;
    if (cycle_ % 64 == 0) odds_ = 16 + random_.next() % 232;
    return random_.next() % 256 < odds_;
  }

 private:
  uint32_t mode_;
  Random random_;
  uint64_t cycle_;
  uint32_t odds_;
};

// One AXI4-Stream port.  `data_bytes`: bytes of a word in request and reply (TDATA may be padded).
struct Stream {
  std::string name;
  bool input;
  int data_bits;
  Pin data, keep, strb, user, last, id, dest, valid, ready;

  int data_bytes() const { return (data_bits + 7) / 8; }
  int word_bytes() const;  // with the side channels

  Stall stall = Stall(0, 0);
  uint64_t expected = kNone;
  // Input: what is to be sent.
  const uint8_t* words = nullptr;
  const uint8_t* flags = nullptr;
  uint64_t count = 0;
  uint64_t moved = 0;
  bool offered = false;
  bool blank = false;   // nothing is offered, and the data pins say so
  bool whole = false;   // words with side channels, as in a replay
  bool frugal = false;  // an output is not taken beyond what is expected
  // Output: what came, and the word that must not change until it is taken.
  std::vector<uint8_t> got;
  std::vector<uint8_t> got_flags;
  std::vector<uint8_t> held;
  bool holding = false;

  void begin(const Given& given, uint64_t expect);
  void drive();
  bool sample();  // before the rising edge; returns whether a word moves
  void save(Writer& out) const;
  std::string report() const;

 private:
  template <class Visit>
  void each_channel(Visit visit) const;  // (pin, lowest bit in the word, bits)
};

// A scalar: in the register file (offset), or wires of its own (`vld` is optional).
struct Scalar {
  std::string name;
  bool input;
  int width;
  uint32_t offset;
  bool vld_register = false;  // behind the data words: whether they were written
  Pin wire, vld;
  std::vector<uint8_t> value;
  uint8_t written = 0;  // in this call; 2: not known

  int bytes() const { return (width + 7) / 8; }
  int words() const { return (width + 31) / 32; }
  void save(Writer& out) const;
};

// What lies behind an ap_memory port: read first, one cycle of latency, one or two ports.
struct Memory {
  struct Side {
    Pin address, ce, we, d, q;
    uint64_t at = 0;
    bool enabled = false;
    bool writes = false;
    std::vector<uint8_t> in, out;
  };
  std::string name;
  int width;
  uint64_t depth;
  Side sides[2];
  std::vector<uint8_t> words;

  int bytes() const { return (width + 7) / 8; }
  void begin(const Given& given);
  void sample();       // before the rising edge
  void drive() const;  // behind it
};

// A FIFO inside, seen through its handshakes.
struct Fifo {
  std::string name;
  Pin in_valid, in_ready, out_valid, out_ready;
  uint64_t pushed = 0, fill = 0, high = 0, blocked = 0;
  uint64_t span = 1, cycles = 0;  // cycles per sample, cycles of the last one
  std::vector<uint64_t> samples;  // most words of each span
  void sample();
  void save(Writer& out) const;
};

}  // namespace hlsc_rtlsim

#endif  // HLSC_RTLSIM_PORTS_H_
