// SPDX-License-Identifier: Apache-2.0
// Runs a Verilated kernel on arguments that come as bytes: the C++ half of hlsc.rtlsim.
//
// rtlsim.py writes a main() that binds the model's ports to a Bench and calls serve().  Every cycle
// the inputs are set, the model is evaluated with the clock low, handshakes are looked at, and the
// clock rises; so what a cycle transfers is what its valid and ready say before the rising edge.
//
// Request:  u32 stall of inputs, u32 stall of outputs (0 none, 1 periodic, 2 random), u64 seed, u64
//           most cycles without progress, u32 replay, u32 calls; then the arguments as
//           csim_harness.h has them and per argument u64 beats expected (~0: unknown): once, or
//           with replay per call.
// Reply:    as csim_harness.h has it, without internal streams; behind each call u64 cycles, u64
//           cycles to done.
//
// In a replay (hlsc.cosim) a stream word is the whole word, side channels above the data in the
// order of ap_axiu, and has no flags.  The reply is per call: per argument u8 written (0 no, 1 yes,
// 2 not known), u64 beats moved, u64 count of words that came and the words; u64 cycles, u64 cycles
// to done; each call behind u8 1.  It ends with u8 0 and a text, empty if no rule was broken.
#ifndef HLSC_RTLSIM_HARNESS_H_
#define HLSC_RTLSIM_HARNESS_H_

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "csim_bytes.h"

namespace hlsc_rtlsim {

using hlsc_csim::Given;
using hlsc_csim::Reader;
using hlsc_csim::Writer;

const uint64_t kNone = ~uint64_t(0);

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

// AXI4-Lite master; ports that are absent are unbound pins.
struct Bus {
  Pin awaddr, awvalid, awready, wdata, wstrb, wvalid, wready, bvalid, bready;
  Pin araddr, arvalid, arready, rdata, rvalid, rready;
};

uint64_t seed_of(const std::vector<uint8_t>& request);

// What main() binds, and the simulation itself.
class Bench {
 public:
  Pin clock, reset_n, interrupt, ap_start, ap_done, ap_idle, ap_ready;
  Bus bus;
  std::vector<Stream> streams;
  std::vector<Scalar> scalars;
  std::vector<Memory> memories;
  std::vector<Fifo> fifos;
  std::vector<std::pair<char, int>> arguments;  // 's', 'v' or 'm', and the index: the reply's order
  bool control = true;                          // ap_ctrl_hs; false: ap_ctrl_none
  void (*eval)(void* model) = nullptr;
  void* model = nullptr;

  Writer serve(const std::vector<uint8_t>& request);

 private:
  // Signals of the register file before the last rising edge.
  struct Seen {
    bool awready, wready, bvalid, arready, rvalid, interrupt, done, ready;
    uint32_t rdata;
  };

  void reset();
  void tick();
  void cycle();
  [[noreturn]] void hang();
  void wait_bus(const char* what, uint32_t address, const std::function<bool()>& ready);
  void write(uint32_t address, uint32_t value);
  uint32_t read(uint32_t address);
  void set_scalars(const std::vector<Given>& given);
  void start_and_wait();
  void run(const std::vector<Given>& given, const std::vector<uint64_t>& expected);
  void read_registers();
  void call(const std::vector<Given>& given, const std::vector<uint64_t>& expected, Writer& out);
  void replay(uint32_t calls, Reader& in, Writer& out);

  uint64_t limit_ = 0;
  uint64_t now_ = 0;
  uint64_t idle_ = 0;
  uint64_t accepted_ = 0;
  uint64_t last_beat_ = kNone;
  uint64_t start_ = 0;
  uint64_t done_ = 0;
  bool active_ = false;
  bool asking_ = false;
  Seen seen_ = Seen();
};

}  // namespace hlsc_rtlsim

#endif  // HLSC_RTLSIM_HARNESS_H_
