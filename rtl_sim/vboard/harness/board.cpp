// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace vboard {

namespace {

const uint32_t kWatch = 16;       // cycles between two looks at CTRL of a running kernel
const uint32_t kQuiet = 2048;     // cycles without a beat after which an idle kernel stays idle
const uint32_t kLong = 1 << 17;   // the same for a running one: it may still compute, but slowly
const uint32_t kLiteLimit = 256;  // cycles in which the register file has to answer
const uint32_t kPatience = 2;     // polls after a write or event that only look
const uint32_t kSearch = 32;      // the same while an event has not been seen

std::string register_name(uint64_t address) { return Channel::hex(address); }

}  // namespace

// ------------------------------------------------------------------------------------ AXI4-Lite

void LiteMaster::reset() { *this = LiteMaster(); }

void LiteMaster::drive(Model& model) const {
  model.lite(read_offset_, ask_, read_, write_offset_, value_, address_, data_, write_);
}

void LiteMaster::sample(const Model& model) {
  if (read_) {
    if (ask_ && model.arready()) ask_ = false;
    if (model.rvalid()) {
      result_ = model.rdata();
      read_ = ask_ = false;
    }
  }
  if (write_) {
    if (model.awready()) address_ = false;
    if (model.wready()) data_ = false;
    if (model.bvalid()) write_ = address_ = data_ = false;
  }
}

// ---------------------------------------------------------------------------------------- board

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

void Board::program() {
  model_.reset(new Model);
  if (!record_file_.empty()) model_->record(record_file_.c_str(), record_first_, record_last_);
  ddr_.reset();
  for (Channel* c :
       {static_cast<Channel*>(&in0_), static_cast<Channel*>(&in1_), static_cast<Channel*>(&out_)}) {
    c->reset();
    c->forget();
    c->faults.clear();
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

uint64_t Board::events(int source) const {
  switch (source) {
    case 0:
      return in0_.events;
    case 1:
      return in1_.events;
    case 2:
      return out_.events;
  }
  return kernel_events_;
}

bool Board::unseen() const {
  for (int i = 0; i < 4; ++i) {
    if (seen_[i] != events(i)) return true;
  }
  return false;
}

// What begins while nothing is under way begins alike, whatever was before: the same work takes the
// same number of cycles.
void Board::align() {
  if (running_ || in0_.pending() || in1_.pending() || out_.pending()) return;
  phase_ = 0;
  ddr_.refill();
}

bool Board::nothing_can_happen() const {
  if (running_ || now_ - moved_ < kQuiet) return false;
  return !lite_.reading() && !lite_.writing();
}

void Board::forget_polls() {
  looks_ = strangers_ = 0;
  anchor_ = -1;
}

// A status register says "busy": runs to the next event, or for as long as given; where an event
// lies does not depend on that.  First come looks that take no time: a driver may look before it
// starts the next transfer, and after an event it has to find out, reading several registers, which
// one it was. Of several registers that are polled in turn only the first lets time pass, so that
// the host acts on events that come together in one order, however often it reads each.
void Board::poll(int source, uint32_t milliseconds) {
  seen_[source] = events(source);
  if (anchor_ < 0 || strangers_ >= kSearch) anchor_ = source;
  strangers_ = source == anchor_ ? 0 : strangers_ + 1;
  if (looks_ < (unseen() ? kSearch : kPatience)) {
    ++looks_;
    return;
  }
  if (source != anchor_) return;
  for (int i = 0; i < 4; ++i) seen_[i] = events(i);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  const uint64_t before = events();
  const uint32_t slice = now_ - moved_ > kLong ? 1024 : 0;
  for (uint32_t i = 1; events() == before && !nothing_can_happen(); ++i) {
    cycle();
    if (i == slice) break;
    if (i % 256 == 0 && std::chrono::steady_clock::now() >= end) break;
  }
  if (events() != before) forget_polls();
}

void Board::run(uint64_t cycles) {
  for (uint64_t i = 0; i < cycles; ++i) cycle();
}

uint32_t Board::read_kernel(uint32_t offset, uint32_t milliseconds) {
  if (offset == 0) {
    if (running_ && !latched_) poll(3, milliseconds);
    seen_[3] = kernel_events_;
    if (running_ || latched_) {
      const uint32_t value = control_ | latched_;
      latched_ = 0;
      return value;
    }
  }
  for (uint32_t i = 0; lite_.reading(); ++i) {
    if (i > kLiteLimit)
      throw std::runtime_error("the kernel's register file does not answer a read");
    cycle();
  }
  lite_.start_read(offset);
  for (uint32_t i = 0; lite_.reading(); ++i) {
    if (i > kLiteLimit)
      throw std::runtime_error("the kernel's register file does not answer a read");
    cycle();
  }
  return lite_.result();
}

void Board::write_kernel(uint32_t offset, uint32_t value) {
  const uint64_t begin = now_;
  const bool starts = offset == 0 && (value & 1);
  uint64_t accepted = kNever;
  lite_.start_write(offset, value);
  while (lite_.writing()) {
    if (now_ - begin > kLiteLimit) {
      throw std::runtime_error("the kernel's register file does not answer a write");
    }
    cycle();
    if (lite_.accepted() && accepted == kNever) {
      accepted = now_ - 1;
      if (!starts) continue;
      for (StreamCount& c : counts_) c.settle(Cause::kIdle);
      std::copy(counts_, counts_ + 3, at_start_);
    }
  }
  if (starts) {
    align();
    if (running_) fault("kernel: ap_start was written while it runs");
    ++starts_;
    started_ = accepted;
    last_out_ = kNever;
    running_ = true;
    done_ = false;
    phase_ = 0;
    control_ = 1 | (value & 0x80);
  }
}

Channel* Board::channel(int which, uint32_t offset) {
  if (which) return offset < 0x30 ? static_cast<Channel*>(&in1_) : nullptr;
  return offset < 0x30 ? static_cast<Channel*>(&in0_) : static_cast<Channel*>(&out_);
}

uint32_t Board::read_dma(int which, uint32_t offset, uint32_t milliseconds) {
  Channel* c = offset < 0x60 ? channel(which, offset) : nullptr;
  if (!c) return 0;
  const uint32_t within = offset % 0x30;
  if (within == 0x04) {
    const int source = which ? 1 : offset < 0x30 ? 0 : 2;
    if (c->pending()) poll(source, milliseconds);
    seen_[source] = c->events;
  }
  return c->read(within);
}

void Board::write_dma(int which, uint32_t offset, uint32_t value) {
  Channel* c = offset < 0x60 ? channel(which, offset) : nullptr;
  if (!c) {
    fault(std::string(which ? "axi_dma_1" : "axi_dma_0") + ": register " + Channel::hex(offset) +
          " was written, which this DMA does not have");
    return;
  }
  if (offset % 0x30 == 0 && (value & kReset)) {  // of either channel: resets both
    if (which) {
      in1_.reset();
    } else {
      in0_.reset();
      out_.reset();
    }
    return;
  }
  align();
  c->write(offset % 0x30, value);
}

uint32_t Board::read(uint64_t address, uint32_t milliseconds) {
  const uint32_t offset = static_cast<uint32_t>(address & 0xffff);
  const uint64_t base = address - offset;
  if (base == config_.kernel) return read_kernel(offset, milliseconds);
  if (base == config_.dma0) return read_dma(0, offset, milliseconds);
  if (base == config_.dma1) return read_dma(1, offset, milliseconds);
  if (base == config_.gpio) return offset == 0 ? gpio_ : offset == 4 ? gpio_tri_ : 0;
  throw std::runtime_error("nothing answers at " + register_name(address));
}

void Board::write(uint64_t address, uint32_t value) {
  const uint32_t offset = static_cast<uint32_t>(address & 0xffff);
  const uint64_t base = address - offset;
  const uint64_t begin = now_;
  forget_polls();
  if (base == config_.kernel) {
    write_kernel(offset, value);
  } else if (base == config_.dma0) {
    write_dma(0, offset, value);
  } else if (base == config_.dma1) {
    write_dma(1, offset, value);
  } else if (base == config_.gpio) {
    if (offset == 0) gpio_ = value & 15;
    if (offset == 4) gpio_tri_ = value & 15;
  } else {
    throw std::runtime_error("nothing answers at " + register_name(address));
  }
  while (now_ - begin < config_.access_cycles) cycle();
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
  for (Channel* c :
       {static_cast<Channel*>(&in0_), static_cast<Channel*>(&in1_), static_cast<Channel*>(&out_)}) {
    faults_.insert(faults_.end(), c->faults.begin(), c->faults.end());
    c->faults.clear();
  }
  std::vector<std::string> all;
  all.swap(faults_);
  return all;
}

}  // namespace vboard

// --------------------------------------------------------------------------------- C interface

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

namespace {

thread_local std::string error;

template <class F>
int guarded(const F& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& e) {
    error = e.what();
    return 1;
  }
}

vboard::Board& board(void* handle) { return *static_cast<vboard::Board*>(handle); }

}  // namespace

extern "C" {

uint32_t vb_register_bits() { return kRegisterBits; }
const char* vb_error() { return error.c_str(); }

void* vb_create(const uint64_t* config, uint8_t* memory) {
  vboard::Config c;
  static_assert(sizeof c == 11 * sizeof(uint64_t), "Config must be the words that logic.py passes");
  std::memcpy(&c, config, sizeof c);
  void* made = nullptr;
  guarded([&] { made = new vboard::Board(c, memory); });
  return made;
}
void vb_destroy(void* handle) { delete &board(handle); }
int vb_program(void* handle) {
  return guarded([&] { board(handle).program(); });
}
int vb_read(void* handle, uint64_t address, uint32_t milliseconds, uint32_t* value) {
  return guarded([&] { *value = board(handle).read(address, milliseconds); });
}
int vb_write(void* handle, uint64_t address, uint32_t value) {
  return guarded([&] { board(handle).write(address, value); });
}
int vb_run(void* handle, uint64_t cycles) {
  return guarded([&] { board(handle).run(cycles); });
}
int vb_record(void* handle, const char* file, uint64_t first, uint64_t last) {
  return guarded([&] { board(handle).record(file, first, last); });
}
void vb_buffers(void* handle, const uint64_t* bounds, uint64_t count) {
  board(handle).ddr().set_buffers(bounds, count);
}
void vb_counters(void* handle, uint64_t* out) { board(handle).counters(out); }

// What went wrong since the last call, one per line; returns the length it would have had.
uint64_t vb_faults(void* handle, char* out, uint64_t room) {
  std::string text;
  for (const std::string& f : board(handle).take_faults()) text += f + "\n";
  const uint64_t n = text.size() < room ? text.size() : room;
  std::memcpy(out, text.data(), n);
  return n;
}
}
