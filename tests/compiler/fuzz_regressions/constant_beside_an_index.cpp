// fuzz: {"name": "constant_beside_an_index", "arguments": [{"name": "in", "kind": "in", "type": "int", "width": 32, "signed": true, "axis": false}, {"name": "out", "kind": "out", "type": "int", "width": 32, "signed": true, "axis": false}, {"name": "n", "kind": "value", "type": "ap_uint<3>", "width": 3, "signed": false, "axis": false}], "stimuli": [{"scalars": {"n": 2}, "streams": {"in": [577090037, 2444712010, 3639700191, 3445702192, 3280387012, 271041745, 1095513148, 506456969, 2127877499, 3268308804, 1930549411, 2028277857, 2798570523, 1630434966, 3387541014, 901749037, 403123852, 2095328386, 121751464, 3836767462, 3589583794, 1674216077, 1858720390, 2608926326, 3273968005, 3294916953, 9045414, 2988579416, 1912923437, 1143881027, 3098990846, 3443818037]}}, {"scalars": {"n": 7}, "streams": {"in": [982526257, 2538984641, 4059906722, 439062303, 3871601465, 1363349907, 131383004, 95872739, 109289145, 2789779421, 2325348894, 39534911, 4033614922, 3784870617, 1637259727, 2948425721, 930287327, 4161997890, 1812976885, 3117513184, 124729223, 2266151100, 952158461, 3280070799, 1880712864, 4033691631, 2129497364, 2374513802, 1001090105, 1484771968, 991564255, 2907042365]}}], "clock_ns": 10.0}
#include <ap_int.h>
#include <hls_stream.h>

// 2 * 8 + j + 5 was read as a[3][j - 3], which lies in the same place but in another bank.
extern "C" void constant_beside_an_index(hls::stream<int>& in, hls::stream<int>& out, ap_uint<3> n) {
  int a[4][8];
#pragma HLS ARRAY_PARTITION variable = a complete dim = 1
  for (int j = 0; j < 8; ++j)
    for (int i = 0; i < 4; ++i) a[i][j] = in.read();
  for (int j = 0; j < n && j < 3; ++j) {
#pragma HLS PIPELINE
    out.write(a[2][j + 5] - a[1][7 - j]);
  }
}
