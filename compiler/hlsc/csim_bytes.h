// SPDX-License-Identifier: Apache-2.0
// Requests and replies of the simulation programs as bytes; the format stands in csim_harness.h.
#ifndef HLSC_CSIM_BYTES_H_
#define HLSC_CSIM_BYTES_H_

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace hlsc_csim {

class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

  std::string text() {
    const uint32_t size = get<uint32_t>();
    return std::string(reinterpret_cast<const char*>(take(size)), size);
  }

  const uint8_t* take(size_t size) {
    if (size > static_cast<size_t>(end_ - at_))
      throw std::runtime_error("the request is cut short");
    const uint8_t* here = at_;
    at_ += size;
    return here;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

class Writer {
 public:
  template <class T>
  void put(const T& value) {
    const size_t at = bytes.size();
    bytes.resize(at + sizeof value);
    std::memcpy(&bytes[at], &value, sizeof value);
  }

  void text(const std::string& value) {
    put(static_cast<uint32_t>(value.size()));
    bytes.insert(bytes.end(), value.begin(), value.end());
  }

  uint8_t* grow(size_t size) {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }

  std::vector<uint8_t> bytes;
};

inline Writer failure_reply(const std::string& text) {
  Writer reply;
  reply.put(uint8_t(1));
  reply.text(text);
  return reply;
}

// An argument as the request gives it.
struct Given {
  std::string name;
  uint64_t count;
  Reader bytes;
};

inline std::vector<Given> read_arguments(Reader& in) {
  std::vector<Given> given;
  const uint32_t arguments = in.get<uint32_t>();
  for (uint32_t i = 0; i < arguments; ++i) {
    const std::string name = in.text();
    const uint64_t count = in.get<uint64_t>();
    const uint64_t bytes = in.get<uint64_t>();
    given.push_back(Given{name, count, Reader(in.take(bytes), bytes)});
  }
  return given;
}

inline std::vector<uint8_t> read_file(const char* path) {
  FILE* file = std::fopen(path, "rb");
  if (!file) throw std::runtime_error("the request cannot be opened");
  std::fseek(file, 0, SEEK_END);
  std::vector<uint8_t> bytes(static_cast<size_t>(std::ftell(file)));
  std::rewind(file);
  const size_t got = std::fread(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  if (got != bytes.size()) throw std::runtime_error("the request cannot be read");
  return bytes;
}

inline const char*& reply_path() {
  static const char* path = nullptr;
  return path;
}

inline int write_reply(const Writer& reply) {
  FILE* file = std::fopen(reply_path(), "wb");
  if (!file) return 3;
  const size_t written = std::fwrite(reply.bytes.data(), 1, reply.bytes.size(), file);
  return std::fclose(file) == 0 && written == reply.bytes.size() ? 0 : 3;
}

}  // namespace hlsc_csim

#endif  // HLSC_CSIM_BYTES_H_
