// SPDX-License-Identifier: Apache-2.0
// The master of the kernel's AXI4-Lite register file: at most one read and one write under way.
#ifndef VBOARD_LITE_H_
#define VBOARD_LITE_H_

#include <cstdint>

namespace vboard {

class LiteMaster {
 public:
  void reset() { *this = LiteMaster(); }

  // Before the clock edge; the pins stay as they are while nothing is under way.
  template <class Model>
  void drive(Model& model) {
    if (!changed_) return;
    model.lite(read_offset_, ask_, read_, write_offset_, value_, address_, data_, write_);
    changed_ = false;
  }
  template <class Model>
  void sample(const Model& model) {
    if (read_) {
      if (ask_ && model.arready()) ask_ = false;
      if (model.rvalid()) {
        result_ = model.rdata();
        read_ = ask_ = false;
      }
      changed_ = true;
    }
    if (write_) {
      if (model.awready()) address_ = false;
      if (model.wready()) data_ = false;
      if (model.bvalid()) write_ = address_ = data_ = false;
      changed_ = true;
    }
  }

  bool reading() const { return read_; }
  bool writing() const { return write_; }
  void start_read(uint32_t offset) {
    changed_ = read_ = ask_ = true;
    read_offset_ = offset;
  }
  void start_write(uint32_t offset, uint32_t value) {
    changed_ = write_ = address_ = data_ = true;
    write_offset_ = offset;
    value_ = value;
  }
  uint32_t result() const { return result_; }
  bool accepted() const { return !address_ && !data_; }  // of a write: the slave has all of it

 private:
  bool read_ = false, ask_ = false, write_ = false, address_ = false, data_ = false;
  bool changed_ = true;  // since the pins were driven
  uint32_t read_offset_ = 0, write_offset_ = 0, value_ = 0, result_ = 0;
};

}  // namespace vboard

#endif  // VBOARD_LITE_H_
