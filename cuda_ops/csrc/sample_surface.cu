// Surface sampling on CUDA in three launches; the prefix sum of the integers lies between them.

#include <cuda_runtime.h>

#include "sample_surface.h"

namespace bench {
namespace {

constexpr int kThreads = 256;

unsigned blocks(int64_t count) { return static_cast<unsigned>((count + kThreads - 1) / kThreads); }

__global__ void areas(const float* vertices, const int64_t* faces, int64_t v, int64_t f,
                      double* area) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= f) return;
  const int64_t a = faces[3 * i], b = faces[3 * i + 1], c = faces[3 * i + 2];
  const bool inside = a >= 0 && a < v && b >= 0 && b < v && c >= 0 && c < v;
  area[i] = inside ? double_area(vertices + 3 * a, vertices + 3 * b, vertices + 3 * c)
                   : __longlong_as_double(0x7ff8000000000000ll);
}

__global__ void weights(const double* area, const double* largest, int64_t f, double unit_weight,
                        int64_t* result) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= f) return;
  const bool usable = *largest > 0.0 && *largest < INFINITY;  // else refused afterwards
  result[i] = usable ? weight(area[i], *largest, unit_weight) : 0;
}

__global__ void sample(const float* vertices, const int64_t* faces, const int64_t* sum, int64_t f,
                       int64_t count, uint64_t seed, uint64_t object, float* points,
                       int64_t* face_index) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count || sum[f - 1] == 0) return;
  uint32_t c[4];
  sample_bits(seed, object, static_cast<uint64_t>(i), c);
  const uint64_t at = ticket(c, static_cast<uint64_t>(sum[f - 1]));
  int64_t low = 0, high = f - 1;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (static_cast<uint64_t>(sum[middle]) <= at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const int64_t* corner = faces + 3 * low;
  face_index[i] = low;
  place(vertices + 3 * corner[0], vertices + 3 * corner[1], vertices + 3 * corner[2], c,
        points + 3 * i);
}

}  // namespace
}  // namespace bench

// Twice the area of every face, NaN where an index is out of range.
extern "C" BENCH_API int bench_sample_areas_cuda(const float* vertices, const int64_t* faces,
                                                 int64_t v, int64_t f, double* area,
                                                 void* stream) {
  using namespace bench;
  areas<<<blocks(f), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(vertices, faces, v, f,
                                                                       area);
  return static_cast<int>(cudaGetLastError());
}

// Areas as integers; `largest` points to the largest one. All 0 where that is no usable number.
extern "C" BENCH_API int bench_sample_weights_cuda(const double* area, const double* largest,
                                                   int64_t f, int64_t* result, void* stream) {
  using namespace bench;
  weights<<<blocks(f), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      area, largest, f, weight_unit(f), result);
  return static_cast<int>(cudaGetLastError());
}

// The points, from the prefix sum (f) of the weights; writes nothing where that ends with 0.
extern "C" BENCH_API int bench_sample_surface_cuda(const float* vertices, const int64_t* faces,
                                                   const int64_t* sum, int64_t f, int64_t count,
                                                   int64_t seed, int64_t object, float* points,
                                                   int64_t* face_index, void* stream) {
  using namespace bench;
  sample<<<blocks(count), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      vertices, faces, sum, f, count, static_cast<uint64_t>(seed), static_cast<uint64_t>(object),
      points, face_index);
  return static_cast<int>(cudaGetLastError());
}
