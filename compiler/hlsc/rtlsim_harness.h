// SPDX-License-Identifier: Apache-2.0
// Runs a Verilated kernel on arguments that come as bytes: the C++ half of hlsc.rtlsim.
//
// rtlsim.py writes a main() that binds the model's ports to a Bench and calls serve().  Every cycle
// the inputs are set, the model is evaluated with the clock low, handshakes are looked at, and the
// clock rises; so what a cycle transfers is what its valid and ready say before the rising edge.
//
// Request:  u32 stall of inputs, u32 stall of outputs (0 none, 1 periodic, 2 random), u64 seed, u64
// most
//           cycles without progress, u32 calls, then the arguments as csim_harness.h has them; per
//           argument beside: u64 beats expected (~0: unknown), in the order of the arguments.
// Reply:    as csim_harness.h has it, without internal streams; behind each call u64 cycles, u64
// cycles
//           to done.
#ifndef HLSC_RTLSIM_HARNESS_H_
#define HLSC_RTLSIM_HARNESS_H_

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "csim_bytes.h"

namespace hlsc_rtlsim {

using hlsc_csim::Given;
using hlsc_csim::Reader;
using hlsc_csim::Writer;

const uint64_t kNone = ~uint64_t(0);

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
  const uint8_t* data() const { return at_; }
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
  int data_bytes;
  Pin data, keep, strb, user, last, id, dest, valid, ready;

  Stall stall = Stall(0, 0);
  uint64_t expected = kNone;
  // Input: what is to be sent.
  const uint8_t* words = nullptr;
  const uint8_t* flags = nullptr;
  uint64_t count = 0;
  uint64_t moved = 0;
  bool offered = false;
  // Output: what came, and the word that must not change until it is taken.
  std::vector<uint8_t> got;
  std::vector<uint8_t> got_flags;
  std::vector<uint8_t> held;
  bool holding = false;

  void begin(const Given& given, uint64_t expect) {
    expected = expect;
    moved = 0;
    if (!input) {
      got.clear();
      got_flags.clear();
      return;
    }
    count = given.count == kNone ? 0 : given.count;
    Reader bytes = given.bytes;
    words = bytes.take(count * data_bytes);
    flags = bytes.take(count);
  }

  void drive() {
    if (!input) {
      ready.set(stall.go());
      return;
    }
    if (offered) return;  // a word that was offered stays until it is taken
    if (moved < count && stall.go()) {
      data.load(words + moved * data_bytes, data_bytes);
      keep.fill(true);
      strb.fill(true);
      user.fill(false);
      id.fill(false);
      dest.fill(false);
      last.set(flags[moved] & 1);
      offered = true;
    } else {
      data.fill(true);  // a kernel that looks at it without TVALID is found out
      last.set(1);
    }
    valid.set(offered);
  }

  // Before the rising edge; returns whether a word moves.
  bool sample() {
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
    got.insert(got.end(), data.data(), data.data() + data_bytes);
    got_flags.push_back((!last || last.high() ? 1 : 0) | (!keep || keep.full() ? 0 : 2));
    ++moved;
    return true;
  }

  void save(Writer& out) const {
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

  std::string report() const {
    const uint64_t all = input ? count : expected;
    std::string text = "  " + name + ": " + std::to_string(moved);
    if (all != kNone) text += " of " + std::to_string(all);
    text += input ? " beats sent" : " beats received";
    text += std::string(", TVALID=") + (valid.high() ? "1" : "0") +
            " TREADY=" + (ready.high() ? "1" : "0");
    if (input && offered && !ready.high()) text += ": the kernel does not take the next beat";
    if (input && moved == count && ready.high()) text += ": the kernel would take more";
    if (!input && !valid.high() && moved < all && all != kNone)
      text += ": the kernel sends nothing";
    return text;
  }
};

// A scalar: in the register file (offset), or wires of its own (`vld` is optional).
struct Scalar {
  std::string name;
  bool input;
  int width;
  uint32_t offset;
  Pin wire, vld;
  std::vector<uint8_t> value;

  int bytes() const { return (width + 7) / 8; }
  int words() const { return (width + 31) / 32; }
};

// AXI4-Lite master; ports that are absent are unbound pins.
struct Bus {
  Pin awaddr, awvalid, awready, wdata, wstrb, wvalid, wready, bvalid, bready;
  Pin araddr, arvalid, arready, rdata, rvalid, rready;
};

inline uint64_t seed_of(const std::vector<uint8_t>& request) {
  Reader in(request.data(), request.size());
  in.take(8);
  return in.get<uint64_t>();
}

// What main() binds, and the simulation itself.
class Bench {
 public:
  Pin clock, reset_n, interrupt, ap_start, ap_done, ap_idle, ap_ready;
  Bus bus;
  std::vector<Stream> streams;
  std::vector<Scalar> scalars;
  std::vector<std::pair<char, int>> arguments;  // 's' or 'v', and the index: the reply's order
  bool control = true;                          // ap_ctrl_hs; false: ap_ctrl_none
  std::function<void()> eval;

  Writer serve(const std::vector<uint8_t>& request) {
    Writer out;
    out.put(uint8_t(0));
    try {
      Reader in(request.data(), request.size());
      const uint32_t stall_in = in.get<uint32_t>();
      const uint32_t stall_out = in.get<uint32_t>();
      const uint64_t seed = in.get<uint64_t>();
      limit_ = in.get<uint64_t>();
      const uint32_t calls = in.get<uint32_t>();
      std::vector<Given> given = hlsc_csim::read_arguments(in);
      std::vector<uint64_t> expected;
      for (size_t i = 0; i < given.size(); ++i) expected.push_back(in.get<uint64_t>());
      for (size_t i = 0; i < streams.size(); ++i) {
        Stream& s = streams[i];
        s.stall = Stall(s.input ? stall_in : stall_out, seed * 64 + i);
      }
      reset();
      for (uint32_t i = 0; i < calls; ++i) call(given, expected, out);
      return out;
    } catch (const std::exception& error) {
      return hlsc_csim::failure_reply(error.what());
    }
  }

 private:
  // Signals of the register file before the last rising edge.
  struct Seen {
    bool awready, wready, bvalid, arready, rvalid, interrupt, done, ready;
    uint32_t rdata;
  };

  void reset() {
    for (Pin p : {bus.awvalid, bus.wvalid, bus.bready, bus.arvalid, bus.rready, ap_start}) p.set(0);
    for (Scalar& s : scalars) {
      if (s.input) s.vld.set(0);
    }
    for (Stream& s : streams) (s.input ? s.valid : s.ready).set(0);
    reset_n.set(0);
    for (int i = 0; i < 8; ++i) tick();
    reset_n.set(1);
    tick();
  }

  void tick() {
    clock.set(0);
    eval();
    seen_ = {bus.awready.high(), bus.wready.high(), bus.bvalid.high(),
             bus.arready.high(), bus.rvalid.high(), interrupt.high(),
             ap_done.high(),     ap_ready.high(),   static_cast<uint32_t>(bus.rdata.get())};
    for (Scalar& s : scalars) {
      if (!s.input && s.wire && (!s.vld || s.vld.high())) {
        s.value.assign(s.wire.data(), s.wire.data() + s.bytes());
      }
    }
    if (active_) {
      for (Stream& s : streams) {
        if (!s.sample()) continue;
        idle_ = 0;
        if (!s.input) last_beat_ = now_;
      }
    }
    clock.set(1);
    eval();
    ++now_;
    ++idle_;
  }

  // One cycle with live streams; throws if nothing has moved for too long.
  void cycle() {
    for (Stream& s : streams) s.drive();
    tick();
    if (idle_ > limit_ && !asking_) hang();
  }

  [[noreturn]] void hang() {
    std::string text = "the RTL must make progress, but nothing moved for " +
                       std::to_string(limit_) + " cycles (cycle " + std::to_string(now_) + ")";
    for (const Stream& s : streams) text += "\n" + s.report();
    asking_ = true;
    if (control && bus.araddr) {
      idle_ = 0;
      try {
        const uint32_t c = read(0);
        text += std::string("\n  ap_ctrl: start=") + (c & 1 ? "1" : "0") +
                " done=" + (c & 2 ? "1" : "0") + " idle=" + (c & 4 ? "1" : "0") +
                " ready=" + (c & 8 ? "1" : "0");
      } catch (const Failure&) {
        text += "\n  ap_ctrl: the register file does not answer";
      }
    } else if (control) {
      text += std::string("\n  ap_start=1 ap_done=") + (ap_done.high() ? "1" : "0") +
              " ap_idle=" + (ap_idle.high() ? "1" : "0");
    }
    throw Failure(text);
  }

  void wait_bus(const char* what, uint32_t address, const std::function<bool()>& ready) {
    for (int i = 0; i < 256; ++i) {
      cycle();
      if (ready()) {
        if (!asking_) idle_ = 0;
        return;
      }
    }
    throw Failure(std::string("the register file must answer a ") + what + " of address " +
                  std::to_string(address) + " within 256 cycles");
  }

  void write(uint32_t address, uint32_t value) {
    bus.awaddr.set(address);
    bus.wdata.set(value);
    bus.wstrb.fill(true);
    bus.awvalid.set(1);
    bus.wvalid.set(1);
    bus.bready.set(1);
    wait_bus("write", address, [this] {
      const bool was = bus.awvalid.high() || bus.wvalid.high();
      if (seen_.awready) bus.awvalid.set(0);
      if (seen_.wready) bus.wvalid.set(0);
      if (was && !bus.awvalid.high() && !bus.wvalid.high()) accepted_ = now_ - 1;
      return seen_.bvalid;
    });
    bus.bready.set(0);
  }

  uint32_t read(uint32_t address) {
    bus.araddr.set(address);
    bus.arvalid.set(1);
    bus.rready.set(1);
    wait_bus("read", address, [this] {
      if (seen_.arready) bus.arvalid.set(0);
      return seen_.rvalid;
    });
    bus.rready.set(0);
    return seen_.rdata;
  }

  void set_scalars(const std::vector<Given>& given) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i].first != 'v') continue;
      Scalar& s = scalars[arguments[i].second];
      if (!s.input) continue;
      Reader bytes = given[i].bytes;
      std::vector<uint8_t> value(4 * s.words());
      std::memcpy(value.data(), bytes.take(s.bytes()), s.bytes());
      if (s.wire) {
        s.wire.load(value.data(), s.bytes());
        s.vld.set(1);
        continue;
      }
      for (int w = 0; w < s.words(); ++w) {
        uint32_t word;
        std::memcpy(&word, &value[4 * w], 4);
        write(s.offset + 4 * w, word);
      }
    }
  }

  void start_and_wait(uint64_t& start, uint64_t& done) {
    if (!control) {
      start = now_;
      // Free running: over when nothing has moved for a while.
      while (idle_ < (limit_ < 1000 ? limit_ : 1000)) cycle();
      done = last_beat_;
      return;
    }
    if (!bus.awaddr) {
      ap_start.set(1);
      start = now_;
      do {
        cycle();
        if (seen_.ready) ap_start.set(0);
      } while (!seen_.done);
      ap_start.set(0);
      done = now_ - 1;
      return;
    }
    write(0x04, 1);  // GIER
    write(0x08, 1);  // IER: ap_done
    write(0x00, 1);  // CTRL: ap_start
    start = accepted_;
    if (interrupt) {
      while (!seen_.interrupt) cycle();
      done = now_ - 1;
      write(0x0c, 1);  // ISR: toggles the bit back to 0
      if (!(read(0x00) & 2)) throw Failure("CTRL must show ap_done after the interrupt");
      cycle();
      if (seen_.interrupt) throw Failure("the interrupt must fall when its ISR bit is written");
    } else {
      asking_ = true;  // polling is no progress
      while (!(read(0x00) & 2)) {
        if (idle_ > limit_) {
          asking_ = false;
          hang();
        }
      }
      asking_ = false;
      idle_ = 0;
      done = now_ - 1;
    }
  }

  void call(const std::vector<Given>& given, const std::vector<uint64_t>& expected, Writer& out) {
    const auto begin = std::chrono::steady_clock::now();
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i].first == 's') {
        streams[arguments[i].second].begin(given[i], expected[i]);
      }
    }
    active_ = true;
    idle_ = 0;
    last_beat_ = kNone;
    set_scalars(given);
    uint64_t start = 0, done = 0;
    start_and_wait(start, done);
    // Beats that come after done would be lost without this.
    for (int quiet = 0; quiet < 32; ++quiet) {
      cycle();
      for (const Stream& s : streams) {
        if (!s.input && s.valid.high()) quiet = 0;
      }
    }
    for (Scalar& s : scalars) {
      if (s.input || s.wire) continue;
      s.value.assign(4 * s.words(), 0);
      for (int w = 0; w < s.words(); ++w) {
        const uint32_t word = read(s.offset + 4 * w);
        std::memcpy(&s.value[4 * w], &word, 4);
      }
    }
    const auto end = std::chrono::steady_clock::now();
    out.put(std::chrono::duration<double>(end - begin).count());
    out.text("");
    for (const std::pair<char, int>& a : arguments) {
      if (a.first == 's') {
        streams[a.second].save(out);
        continue;
      }
      const Scalar& s = scalars[a.second];
      out.put(uint64_t(0));
      out.put(uint64_t(0));
      out.put(uint64_t(1));
      uint8_t* to = out.grow(s.bytes());
      std::memset(to, 0, s.bytes());
      if (!s.input && !s.value.empty()) std::memcpy(to, s.value.data(), s.bytes());
      if (!s.input && s.width % 8)
        to[s.bytes() - 1] &= static_cast<uint8_t>((1 << s.width % 8) - 1);
    }
    out.put(uint32_t(0));
    out.put(last_beat_ == kNone ? uint64_t(0) : last_beat_ - start);
    out.put(done - start);
    active_ = false;
    // What a kernel leaves of an input must not leak into the next call.
    for (Stream& s : streams) {
      if (s.input) s.offered = false;
    }
  }

  uint64_t limit_ = 0;
  uint64_t now_ = 0;
  uint64_t idle_ = 0;
  uint64_t accepted_ = 0;
  uint64_t last_beat_ = kNone;
  bool active_ = false;
  bool asking_ = false;
  Seen seen_ = Seen();
};

}  // namespace hlsc_rtlsim

#endif  // HLSC_RTLSIM_HARNESS_H_
