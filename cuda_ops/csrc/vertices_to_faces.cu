// Gathering the corners of faces on CUDA; the sum of their gradients has a fixed order.

#include <cuda_runtime.h>

#include "common.h"

namespace {

constexpr int kThreads = 256;

unsigned int blocks(int64_t work) {
  return static_cast<unsigned int>((work + kThreads - 1) / kThreads);
}

__global__ void gather(const float* vertices, const int32_t* faces, int64_t total,
                       int64_t face_batch, int64_t vertex_count, int64_t corner_count,
                       float* corners) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= total) return;
  const int64_t b = item / corner_count, c = item % corner_count;
  const int64_t v = faces[(face_batch == 1 ? 0 : b * corner_count) + c];
  const bool known = v >= 0 && v < vertex_count;
  for (int k = 0; k < 3; ++k) {
    corners[3 * item + k] =
        known ? vertices[3 * (b * vertex_count + v) + k] : __int_as_float(0x7fc00000);
  }
}

// starts (face_batch, V + 1) and order (face_batch, 3F): the corners of each vertex, ascending.
__global__ void sum_corners(const float* gradient, int64_t total, int64_t face_batch,
                            int64_t vertex_count, int64_t corner_count, const int64_t* starts,
                            const int64_t* order, float* result) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= total) return;
  const int64_t b = item / vertex_count, v = item % vertex_count;
  const int64_t list = face_batch == 1 ? 0 : b;
  const int64_t* range = starts + list * (vertex_count + 1) + v;
  const int64_t* corner = order + list * corner_count;
  float sum[3] = {0.f, 0.f, 0.f};
  for (int64_t k = range[0]; k < range[1]; ++k) {
    const float* from = gradient + 3 * (b * corner_count + corner[k]);
    for (int axis = 0; axis < 3; ++axis) sum[axis] += from[axis];
  }
  for (int axis = 0; axis < 3; ++axis) result[3 * item + axis] = sum[axis];
}

}  // namespace

extern "C" BENCH_API int bench_vertices_to_faces_cuda(const float* vertices,
                                                      const int32_t* faces, int64_t batch,
                                                      int64_t face_batch, int64_t vertex_count,
                                                      int64_t face_count, float* corners,
                                                      void* stream) {
  const int64_t total = batch * face_count * 3;
  gather<<<blocks(total), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      vertices, faces, total, face_batch, vertex_count, face_count * 3, corners);
  return static_cast<int>(cudaGetLastError());
}

extern "C" BENCH_API int bench_vertices_to_faces_backward_cuda(
    const float* gradient, const int32_t*, int64_t batch, int64_t face_batch,
    int64_t vertex_count, int64_t face_count, float* result, const int64_t* starts,
    const int64_t* order, void* stream) {
  const int64_t total = batch * vertex_count;
  sum_corners<<<blocks(total), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      gradient, total, face_batch, vertex_count, face_count * 3, starts, order, result);
  return static_cast<int>(cudaGetLastError());
}
