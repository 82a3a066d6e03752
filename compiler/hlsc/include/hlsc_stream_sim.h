// SPDX-License-Identifier: Apache-2.0
// hls::stream in C-simulation: it grows without bound, records how full it was, and has a name.
//
// A read when empty is an error (hlsc::sim::EmptyStreamError); so are elements left at its end,
// which the registry of hlsc_sim.h reports.  full() is never true: processes run one after the
// other here.
#ifndef HLSC_STREAM_SIM_H
#define HLSC_STREAM_SIM_H

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "hlsc_sim.h"

namespace hls {

template <typename T, int DEPTH = 0>
class stream;

/// The stream itself: what functions take as `hls::stream<T>&`, whatever the depth.
template <typename T>
class stream<T, 0> {
 public:
  typedef T value_type;

  stream() : stream(std::string()) {}
  explicit stream(const char* name) : stream(std::string(name)) {}
  explicit stream(const std::string& name) : stream(name, 0) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  ~stream() {
    settle();
    hlsc::sim::Registry::instance().remove(*info_, hlsc::sim::unwinding());
  }

  T read() {
    if (empty()) underflow();
    return take();
  }
  void read(T& value) { value = read(); }
  bool read_nb(T& value) {
    if (empty()) return false;
    value = take();
    return true;
  }

  void write(const T& value) {
    if (fill_ == capacity_) grow();
    data_[(first_ + fill_) & (capacity_ - 1)] = value;
    ++fill_;
    settle();
    ++info_->written;
    if (fill_ > info_->high_water) info_->high_water = fill_;
  }
  bool write_nb(const T& value) {
    write(value);
    return true;
  }

  void operator>>(T& value) { read(value); }
  void operator<<(const T& value) { write(value); }

  bool empty() const { return fill_ == 0; }
  bool full() const { return false; }
  std::size_t size() const { return fill_; }
  std::size_t capacity() const { return static_cast<std::size_t>(info_->depth); }

  void set_name(const char* name) { info_->name = name; }
  const std::string& name() const { return info_->name; }
  std::size_t high_water() const { return info_->high_water; }

  // For the recorder of co-simulation: element i from the front, and counts since begin_call().
  const T& hlsc_peek(std::size_t i) const { return data_[(first_ + i) & (capacity_ - 1)]; }
  unsigned long long hlsc_taken() const { return info_->read; }
  unsigned long long hlsc_written() const { return info_->written; }

 protected:
  stream(const std::string& name, int depth)
      : info_(hlsc::sim::Registry::instance().add(name, kind(), depth)) {}

 private:
  T take() {
    T value = std::move(data_[first_]);
    first_ = (first_ + 1) & (capacity_ - 1);
    --fill_;
    settle();
    ++info_->read;
    return value;
  }

  void grow() {
    const std::size_t larger = capacity_ == 0 ? 16 : 2 * capacity_;
    std::unique_ptr<T[]> data(new T[larger]);
    for (std::size_t i = 0; i < fill_; ++i) {
      data[i] = std::move(data_[(first_ + i) & (capacity_ - 1)]);
    }
    data_.swap(data);
    capacity_ = larger;
    first_ = 0;
  }

  void settle() { info_->fill = fill_; }

  [[noreturn]] void underflow() {
    hlsc::sim::fail<hlsc::sim::EmptyStreamError>(
        "stream '" + info_->name + "' must hold an element when it is read, not be empty (" +
        std::to_string(info_->written) + " written, " + std::to_string(info_->read) +
        " read): the hardware would wait for ever");
  }

  // "stream of ap_uint<8>", from the compiler's text of this function's own name.
  static std::string kind() {
    const std::string text = __PRETTY_FUNCTION__;
    const std::size_t from = text.find("T = ");
    if (from == std::string::npos) return "stream";
    const std::string type = text.substr(from + 4);
    return "stream of " + type.substr(0, type.rfind(", DEPTH = "));
  }

  std::shared_ptr<hlsc::sim::StreamInfo> info_;
  std::unique_ptr<T[]> data_;
  std::size_t capacity_ = 0;  // a power of two once there is data
  std::size_t first_ = 0;
  std::size_t fill_ = 0;
};

/// A stream with its FIFO depth stated in the type.
template <typename T, int DEPTH>
class stream : public stream<T, 0> {
 public:
  static_assert(DEPTH > 0, "the depth of a stream must be at least 1, not negative");
  stream() : stream<T, 0>(std::string(), DEPTH) {}
  explicit stream(const char* name) : stream<T, 0>(std::string(name), DEPTH) {}
  explicit stream(const std::string& name) : stream<T, 0>(name, DEPTH) {}
};

}  // namespace hls

#endif  // HLSC_STREAM_SIM_H
