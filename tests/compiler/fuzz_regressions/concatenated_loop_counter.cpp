// fuzz: {"name": "concatenated_loop_counter", "arguments": [{"name": "in", "kind": "in", "type": "int", "width": 32, "signed": true, "axis": false}, {"name": "out", "kind": "out", "type": "int", "width": 32, "signed": true, "axis": false}], "stimuli": [{"scalars": {}, "streams": {"in": [5]}}, {"scalars": {}, "streams": {"in": [4294967280]}}], "clock_ns": 10.0}
#include <ap_int.h>
#include <hls_stream.h>

// The counter's address goes through a structure of two references: UNROLL saw no constant bound.
extern "C" void concatenated_loop_counter(hls::stream<int>& in, hls::stream<int>& out) {
  ap_int<8> x = in.read();
  ap_uint<28> a[3] = {};
  for (ap_uint<4> i = 0; i < 10; ++i) {
#pragma HLS UNROLL
    x = (x > 3) ? ap_int<8>((i, x)) : ap_int<8>((i, a[i % 3]));
    a[i % 3] = (x, i);
  }
  out.write(x + a[0]);
}
