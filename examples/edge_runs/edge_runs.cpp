// SPDX-License-Identifier: Apache-2.0
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

constexpr int MAX_WIDTH = 64;
typedef ap_uint<8> Pixel;
typedef ap_uint<7> Extent;     // rows or columns, up to MAX_WIDTH
typedef ap_uint<11> Gradient;  // |gx| + |gy|, each up to 4 * 255
typedef ap_axiu<16, 1, 1, 1> Word;

/// The magnitude of a number of a Sobel sum.
static ap_uint<10> magnitude(ap_int<11> x) { return x < 0 ? ap_uint<10>(-x) : ap_uint<10>(x); }

/// Sobel gradients |gx| + |gy| of the (height - 2) x (width - 2) pixels inside, row by row.
static void gradients(hls::stream<Pixel>& in, hls::stream<Gradient>& out, Extent height,
                      Extent width) {
  Pixel line[2][MAX_WIDTH];
#pragma HLS ARRAY_PARTITION variable = line complete dim = 1
  Pixel window[3][3];
#pragma HLS ARRAY_PARTITION variable = window complete dim = 0
rows:
  for (Extent y = 0; y < height; ++y) {
  columns:
    for (Extent x = 0; x < width; ++x) {
#pragma HLS PIPELINE II = 1
// Each column of the line buffers is read and written once per row, and a row has 3 pixels or more.
#pragma HLS DEPENDENCE variable = line inter false
      const Pixel column[3] = {line[0][x], line[1][x], in.read()};
      line[0][x] = column[1];
      line[1][x] = column[2];
      for (int r = 0; r < 3; ++r) {
        window[r][0] = window[r][1];
        window[r][1] = window[r][2];
        window[r][2] = column[r];
      }
      ap_int<11> gx = 0, gy = 0;
      for (int k = 0; k < 3; ++k) {
        const int weight = k == 1 ? 2 : 1;
        gx += weight * (window[k][2] - window[k][0]);
        gy += weight * (window[2][k] - window[0][k]);
      }
      if (y >= 2 && x >= 2) out.write(magnitude(gx) + magnitude(gy));
    }
  }
}

/// One bit per gradient: whether it is an edge.  Counts the edges.
static void compare(hls::stream<Gradient>& in, hls::stream<bool>& out, Gradient level,
                    ap_uint<13>* edges, Extent height, Extent width) {
  const ap_uint<13> pixels = (height - 2) * (width - 2);
  ap_uint<13> count = 0;
compare:
  for (ap_uint<13> i = 0; i < pixels; ++i) {
#pragma HLS PIPELINE II = 1
    const bool edge = in.read() >= level;
    count += edge;
    out.write(edge);
  }
  *edges = count;
}

/// Runs of equal bits of each row: bit 15 is their value, the bits below their length.
static void encode(hls::stream<bool>& in, hls::stream<Word>& out, Extent height, Extent width) {
  const Extent inside = width - 2;
  bool value = false;
  Extent length = 0;
lines:
  for (Extent y = 2; y < height; ++y) {
  spans:
    for (Extent x = 0; x <= inside; ++x) {
#pragma HLS PIPELINE II = 1
      const bool end = x == inside;  // one step more than pixels: it gives the row's last run
      const bool bit = end ? false : in.read();
      const bool same = x != 0 && !end && bit == value;
      if (x != 0 && !same) {
        Word word;
        word.data = (ap_uint<1>(value), ap_uint<15>(length));
        word.keep = 3;
        word.strb = 3;
        word.user = 0;
        word.id = 0;
        word.dest = 0;
        word.last = end && y == height - 1;
        out.write(word);
      }
      length = same ? Extent(length + 1) : Extent(1);
      value = bit;
    }
  }
}

/// Where an image has edges: its Sobel gradients against a level, as run lengths of each row.
///
/// \param in     height x width pixels, 3 x 3 to 64 x MAX_WIDTH
/// \param out    the runs of the pixels inside, TLAST on the last one
/// \param level  least gradient of an edge
/// \param edges  pixels that are edges
/// \param height rows
/// \param width  columns
extern "C" void edge_runs(hls::stream<Pixel>& in, hls::stream<Word>& out, Gradient level,
                          ap_uint<13>* edges, Extent height, Extent width) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = level bundle = control
#pragma HLS INTERFACE s_axilite port = edges bundle = control
#pragma HLS INTERFACE s_axilite port = height bundle = control
#pragma HLS INTERFACE s_axilite port = width bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS DATAFLOW
  hls::stream<Gradient> gradient("gradient");
  hls::stream<bool> edge("edge");
  gradients(in, gradient, height, width);
  compare(gradient, edge, level, edges, height, width);
  encode(edge, out, height, width);
}
