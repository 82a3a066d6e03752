// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int N = 8;
typedef ap_int<8> Key;
typedef ap_uint<8 * N> Keys;

/// Orders two keys.
static void compare_exchange(Key& low, Key& high) {
  if (high < low) {
    const Key kept = low;
    low = high;
    high = kept;
  }
}

/// Batcher's odd-even merge sort: 19 comparators in 6 layers sort N = 8 signed keys per cycle.
///
/// \param in   sets of N keys, key 0 in the lowest byte
/// \param out  the same sets, ascending
/// \param sets of this call
extern "C" void sorting_network(hls::stream<Keys>& in, hls::stream<Keys>& out, ap_uint<8> sets) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
sort:
  for (ap_uint<8> s = 0; s < sets; ++s) {
#pragma HLS PIPELINE II = 1
    const Keys word = in.read();
    Key key[N];
#pragma HLS ARRAY_PARTITION variable = key complete
    for (int i = 0; i < N; ++i) key[i] = word.range(8 * i + 7, 8 * i);
    for (int p = 1; p < N; p *= 2) {
      for (int k = p; k > 0; k /= 2) {
        for (int j = k % p; j + k < N; j += 2 * k) {
          for (int i = 0; i < k && i + j + k < N; ++i) {
            if ((i + j) / (2 * p) == (i + j + k) / (2 * p))
              compare_exchange(key[i + j], key[i + j + k]);
          }
        }
      }
    }
    Keys sorted = 0;
    for (int i = 0; i < N; ++i) sorted.range(8 * i + 7, 8 * i) = key[i];
    out.write(sorted);
  }
}
