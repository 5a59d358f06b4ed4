// Every pair, for small clouds: queries in the lanes of vectors, targets one after another in
// order of index, so that a strict "less" keeps the lowest index.
#pragma once

#include <algorithm>
#include <cmath>

#include "lanes.h"
#include "nearest.h"

namespace bench {

#if defined(__AVX512F__)
constexpr int kRows = 4 * kWidth;
#else
constexpr int kRows = 2 * kWidth;  // x, y, z, distance, index in 16 registers
#endif

// Nearest of m targets (m, 3) for queries from..to of `points`.
inline void brute_force(const float* points, int64_t from, int64_t to, const float* targets,
                        int64_t m, float* distance, int64_t* index) {
  constexpr int kParts = kRows / kWidth;
  for (int64_t row = from; row < to; row += kRows) {
    const int64_t filled = std::min<int64_t>(kRows, to - row);
    float x[kRows], y[kRows], z[kRows], d[kRows];
    int32_t id[kRows];
    for (int64_t r = 0; r < kRows; ++r) {
      const float* p = points + 3 * (row + std::min(r, filled - 1));
      x[r] = p[0], y[r] = p[1], z[r] = p[2];
    }
    Floats qx[kParts], qy[kParts], qz[kParts], best[kParts];
    Ints best_id[kParts];
    for (int p = 0; p < kParts; ++p) {
      qx[p] = load(x + p * kWidth), qy[p] = load(y + p * kWidth), qz[p] = load(z + p * kWidth);
      best[p] = splat(INFINITY);
      best_id[p] = splat(kNoIndex);
    }
    for (int64_t j = 0; j < m; ++j) {
      const float* t = targets + 3 * j;
      const Floats tx = splat(t[0]), ty = splat(t[1]), tz = splat(t[2]);
      const Ints here = splat(static_cast<int32_t>(j));
      for (int p = 0; p < kParts; ++p) {
        const Floats now = squared_distance(qx[p], qy[p], qz[p], tx, ty, tz);
        best_id[p] = select(less(now, best[p]), here, best_id[p]);
        best[p] = minimum(now, best[p]);
      }
    }
    for (int p = 0; p < kParts; ++p) {
      store(d + p * kWidth, best[p]);
      store(id + p * kWidth, best_id[p]);
    }
    for (int64_t r = 0; r < filled; ++r) {
      distance[row + r] = d[r];
      index[row + r] = id[r];
    }
  }
}

}  // namespace bench
