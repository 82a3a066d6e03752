// SPDX-License-Identifier: Apache-2.0
// What Verilator's FST writer wants of zlib, so that no system package is needed for a waveform: streams
// in zlib's format (RFC 1950, 1951) made of stored blocks, without compressing.
#ifndef BENCH_FST_ZLIB_H_
#define BENCH_FST_ZLIB_H_

#include <cstdint>
#include <cstring>

typedef unsigned long uLong;
typedef unsigned long uLongf;
typedef unsigned char Bytef;
const int Z_OK = 0;
const int Z_BUF_ERROR = -5;
const uLong kStored = 65535;  // most bytes of a stored block

inline uLong compressBound(uLong size) { return size + 5 * (size / kStored + 1) + 6; }

inline int compress2(Bytef* to, uLongf* room, const Bytef* from, uLong size, int /*level*/) {
  if (*room < compressBound(size)) return Z_BUF_ERROR;
  Bytef* p = to;
  *p++ = 0x78;  // 32 KB window, deflate
  *p++ = 0x01;
  uLong at = 0;
  do {
    const uLong n = size - at < kStored ? size - at : kStored;
    *p++ = at + n == size;  // last block; type 0: stored
    *p++ = static_cast<Bytef>(n);
    *p++ = static_cast<Bytef>(n >> 8);
    *p++ = static_cast<Bytef>(~n);
    *p++ = static_cast<Bytef>(~n >> 8);
    std::memcpy(p, from + at, n);
    p += n;
    at += n;
  } while (at < size);
  std::uint32_t a = 1, b = 0;  // Adler-32
  for (uLong i = 0; i < size; i++) {
    a = (a + from[i]) % 65521;
    b = (b + a) % 65521;
  }
  const std::uint32_t sum = b << 16 | a;
  for (int shift = 24; shift >= 0; shift -= 8) *p++ = static_cast<Bytef>(sum >> shift);
  *room = static_cast<uLongf>(p - to);
  return Z_OK;
}

#endif  // BENCH_FST_ZLIB_H_
