// SPDX-License-Identifier: Apache-2.0
// DDR memory behind the ports of the processing system: contents, latency, and the bytes per cycle
// that all ports share.  One beat is 8 bytes; every channel moves at most one a cycle.
#ifndef VBOARD_DDR_H_
#define VBOARD_DDR_H_

#include <cstdint>
#include <cstring>
#include <vector>

namespace vboard {

enum class Access { kOk, kSlaveError, kDecodeError };

class Ddr {
 public:
  // `sum`: thousandths of a byte that all ports may move in a cycle.  `memory` stands for the
  // `size` bytes from `base` on; DDR itself reaches to `end`.
  Ddr(uint8_t* memory, uint64_t base, uint64_t size, uint64_t end, uint32_t sum, uint32_t latency)
      : memory_(memory), base_(base), size_(size), end_(end), sum_(sum), latency_(latency) {}

  void reset() {
    credit_ = 0;
    bytes_read = bytes_written = limit_stalls = 0;
  }

  // Buffers that exist now, as pairs of first address and end, in rising order.
  void set_buffers(const uint64_t* bounds, size_t count) {
    bounds_.assign(bounds, bounds + 2 * count);
  }

  // Whether a burst may touch these bytes.  Outside DDR nothing answers; what is inside DDR but in
  // no buffer belongs to someone else: a real board would read or overwrite it without a word.
  Access check(uint64_t address, uint64_t bytes) const {
    // Not address + bytes, which may wrap: a host can write any 64 bits.
    if (address >= end_ || bytes > end_ - address) return Access::kDecodeError;
    size_t low = 0, high = bounds_.size() / 2;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (bounds_[2 * middle] <= address) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const bool inside = low > 0 && address + bytes <= bounds_[2 * low - 1] && address >= base_ &&
                        address + bytes <= base_ + size_;
    return inside ? Access::kOk : Access::kSlaveError;
  }

  void refill() { credit_ = sum_ > 32000 ? sum_ : 32000; }
  void cycle() {
    credit_ += sum_;
    const uint32_t most = sum_ > 32000 ? sum_ : 32000;  // what an idle controller has in hand
    if (credit_ > most) credit_ = most;
  }

  // Whether the shared bandwidth allows one more beat in this cycle; takes it if so.
  bool grant() {
    if (credit_ < 8000) {
      ++limit_stalls;
      return false;
    }
    credit_ -= 8000;
    return true;
  }

  // The 8 bytes at `address`, which `check` has seen; `bytes` of them are wanted.
  uint64_t read(uint64_t address, uint32_t bytes) {
    uint64_t value = 0;
    std::memcpy(&value, memory_ + (address - base_), bytes);
    bytes_read += bytes;
    return value;
  }
  void write(uint64_t address, uint64_t value, uint8_t keep) {
    for (int i = 0; i < 8; ++i) {
      if (!(keep >> i & 1)) continue;
      if (address + i < base_ || address + i >= base_ + size_) continue;
      memory_[address + i - base_] = static_cast<uint8_t>(value >> 8 * i);
      ++bytes_written;
    }
  }

  uint32_t latency() const { return latency_; }

  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t limit_stalls = 0;

 private:
  uint8_t* memory_;
  uint64_t base_, size_, end_;
  uint32_t sum_, latency_;
  uint32_t credit_ = 0;
  std::vector<uint64_t> bounds_;
};

}  // namespace vboard

#endif  // VBOARD_DDR_H_
