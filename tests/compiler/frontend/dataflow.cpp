// SPDX-License-Identifier: Apache-2.0
// Processes: a split, two instances of one template, a chain of three calls over an array of
// streams in a loop, and a join that writes a scalar.
#include <ap_int.h>
#include <hls_stream.h>

struct Item {
  ap_uint<70> value;
  bool last;
};

void split(hls::stream<Item>& in, hls::stream<Item>& even, hls::stream<Item>& odd) {
split:
  for (bool last = false; !last;) {
#pragma HLS PIPELINE
    const Item a = in.read();
    even.write(a);
    odd.write(a);
    last = a.last;
  }
}

template <int SHIFT>
void rotate(hls::stream<Item>& in, hls::stream<Item>& out, ap_uint<70> mask) {
rotate:
  for (bool last = false; !last;) {
#pragma HLS PIPELINE II = SHIFT
    Item a = in.read();
    last = a.last;
    a.value = ((a.value << SHIFT) | (a.value >> (70 - SHIFT))) ^ mask;
    out.write(a);
  }
}

void add(hls::stream<Item>& in, hls::stream<Item>& out, int amount) {
add:
  for (bool last = false; !last;) {
    Item a = in.read();
    last = a.last;
    a.value += amount;
    out.write(a);
  }
}

void join(hls::stream<Item>& left, hls::stream<Item>& right, hls::stream<ap_int<71>>& out,
          unsigned short& count) {
  unsigned short n = 0;
join:
  for (bool last = false; !last; ++n) {
    const Item a = left.read(), b = right.read();
    last = a.last && b.last;
    out.write(a.value - b.value);
  }
  count = n;
}

extern "C" void top(hls::stream<Item>& in, hls::stream<ap_int<71>>& out, ap_uint<70> mask,
                    short amount, unsigned short& count) {
#pragma HLS INTERFACE s_axilite port = mask bundle = control
#pragma HLS INTERFACE s_axilite port = amount bundle = control
#pragma HLS INTERFACE s_axilite port = count bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS DATAFLOW
  hls::stream<Item> even("even"), odd("odd"), right("right");
  hls::stream<Item, 16> chain[4];
#pragma HLS STREAM variable = right depth = 4 + 3
#pragma HLS STREAM variable = chain[1] depth = 5
  const int twice = 2 * amount;
  split(in, even, odd);
  rotate<1>(even, chain[0], mask);
  rotate<3>(odd, right, ~mask);
chain:
  for (int i = 0; i < 3; ++i) {
#pragma HLS UNROLL
    add(chain[i], chain[i + 1], twice + i);
  }
  join(chain[3], right, out, count);
}
