// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "hls_stream.h"

extern "C" void static_flow(hls::stream<int>& in, hls::stream<int>& out, int n);

int main() {
  hls::stream<int> in, out;
  for (int call = 0; call < 8; ++call) {
    const int n = 3 * call;  // none in the first call
    for (int i = 0; i < n; ++i) in.write(i * call - 3);
    static_flow(in, out, n);
    for (int i = 0; i < n; ++i) std::printf("%d ", out.read());
  }
  return 0;
}
