// fuzz: {"name": "table_with_rows_of_zeros", "arguments": [{"name": "in", "kind": "in", "type": "ap_uint<1>", "width": 1, "signed": false, "axis": false}, {"name": "out", "kind": "out", "type": "int", "width": 32, "signed": true, "axis": false}], "stimuli": [{"scalars": {}, "streams": {"in": [0, 1, 1, 0]}}], "clock_ns": 10.0}
#include <ap_int.h>
#include <hls_stream.h>

// clang makes a member of each run of rows of such tables: the second was read from the first.
static const ap_uint<1> table[2][2] = {0, 0, 0, 1};
static const ap_uint<1> rows[4][2] = {1, 1, 0, 1, 1, 1, 0, 0};
extern "C" void table_with_rows_of_zeros(hls::stream<ap_uint<1>>& in, hls::stream<int>& out) {
  for (int i = 0; i < 4; ++i) {
    int k = in.read();
    out.write(table[1][k] + 2 * rows[i][k]);
  }
}
