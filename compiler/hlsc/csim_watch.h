// SPDX-License-Identifier: Apache-2.0
// What a run leaves beside its arguments: words in streams of the kernel's own, and what it prints.
#ifndef HLSC_CSIM_WATCH_H_
#define HLSC_CSIM_WATCH_H_

#include <cstdint>
#include <iostream>
#include <streambuf>
#include <string>
#include <vector>

#ifdef HLSC_CSIM_SHIM
#include "hlsc_sim.h"
#endif

namespace hlsc_csim {

struct Internal {
  std::string name;
  uint64_t left;
  uint64_t high_water;
};

// How a run ends at once, without unwinding: set by program(), which is what runs such kernels.
inline void (*&leave())(const std::string&) {
  static void (*handler)(const std::string&) = nullptr;
  return handler;
}

// What the kernel prints to std::cout.  The open Xilinx headers report a read of an empty stream
// and words left over only there, and then go on.  The first ends the run, since the kernel may
// wait for ever for a word that is never last (an exception does not get out of an ostream while
// streams are destroyed, which print again); the second is noted.
class Watch : public std::streambuf {
 public:
  Watch() : old_(std::cout.rdbuf(this)) {}
  ~Watch() override { std::cout.rdbuf(old_); }

  std::string log;
  std::vector<Internal> left;

 protected:
  int_type overflow(int_type c) override {
    if (c == traits_type::eof()) return 0;
    if (c != '\n') {
      line_ += static_cast<char>(c);
      return c;
    }
    std::string line;
    line.swap(line_);
    const std::string head = "WARNING: Hls::stream '";
    const size_t from = line.find(head);
    const size_t to = from == std::string::npos ? from : line.rfind("' ");
    if (to != std::string::npos) {
      const std::string name = line.substr(from + head.size(), to - from - head.size());
      if (line.find("is read while empty", to) != std::string::npos && leave()) {
        leave()("stream '" + name + "' must hold an element when it is read, not be empty");
      }
      if (line.find("contains leftover data", to) != std::string::npos) {
        left.push_back(Internal{name, ~uint64_t(0), 0});  // how many, the headers do not say
        return c;
      }
    }
    if (log.size() < 65536) log += line + '\n';
    return c;
  }

 private:
  std::streambuf* old_;
  std::string line_;
};

#ifdef HLSC_CSIM_SHIM
// The registry lists streams in the order of their creation: static ones, then our arguments, then
// those that the kernel made.
class Registry {
 public:
  Registry() : first_((hlsc::sim::begin_call(), hlsc::sim::streams().size())), last_(first_) {}
  void arguments_made() { last_ = hlsc::sim::streams().size(); }
  std::vector<Internal> internal() const {
    hlsc::sim::problems();  // reported by us, not by an exit code at the end of the process
    std::vector<Internal> result;
    const std::vector<hlsc::sim::StreamInfo> all = hlsc::sim::streams();
    for (size_t i = 0; i < all.size(); ++i) {
      if (i >= first_ && i < last_) continue;
      result.push_back(Internal{all[i].name, all[i].fill, all[i].high_water});
    }
    return result;
  }

 private:
  size_t first_;
  size_t last_;
};
#else
struct Registry {
  void arguments_made() {}
  std::vector<Internal> internal() const { return std::vector<Internal>(); }
};
#endif

}  // namespace hlsc_csim

#endif  // HLSC_CSIM_WATCH_H_
