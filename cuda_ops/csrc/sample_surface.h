// The arithmetic of surface sampling: counter-based random numbers, areas as integers, one point
// from one sample number. Only correctly rounded operations (+ - * / sqrt) on doubles, so that
// every processor and device finds the same faces and the same points.
#pragma once

#include <cmath>

#include "common.h"

namespace bench {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
BENCH_HD void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c[0];
    const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c[2];
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1;
    c[1] = static_cast<uint32_t>(p1);
    c[3] = static_cast<uint32_t>(p0);
    c[0] = n0;
    c[2] = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

// The four numbers of sample `number`: the seed is the key; number and object make the counter.
BENCH_HD void sample_bits(uint64_t seed, uint64_t object, uint64_t number, uint32_t c[4]) {
  c[0] = static_cast<uint32_t>(number);
  c[1] = static_cast<uint32_t>(number >> 32);
  c[2] = static_cast<uint32_t>(object);
  c[3] = static_cast<uint32_t>(object >> 32);
  philox(c, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

BENCH_HD double unit(uint32_t bits) { return (bits + 0.5) * (1.0 / 4294967296.0); }

// Upper 64 bits of a product.
BENCH_HD uint64_t multiply_high(uint64_t a, uint64_t b) {
#if defined(__CUDA_ARCH__)
  return __umul64hi(a, b);
#elif defined(__SIZEOF_INT128__)
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
#else
  const uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
  const uint64_t middle = a1 * b0 + ((a0 * b0) >> 32);
  return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & 0xffffffffu)) >> 32);
#endif
}

// Twice the area of a triangle.
BENCH_HD double double_area(const float* a, const float* b, const float* c) {
  const double ux = static_cast<double>(b[0]) - a[0], vx = static_cast<double>(c[0]) - a[0];
  const double uy = static_cast<double>(b[1]) - a[1], vy = static_cast<double>(c[1]) - a[1];
  const double uz = static_cast<double>(b[2]) - a[2], vz = static_cast<double>(c[2]) - a[2];
  const double x = uy * vz - uz * vy;
  const double y = uz * vx - ux * vz;
  const double z = ux * vy - uy * vx;
  return sqrt(x * x + y * y + z * z);
}

// Areas of up to 2^b faces as integers of 62 - b bits: their sum stays below 2^63.
BENCH_HD double weight_unit(int64_t faces) {
  int bits = 0;
  while ((int64_t{1} << bits) < faces) ++bits;
  return static_cast<double>(int64_t{1} << (62 - bits));
}

BENCH_HD int64_t weight(double area, double largest, double unit_weight) {
  return static_cast<int64_t>(area / largest * unit_weight);
}

// Where a sample's 64 bits fall in [0, total).
BENCH_HD uint64_t ticket(const uint32_t c[4], uint64_t total) {
  return multiply_high(static_cast<uint64_t>(c[0]) << 32 | c[1], total);
}

// (1 - s) a + s (1 - r) b + s r c with s = sqrt(r1): uniform on the triangle (Osada et al.,
// "Shape distributions", ACM Trans. Graphics 2002).
BENCH_HD void place(const float* a, const float* b, const float* c, const uint32_t bits[4],
                    float* point) {
  const double s = sqrt(unit(bits[2]));
  const double r = unit(bits[3]);
  const double wa = 1.0 - s;
  const double wb = s * (1.0 - r);
  const double wc = s * r;
  for (int axis = 0; axis < 3; ++axis) {
    point[axis] = static_cast<float>(wa * a[axis] + wb * b[axis] + wc * c[axis]);
  }
}

}  // namespace bench
