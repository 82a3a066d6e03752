// SPDX-License-Identifier: Apache-2.0
// hls::stream<T> and hls::stream<T, DEPTH>: the FIFO between two processes, or an AXI4-Stream port.
#ifndef HLSC_HLS_STREAM_H
#define HLSC_HLS_STREAM_H

#ifndef __HLSC_SYNTH__
#include "hlsc_stream_sim.h"
#else
#include "hlsc_stream_synth.h"
#endif

#endif  // HLSC_HLS_STREAM_H
