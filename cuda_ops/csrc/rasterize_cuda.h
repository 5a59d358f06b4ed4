// What the CUDA files of the rasterizer share. Only nvcc reads this.
#pragma once

#include <cuda_runtime.h>

#include "rasterize_scan.h"

namespace bench {
namespace raster {
namespace {

constexpr int kWarp = 32;
constexpr int kThreads = 128;
constexpr int kWarpsPerBlock = kThreads / kWarp;
// The backward gives five lanes to each of a face's six (edge, axis) pairs.
constexpr int kPairs = 6;
constexpr int kLanesPerPair = kWarp / kPairs;

inline unsigned int blocks(int64_t work, int per_block) {
  return static_cast<unsigned int>((work + per_block - 1) / per_block);
}

__global__ void mark_owners(const int32_t* index, int64_t total, int64_t area,
                            int64_t face_count, uint8_t* owns) {
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= total) return;
  const int32_t face = index[pixel];
  if (face >= 0) owns[pixel / area * face_count + face] = 1;
}

// Joins what the lanes of a warp found for their pairs into the six moved coordinates of the
// face, in a fixed order. `found` is the warp's own shared memory.
__device__ inline void write_pulls(float (*found)[2], int lane, float pull0, float pull1,
                                   float* result) {
  found[lane][0] = pull0;
  found[lane][1] = pull1;
  __syncwarp();
  if (lane >= kPairs) return;
  // Corner c is the first one of edge c and the second one of edge c - 1.
  const int corner = lane / 2, axis = lane % 2;
  float sum = 0.f;
  for (int end = 0; end < 2; ++end) {
    const int edge = (corner + 2 * end) % 3;
    const int start = (2 * edge + axis) * kLanesPerPair;
    for (int k = 0; k < kLanesPerPair; ++k) sum += found[start + k][end];
  }
  result[3 * corner + 1 - axis] = 0.f - sum;
}

}  // namespace
}  // namespace raster
}  // namespace bench
