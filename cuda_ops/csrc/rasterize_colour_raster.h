// The colours of one picture's raster, and which of them its lines can offer. CPU only.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "lanes.h"
#include "rasterize_runs.h"

namespace bench {
namespace raster {

// The lowest and highest colours of lines, side by side for all lines.
struct ColourRange {
  explicit ColourRange(int lines) : stride((lines + kBlock - 1) / kBlock * kBlock) {
    for (int c = 0; c < 3; ++c) low[c].resize(stride), high[c].resize(stride);
    has_gap.resize(stride);
  }
  void clear() {
    for (int c = 0; c < 3; ++c) {
      std::fill(low[c].begin(), low[c].end(), std::numeric_limits<float>::infinity());
      std::fill(high[c].begin(), high[c].end(), -std::numeric_limits<float>::infinity());
    }
    std::fill(has_gap.begin(), has_gap.end(), 0);
  }

  int stride;
  std::vector<float> low[3], high[3];  // of pixels that show a face
  std::vector<int32_t> has_gap;        // -1 where some pixel shows none
};

// The colours of pixels that show a face, row by row, and the colour of all others.
class ColourRaster {
 public:
  // Allocates; throws std::bad_alloc. Memory is touched only where there are faces.
  explicit ColourRaster(Frame frame)
      : rows(frame.height), columns(frame.width), frame_(frame), stride_(columns.stride),
        values_(new float[3 * stride_ * frame.height]) {}

  // Begins a picture: index (H,W) of the raster, top row first, and the colour where no face is.
  void begin(const int32_t* index, const float* background) {
    index_ = index;
    background_ = background;
  }

  // Sets the colour of a pixel that shows a face; all of them must be set before what follows.
  template <typename Colour>
  void set_colour(int x, int y, const Colour& colour) {
    float* value = &values_[3 * stride_ * y + x];
    for (int c = 0; c < 3; ++c) value[c * stride_] = colour[c];
  }

  // Finds the lowest and highest colours of rows and columns.
  void find_ranges() {
    rows.clear();
    columns.clear();
    const Floats most = splat(std::numeric_limits<float>::infinity());
    const uint32_t all = (uint32_t{1} << (kWidth - 1)) * 2 - 1;
    for (int y = 0; y < frame_.height; ++y) {
      Floats low[3] = {most, most, most}, high[3] = {-most, -most, -most};
      bool gap = false;
      for (int block = 0; block < blocks(); ++block) {
        int32_t owner[kBlock];
        load_owners(y, block, owner);
        for (int part = 0; part < kBlock; part += kWidth) {
          const int at = block * kBlock + part;
          const Mask empty = less(load(owner + part), splat(0));
          const uint32_t gaps = bits(empty);
          if (gaps == all) {
            store(&columns.has_gap[at], splat(-1));
            gap = true;
            continue;
          }
          if (gaps != 0) {
            int32_t* known = &columns.has_gap[at];
            store(known, select(empty, splat(-1), load(known)));
            gap = true;
          }
          for (int c = 0; c < 3; ++c) {
            const Floats value = load(values(y, c) + at);
            const Floats lower = select(empty, most, value);
            const Floats upper = select(empty, -most, value);
            low[c] = minimum(lower, low[c]);
            high[c] = maximum(upper, high[c]);
            float *lowest = &columns.low[c][at], *highest = &columns.high[c][at];
            store(lowest, minimum(lower, load(lowest)));
            store(highest, maximum(upper, load(highest)));
          }
        }
      }
      rows.has_gap[y] = gap ? -1 : 0;
      for (int c = 0; c < 3; ++c) {
        for (int l = 0; l < kWidth; ++l) {
          rows.low[c][y] = std::min(rows.low[c][y], low[c][l]);
          rows.high[c][y] = std::max(rows.high[c][y], high[c][l]);
        }
      }
    }
  }


  const Frame& frame() const { return frame_; }
  const float* background() const { return background_; }
  int blocks() const { return static_cast<int>(stride_) / kBlock; }
  const float* values(int y, int channel) const { return &values_[(3 * y + channel) * stride_]; }

  int32_t owner(int x, int y) const {
    return index_[static_cast<int64_t>(frame_.height - 1 - y) * frame_.width + x];
  }

  // The faces of 16 pixels; none beyond the raster.
  void load_owners(int y, int block, int32_t* owner) const {
    const int x = block * kBlock, count = frame_.width - x;
    const int32_t* from =
        index_ + static_cast<int64_t>(frame_.height - 1 - y) * frame_.width + x;
    if (y < frame_.height && count >= kBlock) {
      std::memcpy(owner, from, sizeof(int32_t) * kBlock);
      return;
    }
    for (int l = 0; l < kBlock; ++l) owner[l] = y < frame_.height && l < count ? from[l] : -1;
  }

  // What the pixel shows; `alpha` only if there is a fourth channel.
  template <int kChannels>
  void colour_at(int x, int y, float* colour) const {
    const bool shows_face = owner(x, y) >= 0;
    for (int c = 0; c < 3; ++c) colour[c] = shows_face ? values(y, c)[x] : background_[c];
    if (kChannels > 3) colour[kChannels - 1] = shows_face ? 1.f : 0.f;
  }

  ColourRange rows, columns;

 private:
  Frame frame_;
  int64_t stride_;
  std::unique_ptr<float[]> values_;  // [row][channel][x]
  const int32_t* index_ = nullptr;
  const float* background_ = nullptr;
};

}  // namespace raster
}  // namespace bench
