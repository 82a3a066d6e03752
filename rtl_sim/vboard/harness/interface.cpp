// SPDX-License-Identifier: Apache-2.0
// The C interface that logic.py loads. Functions that can fail return 1, and vb_error says why.
#include <cstring>
#include <exception>

#include "board.h"

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

uint32_t vb_register_bits() { return vboard::Board::register_bits(); }
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
