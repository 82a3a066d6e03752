// SPDX-License-Identifier: Apache-2.0
// Test kernel: adds a constant to every beat of each transfer, and counts.  `defect` breaks one
// thing.
#include <chrono>
#include <thread>

#include "ap_axi_sdata.h"
#include "ap_int.h"
#include "hls_stream.h"

enum {
  kNone,
  kNoLast,
  kKeep,
  kLeavesInput,
  kReadsEmpty,
  kLeavesInternal,
  kState,
  kCrash,
  kHang,
  kOutOfBounds,
  kOverflow,
  kSlow,
};

typedef ap_axiu<64, 1, 1, 1> axis64;

static int calls = 0;

extern "C" void scale_add(hls::stream<axis64>& in0, hls::stream<axis64>& out, ap_uint<32> beats,
                          ap_int<12> addend, ap_uint<4> defect, int* status, ap_uint<16>& count) {
  hls::stream<ap_uint<64>> between("between");
  int table[4] = {1, 2, 3, 4};
  int seen = 0;
  const int wanted = beats;
  int to_read = wanted;
  if (defect == kLeavesInput) to_read = wanted - 3;
  if (defect == kReadsEmpty) to_read = wanted + 1;
  for (int i = 0; i < to_read; ++i) {
    axis64 word = in0.read();
    between.write(ap_uint<64>(word.data + addend));
    axis64 result = word;
    result.data = between.read();
    if (defect == kLeavesInternal && i == 1) between.write(7);
    if (defect == kNoLast && i >= wanted - 2) result.last = 0;
    if (defect == kKeep && i == 2) result.keep = 0x7f;
    if (defect == kState) result.data = ap_uint<64>(result.data + calls);
    out.write(result);
    ++seen;
  }
  ++calls;
  if (defect == kCrash) *reinterpret_cast<volatile int*>(static_cast<size_t>(seen)) = 1;
  if (defect == kOutOfBounds) seen = table[seen - 1];
  if (defect == kOverflow) seen += 0x7fffffff;
  if (defect == kSlow) std::this_thread::sleep_for(std::chrono::seconds(2));
  volatile bool for_ever = defect == kHang;
  while (for_ever) {
  }
  *status = -seen;
  count = seen;
}
