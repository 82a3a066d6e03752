// SPDX-License-Identifier: Apache-2.0
// What C-simulation knows beside the values: errors, and the record of every stream.
//
// A harness that calls a kernel asks in this order:
//
//   hlsc::sim::begin_call();            // forgets dead streams and problems, restarts high-water
//   marks try { kernel(in, out, ...); }       // throws hlsc::sim::Error on a read when empty and
//   the like catch (const hlsc::sim::Error& e) { e.what(); } hlsc::sim::problems();              //
//   "" or one line for each stream destroyed with elements left hlsc::sim::stream_report(); // one
//   line per stream: name, elements through it, high water
//
// Streams which the harness owns live on: it asks them for size() itself.  HLSC_SIM_C_API, written
// once in one source file, defines the same as C functions for ctypes.  A program that never asks
// (an ordinary test bench) exits with status 1 when a stream was destroyed with elements left.
#ifndef HLSC_SIM_H
#define HLSC_SIM_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hlsc {
namespace sim {

/// A rule of the simulated hardware was broken; the text names the object and the rule.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A stream was read while it was empty: the hardware would wait for ever.
struct EmptyStreamError : Error {
  using Error::Error;
};

/// Prints the message to stderr and throws E (without exceptions: aborts).
template <class E = Error>
[[noreturn]] inline void fail(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "hlsc: %s\n", message.c_str());
#if defined(__cpp_exceptions)
  throw E(message);
#else
  std::abort();
#endif
}

/// What is known of one stream; kept after its destruction until the next begin_call().
struct StreamInfo {
  std::string name;
  unsigned long long written = 0;  // elements since begin_call()
  unsigned long long read = 0;
  std::size_t fill = 0;        // elements in it now (or when it was destroyed)
  std::size_t high_water = 0;  // most elements at one time since begin_call()
  int depth = 0;               // as declared, hls::stream<T, depth>; 0: not stated
  bool alive = true;
};

/// All streams of the program (of the shared library).  Single-threaded, as C-simulation is.
class Registry {
 public:
  static Registry& instance() {
    static Registry registry;
    return registry;
  }

  std::shared_ptr<StreamInfo> add(const std::string& name, const std::string& kind, int depth) {
    std::shared_ptr<StreamInfo> info = std::make_shared<StreamInfo>();
    info->name = name.empty() ? kind + " #" + std::to_string(++unnamed_) : name;
    info->depth = depth;
    if (streams_.size() > 2 * alive_ + 4096) drop_dead();
    streams_.push_back(info);
    ++alive_;
    return info;
  }

  void remove(StreamInfo& info, bool unwinding) {
    info.alive = false;
    --alive_;
    if (info.fill == 0 || unwinding) return;
    problems_.push_back(
        "stream '" + info.name + "' must be empty at the end of its life, not hold " +
        std::to_string(info.fill) + " elements that nobody read (" + std::to_string(info.written) +
        " written, " + std::to_string(info.read) + " read)");
    asked_ = false;
    std::fflush(stdout);
    std::fprintf(stderr, "hlsc: %s\n", problems_.back().c_str());
  }

  void begin_call() {
    drop_dead();
    for (std::shared_ptr<StreamInfo>& s : streams_) {
      s->written = s->read = 0;
      s->high_water = s->fill;
    }
    problems_.clear();
    asked_ = true;
    if (alive_ == 0) unnamed_ = 0;
  }

  std::vector<StreamInfo> streams() const {
    std::vector<StreamInfo> all;
    for (const std::shared_ptr<StreamInfo>& s : streams_) all.push_back(*s);
    return all;
  }

  const std::vector<std::string>& problems() {
    asked_ = true;
    return problems_;
  }

  ~Registry() {
    if (asked_ || problems_.empty()) return;
    std::fflush(nullptr);
    std::_Exit(EXIT_FAILURE);
  }

 private:
  Registry() = default;
  Registry(const Registry&) = delete;

  void drop_dead() {
    std::vector<std::shared_ptr<StreamInfo>> living;
    for (std::shared_ptr<StreamInfo>& s : streams_) {
      if (s->alive) living.push_back(s);
    }
    streams_.swap(living);
  }

  std::vector<std::shared_ptr<StreamInfo>> streams_;
  std::vector<std::string> problems_;
  std::size_t alive_ = 0;
  unsigned unnamed_ = 0;
  bool asked_ = true;
};

inline void begin_call() { Registry::instance().begin_call(); }

/// Streams that live, and those that died since begin_call(), in the order of their creation.
inline std::vector<StreamInfo> streams() { return Registry::instance().streams(); }

/// One line for each stream destroyed with elements left since begin_call(); "" if there was none.
inline std::string problems() {
  std::string text;
  for (const std::string& p : Registry::instance().problems()) text += p + "\n";
  return text;
}

/// Tab-separated: name, written, read, fill, high water, declared depth, "alive" or "gone".
inline std::string stream_report() {
  std::string text;
  for (const StreamInfo& s : streams()) {
    text += s.name + "\t" + std::to_string(s.written) + "\t" + std::to_string(s.read) + "\t" +
            std::to_string(s.fill) + "\t" + std::to_string(s.high_water) + "\t" +
            std::to_string(s.depth) + "\t" + (s.alive ? "alive" : "gone") + "\n";
  }
  return text;
}

/// Copies a text for a C caller, cut to size; returns the length it needs without the final zero.
inline std::size_t copy_text(const std::string& text, char* to, std::size_t size) {
  if (size > 0) {
    const std::size_t n = text.copy(to, size - 1);
    to[n] = '\0';
  }
  return text.size();
}

inline bool unwinding() {
#if __cplusplus >= 201703L
  return std::uncaught_exceptions() > 0;
#else
  return std::uncaught_exception();
#endif
}

}  // namespace sim
}  // namespace hlsc

#define HLSC_SIM_C_API                                                        \
  extern "C" void hlsc_sim_begin_call() { hlsc::sim::begin_call(); }          \
  extern "C" std::size_t hlsc_sim_problems(char* to, std::size_t size) {      \
    return hlsc::sim::copy_text(hlsc::sim::problems(), to, size);             \
  }                                                                           \
  extern "C" std::size_t hlsc_sim_stream_report(char* to, std::size_t size) { \
    return hlsc::sim::copy_text(hlsc::sim::stream_report(), to, size);        \
  }

#endif  // HLSC_SIM_H
