// SPDX-License-Identifier: Apache-2.0
// What happens in a cycle, and what is counted of it.
#include "board.h"

#include <algorithm>
#include <stdexcept>

#include "binding.h"  // generated: class Model

namespace vboard {

namespace {

const uint32_t kWatch = 16;  // cycles between two looks at CTRL of a running kernel
const Source kChannels[] = {kIn0, kIn1, kOut};

}  // namespace

Board::Board(const Config& config, uint8_t* memory)
    : config_(config),
      ddr_(memory, config.cma_base, config.cma_bytes, config.ddr_bytes,
           static_cast<uint32_t>(config.ddr_milli_bytes),
           static_cast<uint32_t>(config.ddr_latency)),
      in0_("axi_dma_0 MM2S", static_cast<uint32_t>(config.length_bits)),
      in1_("axi_dma_1 MM2S", static_cast<uint32_t>(config.length_bits)),
      out_("axi_dma_0 S2MM", static_cast<uint32_t>(config.length_bits)) {
  program();
}

Board::~Board() = default;

uint32_t Board::register_bits() { return kRegisterBits; }

void Board::program() {
  model_.reset(new Model);
  if (!record_file_.empty()) model_->record(record_file_.c_str(), record_first_, record_last_);
  ddr_.reset();
  for (Source source : kChannels) {
    Channel& c = channel(source);
    c.reset();
    c.forget();
    c.faults.clear();
  }
  lite_.reset();
  gpio_ = gpio_tri_ = 0;
  faults_.clear();
  running_ = done_ = watching_ = false;
  control_ = 4;
  latched_ = 0;
  starts_ = 0;
  started_ = last_out_ = kNever;
  model_->reset_n(false);
  now_ = moved_ = 0;
  for (int i = 0; i < 8; ++i) cycle();
  model_->reset_n(true);
  cycle();
  now_ = moved_ = 0;
  for (int i = 0; i < 3; ++i) counts_[i] = at_start_[i] = at_last_[i] = StreamCount();
}

Channel& Board::channel(Source source) {
  if (source == kOut) return out_;
  return source == kIn0 ? in0_ : in1_;
}

void Board::cycle() {
  Model& m = *model_;
  const bool v0 = in0_.valid(), v1 = in1_.valid(), r = out_.ready();
  if (v0) {
    const Beat& b = in0_.beat();
    m.in0(b.data, b.keep, b.last);
  }
  if (v1) {
    const Beat& b = in1_.beat();
    m.in1(b.data, b.keep, b.last);
  }
  m.in0_valid(v0);
  m.in1_valid(v1);
  m.out_ready(r);
  lite_.drive(m);
  m.low(now_);

  const auto memory = [](const Channel& c) {
    return c.held() ? Cause::kBandwidth : Cause::kLatency;
  };
  const auto count_input = [&](StreamCount& c, Mm2s& channel, bool valid, bool ready) {
    if (channel.active()) c.settle(running_ ? Cause::kDma : Cause::kIdle);
    Cause cause = Cause::kIdle;
    if (valid && ready) {
      cause = Cause::kBeat;
      c.packets += channel.beat().last;
      channel.taken();
      moved_ = now_;
    } else if (valid) {
      cause = Cause::kKernel;
    } else if (channel.active()) {
      cause = memory(channel);
    } else if (ready && running_) {
      ++c.unarmed;
      return;
    }
    c.add(cause);
  };
  const bool k0 = m.in0_ready(), k1 = m.in1_ready(), vo = m.out_valid();
  count_input(counts_[0], in0_, v0, k0);
  count_input(counts_[1], in1_, v1, k1);
  if (vo && r) {
    const Beat beat = m.out();
    counts_[2].add(Cause::kBeat);
    counts_[2].packets += beat.last;
    moved_ = last_out_ = now_;
    out_.taken(beat);
    std::copy(counts_, counts_ + 3, at_last_);
  } else if (vo) {
    counts_[2].add(out_.active() ? memory(out_) : Cause::kDma);
  } else {
    counts_[2].add(out_.active() && running_ ? Cause::kKernel : Cause::kIdle);
  }
  const bool was_reading = lite_.reading();
  lite_.sample(m);
  m.high(now_);

  ddr_.cycle();
  // Who may take the shared bandwidth first changes every cycle.
  switch (phase_ % 3) {
    case 0:
      in0_.cycle(now_, ddr_), in1_.cycle(now_, ddr_), out_.cycle(now_, ddr_);
      break;
    case 1:
      in1_.cycle(now_, ddr_), out_.cycle(now_, ddr_), in0_.cycle(now_, ddr_);
      break;
    default:
      out_.cycle(now_, ddr_), in0_.cycle(now_, ddr_), in1_.cycle(now_, ddr_);
  }
  const uint64_t bytes = ddr_.bytes_read + ddr_.bytes_written;
  if (bytes != ddr_bytes_) moved_ = now_;
  ddr_bytes_ = bytes;
  ++now_;
  ++phase_;
  if (watching_ && was_reading && !lite_.reading()) {
    watching_ = false;
    see_control(lite_.result());
  }
  if (running_ && !lite_.reading() && phase_ % kWatch == 0) {
    watching_ = true;
    lite_.start_read(0);
  }
}

// CTRL as the RTL says it: ap_done and ap_ready vanish there by being read, and are kept for the
// host.
void Board::see_control(uint32_t value) {
  control_ = value & ~uint32_t(0xa);
  latched_ |= value & 0xa;
  if (value & 2) {
    done_ = true;
    ++kernel_events_;
    if (!(value & 0x80)) running_ = false;
  }
}

void Board::record(const char* file, uint64_t first, uint64_t last) {
  model_->record(file, first, last);
  record_file_ = file;
  record_first_ = first;
  record_last_ = last;
}

void Board::counters(uint64_t* out) const {
  *out++ = now_;
  *out++ = starts_;
  *out++ = started_;
  *out++ = last_out_;
  *out++ = done_;
  for (int i = 0; i < 3; ++i) {
    const StreamCount &c = counts_[i], &first = at_start_[i];
    *out++ = c.packets;
    *out++ = starts_ ? c.of(0) - first.of(0) : 0;  // beats
    for (int cause = 0; cause < kCauses; ++cause) {
      *out++ = c.of(cause);
      // Of the run: nothing of it is there before its first beat of the output.
      *out++ = last_out_ == kNever ? 0 : at_last_[i].of(cause) - first.of(cause);
    }
  }
  const auto dma = [&out](const Channel& c) {
    for (uint64_t v :
         {c.transfers, c.bytes, uint64_t(c.control()), uint64_t(c.status()), uint64_t(c.left())}) {
      *out++ = v;
    }
  };
  dma(in0_);
  dma(in1_);
  dma(out_);
  *out++ = ddr_.bytes_read;
  *out++ = ddr_.bytes_written;
  *out++ = ddr_.limit_stalls;
}

std::vector<std::string> Board::take_faults() {
  std::vector<std::string> all;
  faults_.move_to(all);
  for (Source source : kChannels) channel(source).faults.move_to(all);
  return all;
}

}  // namespace vboard

// Verilator's own would end the process.
void vl_fatal(const char* file, int line, const char*, const char* text) {
  throw std::runtime_error(std::string("the RTL stopped: ") + text + " (" + file + ":" +
                           std::to_string(line) + ")");
}
void vl_stop(const char* file, int line, const char* scope) {
  vl_fatal(file, line, scope, "an assertion failed");
}
void vl_finish(const char* file, int line, const char* scope) {
  vl_fatal(file, line, scope, "$finish was called");
}
