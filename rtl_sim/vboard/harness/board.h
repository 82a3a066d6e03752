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

#include "binding.h"  // generated: class Model, the kernel's ports
#include "ddr.h"
#include "dma.h"

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

// The kernel's register file seen by its AXI4-Lite master: at most one read and one write under
// way.
class LiteMaster {
 public:
  void reset();
  void drive(Model& model) const;
  void sample(const Model& model);

  bool reading() const { return read_; }
  bool writing() const { return write_; }
  void start_read(uint32_t offset) {
    read_ = ask_ = true;
    read_offset_ = offset;
  }
  void start_write(uint32_t offset, uint32_t value) {
    write_ = address_ = data_ = true;
    write_offset_ = offset;
    value_ = value;
  }
  uint32_t read_offset() const { return read_offset_; }
  uint32_t result() const { return result_; }
  bool accepted() const { return !address_ && !data_; }  // of a write: the slave has all of it

 private:
  bool read_ = false, ask_ = false, write_ = false, address_ = false, data_ = false;
  uint32_t read_offset_ = 0, write_offset_ = 0, value_ = 0, result_ = 0;
};

class Board {
 public:
  Board(const Config& config, uint8_t* memory);

  void program();  // a fresh kernel in a fresh PL
  uint32_t read(uint64_t address, uint32_t milliseconds);
  void write(uint64_t address, uint32_t value);
  void run(uint64_t cycles);
  void record(const char* file, uint64_t first, uint64_t last);
  void counters(uint64_t* out) const;
  std::vector<std::string> take_faults();
  Ddr& ddr() { return ddr_; }

 private:
  void cycle();
  void poll(int source, uint32_t milliseconds);
  uint64_t events(int source) const;  // 0 in0, 1 in1, 2 out, 3 the kernel
  uint64_t events() const { return events(0) + events(1) + events(2) + events(3); }
  bool unseen() const;
  void align();
  void forget_polls();
  bool nothing_can_happen() const;
  uint32_t read_kernel(uint32_t offset, uint32_t milliseconds);
  void write_kernel(uint32_t offset, uint32_t value);
  uint32_t read_dma(int which, uint32_t offset, uint32_t milliseconds);
  void write_dma(int which, uint32_t offset, uint32_t value);
  Channel* channel(int which, uint32_t offset);
  void see_control(uint32_t value);
  void fault(const std::string& text) { faults_.push_back(text); }

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
  uint32_t phase_ =
      0;  // whose turn it is, and when to look at CTRL: counted from the start of a run
  uint64_t moved_ = 0;  // cycle of the last beat anywhere
  // Polls since the last write or event; the register that was polled first of them, which alone
  // lets time pass; polls since that one was last polled.
  uint32_t looks_ = 0;
  int anchor_ = -1;
  uint32_t strangers_ = 0;
  uint64_t seen_[4] = {0, 0, 0, 0};  // of the events below, those whose status the host has read
  uint64_t ddr_bytes_ = 0;
  // The kernel: started and not seen done; what of CTRL the host has not read yet.
  bool running_ = false;
  bool done_ = false;
  bool watching_ = false;  // the read under way is the board's own look at CTRL
  uint32_t control_ = 4, latched_ = 0;
  uint64_t kernel_events_ = 0;
  uint64_t starts_ = 0, started_ = kNever, last_out_ = kNever;
  std::vector<std::string> faults_;
  std::string record_file_;  // of a waveform, if any: every programming starts it anew
  uint64_t record_first_ = 0, record_last_ = 0;
};

}  // namespace vboard

#endif  // VBOARD_BOARD_H_
