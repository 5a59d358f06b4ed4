// The pixels of a raster sorted by the face that they show. CPU only.
//
// Kernels that work face by face read a face's corners and texture once, and fill whole vectors
// with its pixels however short its rows are.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "lanes.h"
#include "rasterize.h"

namespace bench {
namespace raster {

constexpr int kBlock = 16;  // pixels that are worked on together, whatever the processor

// Up to a block of pixels of one face.
struct PixelBlock {
  int count = 0;
  // A run is copied in whole vectors that may end behind the block.
  int32_t x[2 * kBlock] = {}, y[2 * kBlock] = {};
};

class FaceRuns {
 public:
  // Allocates; throws std::bad_alloc. Memory for runs is touched only as far as it is needed.
  FaceRuns(int64_t face_count, int64_t most_pixels)
      : first_(face_count, -1), last_(face_count, -1), runs_(new Run[most_pixels]) {}

  void clear() {
    std::fill(first_.begin(), first_.end(), -1);
    count_ = 0;
  }

  // Raster rows must come in order; `owner` has the face of each pixel, -1 for none.
  void add_row(const int32_t* owner, int width, int y) {
    int x = 0;
    while (x < width) {
      if (owner[x] < 0) {
        x = skip(owner, x, width, -1);
        continue;
      }
      const int32_t face = owner[x];
      const int end = skip(owner, x + 1, width, face);
      const int32_t run = count_++;
      runs_[run] = {x, y, end - x, -1};
      if (first_[face] < 0) {
        first_[face] = run;
      } else {
        runs_[last_[face]].next = run;
      }
      last_[face] = run;
      x = end;
    }
  }

  bool has_pixels(int64_t face) const { return first_[face] >= 0; }
  int first_x(int64_t face) const { return runs_[first_[face]].x; }
  int first_y(int64_t face) const { return runs_[first_[face]].y; }

  // Calls visit(block) until all pixels of a face have come, row by row.
  template <typename Visit>
  void for_blocks(int64_t face, PixelBlock* block, const Visit& visit) const {
    block->count = 0;
    for (int32_t r = first_[face]; r >= 0; r = runs_[r].next) {
      const Run& run = runs_[r];
      for (int done = 0; done < run.count;) {
        const int take = std::min(run.count - done, kBlock - block->count);
        for (int32_t lane = 0; lane < kBlock; ++lane) {
          block->x[block->count + lane] = run.x + done + lane;
          block->y[block->count + lane] = run.y;
        }
        done += take;
        block->count += take;
        if (block->count == kBlock) {
          visit(*block);
          block->count = 0;
        }
      }
    }
    if (block->count > 0) visit(*block);
  }

 private:
  struct Run {
    int32_t x, y, count, next;
  };

  // The first position from x on whose owner is another.
  static int skip(const int32_t* owner, int x, int width, int32_t face) {
    const Ints same = splat(face);
    for (; x + kWidth <= width; x += kWidth) {
      const Ints here = load(owner + x);
      const uint32_t other = bits(either(less(here, same), less(same, here)));
      if (other != 0) return x + __builtin_ctz(other);
    }
    while (x < width && owner[x] == face) ++x;
    return x;
  }

  std::vector<int32_t> first_, last_;  // runs of each face
  std::unique_ptr<Run[]> runs_;
  int32_t count_ = 0;
};

}  // namespace raster
}  // namespace bench
