// Cells that triangles meet. Threads take runs of triangles; two that meet the same cell write the
// same answer.

#include "separating_axis.h"

#include <algorithm>

#include "parallel.h"

namespace bench {
namespace {

constexpr int64_t kRun = 64;  // triangles that a thread takes at once

void mark(const double* corners, int resolution, bool* grid) {
  int first[3], last[3];
  cells_touched(corners, resolution, first, last);
  for (int x = first[0]; x <= last[0]; ++x) {
    for (int y = first[1]; y <= last[1]; ++y) {
      bool* row = grid + (static_cast<int64_t>(x) * resolution + y) * resolution;
      for (int z = first[2]; z <= last[2]; ++z) {
        if (__atomic_load_n(row + z, __ATOMIC_RELAXED)) continue;
        if (!triangle_meets_cell(corners, x, y, z)) continue;
        __atomic_store_n(row + z, true, __ATOMIC_RELAXED);
      }
    }
  }
}

}  // namespace
}  // namespace bench

// triangles (F, 3, 3) in cells -> grid (R, R, R), which is false before.
extern "C" BENCH_API int bench_separating_axis(const double* triangles, int64_t count,
                                               int64_t resolution, bool* grid, int threads) {
  using namespace bench;
  parallel_for(threads, (count + kRun - 1) / kRun, [&](int64_t piece) {
    const int64_t end = std::min(count, (piece + 1) * kRun);
    for (int64_t f = piece * kRun; f < end; ++f) {
      mark(triangles + 9 * f, static_cast<int>(resolution), grid);
    }
  });
  return 0;
}
