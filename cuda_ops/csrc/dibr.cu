// DIB-R on CUDA: the arithmetic of dibr.h.
//
// Forward: the pixel box of every face first; then a block of 16 x 16 pixels reads the boxes in
// index order, keeps those that meet its tile in a list that preserves the order, and every pixel
// walks the list. Backward: one warp a face over its box; partial sums meet in a fixed order. No
// atomics anywhere, so the results are the same bits in every run.

#include <cuda_runtime.h>

#include "dibr.h"

namespace bench {
namespace dibr {
namespace {

constexpr int kTile = 16;
constexpr int kTileThreads = kTile * kTile;
constexpr int kWarp = 32;
constexpr int kThreads = 128;
constexpr int kWarpsPerBlock = kThreads / kWarp;
constexpr unsigned kEverybody = 0xffffffffu;

unsigned int blocks(int64_t work, int per_block) {
  return static_cast<unsigned int>((work + per_block - 1) / per_block);
}

// What both forward kernels know of one launch.
struct Tiles {
  int64_t faces;
  int height, width, across, down;

  Tiles(int64_t faces, int64_t height, int64_t width)
      : faces(faces), height(static_cast<int>(height)), width(static_cast<int>(width)),
        across(static_cast<int>((width + kTile - 1) / kTile)),
        down(static_cast<int>((height + kTile - 1) / kTile)) {}
  __host__ __device__ int64_t count() const { return static_cast<int64_t>(across) * down; }
};

template <class T>
__global__ void find_drawn(const T* z, const T* xy, const uint8_t* valid, int64_t total, Grid grid,
                           double multiplier, int4* boxes) {
  const int64_t face = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (face >= total) return;
  Triangle<T> triangle;
  const Box box =
      drawn_box(xy + 6 * face, z + 3 * face, valid[face] != 0, grid, multiplier, &triangle);
  boxes[face] = make_int4(box.x_first, box.x_last, box.y_first, box.y_last);
}

template <class T>
__global__ void find_near(const T* xy, int64_t total, Grid grid, double multiplier, double boxlen,
                          int4* boxes) {
  const int64_t face = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (face >= total) return;
  Triangle<T> triangle;
  const Box box = near_box(xy + 6 * face, grid, multiplier, boxlen, &triangle);
  boxes[face] = make_int4(box.x_first, box.x_last, box.y_first, box.y_last);
}

// Calls body(face, its box) for every face of the picture whose box meets the tile, in index
// order. All threads of the block must come here. Tile coordinates are raster ones (y upward).
template <class Body>
__device__ void walk_faces(const int4* boxes, int64_t count, int x_low, int y_low,
                           const Body& body) {
  __shared__ int32_t found[kTileThreads];
  __shared__ int4 found_box[kTileThreads];
  __shared__ int in_warp[kTileThreads / kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  for (int64_t base = 0; base < count; base += kTileThreads) {
    const int64_t face = base + threadIdx.x;
    int4 box = make_int4(0, -1, 0, -1);
    if (face < count) box = boxes[face];
    const bool meets = box.x <= box.y && box.z <= box.w && box.x < x_low + kTile &&
                       box.y >= x_low && box.z < y_low + kTile && box.w >= y_low;
    const unsigned votes = __ballot_sync(kEverybody, meets);
    if (lane == 0) in_warp[warp] = __popc(votes);
    __syncthreads();
    int place = 0, total = 0;
    for (int k = 0; k < kTileThreads / kWarp; ++k) {
      if (k < warp) place += in_warp[k];
      total += in_warp[k];
    }
    if (meets) {
      place += __popc(votes & ((1u << lane) - 1u));
      found[place] = static_cast<int32_t>(face);
      found_box[place] = box;
    }
    __syncthreads();
    for (int k = 0; k < total; ++k) body(found[k], found_box[k]);
    __syncthreads();
  }
}

__device__ bool holds(const int4& box, int x, int y) {
  return x >= box.x && x <= box.y && y >= box.z && y <= box.w;
}

template <bool kOld, class T>
__global__ void draw_tiles(const T* z, const T* xy, const T* features, int64_t dims, Tiles tiles,
                           Grid grid, double multiplier, double eps, const int4* boxes,
                           int32_t* index, T* weights, T* out) {
  const int64_t b = blockIdx.x / tiles.count();
  const int tile = static_cast<int>(blockIdx.x % tiles.count());
  const int x_low = tile % tiles.across * kTile, y_low = tile / tiles.across * kTile;
  const int x = x_low + threadIdx.x % kTile, y = y_low + threadIdx.x / kTile;
  const bool is_mine = x < tiles.width && y < tiles.height;
  const T px = centre<T>(grid.x, x), py = centre<T>(grid.y, y);
  T best = -INFINITY, kept[3] = {T(0), T(0), T(0)};
  int32_t owner = -1;
  const int64_t first = b * tiles.faces;
  walk_faces(boxes + first, tiles.faces, x_low, y_low, [&](int32_t f, const int4& box) {
    if (!is_mine || !holds(box, x, y)) return;
    Triangle<T> triangle;
    load_triangle(xy + (first + f) * 6, multiplier, &triangle);
    T w[3];
    if (!weights_at<kOld>(triangle, px, py, static_cast<T>(eps), w)) return;
    const T here = depth_at(z + (first + f) * 3, w);
    if (!(here > best)) return;
    best = here;
    owner = f;
    for (int k = 0; k < 3; ++k) kept[k] = w[k];
  });
  if (!is_mine) return;
  const int64_t pixel =
      (b * tiles.height + (tiles.height - 1 - y)) * static_cast<int64_t>(tiles.width) + x;
  index[pixel] = owner;
  for (int k = 0; k < 3; ++k) weights[3 * pixel + k] = kept[k];
  const T* c = features + (first + (owner < 0 ? 0 : owner)) * 3 * dims;
  for (int64_t d = 0; d < dims; ++d) {
    out[pixel * dims + d] =
        owner < 0 ? T(0) : kept[0] * c[d] + kept[1] * c[dims + d] + kept[2] * c[2 * dims + d];
  }
}

template <class T>
__global__ void miss_tiles(const T* xy, const int32_t* index, Tiles tiles, Grid grid,
                           double multiplier, T factor, int64_t knum, const int4* boxes,
                           T* miss, int32_t* stop) {
  const int64_t b = blockIdx.x / tiles.count();
  const int tile = static_cast<int>(blockIdx.x % tiles.count());
  const int x_low = tile % tiles.across * kTile, y_low = tile / tiles.across * kTile;
  const int x = x_low + threadIdx.x % kTile, y = y_low + threadIdx.x / kTile;
  const bool is_mine = x < tiles.width && y < tiles.height;
  const int64_t pixel =
      (b * tiles.height + (tiles.height - 1 - y)) * static_cast<int64_t>(tiles.width) + x;
  const bool is_open = is_mine && index[pixel] < 0;
  // Most tiles lie inside the object or far from it; the first kind is done here.
  if (!__syncthreads_or(is_open)) {
    if (is_mine) {
      miss[pixel] = T(0);
      stop[pixel] = kNoLast;
    }
    return;
  }
  const T px = centre<T>(grid.x, x), py = centre<T>(grid.y, y);
  T left = is_open ? T(1) : T(0);
  int64_t seen = 0;
  int32_t last = kNoLast;
  const int64_t first = b * tiles.faces;
  walk_faces(boxes + first, tiles.faces, x_low, y_low, [&](int32_t f, const int4& box) {
    if (!is_open || seen >= knum || !holds(box, x, y)) return;
    if (++seen == knum) last = f;
    Triangle<T> triangle;
    load_triangle(xy + (first + f) * 6, multiplier, &triangle);
    Border<T> border;
    make_border(triangle, &border);
    T p;
    left *= miss_probability(nearest_on(border, px, py).squared * factor, &p);
  });
  if (!is_mine) return;
  miss[pixel] = left;
  stop[pixel] = last;
}

// The sum over the warp, in a fixed order; whole only in lane 0.
template <class T>
__device__ T warp_sum(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value += __shfl_down_sync(kEverybody, value, step);
  }
  return value;
}

// One warp a face.
template <bool kOld, class T>
__global__ void colour_backward(const T* gradient, const int32_t* index, const T* weights,
                                const T* xy, const T* features, int64_t total, int64_t faces,
                                int64_t dims, int height, int width, Grid grid, double multiplier,
                                double eps, T* grad_xy, T* grad_features) {
  const int64_t face = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (face >= total) return;
  const int lane = threadIdx.x % kWarp;
  const int32_t f = static_cast<int32_t>(face % faces);
  const int64_t origin = face / faces * height * width;
  Triangle<T> triangle;
  Box box = {0, -1, 0, -1};
  if (load_triangle(xy + 6 * face, multiplier, &triangle)) {
    box = pixel_box(triangle, grid, T(0));
  }
  const int columns = box.x_last - box.x_first + 1;
  const int64_t pixels =
      is_empty(box) ? 0 : static_cast<int64_t>(columns) * (box.y_last - box.y_first + 1);
  bool owns = false;
  double pull[3][2] = {};
  for (int64_t d = 0; d < dims; ++d) {
    double sum[3] = {};
    if (d == 0 || owns) {
      for (int64_t p = lane; p < pixels; p += kWarp) {
        const int x = box.x_first + static_cast<int>(p % columns);
        const int y = box.y_first + static_cast<int>(p / columns);
        const int64_t pixel = origin + static_cast<int64_t>(height - 1 - y) * width + x;
        if (index[pixel] != f) continue;
        owns = true;
        const double g = gradient[pixel * dims + d];
        for (int k = 0; k < 3; ++k) sum[k] += g * weights[3 * pixel + k];
      }
      owns = __any_sync(kEverybody, owns);
    }
    for (int k = 0; k < 3; ++k) sum[k] = warp_sum(sum[k]);
    if (lane != 0) continue;
    const T* c = features + face * 3 * dims;
    for (int k = 0; k < 3; ++k) {
      const T rounded = static_cast<T>(sum[k]);
      grad_features[(face * 3 + k) * dims + d] = rounded;
      if (!owns) continue;
      for (int j = 0; j < 2; ++j) {
        pull[k][j] += (static_cast<double>(c[(j + 1) * dims + d]) - c[d]) * rounded;
      }
    }
  }
  if (lane != 0) return;
  if (owns) {
    corner_gradient<kOld>(xy + 6 * face, pull, multiplier, eps, grad_xy + 6 * face);
  } else {
    for (int k = 0; k < 6; ++k) grad_xy[6 * face + k] = T(0);
  }
}

template <class T>
__global__ void mask_backward(const T* gradient, const T* miss, const int32_t* stop, const T* xy,
                              const int32_t* index, int64_t total, int64_t faces, int height,
                              int width, Grid grid, double multiplier, double boxlen,
                              T factor, double unit, T* result) {
  const int64_t face = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (face >= total) return;
  const int lane = threadIdx.x % kWarp;
  const int32_t f = static_cast<int32_t>(face % faces);
  const int64_t origin = face / faces * height * width;
  Triangle<T> triangle;
  const Box box = near_box(xy + 6 * face, grid, multiplier, boxlen, &triangle);
  double sum[6] = {};
  if (!is_empty(box)) {
    Border<T> border;
    make_border(triangle, &border);
    const int columns = box.x_last - box.x_first + 1;
    const int64_t pixels = static_cast<int64_t>(columns) * (box.y_last - box.y_first + 1);
    for (int64_t p = lane; p < pixels; p += kWarp) {
      const int x = box.x_first + static_cast<int>(p % columns);
      const int y = box.y_first + static_cast<int>(p / columns);
      const int64_t pixel = origin + static_cast<int64_t>(height - 1 - y) * width + x;
      if (index[pixel] >= 0 || f > stop[pixel] || gradient[pixel] == T(0)) continue;
      if (!(miss[pixel] > T(0))) continue;
      add_pixel(border, centre<T>(grid.x, x), centre<T>(grid.y, y), gradient[pixel], miss[pixel],
                factor, sum);
    }
  }
  for (int k = 0; k < 6; ++k) sum[k] = warp_sum(sum[k]);
  if (lane != 0) return;
  for (int k = 0; k < 6; ++k) result[6 * face + k] = static_cast<T>(sum[k] * unit);
}

}  // namespace
}  // namespace dibr
}  // namespace bench

#define BENCH_DIBR_RASTERIZE(NAME, T)                                                            \
  extern "C" BENCH_API int NAME(const T* z, const T* xy, const T* features,                     \
                                const uint8_t* valid, int64_t batch, int64_t faces,             \
                                int64_t dims, int64_t height, int64_t width, double multiplier, \
                                double eps, int64_t old, int32_t* index, T* weights, T* out,    \
                                int32_t* scratch, void* stream) {                               \
    using namespace bench::dibr;                                                                 \
    cudaStream_t queue = static_cast<cudaStream_t>(stream);                                      \
    const Tiles tiles(faces, height, width);                                                     \
    const Grid grid = make_grid(tiles.height, tiles.width, multiplier, false);                   \
    int4* boxes = reinterpret_cast<int4*>(scratch);                                              \
    const int64_t total = batch * faces;                                                         \
    if (total > 0) {                                                                             \
      find_drawn<<<blocks(total, kThreads), kThreads, 0, queue>>>(z, xy, valid, total, grid,     \
                                                                  multiplier, boxes);            \
    }                                                                                            \
    const unsigned grid_size = blocks(batch * tiles.count(), 1);                                 \
    if (old) {                                                                                   \
      draw_tiles<true><<<grid_size, kTileThreads, 0, queue>>>(                                   \
          z, xy, features, dims, tiles, grid, multiplier, eps, boxes, index, weights, out);      \
    } else {                                                                                     \
      draw_tiles<false><<<grid_size, kTileThreads, 0, queue>>>(                                  \
          z, xy, features, dims, tiles, grid, multiplier, eps, boxes, index, weights, out);      \
    }                                                                                            \
    return static_cast<int>(cudaGetLastError());                                                 \
  }
BENCH_DIBR_RASTERIZE(bench_dibr_rasterize_f32_cuda, float)
BENCH_DIBR_RASTERIZE(bench_dibr_rasterize_f64_cuda, double)

#define BENCH_DIBR_RASTERIZE_BACKWARD(NAME, T)                                                   \
  extern "C" BENCH_API int NAME(const T* gradient, const int32_t* index, const T* weights,      \
                                const T* xy, const T* features, int64_t batch, int64_t faces,   \
                                int64_t dims, int64_t height, int64_t width, double multiplier, \
                                double eps, int64_t old, T* grad_xy, T* grad_features,          \
                                void* stream) {                                                 \
    using namespace bench::dibr;                                                                 \
    cudaStream_t queue = static_cast<cudaStream_t>(stream);                                      \
    const int h = static_cast<int>(height), w = static_cast<int>(width);                         \
    const Grid grid = make_grid(h, w, multiplier, false);                                        \
    const int64_t total = batch * faces;                                                         \
    if (total == 0) return 0;                                                                    \
    const unsigned grid_size = blocks(total, kWarpsPerBlock);                                    \
    if (old) {                                                                                   \
      colour_backward<true><<<grid_size, kThreads, 0, queue>>>(                                  \
          gradient, index, weights, xy, features, total, faces, dims, h, w, grid, multiplier,    \
          eps, grad_xy, grad_features);                                                          \
    } else {                                                                                     \
      colour_backward<false><<<grid_size, kThreads, 0, queue>>>(                                 \
          gradient, index, weights, xy, features, total, faces, dims, h, w, grid, multiplier,    \
          eps, grad_xy, grad_features);                                                          \
    }                                                                                            \
    return static_cast<int>(cudaGetLastError());                                                 \
  }
BENCH_DIBR_RASTERIZE_BACKWARD(bench_dibr_rasterize_backward_f32_cuda, float)
BENCH_DIBR_RASTERIZE_BACKWARD(bench_dibr_rasterize_backward_f64_cuda, double)

#define BENCH_DIBR_SOFT_MASK(NAME, T)                                                           \
  extern "C" BENCH_API int NAME(const T* xy, const int32_t* index, int64_t batch,              \
                                int64_t faces, int64_t height, int64_t width, double sigmainv, \
                                double boxlen, int64_t knum, double multiplier, int64_t old,   \
                                T* miss, int32_t* stop, int32_t* scratch, void* stream) {      \
    using namespace bench::dibr;                                                                \
    cudaStream_t queue = static_cast<cudaStream_t>(stream);                                     \
    const Tiles tiles(faces, height, width);                                                    \
    const Grid grid = make_grid(tiles.height, tiles.width, multiplier, old != 0);               \
    int4* boxes = reinterpret_cast<int4*>(scratch);                                             \
    const int64_t total = batch * faces;                                                        \
    if (total > 0) {                                                                            \
      find_near<<<blocks(total, kThreads), kThreads, 0, queue>>>(xy, total, grid, multiplier,   \
                                                                 boxlen, boxes);                \
    }                                                                                           \
    miss_tiles<<<blocks(batch * tiles.count(), 1), kTileThreads, 0, queue>>>(                   \
        xy, index, tiles, grid, multiplier,                                                     \
        static_cast<T>(sigmainv / (multiplier * multiplier)), knum, boxes,                      \
        miss, stop);                                                                            \
    return static_cast<int>(cudaGetLastError());                                                \
  }
BENCH_DIBR_SOFT_MASK(bench_dibr_soft_mask_f32_cuda, float)
BENCH_DIBR_SOFT_MASK(bench_dibr_soft_mask_f64_cuda, double)

#define BENCH_DIBR_SOFT_MASK_BACKWARD(NAME, T)                                                  \
  extern "C" BENCH_API int NAME(const T* gradient, const T* miss, const int32_t* stop,         \
                                const T* xy, const int32_t* index, int64_t batch,              \
                                int64_t faces, int64_t height, int64_t width, double sigmainv, \
                                double boxlen, int64_t knum, double multiplier, int64_t old,   \
                                T* result, void* stream) {                                     \
    using namespace bench::dibr;                                                                \
    (void)knum;                                                                                 \
    const int h = static_cast<int>(height), w = static_cast<int>(width);                        \
    const Grid grid = make_grid(h, w, multiplier, old != 0);                                    \
    const int64_t total = batch * faces;                                                        \
    if (total == 0) return 0;                                                                   \
    mask_backward<<<blocks(total, kWarpsPerBlock), kThreads, 0,                                 \
                    static_cast<cudaStream_t>(stream)>>>(                                       \
        gradient, miss, stop, xy, index, total, faces, h, w, grid, multiplier, boxlen,          \
        static_cast<T>(sigmainv / (multiplier * multiplier)), sigmainv / multiplier, result);   \
    return static_cast<int>(cudaGetLastError());                                                \
  }
BENCH_DIBR_SOFT_MASK_BACKWARD(bench_dibr_soft_mask_backward_f32_cuda, float)
BENCH_DIBR_SOFT_MASK_BACKWARD(bench_dibr_soft_mask_backward_f64_cuda, double)
