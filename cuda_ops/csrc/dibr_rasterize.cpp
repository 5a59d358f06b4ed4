// DIB-R's foreground on the CPU: which face each pixel shows, its features, and their gradient.
//
// The cost follows the bounding boxes of the drawn faces and the pixels. Pictures are cut into
// bands of rows (forward) or ranges of faces (backward) only where the batch leaves threads
// without work; the result does not depend on the cut.

#include <omp.h>

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

#include "dibr.h"
#include "huge_pages.h"

namespace bench {
namespace dibr {
namespace {

template <class T>
struct Meshes {
  const T *z, *xy, *features;  // (B,F,3), (B,F,3,2), (B,F,3,D)
  const uint8_t* valid;        // (B,F)
  int64_t batch, faces, dims;
};

template <class T>
struct Maps {
  int32_t* index;  // (B,H,W), -1 where no face is
  T *weights, *features;
  int height, width;
};

int64_t parts_of(int64_t batch, int64_t units, int threads) {
  const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
  return std::max<int64_t>(1, std::min(wanted, units));
}

// Depth, owner and weights of some picture rows while they are drawn; one for each thread. Rows
// are padded because blocks of pixels may run over the end of a row.
template <class T>
class Canvas {
 public:
  static constexpr int kLanes = 8;

  // Allocates; throws std::bad_alloc.
  Canvas(const Grid& grid, int64_t rows)
      : grid_(grid), stride_(grid.x.n + kLanes), x_(stride_), depth_(rows * stride_),
        index_(rows * stride_) {
    for (int x = 0; x < stride_; ++x) x_[x] = centre<T>(grid.x, x);
    for (auto& w : weights_) w.resize(rows * stride_);
  }

  void clear(int first, int last) {
    first_ = first;
    last_ = last;
    const size_t size = static_cast<size_t>(last - first) * stride_;
    std::fill_n(depth_.begin(), size, -std::numeric_limits<T>::infinity());
    std::fill_n(index_.begin(), size, -1);
  }

  template <bool kOld>
  void draw(const Triangle<T>& triangle, const Box& box, const T* z, int32_t face, T eps) {
    const int top = std::max(grid_.y.n - 1 - box.y_last, first_);
    const int bottom = std::min(grid_.y.n - 1 - box.y_first, last_ - 1);
    for (int row = top; row <= bottom; ++row) {
      const T y = centre<T>(grid_.y, grid_.y.n - 1 - row);
      for (int x = box.x_first; x <= box.x_last; x += kLanes) {
        draw_block<kOld>(triangle, z, face, eps, row, y, x, box.x_last - x);
      }
    }
  }

  int32_t owner(int row, int x) const { return index_[offset(row) + x]; }
  T weight(int k, int row, int x) const { return weights_[k][offset(row) + x]; }

 private:
  size_t offset(int row) const { return static_cast<size_t>(row - first_) * stride_; }

  template <bool kOld>
  void draw_block(const Triangle<T>& triangle, const T* z, int32_t face, T eps, int row, T y,
                  int x, int32_t count) {
    const T* centre_x = &x_[x];
    T w0[kLanes], w1[kLanes], w2[kLanes];
    int32_t inside[kLanes];
#pragma omp simd
    for (int32_t lane = 0; lane < kLanes; ++lane) {
      T w[3];
      inside[lane] = weights_at<kOld>(triangle, centre_x[lane], y, eps, w) & (lane <= count);
      w0[lane] = w[0];
      w1[lane] = w[1];
      w2[lane] = w[2];
    }
    int32_t any = 0;
    for (int32_t lane = 0; lane < kLanes; ++lane) any |= inside[lane];
    if (!any) return;
    const size_t start = offset(row) + x;
    T* depth = &depth_[start];
    int32_t* owner = &index_[start];
    T *out0 = &weights_[0][start], *out1 = &weights_[1][start], *out2 = &weights_[2][start];
#pragma omp simd
    for (int32_t lane = 0; lane < kLanes; ++lane) {
      const T here = w0[lane] * z[0] + w1[lane] * z[1] + w2[lane] * z[2];
      // Every comparison with NaN is false, so NaN is never kept; an equal depth keeps the
      // earlier face.
      const bool keep = (inside[lane] != 0) & (here > depth[lane]);
      depth[lane] = keep ? here : depth[lane];
      owner[lane] = keep ? face : owner[lane];
      out0[lane] = keep ? w0[lane] : out0[lane];
      out1[lane] = keep ? w1[lane] : out1[lane];
      out2[lane] = keep ? w2[lane] : out2[lane];
    }
  }

  Grid grid_;
  int stride_, first_ = 0, last_ = 0;
  std::vector<T> x_, depth_, weights_[3];
  std::vector<int32_t> index_;
};

// Writes picture rows [first, last) of picture b from the canvas.
template <class T>
void write_rows(const Meshes<T>& meshes, const Maps<T>& maps, const Canvas<T>& canvas, int64_t b,
                int first, int last) {
  const int64_t dims = meshes.dims;
  for (int row = first; row < last; ++row) {
    int64_t pixel = (b * maps.height + row) * maps.width;
    for (int x = 0; x < maps.width; ++x, ++pixel) {
      const int32_t f = canvas.owner(row, x);
      T* out = maps.features + pixel * dims;
      T* w = maps.weights + 3 * pixel;
      maps.index[pixel] = f;
      for (int k = 0; k < 3; ++k) w[k] = f < 0 ? T(0) : canvas.weight(k, row, x);
      if (f < 0) {
        std::fill(out, out + dims, T(0));
        continue;
      }
      const T* c = meshes.features + (b * meshes.faces + f) * 3 * dims;
      for (int64_t d = 0; d < dims; ++d) {
        out[d] = w[0] * c[d] + w[1] * c[dims + d] + w[2] * c[2 * dims + d];
      }
    }
  }
}

template <bool kOld, class T>
int rasterize(const Meshes<T>& meshes, const Maps<T>& maps, double multiplier, double eps,
              int threads) {
  const Grid grid = make_grid(maps.height, maps.width, multiplier, false);
  const int64_t parts = parts_of(meshes.batch, maps.height, threads);
  std::vector<Canvas<T>> canvases;
  try {
    for (int t = 0; t < threads; ++t) {
      canvases.emplace_back(grid, (maps.height + parts - 1) / parts);
    }
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  const int64_t pixels = meshes.batch * maps.height * maps.width;
  bench::expect_writes(maps.index, pixels * sizeof(int32_t));
  bench::expect_writes(maps.weights, pixels * 3 * sizeof(T));
  bench::expect_writes(maps.features, pixels * meshes.dims * sizeof(T));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < meshes.batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    const int first = static_cast<int>(maps.height * part / parts);
    const int last = static_cast<int>(maps.height * (part + 1) / parts);
    Canvas<T>& canvas = canvases[omp_get_thread_num()];
    canvas.clear(first, last);
    for (int64_t f = 0; f < meshes.faces; ++f) {
      const int64_t face = b * meshes.faces + f;
      const T* z = meshes.z + 3 * face;
      Triangle<T> triangle;
      const Box box = drawn_box(meshes.xy + 6 * face, z, meshes.valid[face] != 0, grid,
                                multiplier, &triangle);
      if (is_empty(box)) continue;
      canvas.template draw<kOld>(triangle, box, z, static_cast<int32_t>(f), static_cast<T>(eps));
    }
    write_rows(meshes, maps, canvas, b, first, last);
  }
  return 0;
}

// Adds sum over a run of pixels of (weight k) x (gradient d) to the face's (3, D).
template <class T>
void add_run(const T* gradient, const T* weights, int64_t count, int64_t dims, T* result) {
  for (int64_t d = 0; d < dims; ++d) {
    double sum[3] = {};
    for (int64_t i = 0; i < count; ++i) {
      const double g = gradient[i * dims + d];
      for (int k = 0; k < 3; ++k) sum[k] += g * weights[3 * i + k];
    }
    for (int k = 0; k < 3; ++k) result[k * dims + d] += static_cast<T>(sum[k]);
  }
}

// Faces [first, last) of picture b; every face owns its gradients, so sums keep their order.
template <bool kOld, class T>
void backward_faces(const Meshes<T>& meshes, const Maps<T>& maps, const T* gradient,
                    double multiplier, double eps, int64_t b, int64_t first, int64_t last,
                    uint8_t* owns, T* grad_xy, T* grad_features) {
  const int64_t dims = meshes.dims, start = b * meshes.faces;
  std::fill(grad_xy + (start + first) * 6, grad_xy + (start + last) * 6, T(0));
  std::fill(grad_features + (start + first) * 3 * dims,
            grad_features + (start + last) * 3 * dims, T(0));
  std::fill(owns, owns + meshes.faces, 0);
  const int64_t area = static_cast<int64_t>(maps.height) * maps.width;
  for (int64_t row = 0; row < maps.height; ++row) {
    const int64_t line = b * area + row * maps.width;
    for (int64_t x = 0; x < maps.width;) {
      const int64_t f = maps.index[line + x];
      int64_t run = 1;
      while (x + run < maps.width && maps.index[line + x + run] == f) ++run;
      if (f >= first && f < last) {
        owns[f] = 1;
        add_run(gradient + (line + x) * dims, maps.weights + (line + x) * 3, run, dims,
                grad_features + (start + f) * 3 * dims);
      }
      x += run;
    }
  }
  for (int64_t f = first; f < last; ++f) {
    if (!owns[f]) continue;
    const T* c = meshes.features + (start + f) * 3 * dims;
    const T* s = grad_features + (start + f) * 3 * dims;
    double pull[3][2] = {};
    for (int64_t d = 0; d < dims; ++d) {
      for (int j = 0; j < 2; ++j) {
        const double along = static_cast<double>(c[(j + 1) * dims + d]) - c[d];
        for (int i = 0; i < 3; ++i) pull[i][j] += along * s[i * dims + d];
      }
    }
    corner_gradient<kOld>(meshes.xy + (start + f) * 6, pull, multiplier, eps,
                          grad_xy + (start + f) * 6);
  }
}

template <bool kOld, class T>
int rasterize_backward(const Meshes<T>& meshes, const Maps<T>& maps, const T* gradient,
                       double multiplier, double eps, T* grad_xy, T* grad_features, int threads) {
  const int64_t parts = parts_of(meshes.batch, meshes.faces, threads);
  std::vector<std::vector<uint8_t>> owns;
  try {
    for (int t = 0; t < threads; ++t) owns.emplace_back(meshes.faces);
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < meshes.batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    backward_faces<kOld>(meshes, maps, gradient, multiplier, eps, b, meshes.faces * part / parts,
                         meshes.faces * (part + 1) / parts, owns[omp_get_thread_num()].data(),
                         grad_xy, grad_features);
  }
  return 0;
}

}  // namespace
}  // namespace dibr
}  // namespace bench

// z, xy, features, valid -> index (B,H,W), weights (B,H,W,3), out (B,H,W,D). old: version 0.9.0.
#define BENCH_DIBR_RASTERIZE(NAME, T)                                                            \
  extern "C" BENCH_API int NAME(const T* z, const T* xy, const T* features,                     \
                                const uint8_t* valid, int64_t batch, int64_t faces,             \
                                int64_t dims, int64_t height, int64_t width, double multiplier, \
                                double eps, int64_t old, int32_t* index, T* weights, T* out,    \
                                int threads) {                                                  \
    using namespace bench::dibr;                                                                 \
    const Meshes<T> meshes = {z, xy, features, valid, batch, faces, dims};                       \
    const Maps<T> maps = {index, weights, out, static_cast<int>(height),                         \
                          static_cast<int>(width)};                                              \
    return old ? rasterize<true>(meshes, maps, multiplier, eps, threads)                         \
               : rasterize<false>(meshes, maps, multiplier, eps, threads);                       \
  }
BENCH_DIBR_RASTERIZE(bench_dibr_rasterize_f32, float)
BENCH_DIBR_RASTERIZE(bench_dibr_rasterize_f64, double)

// gradient (B,H,W,D) of the pictures -> grad_xy (B,F,3,2), grad_features (B,F,3,D).
#define BENCH_DIBR_RASTERIZE_BACKWARD(NAME, T)                                                   \
  extern "C" BENCH_API int NAME(const T* gradient, int32_t* index, T* weights, const T* xy,     \
                                const T* features, int64_t batch, int64_t faces, int64_t dims,  \
                                int64_t height, int64_t width, double multiplier, double eps,   \
                                int64_t old, T* grad_xy, T* grad_features, int threads) {       \
    using namespace bench::dibr;                                                                 \
    const Meshes<T> meshes = {nullptr, xy, features, nullptr, batch, faces, dims};               \
    const Maps<T> maps = {index, weights, nullptr, static_cast<int>(height),                     \
                          static_cast<int>(width)};                                              \
    return old ? rasterize_backward<true>(meshes, maps, gradient, multiplier, eps, grad_xy,      \
                                          grad_features, threads)                                \
               : rasterize_backward<false>(meshes, maps, gradient, multiplier, eps, grad_xy,     \
                                           grad_features, threads);                              \
  }
BENCH_DIBR_RASTERIZE_BACKWARD(bench_dibr_rasterize_backward_f32, float)
BENCH_DIBR_RASTERIZE_BACKWARD(bench_dibr_rasterize_backward_f64, double)
