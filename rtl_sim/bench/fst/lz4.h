// SPDX-License-Identifier: Apache-2.0
// What Verilator's FST writer wants of the LZ4 library, so that no system package is needed for a
// waveform: blocks in LZ4's format that hold the data as one run of literals, without compressing it.
#ifndef BENCH_FST_LZ4_H_
#define BENCH_FST_LZ4_H_

#include <cstring>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

inline int LZ4_compress_default(const char* from, char* to, int size, int room) {
  if (room < LZ4_compressBound(size)) return 0;
  char* p = to;
  int more = size - 15;  // a length of 15 in the token means: bytes follow that add to it
  *p++ = static_cast<char>((more < 0 ? size : 15) << 4);
  for (; more >= 0; more -= 255) *p++ = static_cast<char>(more < 255 ? more : 255);
  std::memcpy(p, from, static_cast<size_t>(size));
  return static_cast<int>(p - to) + size;
}

#endif  // BENCH_FST_LZ4_H_
