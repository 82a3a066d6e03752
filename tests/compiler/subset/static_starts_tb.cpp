// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "hls_stream.h"

extern "C" void static_starts(hls::stream<int>& in, hls::stream<int>& out);

int main() {
  hls::stream<int> in, out;
  for (int i = 0; i < 200; ++i) {
    in.write(i * 7);
    static_starts(in, out);
    std::printf("%d ", out.read());
  }
  return 0;
}
