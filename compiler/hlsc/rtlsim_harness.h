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
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "csim_bytes.h"
#include "rtlsim_ports.h"

namespace hlsc_rtlsim {

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
