// fuzz: {"name": "diagonal_of_an_array", "arguments": [{"name": "in", "kind": "in", "type": "int", "width": 32, "signed": true, "axis": false}, {"name": "out", "kind": "out", "type": "int", "width": 32, "signed": true, "axis": false}, {"name": "n", "kind": "value", "type": "ap_uint<3>", "width": 3, "signed": false, "axis": false}], "stimuli": [{"scalars": {"n": 3}, "streams": {"in": [577090037, 2444712010, 3639700191, 3445702192, 3280387012, 271041745]}}, {"scalars": {"n": 1}, "streams": {"in": [1095513148, 506456969, 2127877499, 3268308804, 1930549411, 2028277857]}}, {"scalars": {"n": 7}, "streams": {"in": [2798570523, 1630434966, 3387541014, 901749037, 403123852, 2095328386]}}], "clock_ns": 10.0}
#include <ap_int.h>
#include <hls_stream.h>

// 6 i + i was taken for an index of 7 i within the first row.
static const ap_uint<7> table[4][6] = {{1, 12, 3, 74, 5, 16}, {7, 82, 9, 10, 11, 12}, {83, 14, 15, 96, 17, 18},
                                       {19, 20, 21, 22, 23, 24}};
extern "C" void diagonal_of_an_array(hls::stream<int>& in, hls::stream<int>& out, ap_uint<3> n) {
  int a[3][4][5] = {};
#pragma HLS ARRAY_PARTITION variable = a cyclic factor = 2 dim = 2
  for (int i = 0; i < n && i < 3; ++i) {
#pragma HLS PIPELINE II = 2
    a[i][i + 1][4 - i] = in.read();
    a[2 - i][i][2 * i] += table[i][i] - table[i + 1][5 - 2 * i];
    out.write(a[i][3 - i][i]);
  }
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j)
      for (int k = 0; k < 5; ++k) out.write(a[i][j][k]);
}
