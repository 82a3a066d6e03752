// SPDX-License-Identifier: Apache-2.0
/* CRC-32 as of IEEE 802.3 (reflected, polynomial 0xEDB88320): one byte per cycle, the eight steps of a
   byte unrolled into exclusive ors. */
#define MAX_BYTES 64

/* Returns the CRC of data[0] to data[n - 1]. */
unsigned crc32(const unsigned char data[MAX_BYTES], unsigned char n) {
#pragma HLS INTERFACE ap_memory port=data
  unsigned crc = 0xFFFFFFFFu;
bytes:
  for (unsigned char i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    crc ^= data[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}
