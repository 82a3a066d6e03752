// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int N = 8;
typedef ap_int<8> Sample;
typedef ap_int<11> Row;          // of N samples
typedef ap_int<14> Coefficient;  // of N rows
typedef ap_uint<3> Index;

/// Whether the sum of two indices' common bits is odd: the sign of an element of the matrix.
static bool negative(Index a, Index b) { return (a & b).xor_reduce(); }

static void load(hls::stream<Sample>& in, Sample tile[N][N]) {
load_tile:
  for (int k = 0; k < N * N; ++k) {
#pragma HLS PIPELINE II = 1
    tile[k / N][k % N] = in.read();
  }
}

/// One coefficient of one row per cycle.
static void transform_rows(Sample tile[N][N], Row rows[N][N]) {
transform_rows:
  for (int k = 0; k < N * N; ++k) {
#pragma HLS PIPELINE II = 1
    Row sum = 0;
    for (int j = 0; j < N; ++j) {
      const Sample x = tile[k / N][j];
      sum += negative(j, k % N) ? Row(-x) : Row(x);
    }
    rows[k / N][k % N] = sum;
  }
}

/// One coefficient of one column of rows per cycle.
static void transform_columns(Row rows[N][N], hls::stream<Coefficient>& out) {
transform_columns:
  for (int k = 0; k < N * N; ++k) {
#pragma HLS PIPELINE II = 1
    Coefficient sum = 0;
    for (int i = 0; i < N; ++i) {
      const Row row = rows[i][k % N];
      sum += negative(i, k / N) ? Coefficient(-row) : Coefficient(row);
    }
    out.write(sum);
  }
}

/// Walsh-Hadamard transform of N x N tiles: H * tile * H, H[a][b] = (-1)^(number of bits in a & b).
///
/// Each process works on a tile of its own.  `tile` and `rows` have two halves: while one process
/// writes the one, the next reads the other, so a tile takes N * N cycles and not three times that.
///
/// \param in    tiles row by row
/// \param out   their coefficients row by row
/// \param tiles of this call
extern "C" void hadamard(hls::stream<Sample>& in, hls::stream<Coefficient>& out, ap_uint<8> tiles) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = tiles bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
  for (int t = 0; t < tiles; ++t) {
#pragma HLS DATAFLOW
    Sample tile[N][N];
    Row rows[N][N];
#pragma HLS ARRAY_PARTITION variable = tile dim = 2 complete
#pragma HLS ARRAY_PARTITION variable = rows dim = 1 complete
    load(in, tile);
    transform_rows(tile, rows);
    transform_columns(rows, out);
  }
}
