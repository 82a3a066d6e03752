// SPDX-License-Identifier: Apache-2.0
// Plays vector files: the same beats and registers that the board gets.  Exit status 0 if all is
// right.
#include "gemm_systolic.h"
#include "vector_bench.h"

using convloom::bench::Vectors;

namespace {

int play(const Vectors& v) {
  hls::stream<convloom::axis64> in0("in0"), in1("in1"), out("out");
  convloom::bench::send(in0, v.stream("in0"));
  convloom::bench::send(in1, v.stream("in1"));
  ap_uint<32> status = ~0u;
  gemm_systolic(in0, in1, out, v.reg("rows"), v.reg("filters"), v.reg("groups"), v.reg("row_tiles"),
                v.reg("row_blocks"), v.reg("row_blocks_last"), v.reg("filter_tiles"),
                v.reg("filter_blocks"), v.reg("filter_blocks_last"), v.reg("chunks"),
                v.reg("segments"), v.reg("segment_words"), v.reg("image_words"),
                v.reg("int8_output"), v.reg("y_zero_point"), v.reg("clamp_low"),
                v.reg("clamp_high"), &status);
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
