// SPDX-License-Identifier: Apache-2.0
// What the host's reads and writes do, and how they let time pass.
#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "board.h"

namespace vboard {

namespace {

const uint32_t kQuiet = 2048;     // cycles without a beat after which an idle kernel stays idle
const uint32_t kLong = 1 << 17;   // the same for a running one: it may still compute, but slowly
const uint32_t kLiteLimit = 256;  // cycles in which the register file has to answer

}  // namespace

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

// A status register says "busy": runs to the next event, or for as long as given; where an event
// lies does not depend on that.
void Board::poll(Source source, uint32_t milliseconds) {
  if (!polls_.moves(source, events())) return;
  polls_.see_all(events());
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  const uint64_t before = happened();
  const uint32_t slice = now_ - moved_ > kLong ? 1024 : 0;
  for (uint32_t i = 1; happened() == before && !nothing_can_happen(); ++i) {
    cycle();
    if (i == slice) break;
    if (i % 256 == 0 && std::chrono::steady_clock::now() >= end) break;
  }
  if (happened() != before) polls_.restart();
}

void Board::run(uint64_t cycles) {
  for (uint64_t i = 0; i < cycles; ++i) cycle();
}

// What the kernel's register file answers to a read.
uint32_t Board::answer(uint32_t offset) {
  const auto wait = [this] {
    for (uint32_t i = 0; lite_.reading(); ++i) {
      if (i > kLiteLimit)
        throw std::runtime_error("the kernel's register file does not answer a read");
      cycle();
    }
  };
  wait();  // for the board's own look at CTRL
  lite_.start_read(offset);
  wait();
  return lite_.result();
}

uint32_t Board::read_kernel(uint32_t offset, uint32_t milliseconds) {
  if (offset == 0) {
    if (running_ && !latched_) poll(kKernel, milliseconds);
    polls_.see(kKernel, events());
    if (running_ || latched_) {
      const uint32_t value = control_ | latched_;
      latched_ = 0;
      return value;
    }
  }
  return answer(offset);
}

void Board::write_kernel(uint32_t offset, uint32_t value) {
  const uint64_t begin = now_;
  const bool starts = offset == 0 && (value & 1);
  uint64_t accepted = kNever;
  polls_.written(kKernel);
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

// Whose register of a DMA this is; kSources: nobody's.
Source Board::source_at(int which, uint32_t offset) {
  if (offset < 0x30) return which ? kIn1 : kIn0;
  return offset < 0x60 && !which ? kOut : kSources;
}

uint32_t Board::read_dma(int which, uint32_t offset, uint32_t milliseconds) {
  const Source source = source_at(which, offset);
  if (source == kSources) return 0;
  const Channel& c = channel(source);
  if (offset % 0x30 == 0x04) {
    if (c.pending()) poll(source, milliseconds);
    polls_.see(source, events());
  }
  return c.read(offset % 0x30);
}

void Board::write_dma(int which, uint32_t offset, uint32_t value) {
  const Source source = source_at(which, offset);
  if (source == kSources) {
    fault(std::string(which ? "axi_dma_1" : "axi_dma_0") + ": register " + Channel::hex(offset) +
          " was written, which this DMA does not have");
    return;
  }
  polls_.written(source);
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
  channel(source).write(offset % 0x30, value);
}

uint32_t Board::read(uint64_t address, uint32_t milliseconds) {
  const uint32_t offset = static_cast<uint32_t>(address & 0xffff);
  const uint64_t base = address - offset;
  if (base == config_.kernel) return read_kernel(offset, milliseconds);
  if (base == config_.dma0) return read_dma(0, offset, milliseconds);
  if (base == config_.dma1) return read_dma(1, offset, milliseconds);
  if (base == config_.gpio) return offset == 0 ? gpio_ : offset == 4 ? gpio_tri_ : 0;
  throw std::runtime_error("nothing answers at " + Channel::hex(address));
}

void Board::write(uint64_t address, uint32_t value) {
  const uint32_t offset = static_cast<uint32_t>(address & 0xffff);
  const uint64_t base = address - offset;
  const uint64_t begin = now_;
  polls_.restart();
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
    throw std::runtime_error("nothing answers at " + Channel::hex(address));
  }
  while (now_ - begin < config_.access_cycles) cycle();
}

}  // namespace vboard
