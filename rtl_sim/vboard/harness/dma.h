// SPDX-License-Identifier: Apache-2.0
// One channel of an AXI DMA in simple mode (AMD PG021): registers, bursts, stream side.
#ifndef VBOARD_DMA_H_
#define VBOARD_DMA_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "ddr.h"

namespace vboard {

const uint32_t kRun = 1, kReset = 4;                                     // DMACR
const uint32_t kHalted = 1, kIdle = 2, kInternal = 0x10, kSlave = 0x20,  // DMASR
    kDecode = 0x40, kErrors = 0x70, kIoc = 0x1000, kErrorIrq = 0x4000;
const uint32_t kBurstBytes = 2048;    // 256 beats, and never across 4 KB
const uint32_t kFifoBeats = 512;      // the DMA's store-and-forward buffer
const uint32_t kOutstanding = 4;      // bursts under way
const uint32_t kShutdownCycles = 64;  // from an error to Halted

struct Beat {
  uint64_t data;
  uint8_t keep;
  bool last;
};

// The last faults that nobody has asked for yet: a client that never asks must not fill the memory.
class Faults {
 public:
  void add(const std::string& text) {
    if (kept_.size() == kMost) kept_.erase(kept_.begin());
    kept_.push_back(text);
  }
  void clear() { kept_.clear(); }
  void move_to(std::vector<std::string>& all) {
    all.insert(all.end(), kept_.begin(), kept_.end());
    kept_.clear();
  }

 private:
  static const size_t kMost = 32;
  std::vector<std::string> kept_;
};

// A queue of fixed capacity (a power of two).
template <class T, uint32_t kCapacity>
class Ring {
 public:
  bool empty() const { return head_ == tail_; }
  uint32_t size() const { return tail_ - head_; }
  const T& front() const { return at_[head_ % kCapacity]; }
  T& front() { return at_[head_ % kCapacity]; }
  void push(const T& value) { at_[tail_++ % kCapacity] = value; }
  void pop() { ++head_; }
  void clear() { head_ = tail_ = 0; }

 private:
  T at_[kCapacity];
  uint32_t head_ = 0, tail_ = 0;
};

// What the host and the board ask of both directions.
class Channel {
 public:
  Channel(const char* name, uint32_t length_bits) : name_(name), mask_((1u << length_bits) - 1) {}

  void reset() {
    control_ = 0x10002;
    status_ = kHalted;
    address_ = length_ = 0;
    active_ = false;
    shutdown_ = 0;
    clear();
  }
  void forget() {  // the counts, when the PL is programmed
    transfers = bytes = 0;
  }

  // Registers at offsets 0x00 control, 0x04 status, 0x18 and 0x1C address, 0x28 length.
  uint32_t read(uint32_t offset) const {
    switch (offset) {
      case 0x00:
        return control_;
      case 0x04:
        return status_;
      case 0x18:
        return static_cast<uint32_t>(address_);
      case 0x1c:
        return static_cast<uint32_t>(address_ >> 32);
      case 0x28:
        return length_;
    }
    return 0;
  }
  void write(uint32_t offset, uint32_t value) {
    switch (offset) {
      case 0x00:
        control_ = (value & 0xffff7019) | 2;
        if ((value & kRun) && (status_ & kHalted) && !(status_ & kErrors)) {
          status_ &= ~(kHalted | kIdle);
        }
        if ((value & kRun) && (status_ & kErrors)) {
          fault("run was set after an error: only a reset (DMACR bit 2) ends it");
        }
        if (!(value & kRun) && !active_) halt();
        return;
      case 0x04:
        status_ &= ~(value & 0x7000);
        return;
      case 0x18:
        address_ = (address_ & ~uint64_t(0xffffffff)) | value;
        return;
      case 0x1c:
        address_ = (address_ & 0xffffffff) | uint64_t(value) << 32;
        return;
      case 0x28:
        start(value);
        return;
    }
    fault("register " + hex(offset) +
          " was written: it belongs to scatter-gather, which is not built in");
  }

  bool active() const { return active_; }
  // Whether the status register will change without the host.
  bool pending() const { return active_ || shutdown_; }
  uint32_t status() const { return status_; }
  uint32_t control() const { return control_; }
  uint32_t left() const { return active_ ? left_ : 0; }
  // Whether a beat could have moved in the last cycle but for the bandwidth that all ports share.
  bool held() const { return held_; }

  uint64_t transfers = 0;  // completed
  uint64_t bytes = 0;      // of completed transfers
  uint64_t events = 0;     // transfers ended, errors, halts
  Faults faults;

  static std::string hex(uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
  }

 protected:
  virtual ~Channel() {}
  virtual void clear() = 0;
  virtual void begin() = 0;

  void fault(const std::string& text) { faults.add(name_ + ": " + text); }
  void halt() {
    if (!(status_ & kHalted)) ++events;
    status_ |= kHalted;
    control_ &= ~kRun;
  }
  void complete(uint32_t moved) {
    active_ = false;
    ++transfers;
    bytes += moved;
    status_ |= kIdle | kIoc;
    ++events;
    if (!(control_ & kRun)) halt();
  }
  // Errors stop the channel: at once for the stream, some cycles later for the Halted bit.
  void fail(uint32_t bit, const std::string& text) {
    fault(text);
    status_ |= bit | kErrorIrq;
    active_ = false;
    shutdown_ = kShutdownCycles;
    ++events;
    clear();
  }
  void refuse(Access access, uint64_t address, uint32_t bytes) {
    const std::string where = hex(address) + " to " + hex(address + bytes - 1);
    if (access == Access::kDecodeError) {
      fail(kDecode, "burst " + where + " lies outside DDR: decode error");
    } else {
      fail(
          kSlave,
          "burst " + where +
              " lies in no allocated buffer: slave error (a real board would touch what is there)");
    }
  }
  void shutdown_cycle() {
    if (shutdown_ && --shutdown_ == 0) halt();
  }

  std::string name_;
  uint32_t mask_;
  uint32_t control_ = 0x10002, status_ = kHalted;
  uint64_t address_ = 0;
  uint32_t length_ = 0;
  uint32_t left_ = 0;
  bool active_ = false;
  bool held_ = false;
  uint32_t shutdown_ = 0;

 private:
  void start(uint32_t value) {
    if (status_ & kHalted || shutdown_) {
      fault("length was written while the channel is halted: ignored (set DMACR run first)");
      return;
    }
    if (active_) {
      fault("length was written while a transfer is under way: ignored");
      return;
    }
    length_ = value & mask_;
    if (value & ~mask_) {
      fault("length " + std::to_string(value) + " is wider than the register: cut to " +
            std::to_string(length_));
    }
    if (length_ == 0) {
      fail(kInternal, "length is 0: internal error");
      return;
    }
    if (address_ % 8) {
      fail(kInternal,
           "address " + hex(address_) +
               " is not a multiple of 8 and there is no realignment engine: internal error");
      return;
    }
    status_ &= ~kIdle;
    active_ = true;
    left_ = length_;
    begin();
  }
};

// Memory to stream.
class Mm2s : public Channel {
 public:
  using Channel::Channel;

  bool valid() const { return !fifo_.empty(); }
  const Beat& beat() const { return fifo_.front(); }
  void taken() {
    const bool last = fifo_.front().last;
    left_ -= left_ < 8 ? left_ : 8;
    fifo_.pop();
    --reserved_;
    if (last) complete(length_);
  }

  // After the clock edge of cycle `now`.
  void cycle(uint64_t now, Ddr& ddr) {
    held_ = false;
    if (!active_) {
      shutdown_cycle();
      return;
    }
    if (to_ask_ && bursts_.size() < kOutstanding) {
      uint32_t bytes = kBurstBytes - next_ % kBurstBytes;  // so never across 4 KB
      if (bytes > to_ask_) bytes = to_ask_;
      const uint32_t beats = (bytes + 7) / 8;
      if (reserved_ + beats <= kFifoBeats) {
        bursts_.push({next_, bytes, now + ddr.latency(), ddr.check(next_, bytes)});
        reserved_ += beats;
        next_ += bytes;
        to_ask_ -= bytes;
      }
    }
    if (bursts_.empty() || bursts_.front().ready > now) return;
    Burst& burst = bursts_.front();
    if (burst.access != Access::kOk) {
      refuse(burst.access, burst.address, burst.bytes);
      return;
    }
    held_ = !ddr.grant();
    if (held_) return;
    const uint32_t n = burst.bytes < 8 ? burst.bytes : 8;
    const uint64_t data = ddr.read(burst.address, n);
    burst.address += n;
    burst.bytes -= n;
    if (!burst.bytes) bursts_.pop();
    const bool last = !to_ask_ && bursts_.empty();
    fifo_.push({data, static_cast<uint8_t>(0xff >> (8 - n)), last});
  }

 private:
  struct Burst {
    uint64_t address;
    uint32_t bytes;
    uint64_t ready;
    Access access;
  };
  void clear() override {
    fifo_.clear();
    bursts_.clear();
    reserved_ = to_ask_ = 0;
  }
  void begin() override {
    clear();
    next_ = address_;
    to_ask_ = length_;
  }

  Ring<Beat, kFifoBeats> fifo_;
  Ring<Burst, kOutstanding> bursts_;
  uint64_t next_ = 0;
  uint32_t to_ask_ = 0;
  uint32_t reserved_ = 0;  // beats that are in the FIFO or on their way to it
};

// Stream to memory.
class S2mm : public Channel {
 public:
  using Channel::Channel;

  bool ready() const { return active_ && !ended_ && fifo_.size() < kFifoBeats; }
  void taken(const Beat& beat) {
    const uint32_t n = static_cast<uint32_t>(__builtin_popcount(beat.keep));
    if (received_ + n > length_) {
      fail(kInternal,
           "packet is longer than the " + std::to_string(length_) +
               " bytes of the receive (buffer too small, or TLAST missing): internal error");
      return;
    }
    received_ += n;
    left_ -= n;
    fifo_.push(beat);
    ended_ = beat.last;
  }

  void cycle(uint64_t now, Ddr& ddr) {
    held_ = false;
    if (!active_) {
      shutdown_cycle();
      return;
    }
    if (!responses_.empty() && responses_.front() <= now) responses_.pop();
    if (!burst_) {
      const uint32_t room = (kBurstBytes - static_cast<uint32_t>(next_ % kBurstBytes)) / 8;
      uint32_t beats = fifo_.size();
      if (beats >= room)
        beats = room;
      else if (!ended_)
        beats = 0;
      if (beats && responses_.size() < kOutstanding) {
        const Access access = ddr.check(next_, 8 * beats);
        if (access != Access::kOk) {
          refuse(access, next_, 8 * beats);
          return;
        }
        burst_ = beats;
      }
    }
    held_ = burst_ && !ddr.grant();
    if (burst_ && !held_) {
      ddr.write(next_, fifo_.front().data, fifo_.front().keep);
      fifo_.pop();
      next_ += 8;
      if (--burst_ == 0) responses_.push(now + ddr.latency());
    }
    if (ended_ && fifo_.empty() && responses_.empty()) {
      length_ = received_;
      complete(received_);
    }
  }

 private:
  void clear() override {
    fifo_.clear();
    responses_.clear();
    burst_ = received_ = 0;
    ended_ = false;
  }
  void begin() override {
    clear();
    next_ = address_;
  }

  Ring<Beat, kFifoBeats> fifo_;
  Ring<uint64_t, kOutstanding> responses_;
  uint64_t next_ = 0;
  uint32_t burst_ = 0;
  uint32_t received_ = 0;
  bool ended_ = false;
};

}  // namespace vboard

#endif  // VBOARD_DMA_H_
