#include "voxelize.h"

namespace {

using namespace bench;

constexpr int kThreads = 512;
constexpr int kWarp = 32;
constexpr int kBits = 32;

// The grid of one mesh: (R, R, words) words, shared or global memory.
struct Bits {
    uint32_t* marked;
    int resolution, words;

    __device__ void mark(int x, int y, int z) {
        if (x < 0 || y < 0 || z < 0) return;
        atomicOr(&marked[(x * resolution + y) * words + z / kBits], 1u << (z % kBits));
    }
    __device__ void mark_two(int x, int y, int z) {
        if (z % kBits == 0) {
            mark(x, y, z);
            mark(x, y, z - 1);
        } else if (x >= 0 && y >= 0) {
            atomicOr(&marked[(x * resolution + y) * words + z / kBits], 3u << (z % kBits - 1));
        }
    }
};

// One warp takes a face and an axis; its threads share the lattice lines of the box.
__device__ void mark_surface(Bits grid, const float* vertices, int64_t vertex_count,
                             const int64_t* faces, int64_t face_count) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    for (int64_t job = warp; job < 3 * face_count; job += kThreads / kWarp) {
        const int64_t f = job / 3;
        const int pass = int(job % 3);
        float corner[3][3];
        if (!voxel_corners(vertices, faces + 3 * f, vertex_count, grid.resolution, corner))
            continue;
        // Three passes, three corners.
        if (lane == 0) voxel_mark_corner(grid, corner[pass], grid.resolution);
        const VoxelPass<float> face = voxel_pass<float>(corner, pass, grid.resolution);
        const int low0 = voxel_ceil(face.low0), high0 = voxel_floor(face.high0);
        const int low1 = voxel_ceil(face.low1), wide = voxel_floor(face.high1) - low1 + 1;
        if (wide <= 0 || high0 < low0) continue;
        const int count = wide * (high0 - low0 + 1);
        for (int i = lane; i < count; i += kWarp) {
            const int i0 = low0 + i / wide, i1 = low1 + i % wide;
            const VoxelLine<float> line = voxel_line<float>(face, float(i0), float(i1));
            if (voxel_accepts(line, grid.resolution))
                voxel_mark(grid, pass, i0, i1, int(line.depth));
        }
    }
}

// Reads and writes race, but only ever towards more outside cells: words are read whole, and the
// loop ends after a round in which nobody has added any. So the result is always the same.
__device__ void flood(const uint32_t* marked, volatile uint32_t* outside, int resolution,
                      int words) {
    const int last = resolution - 1, layer = resolution * words, total = resolution * layer;
    for (int i = threadIdx.x; i < total; i += kThreads) {
        const int j = i % words, y = i / words % resolution, x = i / layer;
        const bool edge = x == 0 || x == last || y == 0 || y == last;
        const uint32_t cells = edge ? ~0u : voxel_ends<uint32_t>(j, resolution);
        outside[i] = cells & ~marked[i];
    }
    for (bool busy = true; busy;) {
        __syncthreads();
        bool changed = false;
        for (int i = threadIdx.x; i < total; i += kThreads) {
            const int j = i % words, y = i / words % resolution, x = i / layer;
            if (x == 0 || x == last || y == 0 || y == last) continue;
            const uint32_t open = ~marked[i], own = outside[i];
            if ((open & ~own) == 0) continue;
            uint32_t seed = own | outside[i - layer] | outside[i + layer] | outside[i - words] |
                            outside[i + words];
            if (j > 0) seed |= outside[i - 1] >> (kBits - 1);
            if (j + 1 < words) seed |= outside[i + 1] << (kBits - 1);
            const uint32_t grown = voxel_spread<uint32_t>(seed, open);
            if (grown != own) {
                outside[i] = grown;
                changed = true;
            }
        }
        busy = __syncthreads_or(changed);
    }
}

// One block a mesh. `scratch` holds 2 grids of bits a mesh if they do not fit into shared memory.
__global__ void voxelize_kernel(const float* vertices, const int64_t* faces, int64_t vertex_count,
                                int64_t face_count, int resolution, uint8_t* cells,
                                uint32_t* scratch) {
    extern __shared__ uint32_t shared[];
    const int words = (resolution + kBits - 1) / kBits;
    const int total = resolution * resolution * words;
    uint32_t* marked = scratch ? scratch + int64_t(blockIdx.x) * 2 * total : shared;
    uint32_t* outside = marked + total;
    for (int i = threadIdx.x; i < total; i += kThreads)
        marked[i] = ~voxel_valid<uint32_t>(i % words, resolution);
    __syncthreads();
    mark_surface(Bits{marked, resolution, words}, vertices + blockIdx.x * vertex_count * 3,
                 vertex_count, faces, face_count);
    __syncthreads();
    flood(marked, outside, resolution, words);
    __syncthreads();
    const int64_t count = int64_t(resolution) * resolution * resolution;
    uint8_t* out = cells + blockIdx.x * count;
    for (int64_t i = threadIdx.x; i < count; i += kThreads) {
        const int z = int(i % resolution);
        const int64_t row = i / resolution;
        out[i] = uint8_t(~outside[row * words + z / kBits] >> (z % kBits) & 1u);
    }
}

}  // namespace

// As bench_voxelize; `scratch` has room for 2 B R R ceil(R / 32) words. Faces with an index outside
// [0, V) mark nothing.
extern "C" BENCH_API int bench_voxelize_cuda(const float* vertices, const int64_t* faces,
                                             int64_t batch, int64_t vertex_count,
                                             int64_t face_count, int64_t resolution,
                                             uint8_t* cells, uint32_t* scratch, void* stream) {
    if (resolution < 2 || resolution > kVoxelLargestResolution) return kVoxelBadResolution;
    int device = 0, most = 0;
    if (const cudaError_t error = cudaGetDevice(&device)) return int(error);
    if (const cudaError_t error =
            cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device))
        return int(error);
    int64_t bytes = 2 * resolution * resolution * ((resolution + kBits - 1) / kBits) *
                    int64_t(sizeof(uint32_t));
    if (bytes <= most) {
        scratch = nullptr;
        if (const cudaError_t error = cudaFuncSetAttribute(
                voxelize_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)))
            return int(error);
    } else {
        bytes = 0;
    }
    voxelize_kernel<<<unsigned(batch), kThreads, size_t(bytes),
                      static_cast<cudaStream_t>(stream)>>>(
        vertices, faces, vertex_count, face_count, int(resolution), cells, scratch);
    return int(cudaGetLastError());
}
