# SPDX-License-Identifier: Apache-2.0
"""Rows of the supported subset about arrays between processes, in a DATAFLOW loop and without one.

(body, what stands before the top function) by name; see `subset_rows`.
"""

from __future__ import annotations

__all__ = ["DATAFLOW_ROWS"]

FLOW = "#pragma HLS DATAFLOW\n"
LOOP = "for (int t = 0; t < n; ++t) {\n" + FLOW
PIPELINE = "#pragma HLS PIPELINE II=1\n"

FILL = "void fill(S& in, W b[2][4], int t) {\n  for (int i = 0; i < 8; ++i) {\n"
FILL += PIPELINE + "    b[i % 2][i / 2] = in.read() + t;\n  }\n}\n"
SUMS = "void sums(W b[2][4], S& out) {\n  for (int c = 0; c < 4; ++c) {\n"
SUMS += PIPELINE + "    out.write(b[0][3 - c] - b[1][c] * 3);\n  }\n}\n"
WORD = "typedef ap_int<19> W;\n"

STORED = {  # what is said of the array of two rows of four
    "plain": "",
    "rows": "#pragma HLS ARRAY_PARTITION variable=b dim=1 complete\n",
    "columns": "#pragma HLS ARRAY_PARTITION variable=b dim=2 cyclic factor=2\n",
    "blocks": "#pragma HLS ARRAY_RESHAPE variable=b dim=2 block factor=2\n",
    "registers": "#pragma HLS ARRAY_PARTITION variable=b dim=0 complete\n",
    "block_ram": "#pragma HLS ARRAY_PARTITION variable=b dim=1 complete\n"
    "#pragma HLS BIND_STORAGE variable=b type=ram_2p impl=bram\n",
    "one_port": "#pragma HLS BIND_STORAGE variable=b type=ram_1p impl=bram\n",
    "lutram": "#pragma HLS BIND_STORAGE variable=b type=ram_2p impl=lutram\n",
}
DATAFLOW_ROWS = {
    f"tiles_{name}": (f"{LOOP}W b[2][4];\n{said}fill(in, b, t);\nsums(b, out);\n}}", WORD + FILL + SUMS)
    for name, said in STORED.items()
}
DATAFLOW_ROWS |= {
    f"between_{name}": (f"{FLOW}W b[2][4];\n{said}fill(in, b, n);\nsums(b, out);", WORD + FILL + SUMS)
    for name, said in STORED.items()
}

STRUCTS = """struct P { int x; ap_int<5> y; short z[2]; bool w; };
void fill(S& in, P b[5], int t) {
  for (int i = 0; i < 5; ++i) {
    const int v = in.read();
    b[i].x = v + t;
    b[i].y = v;
    b[i].z[0] = v * 3;
    b[i].z[1] = v - 1;
    b[i].w = v & 1;
  }
}
void sums(P b[5], S& out) {
  for (int i = 0; i < 5; ++i) {
    const P p = b[4 - i];
    out.write(p.x + p.y - p.z[0] * p.z[1] + p.w);
  }
}
"""
THREE = """void fill(S& in, int b[7], int c[7], int t) {
  for (int i = 0; i < 7; ++i) {
#pragma HLS PIPELINE II=1
    const int v = in.read();
    b[i] = v;
    c[6 - i] = v ^ t;
  }
}
void move(int b[7], int d[7]) {
  for (int i = 0; i < 7; ++i) {
#pragma HLS PIPELINE II=1
    d[i] = b[6 - i] + 1;
  }
}
void sums(int c[7], int d[7], S& out) {
  for (int i = 0; i < 7; ++i) {
#pragma HLS PIPELINE II=1
    out.write(c[i] - d[i] * 5);
  }
}
"""
DATAFLOW_ROWS |= {
    "tiles_of_structures": (f"{LOOP}P b[5];\nfill(in, b, t);\nsums(b, out);\n}}", STRUCTS),
    "structures_between": (f"{FLOW}P b[5];\nfill(in, b, n);\nsums(b, out);", STRUCTS),
    "tiles_past_a_process": (
        f"{LOOP}int b[7], c[7], d[7];\nfill(in, b, c, t);\nmove(b, d);\nsums(c, d, out);\n}}",
        THREE,
    ),
    "tiles_in_place": (
        f"{LOOP}int b[9];\nfill(in, b);\nsums(b, out, t);\n}}",
        """void fill(S& in, int b[9]) {
  for (int i = 0; i < 9; ++i) b[i] = i;
  for (int i = 0; i < 7; ++i) {
    const unsigned v = in.read();
    b[v % 9] += v;
  }
}
void sums(int b[9], S& out, int t) {
  for (int i = 1; i < 9; ++i) b[i] += b[i - 1] * t;
  for (int i = 0; i < 9; ++i) out.write(b[i] - b[8 - i]);
}
""",
    ),
    "tiles_without_loops": (
        f"{LOOP}short b[3];\n#pragma HLS ARRAY_PARTITION variable=b complete\n"
        "fill(in, b, t);\nsums(b, out);\n}",
        """void fill(S& in, short b[3], int t) {
  b[0] = in.read();
  b[1] = in.read() + t;
  b[2] = t;
}
void sums(short b[3], S& out) { out.write(b[0] - b[1] * b[2]); }
""",
    ),
    "tiles_of_variable_length": (
        f'{LOOP}int b[8];\nS length("length");\nfill(in, length, b);\nsums(length, b, out);\n}}',
        """void fill(S& in, S& length, int b[8]) {
  const int n = in.read() & 7;
  length.write(n);
  for (int i = 0; i < n; ++i) b[i] = in.read() + n;
}
void sums(S& length, int b[8], S& out) {
  const int n = length.read();
  for (int i = n - 1; i >= 0; --i) out.write(b[i]);
}
""",
    ),
    "tiles_in_a_nest": (
        """int off = 3;
for (int y = 0; y < 3; ++y)
  for (int x = 0; x < n / 4; ++x) {
#pragma HLS DATAFLOW
    int b[6];
    fill(in, b, off);
    sums(b, out, y * x);
    off += n;
  }""",
        """void fill(S& in, int b[6], int off) {
  for (int i = 0; i < 6; ++i) {
#pragma HLS PIPELINE II=1
    b[i] = in.read() ^ off;
  }
}
void sums(int b[6], S& out, int t) {
  int s = t;
  for (int i = 0; i < 6; ++i) {
#pragma HLS PIPELINE II=1
    s += b[5 - i];
  }
  out.write(s);
}
""",
    ),
    "tiles_beside_a_stream_of_bits": (
        f"hls::stream<bool> more;\n{LOOP}int b[4];\nfill(in, b, more, t);\nsums(b, more, out);\n}}",
        """void fill(S& in, int b[4], hls::stream<bool>& more, int t) {
  for (int i = 0; i < 4; ++i) b[i] = in.read() + t;
  more.write(b[2] > 0);
}
void sums(int b[4], hls::stream<bool>& more, S& out) {
  if (more.read())
    for (int i = 0; i < 4; ++i) out.write(b[i]);
  else
    out.write(b[3]);
}
""",
    ),
    "tiles_with_state": (  # what one process alone keeps from iteration to iteration
        f"int total[4] = {{}};\n{LOOP}int b[4];\nfill(in, b);\nsums(b, total, out);\n}}",
        """void fill(S& in, int b[4]) {
  for (int i = 0; i < 4; ++i) b[i] = in.read();
}
void sums(int b[4], int total[4], S& out) {
  for (int i = 0; i < 4; ++i) {
    total[i] += b[3 - i];
    out.write(total[i]);
  }
}
""",
    ),
    "tiles_of_one_function_twice": (
        f"{LOOP}int b[4], c[4], d[4];\nfill(in, b);\nmove(b, c, t);\nmove(c, d, 7);\ntake(d, out);\n}}",
        """void fill(S& in, int b[4]) {
  for (int i = 0; i < 4; ++i) b[i] = in.read();
}
void move(int b[4], int c[4], int k) {
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II=1
    c[i] = b[3 - i] * k - i;
  }
}
void take(int d[4], S& out) {
  for (int i = 0; i < 4; ++i) out.write(d[i]);
}
""",
    ),
    "tiles_of_streams_only": (
        f'{LOOP}S s("s");\nhalf(in, s, t);\nhalf(s, out, 1);\n}}',
        "void half(S& a, S& b, int t) { for (int i = 0; i < 4; ++i) b.write((a.read() >> 1) + t); }\n",
    ),
}
