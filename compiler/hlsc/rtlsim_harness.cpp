// SPDX-License-Identifier: Apache-2.0
// The bench that drives a Verilated kernel; compiled once for all designs.
#include "rtlsim_harness.h"

#include <chrono>
#include <cstring>

namespace hlsc_rtlsim {

uint64_t seed_of(const std::vector<uint8_t>& request) {
  Reader in(request.data(), request.size());
  in.take(8);
  return in.get<uint64_t>();
}

Writer Bench::serve(const std::vector<uint8_t>& request) {
  Writer out;
  out.put(uint8_t(0));
  try {
    Reader in(request.data(), request.size());
    const uint32_t stall_in = in.get<uint32_t>();
    const uint32_t stall_out = in.get<uint32_t>();
    const uint64_t seed = in.get<uint64_t>();
    limit_ = in.get<uint64_t>();
    const bool again = in.get<uint32_t>();
    const uint32_t calls = in.get<uint32_t>();
    for (size_t i = 0; i < streams.size(); ++i) {
      Stream& s = streams[i];
      s.stall = Stall(s.input ? stall_in : stall_out, seed * 64 + i);
      s.whole = again;
      s.frugal = again && !control;
    }
    if (again) {
      replay(calls, in, out);
      return out;
    }
    std::vector<Given> given = hlsc_csim::read_arguments(in);
    std::vector<uint64_t> expected;
    for (size_t i = 0; i < given.size(); ++i) expected.push_back(in.get<uint64_t>());
    reset();
    for (uint32_t i = 0; i < calls; ++i) call(given, expected, out);
    return out;
  } catch (const std::exception& error) {
    return hlsc_csim::failure_reply(error.what());
  }
}

void Bench::replay(uint32_t calls, Reader& in, Writer& out) {
  std::string failure;
  try {
    for (uint32_t i = 0; i < calls; ++i) {
      const std::vector<Given> given = hlsc_csim::read_arguments(in);
      std::vector<uint64_t> expected;
      for (size_t k = 0; k < given.size(); ++k) expected.push_back(in.get<uint64_t>());
      if (i == 0) {
        // A free-running design starts when reset ends: its wires are set before.
        if (!control) set_scalars(given);
        reset();
      }
      run(given, expected);
      out.put(uint8_t(1));
      for (const std::pair<char, int>& a : arguments) {
        if (a.first == 's') {
          const Stream& s = streams[a.second];
          out.put(uint8_t(1));
          out.put(s.moved);
          out.put(uint64_t(s.input ? 0 : s.moved));
          out.bytes.insert(out.bytes.end(), s.got.begin(), s.got.end());
        } else if (a.first == 'm') {
          const Memory& m = memories[a.second];
          out.put(uint8_t(1));
          out.put(uint64_t(0));
          out.put(m.depth);
          out.bytes.insert(out.bytes.end(), m.words.begin(), m.words.end());
        } else {
          const Scalar& s = scalars[a.second];
          out.put(s.written);
          out.put(uint64_t(0));
          out.put(uint64_t(s.input ? 0 : 1));
          if (!s.input) s.save(out);
        }
      }
      out.put(last_beat_ == kNone ? uint64_t(0) : last_beat_ - start_);
      out.put(done_ - start_);
    }
  } catch (const Failure& error) {
    failure = error.what();
  }
  out.put(uint8_t(0));
  out.text(failure);
  out.put(static_cast<uint32_t>(fifos.size()));
  for (const Fifo& f : fifos) f.save(out);
}

void Bench::reset() {
  for (Pin p : {bus.awvalid, bus.wvalid, bus.bready, bus.arvalid, bus.rready, ap_start}) p.set(0);
  for (Scalar& s : scalars) {
    if (s.input) s.vld.set(0);
  }
  for (Stream& s : streams) (s.input ? s.valid : s.ready).set(0);
  reset_n.set(0);
  for (int i = 0; i < 8; ++i) tick();
  reset_n.set(1);
  tick();
}

void Bench::tick() {
  clock.set(0);
  eval(model);
  seen_ = {bus.awready.high(), bus.wready.high(), bus.bvalid.high(),
           bus.arready.high(), bus.rvalid.high(), interrupt.high(),
           ap_done.high(),     ap_ready.high(),   static_cast<uint32_t>(bus.rdata.get())};
  for (Scalar& s : scalars) {
    if (!s.input && s.wire && (!s.vld || s.vld.high())) {
      s.value.assign(s.wire.data(), s.wire.data() + s.bytes());
      s.written = s.vld ? 1 : 2;
    }
  }
  for (Memory& m : memories) {
    if (!m.words.empty()) m.sample();
  }
  if (active_) {
    for (Fifo& f : fifos) f.sample();
    for (Stream& s : streams) {
      if (!s.sample()) continue;
      idle_ = 0;
      if (!s.input) last_beat_ = now_;
    }
  }
  clock.set(1);
  eval(model);
  for (const Memory& m : memories) m.drive();
  ++now_;
  ++idle_;
}

// One cycle with live streams; throws if nothing has moved for too long.
void Bench::cycle() {
  for (Stream& s : streams) s.drive();
  tick();
  for (const Stream& s : streams) {
    // A design that sends for ever would never be idle.
    if (s.whole && !s.input && s.moved > s.expected + 64) {
      throw Failure("stream " + s.name + " must end after " + std::to_string(s.expected) +
                    " beats as in C++, but the RTL goes on sending");
    }
  }
  if (idle_ > limit_ && !asking_) hang();
}

void Bench::hang() {
  std::string text = "the RTL must make progress, but nothing moved for " + std::to_string(limit_) +
                     " cycles (cycle " + std::to_string(now_) + ")";
  for (const Stream& s : streams) text += "\n" + s.report();
  asking_ = true;
  if (control && !ap_start) {
    idle_ = 0;
    try {
      const uint32_t c = read(0);
      text += std::string("\n  ap_ctrl: start=") + (c & 1 ? "1" : "0") +
              " done=" + (c & 2 ? "1" : "0") + " idle=" + (c & 4 ? "1" : "0") +
              " ready=" + (c & 8 ? "1" : "0");
    } catch (const Failure&) {
      text += "\n  ap_ctrl: the register file does not answer";
    }
  } else if (control) {
    text += std::string("\n  ap_start=1 ap_done=") + (ap_done.high() ? "1" : "0") +
            " ap_idle=" + (ap_idle.high() ? "1" : "0");
  }
  throw Failure(text);
}

void Bench::wait_bus(const char* what, uint32_t address, const std::function<bool()>& ready) {
  for (int i = 0; i < 256; ++i) {
    cycle();
    if (ready()) {
      if (!asking_) idle_ = 0;
      return;
    }
  }
  throw Failure(std::string("the register file must answer a ") + what + " of address " +
                std::to_string(address) + " within 256 cycles");
}

void Bench::write(uint32_t address, uint32_t value) {
  bus.awaddr.set(address);
  bus.wdata.set(value);
  bus.wstrb.fill(true);
  bus.awvalid.set(1);
  bus.wvalid.set(1);
  bus.bready.set(1);
  wait_bus("write", address, [this] {
    const bool was = bus.awvalid.high() || bus.wvalid.high();
    if (seen_.awready) bus.awvalid.set(0);
    if (seen_.wready) bus.wvalid.set(0);
    if (was && !bus.awvalid.high() && !bus.wvalid.high()) accepted_ = now_ - 1;
    return seen_.bvalid;
  });
  bus.bready.set(0);
}

uint32_t Bench::read(uint32_t address) {
  bus.araddr.set(address);
  bus.arvalid.set(1);
  bus.rready.set(1);
  wait_bus("read", address, [this] {
    if (seen_.arready) bus.arvalid.set(0);
    return seen_.rvalid;
  });
  bus.rready.set(0);
  return seen_.rdata;
}

void Bench::set_scalars(const std::vector<Given>& given) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].first != 'v') continue;
    Scalar& s = scalars[arguments[i].second];
    if (!s.input && !given[i].count) continue;
    Reader bytes = given[i].bytes;
    std::vector<uint8_t> value(4 * s.words());
    std::memcpy(value.data(), bytes.take(s.bytes()), s.bytes());
    if (!s.input) {  // what it is unless the design writes it
      s.value = value;
      continue;
    }
    if (s.wire) {
      s.wire.load(value.data(), s.bytes());
      s.vld.set(1);
      continue;
    }
    for (int w = 0; w < s.words(); ++w) {
      uint32_t word;
      std::memcpy(&word, &value[4 * w], 4);
      write(s.offset + 4 * w, word);
    }
  }
}

void Bench::start_and_wait() {
  if (!control) {
    start_ = now_;
    // Free running: over when nothing has moved for a while.
    while (idle_ < (limit_ < 1000 ? limit_ : 1000)) cycle();
    done_ = last_beat_;
    return;
  }
  if (ap_start) {
    ap_start.set(1);
    start_ = now_;
    do {
      cycle();
      if (seen_.ready) ap_start.set(0);
    } while (!seen_.done);
    ap_start.set(0);
    done_ = now_ - 1;
    return;
  }
  write(0x04, 1);  // GIER
  write(0x08, 1);  // IER: ap_done
  write(0x00, 1);  // CTRL: ap_start
  start_ = accepted_;
  if (interrupt) {
    while (!seen_.interrupt) cycle();
    done_ = now_ - 1;
    write(0x0c, 1);  // ISR: toggles the bit back to 0
    if (!(read(0x00) & 2)) throw Failure("CTRL must show ap_done after the interrupt");
    cycle();
    if (seen_.interrupt) throw Failure("the interrupt must fall when its ISR bit is written");
  } else {
    asking_ = true;  // polling is no progress
    while (!(read(0x00) & 2)) {
      if (idle_ > limit_) {
        asking_ = false;
        hang();
      }
    }
    asking_ = false;
    idle_ = 0;
    done_ = now_ - 1;
  }
}

void Bench::run(const std::vector<Given>& given, const std::vector<uint64_t>& expected) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].first == 's') {
      streams[arguments[i].second].begin(given[i], expected[i]);
    }
    if (arguments[i].first == 'm') memories[arguments[i].second].begin(given[i]);
  }
  for (Scalar& s : scalars) s.written = 0;
  active_ = true;
  idle_ = 0;
  last_beat_ = kNone;
  start_ = done_ = 0;
  set_scalars(given);
  start_and_wait();
  // Beats that come after done would be lost without this.
  for (int quiet = 0; quiet < 32; ++quiet) {
    cycle();
    for (const Stream& s : streams) {
      const bool enough = s.frugal && s.moved >= s.expected;
      if (!s.input && s.valid.high() && !enough) quiet = 0;
    }
  }
  read_registers();
  active_ = false;
  // What a kernel leaves of an input must not leak into the next call.
  for (Stream& s : streams) {
    if (s.input) s.offered = false;
  }
}

void Bench::read_registers() {
  for (Scalar& s : scalars) {
    if (s.input || s.wire) continue;
    // The flag first: a value that comes between the two reads is then not called unwritten.
    s.written = !s.vld_register ? 2 : read(s.offset + 4 * s.words()) & 1;
    s.value.assign(4 * s.words(), 0);
    for (int w = 0; w < s.words(); ++w) {
      const uint32_t word = read(s.offset + 4 * w);
      std::memcpy(&s.value[4 * w], &word, 4);
    }
  }
}

void Bench::call(const std::vector<Given>& given, const std::vector<uint64_t>& expected,
                 Writer& out) {
  const auto begin = std::chrono::steady_clock::now();
  run(given, expected);
  const auto end = std::chrono::steady_clock::now();
  out.put(std::chrono::duration<double>(end - begin).count());
  out.text("");
  for (const std::pair<char, int>& a : arguments) {
    if (a.first == 's') {
      streams[a.second].save(out);
      continue;
    }
    out.put(uint64_t(0));
    out.put(uint64_t(0));
    if (a.first == 'm') {
      const Memory& m = memories[a.second];
      out.put(m.depth);
      out.bytes.insert(out.bytes.end(), m.words.begin(), m.words.end());
      continue;
    }
    out.put(uint64_t(1));
    scalars[a.second].save(out);
  }
  out.put(uint32_t(0));
  out.put(last_beat_ == kNone ? uint64_t(0) : last_beat_ - start_);
  out.put(done_ - start_);
}

}  // namespace hlsc_rtlsim
