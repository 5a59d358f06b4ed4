#include "voxel_iou.h"

namespace {

constexpr int kThreads = 256;

// One block a pair of grids. Whole-number sums: any order gives the same result.
__global__ void iou_kernel(const uint8_t* preds, const uint8_t* target, int64_t cells,
                           double* result) {
    const uint8_t* p = preds + blockIdx.x * cells;
    const uint8_t* t = target + blockIdx.x * cells;
    unsigned long long intersection = 0, either = 0;
    int64_t done = 0;
    if (cells % 8 == 0 && ((uintptr_t(p) | uintptr_t(t)) & 7) == 0) {
        const uint64_t* p8 = reinterpret_cast<const uint64_t*>(p);
        const uint64_t* t8 = reinterpret_cast<const uint64_t*>(t);
        for (int64_t i = threadIdx.x; i < cells / 8; i += kThreads) {
            const uint64_t a = bench::cells_as_ones(p8[i]), b = bench::cells_as_ones(t8[i]);
            intersection += __popcll(a & b);
            either += __popcll(a | b);
        }
        done = cells;
    }
    for (int64_t i = done + threadIdx.x; i < cells; i += kThreads) {
        intersection += p[i] && t[i];
        either += p[i] || t[i];
    }
    __shared__ unsigned long long sums[2];
    if (threadIdx.x < 2) sums[threadIdx.x] = 0;
    __syncthreads();
    for (int offset = 16; offset > 0; offset /= 2) {
        intersection += __shfl_down_sync(0xffffffffu, intersection, offset);
        either += __shfl_down_sync(0xffffffffu, either, offset);
    }
    if (threadIdx.x % 32 == 0) {
        atomicAdd(&sums[0], intersection);
        atomicAdd(&sums[1], either);
    }
    __syncthreads();
    if (threadIdx.x == 0)
        result[blockIdx.x] = bench::iou_of_counts(int64_t(sums[0]), int64_t(sums[1]));
}

}  // namespace

extern "C" BENCH_API int bench_voxel_iou_cuda(const uint8_t* preds, const uint8_t* target,
                                              int64_t batch, int64_t cells, double* result,
                                              void* stream) {
    iou_kernel<<<unsigned(batch), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
        preds, target, cells, result);
    return int(cudaGetLastError());
}
