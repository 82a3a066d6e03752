// SPDX-License-Identifier: Apache-2.0
// What memories cost, for the cycle-structure checks of the configurations.
#ifndef CONVLOOM_COMMON_RESOURCES_H_
#define CONVLOOM_COMMON_RESOURCES_H_

#include "types.h"

namespace convloom {

constexpr int least(int a, int b) { return a < b ? a : b; }

/// RAMB36E1 that a simple dual-port memory takes in the aspect ratios 72×512 … 4×8192 (UG473).
constexpr int bram36_as(int width, int depth, int port, int rows) {
  return divide_up(width, port) * divide_up(depth, rows);
}
constexpr int bram36(int width, int depth) {
  return least(least(bram36_as(width, depth, 72, 512), bram36_as(width, depth, 36, 1024)),
               least(bram36_as(width, depth, 18, 2048),
                     least(bram36_as(width, depth, 9, 4096), bram36_as(width, depth, 4, 8192))));
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_RESOURCES_H_
