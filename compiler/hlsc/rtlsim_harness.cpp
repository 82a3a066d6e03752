// SPDX-License-Identifier: Apache-2.0
// The bench that drives a Verilated kernel; compiled once for all designs.
#include "rtlsim_harness.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace hlsc_rtlsim {

namespace {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void copy_bits(uint8_t* to, int to_low, const uint8_t* from, int from_low, int bits) {
  for (int i = 0; i < bits; ++i) {
    const int at = to_low + i;
    const int bit = from[(from_low + i) / 8] >> (from_low + i) % 8 & 1;
    to[at / 8] = static_cast<uint8_t>((to[at / 8] & ~(1 << at % 8)) | bit << at % 8);
  }
}

}  // namespace

template <class Visit>
void Stream::each_channel(Visit visit) const {
  visit(data, 0, data_bits);
  int low = data_bits;
  for (const Pin* side : {&keep, &strb, &user, &last, &id, &dest}) {
    if (!*side) continue;
    visit(*side, low, side->width());
    low += side->width();
  }
}

int Stream::word_bytes() const {
  int bits = 0;
  each_channel([&](const Pin&, int, int width) { bits += width; });
  return (bits + 7) / 8;
}

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
  words = bytes.take(count * (whole ? word_bytes() : data_bytes()));
  flags = whole ? nullptr : bytes.take(count);
}

void Stream::drive() {
  if (!input) {
    // A free-running design may go on with a run that nobody asked for: not more than is expected.
    ready.set(stall.go() && !(frugal && moved >= expected));
    return;
  }
  if (offered) return;  // a word that was offered stays until it is taken
  if (moved < count && stall.go()) {
    offered = true;
    blank = false;
    if (whole) {
      const uint8_t* word = words + moved * word_bytes();
      each_channel([word](const Pin& pin, int low, int bits) {
        pin.fill(false);
        copy_bits(pin.data(), 0, word, low, bits);
      });
      valid.set(1);
      return;
    }
    data.load(words + moved * data_bytes(), data_bytes());
    keep.fill(true);
    strb.fill(true);
    user.fill(false);
    id.fill(false);
    dest.fill(false);
    last.set(flags[moved] & 1);
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
  ++moved;
  if (whole) {
    const size_t at = got.size();
    got.resize(at + word_bytes());
    each_channel([this, at](const Pin& pin, int low, int bits) {
      copy_bits(&got[at], low, pin.data(), 0, bits);
    });
    return true;
  }
  got.insert(got.end(), data.data(), data.data() + data_bytes());
  got_flags.push_back((!last || last.high() ? 1 : 0) | (!keep || keep.full() ? 0 : 2));
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

void Memory::begin(const Given& given) {
  Reader bytes = given.bytes;
  if (given.count != depth) {
    throw Failure("array " + name + " must have " + std::to_string(depth) + " words, not " +
                  std::to_string(given.count));
  }
  const uint8_t* from = bytes.take(depth * this->bytes());
  words.assign(from, from + depth * this->bytes());
}

void Memory::sample() {
  for (Side& s : sides) {
    s.enabled = s.ce.high();
    if (!s.enabled) continue;
    s.at = s.address.get();
    s.writes = s.we.high();
    s.out.assign(bytes(), 0xa5);  // beyond the end: nothing that C++ would see
    if (s.at < depth) s.out.assign(&words[s.at * bytes()], &words[s.at * bytes()] + bytes());
    if (s.writes) s.in.assign(s.d.data(), s.d.data() + bytes());
  }
  for (Side& s : sides) {
    if (!s.enabled || !s.writes) continue;
    if (s.at >= depth) {
      throw Failure("array " + name + " must be written below " + std::to_string(depth) +
                    ", not at " + std::to_string(s.at));
    }
    std::memcpy(&words[s.at * bytes()], s.in.data(), bytes());
  }
}

void Memory::drive() const {
  for (const Side& s : sides) {
    if (s.enabled && s.q) {
      s.q.fill(false);
      copy_bits(s.q.data(), 0, s.out.data(), 0, width);
    }
  }
}

void Fifo::sample() {
  if (in_valid.high() && in_ready.high()) ++pushed, ++fill;
  if (in_valid.high() && !in_ready.high()) ++blocked;
  if (out_valid.high() && out_ready.high()) --fill;
  if (fill > high) high = fill;
  if (samples.empty() || cycles == span) {
    if (samples.size() == 512) {
      for (size_t i = 0; i < 256; ++i) samples[i] = std::max(samples[2 * i], samples[2 * i + 1]);
      samples.resize(256);
      span *= 2;
    }
    samples.push_back(0);
    cycles = 0;
  }
  if (fill > samples.back()) samples.back() = fill;
  ++cycles;
}

void Fifo::save(Writer& out) const {
  out.text(name);
  for (uint64_t value : {pushed, fill, high, blocked}) out.put(value);
  out.put(static_cast<uint8_t>(in_valid.high() | in_ready.high() << 1 | out_valid.high() << 2 |
                               out_ready.high() << 3));
  out.put(span);
  out.put(static_cast<uint32_t>(samples.size()));
  for (uint64_t value : samples) out.put(value);
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

void Bench::start_and_wait() {
  if (!control) {
    start_ = now_;
    // Free running: over when nothing has moved for a while.
    while (idle_ < (limit_ < 1000 ? limit_ : 1000)) cycle();
    done_ = last_beat_;
    return;
  }
  if (!bus.awaddr) {
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

void Scalar::save(Writer& out) const {
  uint8_t* to = out.grow(bytes());
  std::memset(to, 0, bytes());
  if (input || value.empty()) return;
  std::memcpy(to, value.data(), bytes());
  if (width % 8) to[bytes() - 1] &= static_cast<uint8_t>((1 << width % 8) - 1);
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
