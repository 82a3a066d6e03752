// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

extern "C" void static_variables(int x, int n, int* out);

int main() {
  for (int i = 0; i < 60; ++i) {
    int y;
    static_variables((i * 7919) % 1000 - 500 + (i / 3), i % 9, &y);
    std::printf("%d ", y);
  }
  return 0;
}
