// SPDX-License-Identifier: Apache-2.0
// The programmable logic of a virtual board: the Verilated kernel between two AXI DMAs, an
// AXI4-Lite interconnect, a GPIO.  One clock; `cycle()` is its period.
//
// Time moves when the host writes a register (a fixed number of cycles) and when it polls something
// that is busy: then the design runs to its next event.  So nothing depends on how often it polls.
#ifndef VBOARD_BOARD_H_
#define VBOARD_BOARD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ddr.h"
#include "dma.h"
#include "lite.h"
#include "polls.h"

class Model;  // generated: the kernel's ports

namespace vboard {

const uint64_t kNever = ~uint64_t(0);

// The words of vb_create's argument, in this order; see logic.py.
struct Config {
  uint64_t cma_base, cma_bytes, ddr_bytes;
  uint64_t ddr_milli_bytes, ddr_latency, access_cycles, length_bits;
  uint64_t kernel, dma0, dma1, gpio;
};

// What a cycle was on a stream: a beat, or none for one cause (the package's docstring has them).
enum class Cause { kBeat, kKernel, kLatency, kBandwidth, kDma, kIdle };
const int kCauses = 6;

struct StreamCount {
  uint64_t cycles[kCauses] = {};
  uint64_t packets = 0;
  // In a run, without a transfer: only the next one of the run shows that the kernel waited for it.
  uint64_t unarmed = 0;

  void add(Cause cause, uint64_t count = 1) { cycles[static_cast<int>(cause)] += count; }
  void settle(Cause cause) {
    add(cause, unarmed);
    unarmed = 0;
  }
  uint64_t of(int cause) const {
    return cycles[cause] + (cause == static_cast<int>(Cause::kIdle) ? unarmed : 0);
  }
};

class Board {
 public:
  Board(const Config& config, uint8_t* memory);
  ~Board();

  static uint32_t register_bits();  // of an address in the kernel's register file
  void program();                   // a fresh kernel in a fresh PL
  uint32_t read(uint64_t address, uint32_t milliseconds);
  void write(uint64_t address, uint32_t value);
  void run(uint64_t cycles);
  void record(const char* file, uint64_t first, uint64_t last);
  void counters(uint64_t* out) const;
  std::vector<std::string> take_faults();
  Ddr& ddr() { return ddr_; }

 private:
  void cycle();
  void poll(Source source, uint32_t milliseconds);
  Events events() const { return {{in0_.events, in1_.events, out_.events, kernel_events_}}; }
  uint64_t happened() const { return in0_.events + in1_.events + out_.events + kernel_events_; }
  void align();
  bool nothing_can_happen() const;
  uint32_t answer(uint32_t offset);
  uint32_t read_kernel(uint32_t offset, uint32_t milliseconds);
  void write_kernel(uint32_t offset, uint32_t value);
  uint32_t read_dma(int which, uint32_t offset, uint32_t milliseconds);
  void write_dma(int which, uint32_t offset, uint32_t value);
  Channel& channel(Source source);
  static Source source_at(int which, uint32_t offset);
  void see_control(uint32_t value);
  void fault(const std::string& text) { faults_.add(text); }

  Config config_;
  Ddr ddr_;
  Mm2s in0_, in1_;
  S2mm out_;
  std::unique_ptr<Model> model_;
  LiteMaster lite_;
  // By stream: in0, in1, out; as they were when the kernel was last started, and at the last beat
  // of the output since.
  StreamCount counts_[3], at_start_[3], at_last_[3];
  uint32_t gpio_ = 0, gpio_tri_ = 0;

  uint64_t now_ = 0;
  uint32_t phase_ = 0;  // from the start of a run: whose turn it is, and when to look at CTRL
  uint64_t moved_ = 0;  // cycle of the last beat anywhere
  Polls polls_;
  uint64_t ddr_bytes_ = 0;
  // The kernel: started and not seen done; what of CTRL the host has not read yet.
  bool running_ = false;
  bool done_ = false;
  bool watching_ = false;  // the read under way is the board's own look at CTRL
  uint32_t control_ = 4, latched_ = 0;
  uint64_t kernel_events_ = 0;
  uint64_t starts_ = 0, started_ = kNever, last_out_ = kNever;
  Faults faults_;
  std::string record_file_;  // of a waveform, if any: every programming starts it anew
  uint64_t record_first_ = 0, record_last_ = 0;
};

}  // namespace vboard

#endif  // VBOARD_BOARD_H_
