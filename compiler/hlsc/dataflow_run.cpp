// SPDX-License-Identifier: Apache-2.0
// Runs the processes of a compiled design as threads that hand over to each other (hlsc.dataflow).
//
// A process runs until it must wait for a FIFO, then the next one goes on: what blocking processes
// compute does not depend on the order, and a deadlock is found at once, when nobody can go on.
//
// Request:  u32 grow, u64 limit of stream accesses; u32 channels, each u32 bytes, u64 depth (0: no
//           bound), u8 role (0 inside, 1 input, 2 output), u32 producer, u32 consumer (~0: port),
//           u32 tokens in it at first; u32 buffers, each u32 bytes; u32 arrays between processes,
//           each u32 bytes, numbered behind the buffers; u32 processes, each u32 arguments, each
//           u32 index * 2 + (1: buffer, 0: channel); u32 claims, each u8 inter, u8 mask of RAW,
//           WAR, WAW, u64 distance (0: no such dependence); u32 calls, each: per input channel u64
//           count and words, per buffer its bytes.
// Reply:    per call u8 1, per output channel u64 count and words, per buffer its bytes, per
// channel
//           u64 words through, u64 left, u64 high-water mark, u64 depth.  At its end u8 0 and u8
//           how: 0 all ended; 1 deadlock; 2 limit; with 1 and 2: per process u8 state (0 ended, 1
//           reads, 2 writes, 3 polls, 4 runs), u32 channel, u32 place; per channel u64 fill, u64
//           depth, u64 words through.  Last u32 broken claims, each u32 claim, u32 call from 0, u64
//           element, u8 kind, u64 and u64 iterations, u32 and u32 places.
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "csim_bytes.h"

using hlsc_csim::Reader;
using hlsc_csim::Writer;

extern "C" {
// Written by hlsc.dataflow: each process as a function of its arguments' addresses.
extern void (*const hlsc_dataflow_processes[])(void**);
}

namespace {

const size_t kStack = size_t(64) << 20;  // reserved, not touched
const uint32_t kPort = ~uint32_t(0);

struct Channel {
  uint32_t bytes, producer, consumer, initial;  // initial: words in it before each call
  uint64_t depth;
  uint8_t role;
  std::deque<std::vector<uint8_t>> words;
  uint64_t through = 0, high = 0;

  bool full() const { return role == 0 && depth && words.size() >= depth; }
};

enum State : uint8_t { kEnded, kReads, kWrites, kPolls, kRuns };

struct Process {
  std::vector<void*> arguments;
  ucontext_t context;
  void* stack = nullptr;
  State state = kRuns;
  uint32_t channel = 0, place = 0;
};

// A DEPENDENCE pragma (hlsc.dataflow_claims) and its loop's present run.
struct Claim {
  bool inter;
  uint8_t mask;
  uint64_t distance;
  bool broken = false;
  uint64_t iteration = 0;
  struct Access {
    bool was = false;
    uint64_t iteration = 0;
    uint32_t place = 0;
  };
  struct Element {
    Access load, store;
  };
  std::unordered_map<uint64_t, Element> elements;
};

std::vector<Claim> claims;
Writer broken_claims;
uint32_t broken_count, present_call;

std::vector<Channel> channels;
std::vector<std::vector<uint8_t>> buffers;
std::vector<Process> processes;
ucontext_t scheduler;
size_t current;
uint64_t accesses, limit;

void wait(State state, const Channel& channel, uint32_t place) {
  Process& self = processes[current];
  self.state = state;
  self.channel = static_cast<uint32_t>(&channel - channels.data());
  self.place = place;
  swapcontext(&self.context, &scheduler);
  processes[current].state = kRuns;
}

void count_access() {
  if (++accesses > limit) wait(kRuns, channels[0], 0);
}

void enter() {
  hlsc_dataflow_processes[current](processes[current].arguments.data());
  processes[current].state = kEnded;
}

bool can_go_on(const Process& p) {
  if (p.state == kReads || p.state == kPolls) return !channels[p.channel].words.empty();
  if (p.state == kWrites) return !channels[p.channel].full();
  return p.state == kRuns;
}

// The processes and channels that wait for each other in a ring, from any process that waits.
std::vector<size_t> ring() {
  for (size_t start = 0; start < processes.size(); ++start) {
    std::vector<size_t> path;
    size_t at = start;
    while (at < processes.size() && processes[at].state != kEnded) {
      const auto seen = std::find(path.begin(), path.end(), at);
      if (seen != path.end()) return std::vector<size_t>(seen, path.end());
      path.push_back(at);
      const Channel& c = channels[processes[at].channel];
      at = processes[at].state == kWrites ? c.consumer : c.producer;
    }
  }
  return {};
}

// Makes the shallowest full channel of the ring one word deeper.
bool grow() {
  Channel* shallowest = nullptr;
  for (size_t p : ring()) {
    if (processes[p].state != kWrites) continue;
    Channel& c = channels[processes[p].channel];
    if (!shallowest || c.depth < shallowest->depth) shallowest = &c;
  }
  if (shallowest) ++shallowest->depth;
  return shallowest != nullptr;
}

// 0 all ended, 1 deadlock, 2 limit.
int run_call(bool grows) {
  for (size_t i = 0; i < processes.size(); ++i) {
    Process& p = processes[i];
    p.state = kRuns;
    getcontext(&p.context);
    p.context.uc_stack.ss_sp = p.stack;
    p.context.uc_stack.ss_size = kStack;
    p.context.uc_link = &scheduler;
    makecontext(&p.context, enter, 0);
  }
  for (;;) {
    bool moved = false, all = true;
    for (size_t i = 0; i < processes.size(); ++i) {
      Process& p = processes[i];
      if (p.state == kEnded) continue;
      all = false;
      if (!can_go_on(p)) continue;
      moved = true;
      current = i;
      swapcontext(&scheduler, &p.context);
      if (accesses > limit) return 2;
    }
    if (all) return 0;
    if (moved) continue;
    // Who only polls may go on without a word: once round, then it counts as waiting.
    const uint64_t before = accesses;
    for (size_t i = 0; i < processes.size(); ++i) {
      if (processes[i].state != kPolls) continue;
      current = i;
      swapcontext(&scheduler, &processes[i].context);
      if (accesses > limit) return 2;
      moved = moved || processes[i].state != kPolls || accesses > before + 1;
    }
    if (!moved && !(grows && grow())) return 1;
  }
}

}  // namespace

extern "C" {
void hlsc_dataflow_read(void* stream, void* to, uint64_t size, uint32_t place) {
  Channel& c = *static_cast<Channel*>(stream);
  count_access();
  while (c.words.empty()) wait(kReads, c, place);
  std::memcpy(to, c.words.front().data(), size);
  c.words.pop_front();
}

void hlsc_dataflow_write(void* stream, const void* from, uint64_t size, uint32_t place) {
  Channel& c = *static_cast<Channel*>(stream);
  count_access();
  while (c.full()) wait(kWrites, c, place);
  const uint8_t* bytes = static_cast<const uint8_t*>(from);
  c.words.emplace_back(bytes, bytes + size);
  ++c.through;
  c.high = std::max<uint64_t>(c.high, c.words.size());
}

uint8_t hlsc_dataflow_empty(void* stream, uint32_t place) {
  Channel& c = *static_cast<Channel*>(stream);
  count_access();
  if (c.words.empty()) wait(kPolls, c, place);
  return c.words.empty();
}

void hlsc_dependence_enter(uint32_t claim) {
  claims[claim].iteration = 0;
  claims[claim].elements.clear();
}

void hlsc_dependence_next(uint32_t claim) { ++claims[claim].iteration; }

void hlsc_dependence_access(uint32_t number, uint8_t store, const uint8_t* at, const uint8_t* base,
                            uint64_t size, uint32_t place) {
  Claim& c = claims[number];
  const uint64_t index = static_cast<uint64_t>(at - base) / size;
  Claim::Element& element = c.elements[index];
  const auto check = [&](uint8_t kind, const Claim::Access& before) {
    if (c.broken || !(c.mask >> kind & 1) || !before.was) return;
    const uint64_t apart = c.iteration - before.iteration;
    if (c.inter ? apart == 0 || (c.distance && apart >= c.distance) : apart != 0) return;
    c.broken = true;
    ++broken_count;
    broken_claims.put(number);
    broken_claims.put(present_call);
    broken_claims.put(index);
    broken_claims.put(kind);
    broken_claims.put(before.iteration);
    broken_claims.put(c.iteration);
    broken_claims.put(before.place);
    broken_claims.put(place);
  };
  if (store) {
    check(1, element.load);
    check(2, element.store);
  } else {
    check(0, element.store);
  }
  Claim::Access& now = store ? element.store : element.load;
  now.was = true;
  now.iteration = c.iteration;
  now.place = place;
}
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::vector<uint8_t> request = hlsc_csim::read_file(argv[1]);
  hlsc_csim::reply_path() = argv[2];
  Reader in(request.data(), request.size());
  const bool grows = in.get<uint32_t>();
  limit = in.get<uint64_t>();
  channels.resize(in.get<uint32_t>());
  for (Channel& c : channels) {
    c.bytes = in.get<uint32_t>();
    c.depth = in.get<uint64_t>();
    c.role = in.get<uint8_t>();
    c.producer = in.get<uint32_t>();
    c.consumer = in.get<uint32_t>();
    c.initial = in.get<uint32_t>();
  }
  buffers.resize(in.get<uint32_t>());
  for (std::vector<uint8_t>& b : buffers) b.resize(in.get<uint32_t>() + 64);
  const size_t outside = buffers.size();
  buffers.resize(outside + in.get<uint32_t>());
  for (size_t i = outside; i < buffers.size(); ++i) buffers[i].resize(in.get<uint32_t>() + 64);
  processes.resize(in.get<uint32_t>());
  for (Process& p : processes) {
    const uint32_t count = in.get<uint32_t>();
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t what = in.get<uint32_t>();
      p.arguments.push_back(what & 1 ? static_cast<void*>(buffers[what / 2].data())
                                     : static_cast<void*>(&channels[what / 2]));
    }
    p.stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p.stack == MAP_FAILED) return 4;
  }
  claims.resize(in.get<uint32_t>());
  for (Claim& c : claims) {
    c.inter = in.get<uint8_t>();
    c.mask = in.get<uint8_t>();
    c.distance = in.get<uint64_t>();
  }
  const uint32_t calls = in.get<uint32_t>();
  Writer out;
  int how = 0;
  for (uint32_t call = 0; call < calls && how == 0; ++call) {
    for (Channel& c : channels) {
      c.words.clear();
      c.through = c.high = 0;
      c.words.resize(c.initial, std::vector<uint8_t>(c.bytes));
      if (c.role != 1) continue;
      for (uint64_t n = in.get<uint64_t>(); n > 0; --n) {
        const uint8_t* from = in.take(c.bytes);
        c.words.emplace_back(from, from + c.bytes);
        ++c.through;
      }
      c.high = c.words.size();
    }
    for (size_t i = 0; i < outside; ++i)
      std::memcpy(buffers[i].data(), in.take(buffers[i].size() - 64), buffers[i].size() - 64);
    accesses = 0;
    present_call = call;
    how = run_call(grows);
    if (how) break;
    out.put(uint8_t(1));
    for (const Channel& c : channels) {
      if (c.role != 2) continue;
      out.put(uint64_t(c.words.size()));
      for (const std::vector<uint8_t>& w : c.words)
        out.bytes.insert(out.bytes.end(), w.begin(), w.end());
    }
    for (size_t i = 0; i < outside; ++i)
      out.bytes.insert(out.bytes.end(), buffers[i].begin(), buffers[i].end() - 64);
    for (const Channel& c : channels) {
      out.put(c.through);
      out.put(uint64_t(c.words.size()));
      out.put(c.high);
      out.put(c.depth);
    }
  }
  out.put(uint8_t(0));
  out.put(uint8_t(how));
  if (how) {
    for (const Process& p : processes) {
      out.put(uint8_t(p.state));
      out.put(p.channel);
      out.put(p.place);
    }
    for (const Channel& c : channels) {
      out.put(uint64_t(c.words.size()));
      out.put(c.depth);
      out.put(c.through);
    }
  }
  out.put(broken_count);
  out.bytes.insert(out.bytes.end(), broken_claims.bytes.begin(), broken_claims.bytes.end());
  return hlsc_csim::write_reply(out);
}
