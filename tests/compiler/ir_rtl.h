// SPDX-License-Identifier: Apache-2.0
// Drives a Verilated batch of designs by a script on standard input (see ir_rtl.py): the far sides
// of streams, memories behind ap_memory ports, scalars as wires or in a register file.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

typedef unsigned __int128 W;

static uint64_t state;
static int dice() {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<int>((state >> 20) % 100);
}

// A rule that the design broke; it ends the run.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A port of the model: where it is, its bytes, and which bits of the word it carries. Without a
// place it stands for a port that the design has not.
struct Pin {
  void* at = nullptr;
  int bytes = 0, low = 0, bits = 0;

  W mask() const { return (W(1) << bits) - 1; }
  void set(W word) const {
    const uint64_t v = static_cast<uint64_t>(word >> low & mask());
    if (at) std::memcpy(at, &v, bytes);
  }
  W get() const {
    uint64_t v = 0;
    if (at) std::memcpy(&v, at, bytes);
    return (W(v) & mask()) << low;
  }
};

struct Stream {
  std::string name;
  Pin valid, ready;
  std::vector<Pin> data;
  std::vector<W> words;  // to be sent, or received
  size_t moved = 0;
  bool offered = false;
};

// A scalar: wires, or `count` words at `offset` of the register file, an output's flag behind them.
// An output without `vld` counts when all is done.
struct Value {
  std::string name;
  Pin data, vld;
  int offset = -1, count = 0;
};

// One cycle behind `ce` the word that was read shows, else anything.
struct Memory {
  struct Side {
    Pin address, ce, we, d, q;
    bool enabled = false;
    W out = 0;
  };
  std::string name;
  Side sides[2];
  std::vector<W> words;

  void sample() {
    const bool write_first = dice() < 50;
    for (bool writing : {write_first, !write_first}) {
      for (Side& s : sides) {
        s.enabled = s.ce.get() != 0;
        const size_t at = static_cast<size_t>(s.address.get());
        if (!s.enabled) continue;
        if (!writing) s.out = at < words.size() ? words[at] : W(state);
        if (!writing || !s.we.get()) continue;
        if (at >= words.size()) throw Failure(name + " must be written within its words");
        words[at] = s.d.get();
      }
    }
  }
  void drive() const {
    for (const Side& s : sides) s.q.set(s.enabled ? s.out : W(state) * state);
  }
};

// An AXI4-Lite port; the handshakes are those of the last cycle.
struct Bus {
  struct Channel {
    Pin valid, ready;
    bool moved = false;
    void sample() { moved = valid.get() && ready.get(); }
  };
  Channel aw, w, b, ar, r;
  Pin awaddr, wdata, wstrb, bresp, araddr, rdata, rresp, interrupt;
  bool control = false;  // it starts the design
  W data = 0;

  void sample() {
    for (Channel* c : {&aw, &w, &b, &ar, &r}) c->sample();
    data = rdata.get();
    if ((b.moved && bresp.get()) || (r.moved && rresp.get()))
      throw Failure("a response must be OKAY");
  }
};

struct Dut {
  Pin start, done, ready, idle;
  std::vector<Stream> ins, outs;
  std::vector<Value> args, results;
  std::vector<Memory> memories;
  Bus bus;
};

static std::string hex(W v) {
  std::string s;
  do {
    s.insert(s.begin(), "0123456789abcdef"[static_cast<int>(v & 15)]);
    v >>= 4;
  } while (v);
  return s;
}

static W parse(const std::string& s) {
  W v = 0;
  for (char c : s) v = v << 4 | W(c <= '9' ? c - '0' : c - 'a' + 10);
  return v;
}

// One run of one design.
template <class Model>
class Bench {
 public:
  Bench(Model& model, Dut& dut, int pause_in, int pause_out, long limit)
      : m(model), d(dut), pause_in(pause_in), pause_out(pause_out), limit(limit) {}

  std::map<std::string, W> scalars;
  long cycles = 0;
  std::string fault;

  // Whether it ended within the limit and without a fault.
  bool run(const std::map<std::string, W>& values) {
    bool finished = try_run(values);
    d.start.set(0);
    for (auto& i : d.ins) i.valid.set(0);
    for (auto& o : d.outs) o.ready.set(0);
    for (Bus::Channel* c : {&d.bus.aw, &d.bus.w, &d.bus.ar}) c->valid.set(0);
    m.eval();
    if (finished && !d.bus.control && !d.idle.get()) {
      fault = "ap_idle must be set behind the end";
      finished = false;
    }
    return finished;
  }

 private:
  Model& m;
  Dut& d;
  int pause_in, pause_out;
  long limit;
  bool running = false, done = false;

  bool try_run(const std::map<std::string, W>& values) try {
    m.ap_clk = 0;
    m.eval();
    if (!d.bus.control && (!d.idle.get() || d.done.get()))
      throw Failure("ap_idle, not ap_done, must be set before the start");
    for (auto& a : d.args) {
      auto given = values.find(a.name);
      if (given == values.end()) continue;
      a.data.set(given->second);
      for (int k = 0; k < a.count; ++k) {
        write(a.offset + 4 * k, static_cast<uint32_t>(given->second >> 32 * k));
      }
    }
    if (d.bus.control) {
      write(4, 1);
      write(8, 1);
      write(0, 1);
    }
    d.start.set(1);
    running = !d.bus.control;
    while (!done) cycle();
    running = false;
    d.start.set(0);
    if (d.bus.control) {
      if ((read(0) & 15) != 14) throw Failure("done, idle and ready must be set behind the end");
      write(12, 1);
      cycle();
      if (d.bus.interrupt.get()) throw Failure("the interrupt must fall");
    }
    for (auto& r : d.results) {
      if (r.offset < 0 || !(read(r.offset + 4 * r.count) & 1)) continue;
      scalars[r.name] = 0;
      for (int k = 0; k < r.count; ++k) scalars[r.name] |= read(r.offset + 4 * k) << 32 * k;
    }
    return true;
  } catch (const std::runtime_error& error) {
    fault = error.what();
    return false;
  }

  void cycle() {
    if (cycles++ >= limit) throw Failure("");  // a hang
    for (auto& i : d.ins) {
      const bool more = i.moved < i.words.size();
      if (!i.offered && more && dice() >= pause_in) i.offered = true;
      i.valid.set(i.offered);
      for (auto& x : i.data) x.set(i.offered ? i.words[i.moved] : W(state) * state);
    }
    for (auto& o : d.outs) o.ready.set(dice() >= pause_out);
    m.eval();
    for (auto& i : d.ins) {
      if (!i.offered || !i.ready.get()) continue;
      i.moved++;
      i.offered = false;
    }
    for (auto& o : d.outs) {
      if (!o.ready.get() || !o.valid.get()) continue;
      W w = 0;
      for (auto& x : o.data) w |= x.get();
      o.words.push_back(w);
    }
    d.bus.sample();
    done = (d.bus.control ? d.bus.interrupt : d.done).get() != 0;
    for (auto& r : d.results) {
      const bool now = r.vld.at ? r.vld.get() != 0 : done;
      if (r.offset < 0 && now) scalars[r.name] = r.data.get();
    }
    for (auto& x : d.memories) x.sample();
    if (running && done != (d.ready.get() != 0)) throw Failure("ap_ready must come with ap_done");
    if (running && d.idle.get()) throw Failure("ap_idle must not be set during a run");
    m.ap_clk = 1;
    m.eval();
    m.ap_clk = 0;
    for (auto& x : d.memories) x.drive();
  }

  // Offers a word of the register file's channel until it is taken.
  void offer(Bus::Channel& c, bool& left) {
    if (left && dice() < 60) c.valid.set(1);
  }
  void taken(Bus::Channel& c, bool& left) {
    if (!c.moved) return;
    c.valid.set(0);
    left = false;
  }

  void write(int address, uint32_t word) {
    Bus& x = d.bus;
    x.awaddr.set(address);
    x.wdata.set(word);
    x.wstrb.set(15);
    bool address_left = true, word_left = true;
    do {
      offer(x.aw, address_left);
      offer(x.w, word_left);
      x.b.ready.set(dice() < 60);
      cycle();
      taken(x.aw, address_left);
      taken(x.w, word_left);
    } while (!x.b.moved);
    x.b.ready.set(0);
  }

  W read(int address) {
    Bus& x = d.bus;
    x.araddr.set(address);
    bool left = true;
    do {
      offer(x.ar, left);
      x.r.ready.set(dice() < 60);
      cycle();
      taken(x.ar, left);
    } while (!x.r.moved);
    x.r.ready.set(0);
    return x.data;
  }
};

static std::vector<W> words() {
  size_t n;
  std::string value;
  std::vector<W> found;
  for (std::cin >> n; found.size() < n; found.push_back(parse(value))) std::cin >> value;
  return found;
}

static void print(const char* kind, const std::string& name, const std::vector<W>& values) {
  std::printf("%s %s", kind, name.c_str());
  for (W v : values) std::printf(" %s", hex(v).c_str());
  std::printf("\n");
}

// All runs of the script, up to the first that does not end.
template <class Model>
int drive(Model& m, std::map<std::string, Dut>& duts) {
  m.ap_rst_n = 0;
  for (int k = 0; k < 6; k++) {
    m.ap_clk = 0;
    m.eval();
    m.ap_clk = 1;
    m.eval();
  }
  m.ap_clk = 0;
  m.ap_rst_n = 1;
  m.eval();
  std::string name, word, value;
  while (std::cin >> name) {
    Dut& d = duts.at(name);
    int pause_in, pause_out, count;
    long limit;
    std::map<std::string, W> values;
    std::cin >> pause_in >> pause_out >> state >> limit >> count;
    for (; count; --count) {
      std::cin >> word >> value;
      values[word] = parse(value);
    }
    for (auto* streams : {&d.ins, &d.outs}) {
      for (auto& s : *streams) s = Stream{s.name, s.valid, s.ready, s.data};
    }
    for (std::cin >> count; count; --count) {
      std::cin >> word;
      const std::vector<W> given = words();
      for (auto& i : d.ins) {
        if (i.name == word) i.words = given;
      }
    }
    for (std::cin >> count; count; --count) {
      std::cin >> word;
      const std::vector<W> given = words();
      for (auto& x : d.memories) {
        if (x.name == word) x.words = given;
      }
    }
    Bench<Model> bench(m, d, pause_in, pause_out, limit);
    const bool done = bench.run(values);
    std::printf("run %s %d %ld\n", name.c_str(), done, bench.cycles);
    for (auto& i : d.ins) std::printf("left %s %zu\n", i.name.c_str(), i.words.size() - i.moved);
    for (auto& s : bench.scalars) print("scalar", s.first, {s.second});
    for (auto& o : d.outs) print("stream", o.name, o.words);
    for (auto& x : d.memories) print("memory", x.name, x.words);
    if (!bench.fault.empty()) std::printf("fault %s\n", bench.fault.c_str());
    if (!done) return 0;
  }
  return 0;
}
