// SPDX-License-Identifier: Apache-2.0
// Where the Xilinx headers are no yardstick: comparison of mixed signs by value, reductions, the
// type of every result, and what must be refused at run time.  Prints "ok" or what is wrong.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

#include <iostream>
#include <sstream>
#include <type_traits>

static int failures = 0;
#define EXPECT(X)                                             \
  do {                                                        \
    if (!(X)) {                                               \
      ++failures;                                             \
      std::cout << "line " << __LINE__ << ": " << #X << "\n"; \
    }                                                         \
  } while (0)

#define IS(X, ...) static_assert(std::is_same<decltype(X), __VA_ARGS__>::value, #X)

static ap_int<8> s8 = -100;
static ap_uint<8> u8 = 156;
static ap_int<4> s4 = 3;
static ap_int<1> s1 = -1;
static const ap_int<8> table[4] = {1, -2, 3, 127};

struct Config {
  static const int kOdd = 3;  // never defined: operators must not need its address
};
enum Plain { kFive = 5 };
struct Pixel : ap_uint<8> {
  using ap_uint<8>::ap_uint;
};

IS(s8 + s8, ap_int<9>);
IS(s8 + u8, ap_int<10>);
IS(u8 - u8, ap_int<9>);
IS(s8* u8, ap_int<16>);
IS(s8 / s4, ap_int<9>);
IS(s8 % s4, ap_int<4>);
IS(-u8, ap_int<9>);
IS(~u8, ap_uint<8>);
IS(s8 + 1, ap_int<33>);
IS(u8 * 2, ap_int<40>);
IS(s8 + 1LL, ap_int<65>);
IS(u8 + true, ap_uint<9>);
IS(u8 + kFive, decltype(u8 + +kFive));
IS(u8 / 3, ap_int<9>);
IS(s8& u8, ap_int<9>);
IS(s8 << 3, ap_int<8>);
IS(s8(3, 0) + s8(3, 0), ap_uint<9>);
IS(s8[3] << 3, int);
IS(u8 < 3, bool);
IS(u8 * 0.5, double);
IS(Pixel() + u8, ap_uint<9>);

static_assert(sizeof(ap_int<1>) == 1 && sizeof(ap_int<8>) == 1 && sizeof(ap_int<12>) == 2, "");
static_assert(sizeof(ap_int<33>) == 8 && sizeof(ap_int<65>) == 16 && sizeof(ap_uint<512>) == 64,
              "");
static_assert(std::is_trivially_copyable<ap_int<12>>::value, "");
static_assert(std::is_trivial<ap_uint<4096>>::value, "");
static_assert(std::is_trivial<ap_axiu<64, 1, 1, 1>>::value, "");
static_assert(ap_int<8>(3) * 5 - 1 == 14, "operators are constant expressions");
static_assert(std::is_same<decltype(ap_axis<32, 1, 1, 1>::data), ap_int<32>>::value, "");
static_assert(std::is_same<decltype(ap_axiu<24, 4, 1, 1>::keep), ap_uint<3>>::value, "");
static_assert(std::is_same<decltype(ap_axiu<24, 4, 1, 1>::user), ap_uint<4>>::value, "");
static_assert(std::is_same<decltype(hls::axis<int>::user), hls::axis_absent>::value, "");
static_assert(std::is_same<decltype(hls::axis<int>::strb), ap_uint<4>>::value, "");

// All orders of two numbers, against 128-bit arithmetic.
template <int W1, bool S1, int W2, bool S2, class A, class B>
void compare(A a, B b) {
  const __int128 x = S1 ? __int128(a.to_int64()) : __int128(a.to_uint64());
  const __int128 y = S2 ? __int128(b.to_int64()) : __int128(b.to_uint64());
  EXPECT((a == b) == (x == y));
  EXPECT((a != b) == (x != y));
  EXPECT((a < b) == (x < y));
  EXPECT((a <= b) == (x <= y));
  EXPECT((a > b) == (x > y));
  EXPECT((a >= b) == (x >= y));
}

template <int W1, int W2>
void compare_all() {
  const unsigned long long values[] = {
      0,          1,           2,           0x7f,         0x80,
      0x7fffffff, 0x80000000u, 0xffffffffu, 0x100000000u, ~0ull >> 1,
      ~0ull - 1,  ~0ull,       1ull << 63};
  for (unsigned long long v : values) {
    for (unsigned long long w : values) {
      compare<W1, true, W2, true>(ap_int<W1>(v), ap_int<W2>(w));
      compare<W1, true, W2, false>(ap_int<W1>(v), ap_uint<W2>(w));
      compare<W1, false, W2, true>(ap_uint<W1>(v), ap_int<W2>(w));
      compare<W1, false, W2, false>(ap_uint<W1>(v), ap_uint<W2>(w));
    }
  }
}

template <int W>
void reductions() {
  for (int i = 0; i < 64; ++i) {
    const ap_uint<W> v = ap_uint<W>(0x9e3779b97f4a7c15ull * i) << (i % W);
    const ap_int<W> s = v;
    int ones = 0;
    for (int k = 0; k < W; ++k) ones += v[k];
    EXPECT(v.xor_reduce() == (ones % 2 == 1) && s.xnor_reduce() == (ones % 2 == 0));
    EXPECT(v.and_reduce() == (ones == W) && s.nand_reduce() == (ones != W));
    EXPECT(v.or_reduce() == (ones != 0) && s.nor_reduce() == (ones == 0));
    ap_uint<W> part = v;
    EXPECT(part(W - 1, 0).and_reduce() == v.and_reduce());
    EXPECT(part(0, W - 1).xor_reduce() == v.xor_reduce());
  }
}

template <class F>
std::string failure(F f) {
  try {
    f();
  } catch (const hlsc::sim::Error& e) {
    return e.what();
  }
  return "";
}

int main() {
  compare_all<8, 8>();
  compare_all<31, 33>();
  compare_all<32, 32>();
  compare_all<64, 64>();
  compare_all<5, 64>();
  EXPECT(!(s8 == u8));
  EXPECT(ap_uint<32>(5) > -1);
  EXPECT((ap_uint<100>(1) << 99) > -1);
  EXPECT(s1 == -1 && s1 * s1 == 1 && s1 + s1 == -2 && -s1 == 1);
  reductions<1>();
  reductions<7>();
  reductions<64>();
  reductions<100>();

  EXPECT(u8 + Config::kOdd == 159 && Config::kOdd - u8 == -153 && (u8 << Config::kOdd) == 224);
  EXPECT(u8 + kFive == 161);
  EXPECT(table[ap_uint<2>(3)] == 127 && *(table + ap_uint<2>(1)) == -2);
  EXPECT((ap_uint<40>(1) << ap_uint<40>(1ull << 32)) == 0);
  EXPECT((ap_int<8>(-1) >> ap_uint<40>(1ull << 32)) == -1);
  EXPECT(u8(4, 7) == 9 && u8(7, 4) == 9 && u8(0, 7) == 57);
  EXPECT(7 % ap_uint<3>(4) == 3 && u8 % 10 == 6 && s8 / 7 == -14 && s8 % 7 == -2);

  ap_uint<4096> big = 1;
  big <<= 4095;
  EXPECT(big.countLeadingZeros() == 0 && (big >> 4095) == 1 && (big * big >> 8190) == 1);
  const ap_uint<4096> less = big - 1;
  EXPECT(less / big == 0 && less % big == less);
  EXPECT(less % 1000 == less - less / 1000 * 1000);
  big.reverse();
  EXPECT(big == 1);

  std::ostringstream os;
  os << ap_uint<8>(65) << ' ' << ap_int<8>(-1) << ' ' << std::hex << u8 << ' ' << u8(3, 0) << ' '
     << std::dec << (u8, s4) << ' ' << s1;
  EXPECT(os.str() == "65 -1 0x9c 0x0c 2499 -1");
  std::istringstream is("-7 0x1f 12");
  ap_int<9> a, b, c;
  is >> a >> b >> c;
  EXPECT(a == -7 && b == 31 && c == 12);

  EXPECT(failure([] { u8[8] = 1; }).find("bit of a number of 8 bits must be 0 to 7, not 8") !=
         std::string::npos);
  EXPECT(failure([] { u8(8, 0) = 1; }).find("(8, 0)") != std::string::npos);
  EXPECT(failure([] { u8 /= ap_uint<3>(0); }).find("must not be zero") != std::string::npos);
  EXPECT(failure([] { u8 = u8 % -3; }).find("must not be negative") != std::string::npos);
  EXPECT(failure([] { u8 = ap_uint<8>("12z"); }).find("not '12z'") != std::string::npos);

  ap_axiu<64, 1, 1, 1> word;
  word.data = -1;
  word.keep_all();
  EXPECT(word.keep == 255 && word.get_data().and_reduce());

  std::cout << (failures ? "failed\n" : "ok\n");
  return failures != 0;
}
