// DIB-R's soft mask on the CPU: only background pixels are visited, face by face in index order,
// each inside its enlarged box.

#include <omp.h>

#include <algorithm>
#include <new>
#include <vector>

#include "dibr.h"
#include "huge_pages.h"

namespace bench {
namespace dibr {
namespace {

template <class T>
struct Mask {
  const T* xy;           // (B,F,3,2)
  const int32_t* index;  // (B,H,W), negative where no face is
  int64_t batch, faces;
  int height, width;
  double multiplier, sigmainv, boxlen;
  int64_t knum;
  bool old;

  Grid grid() const { return make_grid(height, width, multiplier, old); }
  // exp(-factor x squared distance): multiplied distances.
  T factor() const { return static_cast<T>(sigmainv / (multiplier * multiplier)); }
  int64_t area() const { return static_cast<int64_t>(height) * width; }
};

int64_t parts_of(int64_t batch, int64_t units, int threads) {
  const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
  return std::max<int64_t>(1, std::min(wanted, units));
}

// next(row)[x] is the first background pixel at or after column x, or `width`.
class Background {
 public:
  // Allocates; throws std::bad_alloc.
  Background(int most_rows, int width)
      : width_(width), next_(static_cast<size_t>(most_rows) * (width + 1)) {}

  void prepare(const int32_t* index, int first, int last) {
    first_ = first;
    for (int row = first; row < last; ++row) {
      int32_t* next = &next_[static_cast<size_t>(row - first) * (width_ + 1)];
      const int32_t* owner = index + static_cast<int64_t>(row) * width_;
      next[width_] = width_;
      for (int x = width_ - 1; x >= 0; --x) next[x] = owner[x] < 0 ? x : next[x + 1];
    }
  }
  const int32_t* next(int row) const {
    return &next_[static_cast<size_t>(row - first_) * (width_ + 1)];
  }

 private:
  int width_, first_ = 0;
  std::vector<int32_t> next_;
};

// body(row, column, y, x) for the background pixels of rows [first, last) in a box.
template <class T, class Body>
void visit(const Mask<T>& mask, const Grid& grid, const Background& background, const Box& box,
           int first, int last, const Body& body) {
  const int top = std::max(mask.height - 1 - box.y_last, first);
  const int bottom = std::min(mask.height - 1 - box.y_first, last - 1);
  for (int row = top; row <= bottom; ++row) {
    const int32_t* next = background.next(row);
    const T y = centre<T>(grid.y, mask.height - 1 - row);
    for (int x = next[box.x_first]; x <= box.x_last; x = next[x + 1]) {
      body(row, x, y, centre<T>(grid.x, x));
    }
  }
}

// Picture rows [first, last) of picture b; `count` holds these rows.
template <class T>
void miss_rows(const Mask<T>& mask, int64_t b, int first, int last, Background* background,
               int32_t* count, T* miss, int32_t* stop) {
  const Grid grid = mask.grid();
  const T factor = mask.factor();
  const int64_t origin = b * mask.area(), begin = static_cast<int64_t>(first) * mask.width;
  const int64_t size = static_cast<int64_t>(last - first) * mask.width;
  for (int64_t i = 0; i < size; ++i) {
    const int64_t pixel = origin + begin + i;
    miss[pixel] = mask.index[pixel] < 0 ? T(1) : T(0);
    stop[pixel] = kNoLast;
    count[i] = 0;
  }
  background->prepare(mask.index + origin, first, last);
  for (int64_t f = 0; f < mask.faces; ++f) {
    Triangle<T> triangle;
    const Box box = near_box(mask.xy + (b * mask.faces + f) * 6, grid, mask.multiplier,
                             mask.boxlen, &triangle);
    if (is_empty(box)) continue;
    Border<T> border;
    make_border(triangle, &border);
    visit(mask, grid, *background, box, first, last, [&](int row, int column, T y, T x) {
      const int64_t place = static_cast<int64_t>(row) * mask.width + column;
      int32_t* seen = count + (place - begin);
      if (*seen >= mask.knum) return;
      if (++*seen == mask.knum) stop[origin + place] = static_cast<int32_t>(f);
      T p;
      miss[origin + place] *= miss_probability(nearest_on(border, x, y).squared * factor, &p);
    });
  }
}

template <class T>
int soft_mask(const Mask<T>& mask, T* miss, int32_t* stop, int threads) {
  const int64_t parts = parts_of(mask.batch, mask.height, threads);
  const int most = static_cast<int>((mask.height + parts - 1) / parts);
  std::vector<Background> backgrounds;
  std::vector<std::vector<int32_t>> counts;
  try {
    for (int t = 0; t < threads; ++t) {
      backgrounds.emplace_back(most, mask.width);
      counts.emplace_back(static_cast<size_t>(most) * mask.width);
    }
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  bench::expect_writes(miss, mask.batch * mask.area() * sizeof(T));
  bench::expect_writes(stop, mask.batch * mask.area() * sizeof(int32_t));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < mask.batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    const int t = omp_get_thread_num();
    miss_rows(mask, b, static_cast<int>(mask.height * part / parts),
              static_cast<int>(mask.height * (part + 1) / parts), &backgrounds[t],
              counts[t].data(), miss, stop);
  }
  return 0;
}

template <class T>
void backward_faces(const Mask<T>& mask, const T* gradient, const T* miss, const int32_t* stop,
                    int64_t b, int64_t first, int64_t last, const Background& background,
                    T* result) {
  const Grid grid = mask.grid();
  const T factor = mask.factor();
  const double unit = mask.sigmainv / mask.multiplier;
  const int64_t origin = b * mask.area();
  for (int64_t f = first; f < last; ++f) {
    const int64_t face = b * mask.faces + f;
    Triangle<T> triangle;
    const Box box = near_box(mask.xy + face * 6, grid, mask.multiplier, mask.boxlen, &triangle);
    double sum[6] = {};
    if (!is_empty(box)) {
      Border<T> border;
      make_border(triangle, &border);
      visit(mask, grid, background, box, 0, mask.height, [&](int row, int column, T y, T x) {
        const int64_t pixel = origin + static_cast<int64_t>(row) * mask.width + column;
        if (f > stop[pixel] || gradient[pixel] == T(0) || !(miss[pixel] > T(0))) return;
        add_pixel(border, x, y, gradient[pixel], miss[pixel], factor, sum);
      });
    }
    for (int k = 0; k < 6; ++k) result[face * 6 + k] = static_cast<T>(sum[k] * unit);
  }
}

template <class T>
int soft_mask_backward(const Mask<T>& mask, const T* gradient, const T* miss, const int32_t* stop,
                       T* result, int threads) {
  const int64_t parts = parts_of(mask.batch, mask.faces, threads);
  std::vector<Background> backgrounds;
  try {
    for (int t = 0; t < threads; ++t) backgrounds.emplace_back(mask.height, mask.width);
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < mask.batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    Background& background = backgrounds[omp_get_thread_num()];
    background.prepare(mask.index + b * mask.area(), 0, mask.height);
    backward_faces(mask, gradient, miss, stop, b, mask.faces * part / parts,
                   mask.faces * (part + 1) / parts, background, result);
  }
  return 0;
}

}  // namespace
}  // namespace dibr
}  // namespace bench

// xy, index -> miss (B,H,W), the probability that no near face covers the pixel (0 where one is
// drawn), and stop (B,H,W), the last face that counts.
#define BENCH_DIBR_SOFT_MASK(NAME, T)                                                           \
  extern "C" BENCH_API int NAME(const T* xy, const int32_t* index, int64_t batch,              \
                                int64_t faces, int64_t height, int64_t width, double sigmainv, \
                                double boxlen, int64_t knum, double multiplier, int64_t old,   \
                                T* miss, int32_t* stop, int threads) {                         \
    const bench::dibr::Mask<T> mask = {                                                         \
        xy, index, batch, faces, static_cast<int>(height), static_cast<int>(width), multiplier, \
        sigmainv, boxlen, knum, old != 0};                                                      \
    return bench::dibr::soft_mask(mask, miss, stop, threads);                                   \
  }
BENCH_DIBR_SOFT_MASK(bench_dibr_soft_mask_f32, float)
BENCH_DIBR_SOFT_MASK(bench_dibr_soft_mask_f64, double)

// gradient (B,H,W) of miss -> result (B,F,3,2).
#define BENCH_DIBR_SOFT_MASK_BACKWARD(NAME, T)                                                  \
  extern "C" BENCH_API int NAME(const T* gradient, const T* miss, const int32_t* stop,         \
                                const T* xy, const int32_t* index, int64_t batch,              \
                                int64_t faces, int64_t height, int64_t width, double sigmainv, \
                                double boxlen, int64_t knum, double multiplier, int64_t old,   \
                                T* result, int threads) {                                      \
    const bench::dibr::Mask<T> mask = {                                                         \
        xy, index, batch, faces, static_cast<int>(height), static_cast<int>(width), multiplier, \
        sigmainv, boxlen, knum, old != 0};                                                      \
    return bench::dibr::soft_mask_backward(mask, gradient, miss, stop, result, threads);       \
  }
BENCH_DIBR_SOFT_MASK_BACKWARD(bench_dibr_soft_mask_backward_f32, float)
BENCH_DIBR_SOFT_MASK_BACKWARD(bench_dibr_soft_mask_backward_f64, double)
