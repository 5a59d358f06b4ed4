// Points sorted by buckets of the plane: those that a face may meet are then a few runs, one for
// each column of buckets that it touches. Memory is for points, vertices and 4 bytes a face,
// however many pairs of face and point share a bucket.

#include "points_in_mesh.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <vector>

#include "parallel.h"

namespace bench {
namespace {

constexpr int kNoMemory = -2;
constexpr int64_t kChunk = 4096;  // points or faces that a thread takes at once
constexpr int kCells = kInsideBuckets * kInsideBuckets;
constexpr int32_t kNowhere = -1;  // the cell of a point that is outside anyway

template <class T>
std::unique_ptr<T[]> room(int64_t count) {  // not filled, unlike a vector's
  return std::unique_ptr<T[]>(new T[static_cast<size_t>(count)]);
}

// The scale of the box of the corners that faces use; false if it is flat or NaN is in it.
bool scale_of(const double* vertices, const int64_t* faces, int64_t face_count, InsideScale& to) {
  double low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
  bool known = true;
  for (int64_t i = 0; i < 3 * face_count; ++i) {
    for (int axis = 0; axis < 3; ++axis) {
      const double x = vertices[3 * faces[i] + axis];
      low[axis] = x < low[axis] ? x : low[axis];
      high[axis] = x > high[axis] ? x : high[axis];
      known &= x == x;
    }
  }
  return known && inside_scale(low, high, to);
}

// The points that are possible, scaled and in the order of their cells.
class Sorted {
 public:
  Sorted(const InsideScale& scale, const double* points, int64_t count, int threads)
      : count_(count), cell_(room<int32_t>(count)), place_(room<int64_t>(count)),
        starts_(kCells + 1) {
    parallel_for(threads, (count + kChunk - 1) / kChunk, [&](int64_t piece) {
      const int64_t end = std::min(count, (piece + 1) * kChunk);
      for (int64_t i = piece * kChunk; i < end; ++i) {
        double p[3];
        inside_scaled(scale, points + 3 * i, p);
        const int32_t cell = inside_bucket(p[0]) * kInsideBuckets + inside_bucket(p[1]);
        cell_[i] = inside_possible(p) ? cell : kNowhere;
      }
    });
    for (int64_t i = 0; i < count; ++i) {
      if (cell_[i] != kNowhere) ++starts_[cell_[i] + 1];
    }
    for (int cell = 0; cell < kCells; ++cell) starts_[cell + 1] += starts_[cell];
    const int64_t possible = starts_[kCells];
    x_ = room<double>(possible), y_ = room<double>(possible), z_ = room<double>(possible);
    met_ = room<uint64_t>(possible);
    std::fill_n(met_.get(), possible, uint64_t{0});
    std::vector<int64_t> next(starts_.begin(), starts_.end() - 1);
    for (int64_t i = 0; i < count; ++i) {
      if (cell_[i] != kNowhere) place_[i] = next[cell_[i]]++;
    }
    parallel_for(threads, (count + kChunk - 1) / kChunk, [&](int64_t piece) {
      const int64_t end = std::min(count, (piece + 1) * kChunk);
      for (int64_t i = piece * kChunk; i < end; ++i) {
        if (cell_[i] == kNowhere) continue;
        double p[3];
        inside_scaled(scale, points + 3 * i, p);
        x_[place_[i]] = p[0], y_[place_[i]] = p[1], z_[place_[i]] = p[2];
      }
    });
  }

  // A face meets the points of cells (x, y0) to (x, y1).
  void meet(const InsideFace& face, int x, int y0, int y1) {
    const int64_t first = starts_[x * kInsideBuckets + y0];
    const int64_t last = starts_[x * kInsideBuckets + y1 + 1];
    const double *px = x_.get(), *py = y_.get(), *pz = z_.get();
    uint64_t* met = met_.get();
    for (int64_t i = first; i < last; ++i) met[i] ^= inside_crossing(face, px[i], py[i], pz[i]);
  }

  // Odd numbers above and below are inside.
  void answer(bool* inside, int threads) const {
    parallel_for(threads, (count_ + kChunk - 1) / kChunk, [&](int64_t piece) {
      const int64_t end = std::min(count_, (piece + 1) * kChunk);
      for (int64_t i = piece * kChunk; i < end; ++i) {
        inside[i] = cell_[i] != kNowhere && met_[place_[i]] == kInsideBoth;
      }
    });
  }

 private:
  int64_t count_;
  std::unique_ptr<int32_t[]> cell_;
  std::unique_ptr<int64_t[]> place_;
  std::vector<int64_t> starts_;  // of every cell's points, and the end
  std::unique_ptr<double[]> x_, y_, z_;
  std::unique_ptr<uint64_t[]> met_;
};

void find(const double* points, int64_t point_count, const double* vertices,
          int64_t vertex_count, const int64_t* faces, int64_t face_count, bool* inside,
          int threads) {
  std::fill_n(inside, point_count, false);
  InsideScale scale;
  if (!scale_of(vertices, faces, face_count, scale)) return;
  const auto corners = room<double>(3 * vertex_count);
  for (int64_t v = 0; v < vertex_count; ++v) {
    inside_scaled(scale, vertices + 3 * v, corners.get() + 3 * v);
  }
  const auto corner = [&](int64_t face, int k) { return corners.get() + 3 * faces[3 * face + k]; };
  const auto buckets = room<InsideBuckets>(face_count);
  parallel_for(threads, (face_count + kChunk - 1) / kChunk, [&](int64_t piece) {
    const int64_t end = std::min(face_count, (piece + 1) * kChunk);
    for (int64_t f = piece * kChunk; f < end; ++f) {
      buckets[f] = inside_buckets(corner(f, 0), corner(f, 1), corner(f, 2));
    }
  });
  Sorted sorted(scale, points, point_count, threads);
  // Strips of columns share no points.
  const int64_t strips = threads > 1 ? std::min<int64_t>(kInsideBuckets, 4 * threads) : 1;
  parallel_for(threads, strips, [&](int64_t strip) {
    const int low = static_cast<int>(strip * kInsideBuckets / strips);
    const int high = static_cast<int>((strip + 1) * kInsideBuckets / strips) - 1;
    for (int64_t f = 0; f < face_count; ++f) {
      const InsideBuckets at = buckets[f];
      const int first = std::max<int>(at.x0, low), last = std::min<int>(at.x1, high);
      InsideFace face;
      if (first > last || !inside_face(corner(f, 0), corner(f, 1), corner(f, 2), face)) continue;
      for (int x = first; x <= last; ++x) sorted.meet(face, x, at.y0, at.y1);
    }
  });
  sorted.answer(inside, threads);
}

}  // namespace
}  // namespace bench

// points (N, 3), vertices (V, 3), faces (F, 3) with indices in [0, V) -> inside (N).
extern "C" BENCH_API int bench_points_in_mesh(const double* points, int64_t point_count,
                                              const double* vertices, int64_t vertex_count,
                                              const int64_t* faces, int64_t face_count,
                                              bool* inside, int threads) {
  try {
    bench::find(points, point_count, vertices, vertex_count, faces, face_count, inside, threads);
  } catch (const std::bad_alloc&) {
    return bench::kNoMemory;
  }
  return 0;
}
