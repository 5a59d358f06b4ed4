// A thread takes a point and looks at every face; a block gathers the faces in shared memory.

#include <cuda_runtime.h>

#include "points_in_mesh.h"

namespace bench {
namespace {

constexpr int kThreads = 256;
constexpr int kTileFaces = 128;

__global__ void __launch_bounds__(kThreads)
    find(const double* points, int64_t point_count, const double* triangles, int64_t face_count,
         const double* box, bool* inside) {
  __shared__ InsideFace faces[kTileFaces];
  __shared__ InsideBuckets buckets[kTileFaces];
  __shared__ bool met_by_none[kTileFaces];
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  InsideScale scale;
  const bool solid = inside_scale(box, box + 3, scale);  // the same for all: nobody waits alone
  double p[3] = {-1.0, -1.0, -1.0};
  if (solid && i < point_count) inside_scaled(scale, points + 3 * i, p);
  const bool possible = inside_possible(p);
  const int x = inside_bucket(p[0]), y = inside_bucket(p[1]);
  uint64_t met = 0;
  for (int64_t first = 0; solid && first < face_count; first += kTileFaces) {
    const int64_t left = face_count - first;
    const int count = static_cast<int>(left < kTileFaces ? left : kTileFaces);
    __syncthreads();
    for (int f = threadIdx.x; f < count; f += kThreads) {
      double corner[3][3];
      for (int k = 0; k < 3; ++k)
        inside_scaled(scale, triangles + 9 * (first + f) + 3 * k, corner[k]);
      buckets[f] = inside_buckets(corner[0], corner[1], corner[2]);
      met_by_none[f] = !inside_face(corner[0], corner[1], corner[2], faces[f]);
    }
    __syncthreads();
    for (int f = 0; possible && f < count; ++f) {
      const InsideBuckets at = buckets[f];
      if (met_by_none[f] || x < at.x0 || x > at.x1 || y < at.y0 || y > at.y1) continue;
      met ^= inside_crossing(faces[f], p[0], p[1], p[2]);
    }
  }
  if (i < point_count) inside[i] = met == kInsideBoth;
}

}  // namespace
}  // namespace bench

// points (N, 3), triangles (F, 3, 3) and their box (2, 3), least and greatest, with a NaN where
// there is one among the corners -> inside (N).
extern "C" BENCH_API int bench_points_in_mesh_cuda(const double* points, int64_t point_count,
                                                   const double* triangles, int64_t face_count,
                                                   const double* box, bool* inside,
                                                   void* stream) {
  using namespace bench;
  const int64_t blocks = (point_count + kThreads - 1) / kThreads;
  find<<<static_cast<unsigned>(blocks), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      points, point_count, triangles, face_count, box, inside);
  return static_cast<int>(cudaGetLastError());
}
