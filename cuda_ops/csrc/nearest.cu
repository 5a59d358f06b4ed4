// Nearest neighbours on CUDA: all pairs, targets in tiles of shared memory.
//
// Blocks share the targets of a query between them and meet in an atomic minimum of
// (distance bits, index) as one integer: squared distances are not negative, so their bits are
// ordered as they are, the lowest index wins a tie, and the order of arrival does not matter.

#include <cuda_runtime.h>

#include "nearest.h"

namespace bench {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 512;     // targets in shared memory at once
constexpr int kQueries = 4;    // queries in the registers of a thread
constexpr unsigned long long kNothing = ~0ull;

__device__ int64_t length(const int64_t* lengths, int64_t b, int64_t all) {
  if (lengths == nullptr) return all;
  const int64_t l = lengths[b];
  return l < 0 ? 0 : (l > all ? all : l);
}

__global__ void clear_keys(unsigned long long* key, int64_t count) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) key[i] = kNothing;
}

// blockIdx: (part of the queries, part of the targets, batch item folded over z).
__global__ void __launch_bounds__(kThreads)
    scan(const float* source, const float* target, const int64_t* source_lengths,
         const int64_t* target_lengths, int64_t batch, int64_t n, int64_t m, int64_t share,
         unsigned long long* key) {
  __shared__ float4 tile[kTile];
  const int64_t rows = static_cast<int64_t>(kThreads) * kQueries;
  for (int64_t b = blockIdx.z; b < batch; b += gridDim.z) {
    const int64_t queries = length(source_lengths, b, n);
    const int64_t targets = length(target_lengths, b, m);
    const int64_t begin = blockIdx.y * share;
    const int64_t end = begin + share < targets ? begin + share : targets;
    const int64_t row = blockIdx.x * rows;
    if (row >= queries || begin >= end) continue;  // the same for the whole block

    float x[kQueries], y[kQueries], z[kQueries], best[kQueries];
    int32_t best_j[kQueries];
    for (int q = 0; q < kQueries; ++q) {
      int64_t i = row + q * kThreads + threadIdx.x;
      i = i < queries ? i : queries - 1;
      const float* p = source + 3 * (n * b + i);
      x[q] = p[0], y[q] = p[1], z[q] = p[2];
      best[q] = INFINITY;
      best_j[q] = kNoIndex;
    }
    for (int64_t at = begin; at < end; at += kTile) {
      const int count = static_cast<int>(end - at < kTile ? end - at : kTile);
      __syncthreads();
      for (int t = threadIdx.x; t < count; t += kThreads) {
        const float* p = target + 3 * (m * b + at + t);
        tile[t] = make_float4(p[0], p[1], p[2], 0.0f);
      }
      __syncthreads();
      for (int t = 0; t < count; ++t) {
        const float4 p = tile[t];
        const int32_t j = static_cast<int32_t>(at) + t;
        for (int q = 0; q < kQueries; ++q) {
          const float d = squared_distance(x[q], y[q], z[q], p.x, p.y, p.z);
          if (nearer(d, j, best[q], best_j[q])) {
            best[q] = d;
            best_j[q] = j;
          }
        }
      }
    }
    for (int q = 0; q < kQueries; ++q) {
      const int64_t i = row + q * kThreads + threadIdx.x;
      if (i >= queries || best_j[q] == kNoIndex) continue;
      const unsigned long long found =
          static_cast<unsigned long long>(__float_as_uint(best[q])) << 32 |
          static_cast<uint32_t>(best_j[q]);
      atomicMin(key + n * b + i, found);
    }
  }
}

// Keys lie where the indices go.
__global__ void unpack(const int64_t* lengths, int64_t batch, int64_t n, float* distance,
                       int64_t* index) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= batch * n) return;
  const unsigned long long found = static_cast<unsigned long long>(index[i]);
  if (i % n >= length(lengths, i / n, n)) {
    distance[i] = 0.0f;
    index[i] = -1;
  } else if (found == kNothing) {
    distance[i] = __uint_as_float(0x7fc00000u);
    index[i] = -1;
  } else {
    distance[i] = __uint_as_float(static_cast<uint32_t>(found >> 32));
    index[i] = static_cast<int64_t>(found & 0xffffffffull);
  }
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

cudaError_t one_way(const float* source, const float* target, const int64_t* source_lengths,
                    const int64_t* target_lengths, int64_t batch, int64_t n, int64_t m,
                    float* distance, int64_t* index, cudaStream_t stream) {
  auto* key = reinterpret_cast<unsigned long long*>(index);
  const int64_t flat = ceil_div(batch * n, kThreads);
  clear_keys<<<static_cast<unsigned>(flat), kThreads, 0, stream>>>(key, batch * n);
  if (cudaError_t error = cudaGetLastError()) return error;
  // Enough blocks for a large device, whole tiles each.
  constexpr int64_t kBlocks = 1024;
  const int64_t rows = ceil_div(n, static_cast<int64_t>(kThreads) * kQueries);
  const int64_t items = batch < 65535 ? batch : 65535;
  int64_t parts = ceil_div(kBlocks, rows * items);
  const int64_t tiles = ceil_div(m, kTile);
  parts = parts < tiles ? parts : tiles;
  parts = parts < 65535 ? parts : 65535;
  const int64_t share = ceil_div(tiles, parts) * kTile;
  const dim3 grid(static_cast<unsigned>(rows), static_cast<unsigned>(ceil_div(m, share)),
                  static_cast<unsigned>(items));
  scan<<<grid, kThreads, 0, stream>>>(source, target, source_lengths, target_lengths, batch, n, m,
                                      share, key);
  if (cudaError_t error = cudaGetLastError()) return error;
  unpack<<<static_cast<unsigned>(flat), kThreads, 0, stream>>>(source_lengths, batch, n, distance,
                                                               index);
  return cudaGetLastError();
}

// First place in sorted[0..count) that is not below j.
__device__ int64_t lower_bound(const int64_t* sorted, int64_t count, int64_t j) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (sorted[middle] < j) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// One thread a point: the gradient of its own distance, then what the points of the other cloud
// that chose it pull, in order of their index.
__global__ void gradient(const float* own, const float* other, const int64_t* own_index,
                         const float* own_grad, const int64_t* sorted, const int64_t* order,
                         const float* other_grad, int64_t batch, int64_t n, int64_t m,
                         float* result) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= batch * n) return;
  const int64_t b = i / n;
  const float* p = own + 3 * i;
  float sum[3] = {0.0f, 0.0f, 0.0f};
  if (own_grad != nullptr && own_index[i] >= 0) {
    const float* q = other + 3 * (m * b + own_index[i]);
    for (int a = 0; a < 3; ++a) sum[a] = distance_gradient(p[a], q[a], own_grad[i]);
  }
  if (other_grad != nullptr) {
    for (int64_t k = lower_bound(sorted + m * b, m, i % n);
         k < m && sorted[m * b + k] == i % n; ++k) {
      const int64_t j = m * b + order[m * b + k];
      const float* q = other + 3 * j;
      for (int a = 0; a < 3; ++a) sum[a] += distance_gradient(p[a], q[a], other_grad[j]);
    }
  }
  for (int a = 0; a < 3; ++a) result[3 * i + a] = sum[a];
}

}  // namespace
}  // namespace bench

// As bench_nearest; `method` is ignored, all pairs are compared.
extern "C" BENCH_API int bench_nearest_cuda(const float* source, const float* target,
                                            const int64_t* source_lengths,
                                            const int64_t* target_lengths, int64_t batch,
                                            int64_t n, int64_t m, float* source_distance,
                                            int64_t* source_index, float* target_distance,
                                            int64_t* target_index, int /*method*/, void* stream) {
  const auto s = static_cast<cudaStream_t>(stream);
  cudaError_t error = bench::one_way(source, target, source_lengths, target_lengths, batch, n, m,
                                     source_distance, source_index, s);
  if (error == cudaSuccess && target_distance != nullptr) {
    error = bench::one_way(target, source, target_lengths, source_lengths, batch, m, n,
                           target_distance, target_index, s);
  }
  return static_cast<int>(error);
}

// As bench_nearest_backward; every index comes with its stable sort along the points (sorted
// values and their order).
extern "C" BENCH_API int bench_nearest_backward_cuda(
    const float* source, const float* target, const int64_t* source_index,
    const int64_t* target_index, const float* source_grad, const float* target_grad,
    const int64_t* source_sorted, const int64_t* source_order, const int64_t* target_sorted,
    const int64_t* target_order, int64_t batch, int64_t n, int64_t m, float* grad_of_source,
    float* grad_of_target, void* stream) {
  using namespace bench;
  const auto s = static_cast<cudaStream_t>(stream);
  gradient<<<static_cast<unsigned>(ceil_div(batch * n, kThreads)), kThreads, 0, s>>>(
      source, target, source_index, source_grad, target_sorted, target_order, target_grad, batch,
      n, m, grad_of_source);
  if (cudaError_t error = cudaGetLastError()) return static_cast<int>(error);
  gradient<<<static_cast<unsigned>(ceil_div(batch * m, kThreads)), kThreads, 0, s>>>(
      target, source, target_index, target_grad, source_sorted, source_order, source_grad, batch,
      m, n, grad_of_target);
  return static_cast<int>(cudaGetLastError());
}
