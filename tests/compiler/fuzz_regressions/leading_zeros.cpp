// fuzz: {"name": "leading_zeros", "arguments": [{"name": "in", "kind": "in", "type": "ap_uint<13>", "width": 13, "signed": false, "axis": false}, {"name": "out", "kind": "out", "type": "int", "width": 32, "signed": true, "axis": false}], "stimuli": [{"scalars": {}, "streams": {"in": [8130, 5928, 7044, 2428, 990, 6087, 2725, 7336, 5910, 7972, 5826, 4102, 7671, 7923, 3457, 4159, 6799, 7456, 5491, 1555]}}, {"scalars": {}, "streams": {"in": [2485, 2327, 4813, 7974, 7229, 4090, 6932, 7707, 4139, 3222, 4825, 6990, 282, 3934, 1988, 6092, 6532, 3311, 3394, 5445]}}], "clock_ns": 10.0}
#include <ap_int.h>
#include <hls_stream.h>

// llvm.ctlz was refused by the front end, though the middle end builds it.
extern "C" void leading_zeros(hls::stream<ap_uint<13>>& in, hls::stream<int>& out) {
  for (int i = 0; i < 20; ++i) {
#pragma HLS PIPELINE II=1
    ap_uint<13> x = in.read();
    out.write((x >> (i % 14)).countLeadingZeros());
  }
}
