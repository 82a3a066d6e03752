// fuzz: {"name": "histogram", "arguments": [{"name": "in", "kind": "in", "type": "ap_uint<2>", "width": 2, "signed": false, "axis": false}, {"name": "out", "kind": "out", "type": "ap_uint<9>", "width": 9, "signed": false, "axis": false}], "stimuli": [{"scalars": {}, "streams": {"in": [0, 1, 2, 3, 2, 3, 2, 2, 1, 0, 1, 2, 2, 0, 3, 0, 2, 3, 1, 1, 1, 2, 0, 1]}}, {"scalars": {}, "streams": {"in": [0, 1, 2, 3, 3, 2, 2, 2, 1, 2, 0, 0, 2, 0, 3, 0, 3, 0, 2, 3, 3, 2, 0, 1]}}], "clock_ns": 10.0}
#include <ap_int.h>
#include <hls_stream.h>

// Read-modify-write of one word in neighbouring iterations.
extern "C" void histogram(hls::stream<ap_uint<2>>& in, hls::stream<ap_uint<9>>& out) {
  ap_uint<9> count[4] = {1, 2, 3, 4};
#pragma HLS BIND_STORAGE variable=count type=ram_2p impl=bram
  for (int i = 0; i < 24; ++i) {
#pragma HLS PIPELINE II=1
    ap_uint<2> k = in.read();
    ap_uint<9> sum = count[k] + ap_uint<9>(k * k + 1);
    count[k] = sum;
    out.write(sum);
  }
}
