// SPDX-License-Identifier: Apache-2.0
// Three calls of lanes with frames of several lengths; the C++ itself is the reference.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<int> S;
typedef ap_axiu<16, 1, 1, 1> Word;
extern "C" void lanes(S in[2][3], hls::stream<Word> words[2], hls::stream<Word> (&crossed)[2],
                      S lone[2], S plain[2], S scaled[2], int n);

int main() {
  S in[2][3], lone[2], plain[2], scaled[2];
  hls::stream<Word> words[2], crossed[2];
  for (int n : {7, 1, 12}) {
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k < 6; ++k) in[k / 3][k % 3].write(i * k - 40);
      for (int k = 0; k < 2; ++k) {
        Word w;
        w.data = 1000 * i + k;
        w.keep = w.strb = -1;
        w.user = w.id = w.dest = k;
        w.last = i == n - 1;
        words[k].write(w);
        plain[k].write(i - k);
      }
      lone[0].write(i);
    }
    lanes(in, words, crossed, lone, plain, scaled, n);
    for (int i = 0; i < n; ++i) {
      if (crossed[0].read().user != 1 || crossed[1].read().data != 1000 * i) return 1;
      if (lone[1].read() != -15 * i || scaled[0].read() + scaled[1].read() != 5 * i - 3) return 1;
    }
  }
  return 0;
}
