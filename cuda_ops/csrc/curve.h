// Points in the order of a Hilbert curve, so that neighbours in memory are neighbours in space.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "lanes.h"

namespace bench {

// A cubic grid: the curve runs through its 2^bits cells a side.
struct Frame {
  float lo[3];
  float scale;
  int bits;
};

inline bool finite3(const float* p) {
  // x - x is 0 for finite x and NaN otherwise.
  return (p[0] - p[0]) + (p[1] - p[1]) + (p[2] - p[2]) == 0.0f;
}

// Distance along the Hilbert curve (J. Skilling, "Programming the Hilbert curve", AIP Conf.
// Proc. 707, 2004) of one cell or a vector of cells.
template <class Word>
inline Word hilbert(Word x, Word y, Word z, int bits) {
  const Word one = x - x + 1;
  for (int b = bits - 1; b > 0; --b) {
    const uint32_t low = (1u << b) - 1;
    Word set = (x - x) - ((x >> b) & one);  // all ones where bit b is set
    x ^= set & low;
    set = (x - x) - ((y >> b) & one);
    Word swap = (x ^ y) & low & ~set;
    x ^= (set & low) | swap;
    y ^= swap;
    set = (x - x) - ((z >> b) & one);
    swap = (x ^ z) & low & ~set;
    x ^= (set & low) | swap;
    z ^= swap;
  }
  y ^= x;
  z ^= y;
  Word flip = x - x;
  for (int b = bits - 1; b > 0; --b) flip ^= ((1u << b) - 1) & ((x - x) - ((z >> b) & one));
  x ^= flip;
  y ^= flip;
  z ^= flip;
  // Interleave: x holds the highest bit of every triple.
  const auto spread = [](Word v) {
    v = (v | (v << 16)) & 0x030000ffu;
    v = (v | (v << 8)) & 0x0300f00fu;
    v = (v | (v << 4)) & 0x030c30c3u;
    return (v | (v << 2)) & 0x09249249u;
  };
  return (spread(x) << 2) | (spread(y) << 1) | spread(z);
}

inline Words curve_cells(Floats x, float lo, float scale, float last) {
  const Floats c = minimum(maximum((x - splat(lo)) * splat(scale), Floats{}), splat(last));
  return (Words)__builtin_convertvector(c, Ints);
}

inline Words frame_keys(const Frame& f, Floats x, Floats y, Floats z) {
  const float last = static_cast<float>((1 << f.bits) - 1);
  return hilbert(curve_cells(x, f.lo[0], f.scale, last),
                 curve_cells(y, f.lo[1], f.scale, last),
                 curve_cells(z, f.lo[2], f.scale, last), f.bits);
}

inline uint32_t frame_key(const Frame& f, float x, float y, float z) {
  return frame_keys(f, splat(x), splat(y), splat(z))[0];
}

// Puts the keys of items over their indices (lower halves).
inline void set_keys(const Frame& f, const float* points, uint64_t* item, int64_t n) {
  for (int64_t i = 0; i < n; i += kWidth) {
    const int64_t filled = std::min<int64_t>(kWidth, n - i);
    float x[kWidth], y[kWidth], z[kWidth];
    uint32_t id[kWidth];
    for (int64_t l = 0; l < kWidth; ++l) {
      id[l] = static_cast<uint32_t>(item[i + std::min(l, filled - 1)]);
      const float* p = points + 3 * static_cast<int64_t>(id[l]);
      x[l] = p[0], y[l] = p[1], z[l] = p[2];
    }
    const Words key = frame_keys(f, load(x), load(y), load(z));
    for (int64_t l = 0; l < filled; ++l) item[i + l] = static_cast<uint64_t>(key[l]) << 32 | id[l];
  }
}

// A cubic grid over a box. False when the box is one point.
inline bool fit(Frame& f, const float lo[3], const float hi[3], int64_t count) {
  double extent = 0;
  for (int a = 0; a < 3; ++a) {
    f.lo[a] = lo[a];
    extent = std::max(extent, static_cast<double>(hi[a]) - lo[a]);
  }
  f.bits = count <= 16384 ? 7 : 10;
  if (!(extent > 0)) {
    f.scale = 0;
    return false;
  }
  f.scale = static_cast<float>(std::min((1 << f.bits) / extent, 1e38));
  return true;
}

// Stable sort of (key << 32 | id) by key, `bits` bits of it; the result lies in `a`.
inline void sort_by_key(uint64_t* a, uint64_t* b, int64_t n, int bits) {
  constexpr int kDigit = 11;
  constexpr uint32_t kBuckets = 1u << kDigit;
  if (n <= 256) {  // clearing the buckets would cost more; equal keys stay in order of index
    std::stable_sort(a, a + n, [](uint64_t p, uint64_t q) { return (p >> 32) < (q >> 32); });
    return;
  }
  const int passes = (bits + kDigit - 1) / kDigit;
  uint32_t start[3][kBuckets];
  std::memset(start, 0, sizeof(uint32_t) * kBuckets * static_cast<size_t>(passes));
  for (int64_t i = 0; i < n; ++i) {
    for (int p = 0; p < passes; ++p) ++start[p][(a[i] >> (32 + p * kDigit)) & (kBuckets - 1)];
  }
  uint64_t* from = a;
  uint64_t* to = b;
  for (int p = 0; p < passes; ++p) {
    const int shift = 32 + p * kDigit;
    uint32_t* at = start[p];
    if (at[(from[0] >> shift) & (kBuckets - 1)] == n) continue;  // one digit for all
    uint32_t sum = 0;
    for (uint32_t k = 0; k < kBuckets; ++k) {
      const uint32_t here = at[k];
      at[k] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < n; ++i) to[at[(from[i] >> shift) & (kBuckets - 1)]++] = from[i];
    std::swap(from, to);
  }
  if (from != a) std::memcpy(a, from, sizeof(uint64_t) * static_cast<size_t>(n));
}

}  // namespace bench
