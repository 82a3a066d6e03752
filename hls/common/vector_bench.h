// SPDX-License-Identifier: Apache-2.0
// What the kernels' test benches share: vector files (convloom.lowering.vectors) and beat-by-beat
// comparison.  Host code, never synthesised.
#ifndef CONVLOOM_COMMON_VECTOR_BENCH_H_
#define CONVLOOM_COMMON_VECTOR_BENCH_H_

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "axis.h"

namespace convloom {
namespace bench {

typedef unsigned long long u64;
typedef std::vector<std::vector<u64>> Transfers;

/// One vector file; layout in convloom/lowering/vectors.py.
class Vectors {
 public:
  explicit Vectors(const std::string& path) : path_(path), file_(path.c_str()) {
    if (!file_) fail("must be a readable file");
    std::string config, layer;
    expect("kernel");
    file_ >> kernel >> config >> layer;
    expect("registers");
    for (u64 n = number(); n > 0; --n) {
      std::string name;
      long long value;
      if (!(file_ >> name >> value)) fail("must hold a name and a value for each register");
      registers[name] = value;
    }
    std::string word;
    while (file_ >> word) {
      if (word != "stream") fail("must hold streams after the registers, not " + word);
      std::string name;
      file_ >> name;
      Transfers& transfers = streams[name];
      transfers.resize(number());
      for (size_t t = 0; t < transfers.size(); ++t) {
        transfers[t].resize(number());
        for (size_t i = 0; i < transfers[t].size(); ++i) {
          if (!(file_ >> std::hex >> transfers[t][i])) fail("ends inside stream " + name);
        }
        file_ >> std::dec;
      }
    }
  }

  long long reg(const std::string& name) const {
    std::map<std::string, long long>::const_iterator found = registers.find(name);
    if (found == registers.end()) throw std::runtime_error(path_ + ": no register " + name);
    return found->second;
  }

  const Transfers& stream(const std::string& name) const {
    std::map<std::string, Transfers>::const_iterator found = streams.find(name);
    if (found == streams.end()) throw std::runtime_error(path_ + ": no stream " + name);
    return found->second;
  }

  std::string kernel;
  std::map<std::string, long long> registers;
  std::map<std::string, Transfers> streams;

 private:
  void fail(const std::string& rule) const { throw std::runtime_error(path_ + " " + rule); }

  void expect(const std::string& word) {
    std::string found;
    if (!(file_ >> found) || found != word) fail("must have '" + word + "' here, not " + found);
  }

  u64 number() {
    u64 n;
    if (!(file_ >> n)) fail("must have a number here");
    return n;
  }

  std::string path_;
  std::ifstream file_;
};

/// Fill a stream with transfers, TLAST on the last beat of each.
inline void send(hls::stream<axis64>& stream, const Transfers& transfers) {
  for (size_t t = 0; t < transfers.size(); ++t) {
    for (size_t i = 0; i < transfers[t].size(); ++i) {
      stream.write(make_beat(transfers[t][i], i + 1 == transfers[t].size()));
    }
  }
}

/// Compare a stream with the expected transfers beat by beat; returns the number of differences and
/// prints the first ones.
inline int receive(hls::stream<axis64>& stream, const Transfers& expected) {
  int wrong = 0;
  for (size_t t = 0; t < expected.size(); ++t) {
    for (size_t i = 0; i < expected[t].size(); ++i) {
      if (stream.empty()) {
        std::cerr << "out ends before beat " << i << " of transfer " << t << "\n";
        return wrong + 1;
      }
      const axis64 beat = stream.read();
      const bool last = i + 1 == expected[t].size();
      const ap_uint<64> data = expected[t][i];
      if (beat.data != data || bool(beat.last) != last || beat.keep != 0xFF) {
        if (++wrong <= 5) {
          std::cerr << "out beat " << i << " of transfer " << t << std::hex << ": data 0x"
                    << beat.data.to_uint64() << " expected 0x" << data.to_uint64() << std::dec
                    << ", TLAST " << beat.last.to_uint() << " expected " << last << ", TKEEP 0x"
                    << std::hex << beat.keep.to_uint() << std::dec << "\n";
        }
      }
    }
  }
  for (; !stream.empty(); stream.read()) ++wrong;
  return wrong;
}

/// Runs `play` on each vector file of the command line (default: vectors.txt); the exit status is 0
/// only if every file was there and every call was right.
template <class Play>
int main_of(int argc, char** argv, Play play) {
  std::vector<std::string> files(argv + 1, argv + argc);
  if (files.empty()) files.push_back("vectors.txt");
  int failed = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    try {
      const Vectors vectors(files[i]);
      // Twice: nothing may be left over from the first call.
      const int wrong = play(vectors) + play(vectors);
      if (wrong) {
        std::cerr << files[i] << ": " << wrong << " differences\n";
        ++failed;
      }
    } catch (const std::exception& error) {
      std::cerr << error.what() << "\n";
      ++failed;
    }
  }
  std::cout << files.size() - failed << " passed, " << failed << " failed\n";
  return failed ? 1 : 0;
}

}  // namespace bench
}  // namespace convloom

#endif  // CONVLOOM_COMMON_VECTOR_BENCH_H_
