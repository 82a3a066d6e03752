// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int LONGEST = 16;
typedef ap_uint<8> Char;
typedef ap_uint<LONGEST> Mask;

/// Counts where a pattern ends in a text, one character per cycle (the shift-and algorithm).
///
/// Bit k of the state: the last k + 1 characters are the first k + 1 of the pattern.  A table gives
/// the places where each of the 256 characters stands in the pattern.
///
/// \param text    characters
/// \param pattern its characters in a memory outside
/// \param length  of the pattern, 1 to LONGEST
/// \param n       characters of the text
/// \return        matches, overlapping ones too
extern "C" ap_uint<12> string_match(hls::stream<Char>& text, const Char pattern[LONGEST],
                                    ap_uint<5> length, ap_uint<12> n) {
#pragma HLS INTERFACE axis port = text
  Mask places[256];
clear:
  for (int c = 0; c < 256; ++c) {
#pragma HLS PIPELINE II = 1
    places[c] = 0;
  }
learn:
  for (ap_uint<5> k = 0; k < length; ++k) {
    const Char c = pattern[k];
    places[c] = places[c] | Mask(Mask(1) << k);
  }
  Mask state = 0;
  ap_uint<12> matches = 0;
  const Mask end = Mask(1) << (length - 1);
search:
  for (ap_uint<12> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    state = Mask(state << 1 | 1) & places[text.read()];
    if ((state & end) != 0) ++matches;
  }
  return matches;
}
