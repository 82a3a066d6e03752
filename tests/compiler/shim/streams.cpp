// SPDX-License-Identifier: Apache-2.0
// hls::stream in C-simulation: argument 1 chooses the story.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstring>
#include <iostream>

HLSC_SIM_C_API

static void producer(hls::stream<ap_uint<8>>& out, int n) {
  for (int i = 0; i < n; ++i) out << ap_uint<8>(i);
}
static void consumer(hls::stream<ap_uint<8>>& in, int n) {
  for (int i = 0; i < n; ++i) {
    ap_uint<8> v;
    in >> v;
    if (v != i) std::abort();
  }
}
static void kernel(int written, int read) {
  hls::stream<ap_uint<8>, 4> fifo("fifo");
  hls::stream<ap_uint<8>> unnamed;
  producer(fifo, written);
  producer(unnamed, 2);
  consumer(unnamed, 2);
  consumer(fifo, read);
}

int main(int argc, char** argv) {
  const std::string story = argc > 1 ? argv[1] : "";
  if (story == "ask") {  // what a harness does
    for (int call = 0; call < 2; ++call) {
      hlsc_sim_begin_call();
      kernel(100, 93);
      char text[400];
      if (hlsc_sim_problems(text, sizeof text) != std::strlen(text)) return 3;
      std::cout << text;
      hlsc_sim_stream_report(text, sizeof text);
      std::cout << text;
    }
    hlsc_sim_begin_call();
    kernel(5, 5);
    std::cout << "[" << hlsc::sim::problems() << "]\n";
    try {
      kernel(3, 4);
    } catch (const hlsc::sim::EmptyStreamError& e) {
      std::cout << e.what() << "\n";
    }
    return 0;
  }
  if (story == "empty") kernel(3, 4);
  if (story == "leftover") kernel(4, 3);
  if (story == "clean") kernel(4, 4);
  if (story == "calls") {
    hls::stream<int> s("s");
    hls::stream<int> row[3];
    int v = 7;
    if (s.read_nb(v) || v != 7 || !s.empty() || s.full() || !s.write_nb(3) || s.size() != 1)
      return 1;
    if (!s.read_nb(v) || v != 3) return 2;
    // Wrapped around and grown in that state: the order must hold.
    int next = 0;
    for (int i = 0; i < 1000; ++i) {
      s.write(i);
      if (i % 3 != 0 && s.read() != next++) return 4;
    }
    while (!s.empty()) {
      if (s.read() != next++) return 5;
    }
    row[1].set_name("one");
    row[1].write(1);
    if (row[1].name() != "one" || row[1].read() != 1 || row[1].high_water() != 1) return 6;
    return next == 1000 ? 0 : 7;
  }
  return 0;
}
