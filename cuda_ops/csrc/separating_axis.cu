// A block takes a triangle and its threads the cells of the triangle's box.

#include <cuda_runtime.h>

#include "separating_axis.h"

namespace bench {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kMostBlocks = 1 << 20;

__global__ void __launch_bounds__(kThreads)
    mark(const double* triangles, int64_t count, int resolution, bool* grid) {
  for (int64_t f = blockIdx.x; f < count; f += gridDim.x) {
    const double* corners = triangles + 9 * f;
    int first[3], last[3];
    cells_touched(corners, resolution, first, last);
    int64_t side[3], cells = 1;
    for (int axis = 0; axis < 3; ++axis) {
      side[axis] = last[axis] < first[axis] ? 0 : last[axis] - first[axis] + 1;
      cells *= side[axis];
    }
    for (int64_t n = threadIdx.x; n < cells; n += kThreads) {
      const int64_t x = first[0] + n / (side[1] * side[2]);
      const int64_t y = first[1] + n / side[2] % side[1], z = first[2] + n % side[2];
      bool* cell = grid + (x * resolution + y) * resolution + z;
      // Several write the same answer.
      if (triangle_meets_cell(corners, static_cast<int>(x), static_cast<int>(y),
                              static_cast<int>(z))) {
        *cell = true;
      }
    }
  }
}

}  // namespace
}  // namespace bench

// triangles (F, 3, 3) in cells -> grid (R, R, R), which is false before.
extern "C" BENCH_API int bench_separating_axis_cuda(const double* triangles, int64_t count,
                                                    int64_t resolution, bool* grid, void* stream) {
  using namespace bench;
  const int64_t blocks = count < kMostBlocks ? count : kMostBlocks;
  mark<<<static_cast<unsigned>(blocks), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      triangles, count, static_cast<int>(resolution), grid);
  return static_cast<int>(cudaGetLastError());
}
