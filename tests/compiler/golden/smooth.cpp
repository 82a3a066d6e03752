// SPDX-License-Identifier: Apache-2.0
// The kernel behind the golden files: a stream, a memory, a recurrence, a condition and a scalar.
#include <hls_stream.h>

extern "C" void smooth(hls::stream<short>& in, hls::stream<short>& out, unsigned char n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE ap_none port = n
  short kept[100];
#pragma HLS BIND_STORAGE variable = kept type = ram_2p impl = bram
  short at = 0;
smooth:
  for (unsigned char i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    short x = in.read();
    if (i >= 100) x += kept[at];
    kept[at] = x;
    at = at == 99 ? 0 : at + 1;
    out.write(x);
  }
}
