// The arithmetic of nearest neighbours: one fixed float32 expression and one order, so that brute
// force, tree, every instruction set and CUDA give the same bits.
#pragma once

#include "common.h"

namespace bench {

constexpr int32_t kNoIndex = INT32_MAX;

// Squared distance; compiled without fused operations. Also used on vectors of lanes.
template <class T>
BENCH_HD T squared_distance(T ax, T ay, T az, T bx, T by, T bz) {
  const T dx = ax - bx;
  const T dy = ay - by;
  const T dz = az - bz;
  return dx * dx + dy * dy + dz * dz;
}

// Whether candidate (d, j) is nearer than (best, best_j): ties go to the lowest index. False
// when d is NaN, so a point with NaN is nobody's nearest.
BENCH_HD bool nearer(float d, int32_t j, float best, int32_t best_j) {
  return d < best || (d == best && j < best_j);
}

// d(squared distance)/d(a) for one axis, times the gradient that came in.
BENCH_HD float distance_gradient(float a, float b, float grad) { return 2.0f * (a - b) * grad; }

}  // namespace bench
