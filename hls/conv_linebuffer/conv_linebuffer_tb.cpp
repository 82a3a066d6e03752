// SPDX-License-Identifier: Apache-2.0
// Plays vector files: the same beats and registers that the board gets.  Exit status 0 if all is
// right.
#include "conv_linebuffer.h"
#include "vector_bench.h"

using convloom::bench::Vectors;

namespace {

int play(const Vectors& v) {
  hls::stream<convloom::axis64> in0("in0"), in1("in1"), out("out");
  convloom::bench::send(in0, v.stream("in0"));
  convloom::bench::send(in1, v.stream("in1"));
  ap_uint<32> status = ~0u;
  conv_linebuffer(
      in0, in1, out, v.reg("groups"), v.reg("filter_groups"), v.reg("batch"), v.reg("height"),
      v.reg("width"), v.reg("channels"), v.reg("filters"), v.reg("blocks"), v.reg("blocks_last"),
      v.reg("word_blocks"), v.reg("kernel_height"), v.reg("kernel_width"), v.reg("out_height"),
      v.reg("out_width"), v.reg("stride_h"), v.reg("stride_w"), v.reg("pad_top"), v.reg("pad_left"),
      v.reg("pad_bottom"), v.reg("pad_right"), v.reg("int8_output"), v.reg("x_zero_point"),
      v.reg("y_zero_point"), v.reg("clamp_low"), v.reg("clamp_high"), &status);
  int wrong = convloom::bench::receive(out, v.stream("out"));
  if (status != 0) {
    std::cerr << "status " << status.to_uint() << " expected 0\n";
    ++wrong;
  }
  for (; !in0.empty(); in0.read()) ++wrong;
  for (; !in1.empty(); in1.read()) ++wrong;
  return wrong;
}

}  // namespace

int main(int argc, char** argv) { return convloom::bench::main_of(argc, argv, play); }
