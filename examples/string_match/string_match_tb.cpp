// SPDX-License-Identifier: Apache-2.0
// Overlapping matches, a pattern of one character, one of the full length, one that is not there.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>
#include <string>

typedef ap_uint<8> Char;
extern "C" ap_uint<12> string_match(hls::stream<Char>& text, const Char pattern[16],
                                    ap_uint<5> length, ap_uint<12> n);

static int wrong(const std::string& text, const std::string& pattern) {
  hls::stream<Char> in;
  Char memory[16] = {};
  for (unsigned char c : text) in.write(c);
  for (size_t i = 0; i < pattern.size(); ++i) memory[i] = (unsigned char)pattern[i];
  int wanted = 0;
  for (size_t at = text.find(pattern); at != std::string::npos; at = text.find(pattern, at + 1))
    ++wanted;
  const int found = string_match(in, memory, pattern.size(), text.size());
  if (found != wanted) std::printf("%s: %d, not %d\n", pattern.c_str(), found, wanted);
  return found != wanted;
}

int main() {
  const std::string text = "abracadabra aaaaaa 0123456789abcdef 0123456789abcdefg \xff\xfe\xff";
  int failed = wrong(text, "abra") + wrong(text, "aa") + wrong(text, "a") + wrong(text, "\xff");
  failed += wrong(text, "0123456789abcdef") + wrong(text, "cadabrac") + wrong("", "a");
  std::printf("%d wrong\n", failed);
  return failed != 0;
}
