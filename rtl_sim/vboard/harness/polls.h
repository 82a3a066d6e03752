// SPDX-License-Identifier: Apache-2.0
// Which reads of a busy register let time pass: the rule by which the cycles of the same work do
// not depend on how often the host looks.
#ifndef VBOARD_POLLS_H_
#define VBOARD_POLLS_H_

#include <cstdint>

namespace vboard {

// What the host polls: DMASR of the three channels, CTRL of the kernel.
enum Source { kIn0, kIn1, kOut, kKernel, kSources };

struct Events {  // of each source, so far
  uint64_t of[kSources];
};

class Polls {
 public:
  // A write to a register of `source`: a driver may look at it before it starts the next transfer.
  void written(Source source) { looked_[source] = 0; }

  // After every write and every event.
  void restart() {
    searched_ = strangers_ = 0;
    first_ = kSources;
  }

  // The host has read the status of `source`.
  void see(Source source, const Events& now) { seen_.of[source] = now.of[source]; }
  void see_all(const Events& now) { seen_ = now; }

  // Whether this read of a busy `source` runs the design to its next event.  Of several registers
  // that are polled in turn only the first does, so that the host acts on events that come together
  // in one order, however often it reads each.
  bool moves(Source source, const Events& now) {
    see(source, now);
    if (first_ == kSources || strangers_ >= kSearch) first_ = source;
    strangers_ = source == first_ ? 0 : strangers_ + 1;
    if (unseen(now) && searched_ < kSearch) {
      ++searched_;
      return false;
    }
    if (looked_[source] < kPatience) {
      ++looked_[source];
      return false;
    }
    return source == first_;
  }

 private:
  static const uint32_t kPatience = 2;  // reads after a write that only look: pynq asks twice
  static const uint32_t kSearch = 32;   // the same, while the host has to find out what happened

  bool unseen(const Events& now) const {
    for (int i = 0; i < kSources; ++i) {
      if (seen_.of[i] != now.of[i]) return true;
    }
    return false;
  }

  uint32_t looked_[kSources] = {};
  uint32_t searched_ = 0;
  Source first_ = kSources;  // what was polled first since the last write or event
  uint32_t strangers_ = 0;   // polls since that one was last polled
  Events seen_ = {};
};

}  // namespace vboard

#endif  // VBOARD_POLLS_H_
