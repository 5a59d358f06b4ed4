// Drawing faces into a depth buffer on the CPU; shared by all forward kernels.
//
// The cost of a face follows its bounding box, and for wide faces the columns between its edges.
// Pixels are taken eight at a time so that the compiler can use vector instructions; each pixel's
// arithmetic is the scalar one of rasterize.h.
#pragma once

#include <omp.h>

#include <algorithm>
#include <new>
#include <vector>

#include "huge_pages.h"
#include "rasterize.h"

namespace bench {
namespace raster {

constexpr int kLanes = 8;

// Depth and face index of a band of raster rows: as many rows as stay in the processor's cache.
// One canvas serves one thread for many pictures in turn.
class Canvas {
 public:
  // Allocates; throws std::bad_alloc.
  Canvas(Frame frame, int most_rows, int step)
      // Rows are padded because blocks of pixels may run over the end of a row.
      : frame_(frame), stride_(frame.width + kLanes) {
    const int cached = kCachedPixels / stride_ / step * step;
    band_rows_ = cached < step ? step : (cached < most_rows ? cached : most_rows);
    const size_t size = static_cast<size_t>(band_rows_) * stride_;
    depth_.resize(size);
    index_.resize(size);
    centre_x_.resize(stride_);
    for (int x = 0; x < stride_; ++x) centre_x_[x] = pixel_centre(x, frame.width);
  }

  const Frame& frame() const { return frame_; }
  int band_rows() const { return band_rows_; }
  const float* depth_row(int y) const { return &depth_[offset(y)]; }
  const int32_t* index_row(int y) const { return &index_[offset(y)]; }

  // Draws all faces of one picture into raster rows [first_row, last_row), a band at a time;
  // `emit(first, last)` is called when the rows of a band are finished and can be read.
  template <typename Emit>
  void draw_picture(const float* faces, int64_t count, float near, float far, int first_row,
                    int last_row, const Emit& emit) {
    select(faces, count, first_row, last_row);
    for (first_ = first_row; first_ < last_row; first_ += band_rows_) {
      const int last = std::min(first_ + band_rows_, last_row);
      const size_t size = static_cast<size_t>(last - first_) * stride_;
      std::fill_n(depth_.begin(), size, far);
      std::fill_n(index_.begin(), size, -1);
      // In the order of the faces: an equal depth keeps the earlier one.
      for (const Seen& seen : seen_) {
        const int low = std::max(seen.box.y_first, first_);
        const int high = std::min(seen.box.y_last, last - 1);
        if (low <= high) {
          draw(faces + 9 * static_cast<int64_t>(seen.index), seen, low, high, near, far);
        }
      }
      emit(first_, last);
    }
  }

 private:
  // Depth and index together stay within half a megabyte, the size of a small second-level cache.
  static constexpr int kCachedPixels = 1 << 16;

  struct Seen {
    int32_t index;
    Box box;
  };

  void select(const float* faces, int64_t count, int first_row, int last_row) {
    seen_.clear();
    for (int64_t f = 0; f < count; ++f) {
      const float* face = faces + 9 * f;
      if (is_culled(face) || !is_placed(face)) continue;
      const Box box = bounding_box(face, frame_);
      if (box.x_first > box.x_last || box.y_first > box.y_last) continue;
      if (box.y_last < first_row || box.y_first >= last_row) continue;
      seen_.push_back({static_cast<int32_t>(f), box});
    }
  }

  void draw(const float* face, const Seen& seen, int low, int high, float near, float far) {
    float m[9];
    corner_inverse(face, frame_, m);
    const bool wide = seen.box.x_last - seen.box.x_first >= 2 * kLanes;
    for (int y = low; y <= high; ++y) {
      const float yp = pixel_centre(y, frame_.height);
      int x_first = seen.box.x_first, x_last = seen.box.x_last;
      if (wide) narrow(face, yp, &x_first, &x_last);
      for (int x = x_first; x <= x_last; x += kLanes) {
        draw_block(face, m, seen.index, near, far, x, x_last, y, yp);
      }
    }
  }

  size_t offset(int y) const { return static_cast<size_t>(y - first_) * stride_; }

  void draw_block(const float* face, const float* m, int32_t index, float near, float far, int x,
                  int x_last, int y, float yp) {
    const float* centre_x = &centre_x_[x];
    int32_t inside[kLanes];
    const int32_t count = x_last - x;
#pragma omp simd
    for (int32_t lane = 0; lane < kLanes; ++lane) {
      inside[lane] = is_inside(face, centre_x[lane], yp) & (lane <= count) ? 1 : 0;
    }
    int32_t any = 0;
    for (int32_t lane = 0; lane < kLanes; ++lane) any |= inside[lane];
    if (!any) return;
    float* depth = &depth_[offset(y) + x];
    int32_t* owner = &index_[offset(y) + x];
    const float row = static_cast<float>(y);
#pragma omp simd
    for (int32_t lane = 0; lane < kLanes; ++lane) {
      const float z = depth_at(face, weights_at(m, static_cast<float>(x + lane), row));
      // Every comparison with NaN is false, so NaN is never kept.
      const bool keep = (inside[lane] != 0) & (z > near) & (z < far) & (z < depth[lane]);
      depth[lane] = keep ? z : depth[lane];
      owner[lane] = keep ? index : owner[lane];
    }
  }

  // Shrinks [x_first, x_last] to the columns that lie between the edges on row yp, with a margin
  // well above the rounding of is_inside, which still decides.
  void narrow(const float* face, double yp, int* x_first, int* x_last) const {
    const double n = frame_.width;
    double low = *x_first, high = *x_last;
    for (int k = 0; k < 3; ++k) {
      const float* a = face + 3 * k;
      const float* b = face + 3 * ((k + 1) % 3);
      const double dx = static_cast<double>(b[0]) - a[0], dy = static_cast<double>(b[1]) - a[1];
      if (dy == 0.0) continue;
      const double step = (yp - a[1]) * dx / dy;
      const double cross = 0.5 * ((a[0] + step) * n + n - 1.0);
      const double spread = std::fabs(static_cast<double>(a[0])) + std::fabs(step) + 2.0;
      const double margin = 0.01 + 1e-6 * n * spread;
      if (!(cross - cross == 0.0) || !(margin - margin == 0.0)) continue;
      if (dy > 0.0) {
        if (cross + margin < high) high = cross + margin;
      } else {
        if (cross - margin > low) low = cross - margin;
      }
    }
    if (high < low) {
      *x_last = *x_first - 1;
      return;
    }
    *x_first = static_cast<int>(std::ceil(low));
    *x_last = static_cast<int>(std::floor(high));
  }

  Frame frame_;
  int stride_, band_rows_, first_ = 0;
  std::vector<float> depth_, centre_x_;
  std::vector<int32_t> index_;
  std::vector<Seen> seen_;
};

// Pictures are cut into parts of whole rows where the batch alone would leave threads without
// work. A part is a multiple of `step` raster rows. The result does not depend on the cut.
struct Parts {
  Parts(int64_t batch, int height, int step, int threads) : units(height / step), step(step) {
    const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
    count = static_cast<int>(wanted < units ? wanted : units);
  }
  int first_row(int part) const { return static_cast<int>(units * part / count) * step; }
  int most_rows() const { return static_cast<int>((units + count - 1) / count) * step; }

  int64_t units;
  int step, count;
};

// One canvas for each thread; fails with an empty vector where memory is short.
inline std::vector<Canvas> make_canvases(Frame frame, const Parts& parts, int threads) {
  std::vector<Canvas> canvases;
  try {
    for (int t = 0; t < threads; ++t) canvases.emplace_back(frame, parts.most_rows(), parts.step);
  } catch (const std::bad_alloc&) {
    canvases.clear();
  }
  return canvases;
}

}  // namespace raster
}  // namespace bench
