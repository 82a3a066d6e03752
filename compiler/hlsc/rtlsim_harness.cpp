// SPDX-License-Identifier: Apache-2.0
// The bench that drives a Verilated kernel; compiled once for all designs.
#include "rtlsim_harness.h"

#include <chrono>
#include <stdexcept>

namespace hlsc_rtlsim {

namespace {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

uint64_t seed_of(const std::vector<uint8_t>& request) {
  Reader in(request.data(), request.size());
  in.take(8);
  return in.get<uint64_t>();
}

void Stream::begin(const Given& given, uint64_t expect) {
  expected = expect;
  moved = 0;
  if (!input) {
    got.clear();
    got_flags.clear();
    return;
  }
  count = given.count == kNone ? 0 : given.count;
  Reader bytes = given.bytes;
  words = bytes.take(count * data_bytes);
  flags = bytes.take(count);
}

void Stream::drive() {
  if (!input) {
    ready.set(stall.go());
    return;
  }
  if (offered) return;  // a word that was offered stays until it is taken
  if (moved < count && stall.go()) {
    data.load(words + moved * data_bytes, data_bytes);
    keep.fill(true);
    strb.fill(true);
    user.fill(false);
    id.fill(false);
    dest.fill(false);
    last.set(flags[moved] & 1);
    offered = true;
    blank = false;
  } else if (!blank) {
    data.fill(true);  // a kernel that looks at it without TVALID is found out
    last.set(1);
    blank = true;
  }
  valid.set(offered);
}

bool Stream::sample() {
  if (input) {
    if (!offered || !ready.high()) return false;
    offered = false;
    ++moved;
    return true;
  }
  const bool now = valid.high();
  if (holding && (!now || std::memcmp(held.data(), data.data(), held.size()) != 0)) {
    throw Failure("stream " + name + " must keep TVALID and TDATA until TREADY, but " +
                  (now ? "TDATA changed" : "TVALID fell") + " before beat " +
                  std::to_string(moved) + " was taken");
  }
  holding = now && !ready.high();
  if (holding) held.assign(data.data(), data.data() + data.bytes());
  if (!now || !ready.high()) return false;
  got.insert(got.end(), data.data(), data.data() + data_bytes);
  got_flags.push_back((!last || last.high() ? 1 : 0) | (!keep || keep.full() ? 0 : 2));
  ++moved;
  return true;
}

void Stream::save(Writer& out) const {
  if (input) {
    out.put(count - moved);
    out.put(count);
    out.put(uint64_t(0));
    return;
  }
  out.put(uint64_t(0));
  out.put(uint64_t(0));
  out.put(moved);
  if (!moved) return;
  std::memcpy(out.grow(got.size()), got.data(), got.size());
  std::memcpy(out.grow(got_flags.size()), got_flags.data(), got_flags.size());
}

std::string Stream::report() const {
  const uint64_t all = input ? count : expected;
  std::string text = "  " + name + ": " + std::to_string(moved);
  if (all != kNone) text += " of " + std::to_string(all);
  text += input ? " beats sent" : " beats received";
  text += std::string(", TVALID=") + (valid.high() ? "1" : "0") +
          " TREADY=" + (ready.high() ? "1" : "0");
  if (input && offered && !ready.high()) text += ": the kernel does not take the next beat";
  if (input && moved == count && ready.high()) text += ": the kernel would take more";
  if (!input && !valid.high() && moved < all && all != kNone) text += ": the kernel sends nothing";
  return text;
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
    const uint32_t calls = in.get<uint32_t>();
    std::vector<Given> given = hlsc_csim::read_arguments(in);
    std::vector<uint64_t> expected;
    for (size_t i = 0; i < given.size(); ++i) expected.push_back(in.get<uint64_t>());
    for (size_t i = 0; i < streams.size(); ++i) {
      Stream& s = streams[i];
      s.stall = Stall(s.input ? stall_in : stall_out, seed * 64 + i);
    }
    reset();
    for (uint32_t i = 0; i < calls; ++i) call(given, expected, out);
    return out;
  } catch (const std::exception& error) {
    return hlsc_csim::failure_reply(error.what());
  }
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
    }
  }
  if (active_) {
    for (Stream& s : streams) {
      if (!s.sample()) continue;
      idle_ = 0;
      if (!s.input) last_beat_ = now_;
    }
  }
  clock.set(1);
  eval(model);
  ++now_;
  ++idle_;
}

// One cycle with live streams; throws if nothing has moved for too long.
void Bench::cycle() {
  for (Stream& s : streams) s.drive();
  tick();
  if (idle_ > limit_ && !asking_) hang();
}

void Bench::hang() {
  std::string text = "the RTL must make progress, but nothing moved for " + std::to_string(limit_) +
                     " cycles (cycle " + std::to_string(now_) + ")";
  for (const Stream& s : streams) text += "\n" + s.report();
  asking_ = true;
  if (control && bus.araddr) {
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
    if (!s.input) continue;
    Reader bytes = given[i].bytes;
    std::vector<uint8_t> value(4 * s.words());
    std::memcpy(value.data(), bytes.take(s.bytes()), s.bytes());
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

void Bench::start_and_wait(uint64_t& start, uint64_t& done) {
  if (!control) {
    start = now_;
    // Free running: over when nothing has moved for a while.
    while (idle_ < (limit_ < 1000 ? limit_ : 1000)) cycle();
    done = last_beat_;
    return;
  }
  if (!bus.awaddr) {
    ap_start.set(1);
    start = now_;
    do {
      cycle();
      if (seen_.ready) ap_start.set(0);
    } while (!seen_.done);
    ap_start.set(0);
    done = now_ - 1;
    return;
  }
  write(0x04, 1);  // GIER
  write(0x08, 1);  // IER: ap_done
  write(0x00, 1);  // CTRL: ap_start
  start = accepted_;
  if (interrupt) {
    while (!seen_.interrupt) cycle();
    done = now_ - 1;
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
    done = now_ - 1;
  }
}

void Bench::call(const std::vector<Given>& given, const std::vector<uint64_t>& expected,
                 Writer& out) {
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].first == 's') {
      streams[arguments[i].second].begin(given[i], expected[i]);
    }
  }
  active_ = true;
  idle_ = 0;
  last_beat_ = kNone;
  set_scalars(given);
  uint64_t start = 0, done = 0;
  start_and_wait(start, done);
  // Beats that come after done would be lost without this.
  for (int quiet = 0; quiet < 32; ++quiet) {
    cycle();
    for (const Stream& s : streams) {
      if (!s.input && s.valid.high()) quiet = 0;
    }
  }
  for (Scalar& s : scalars) {
    if (s.input || s.wire) continue;
    s.value.assign(4 * s.words(), 0);
    for (int w = 0; w < s.words(); ++w) {
      const uint32_t word = read(s.offset + 4 * w);
      std::memcpy(&s.value[4 * w], &word, 4);
    }
  }
  const auto end = std::chrono::steady_clock::now();
  out.put(std::chrono::duration<double>(end - begin).count());
  out.text("");
  for (const std::pair<char, int>& a : arguments) {
    if (a.first == 's') {
      streams[a.second].save(out);
      continue;
    }
    const Scalar& s = scalars[a.second];
    out.put(uint64_t(0));
    out.put(uint64_t(0));
    out.put(uint64_t(1));
    uint8_t* to = out.grow(s.bytes());
    std::memset(to, 0, s.bytes());
    if (!s.input && !s.value.empty()) std::memcpy(to, s.value.data(), s.bytes());
    if (!s.input && s.width % 8) to[s.bytes() - 1] &= static_cast<uint8_t>((1 << s.width % 8) - 1);
  }
  out.put(uint32_t(0));
  out.put(last_beat_ == kNone ? uint64_t(0) : last_beat_ - start);
  out.put(done - start);
  active_ = false;
  // What a kernel leaves of an input must not leak into the next call.
  for (Stream& s : streams) {
    if (s.input) s.offered = false;
  }
}

}  // namespace hlsc_rtlsim
