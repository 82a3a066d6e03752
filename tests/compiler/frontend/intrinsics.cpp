// SPDX-License-Identifier: Apache-2.0
// Idioms that LLVM has intrinsics for.
#include <hls_stream.h>

extern "C" void top(hls::stream<unsigned>& in, hls::stream<unsigned>& out, int n) {
  unsigned high = 0;
  int low = 0;
  for (int i = 0; i < n; ++i) {
    const unsigned x = in.read();
    const int s = static_cast<int>(x);
    high = x > high ? x : high;
    low = s < low ? s : low;
    out.write(high);
    out.write(low);
    out.write((x << 7) | (x >> 25));
    out.write((x << (i & 31)) | (high >> ((32 - i) & 31)));
    out.write(s < 0 ? -static_cast<unsigned>(s) : s);
    out.write(x > 1000 ? x - 1000 : 0);
    out.write((x >> 24) | (x >> 8 & 0xFF00) | (x << 8 & 0xFF0000) | (x << 24));
    out.write((s < 10 ? 10 : s) > 500 ? 500 : (s < 10 ? 10 : s));
    out.write(__builtin_popcount(x & 0xFF) + __builtin_rotateleft32(x, 5));
  }
}
