// fuzz: {"name": "reverse_of_one_bit", "arguments": [{"name": "in", "kind": "in", "type": "ap_int<20>", "width": 20, "signed": true, "axis": false}, {"name": "out", "kind": "out", "type": "ap_uint<3>", "width": 3, "signed": false, "axis": false}], "stimuli": [{"scalars": {}, "streams": {"in": [140891, 596853, 888598, 841235, 800875, 66172, 267459, 123646, 519501, 797926, 471325, 495185, 683244, 398055, 827036, 220153, 98418, 511554, 29724, 936710, 876363, 408744, 453789, 636944, 799308, 804423, 2208, 729633, 467022, 279267, 756589, 840775, 239874, 619869, 991188, 107192, 945215, 332849, 32075, 23406]}}, {"scalars": {}, "streams": {"in": [26681, 681098, 567712, 9652, 984769, 924040, 399721, 719830, 227120, 1016112, 442621, 761111, 30451, 553259, 232460, 800798, 459158, 984787, 519896, 579715, 244406, 362493, 242081, 709727, 229408, 797911, 481929, 998500, 303858, 971512, 22533, 436396, 878264, 960778, 583484, 966984, 673494, 104857, 194936, 659924]}}], "clock_ns": 10.0}
#include <ap_int.h>
#include <hls_stream.h>

// llvm.bitreverse.i1 and llvm.ctpop.i1 lost their result.
extern "C" void reverse_of_one_bit(hls::stream<ap_int<20>>& in, hls::stream<ap_uint<3>>& out) {
  for (int i = 0; i < 20; ++i) {
    ap_int<20> x = in.read();
    ap_uint<1> bit = x > in.read();
    bit.reverse();
    out.write((bit ^ (x < 5)) + __builtin_popcountg(static_cast<unsigned _BitInt(1)>(x == 7)));
  }
}
