// The pixels of one picture in lines along both axes, for scans by colour. CPU only.
//
// A line is cut into blocks of 16 pixels, each with its colours, their gradient and its faces side
// by side in memory. A scan offers the pixels of a line the colour of one of them. For each line
// the lowest and highest colours that can be offered are known, hence whether any pixel of a block
// could gain by any of them. Blocks that could not are dead: they are neither filled nor visited.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "lanes.h"
#include "rasterize_runs.h"
#include "rasterize_scan.h"

#if defined(__GNUC__) && !defined(__clang__)
// As in lanes.h: GCC 12 warns of its own AVX-512 intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace bench {
namespace raster {

constexpr int kParts = kBlock / kWidth;  // vectors to a block

template <int kChannels>
struct LineBlock {
  float value[kChannels][kBlock];
  float slope[kChannels][kBlock];
  int32_t owner[kBlock];
};

// Bits of the blocks of lines.
class BlockBits {
 public:
  BlockBits(int lines, int blocks) : words_((blocks + 63) / 64), bits_(words_ * lines) {}

  void clear() { std::fill(bits_.begin(), bits_.end(), 0); }
  void set(int line, int block) {
    bits_[line * words_ + block / 64] |= uint64_t{1} << (block % 64);
  }
  bool any(int line, int first, int last) const {
    for (int word = first / 64; word <= last / 64; ++word) {
      if (within(line, word, first, last)) return true;
    }
    return false;
  }
  // Calls visit(block) for every set one in [first, last], in order.
  template <typename Visit>
  void for_each(int line, int first, int last, const Visit& visit) const {
    for (int word = first / 64; word <= last / 64; ++word) {
      for (uint64_t left = within(line, word, first, last); left != 0; left &= left - 1) {
        visit(word * 64 + __builtin_ctzll(left));
      }
    }
  }

 private:
  uint64_t within(int line, int word, int first, int last) const {
    uint64_t bits = bits_[line * words_ + word];
    if (first > word * 64) bits &= ~uint64_t{0} << (first - word * 64);
    if (last < word * 64 + 63) bits &= ~uint64_t{0} >> (word * 64 + 63 - last);
    return bits;
  }

  int64_t words_;
  std::vector<uint64_t> bits_;
};

// All lines along one axis. Memory is touched only where there are live blocks.
template <int kChannels>
struct Lines {
  Lines(int count, int length)
      : blocks((length + kBlock - 1) / kBlock),
        cells(new LineBlock<kChannels>[static_cast<int64_t>(blocks) *
                                       ((count + kBlock - 1) / kBlock * kBlock)]),
        gains_outside(count + kBlock, blocks), gains_inside(count + kBlock, blocks),
        is_live(count + kBlock), position(static_cast<size_t>(blocks) * kBlock) {
    for (size_t d = 0; d < position.size(); ++d) position[d] = static_cast<float>(d);
  }

  void clear() {
    gains_outside.clear();
    gains_inside.clear();
    std::fill(is_live.begin(), is_live.end(), 0);
  }
  void mark(int line, int block, bool outside, bool inside) {
    if (outside) gains_outside.set(line, block);
    if (inside) gains_inside.set(line, block);
    is_live[line] |= outside | inside;
  }

  LineBlock<kChannels>& at(int line, int block) {
    return cells[static_cast<int64_t>(line) * blocks + block];
  }
  const LineBlock<kChannels>& at(int line, int block) const {
    return cells[static_cast<int64_t>(line) * blocks + block];
  }

  int blocks;
  std::unique_ptr<LineBlock<kChannels>[]> cells;
  // Blocks with a pixel that could gain by the colour of some face on the line; or with a pixel
  // of a face that could gain by any colour on the line.
  BlockBits gains_outside, gains_inside;
  std::vector<uint8_t> is_live;
  std::vector<float> position;  // of the pixels of a line
};

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

// Gradient of a picture by its channels; null planes are not used.
struct ColourSlopes {
  const float* rgb;    // (3,H,W) of the picture
  const float* alpha;  // (H,W)
  Frame frame;         // of the raster
  int shift;

  const float* plane(int channel) const {
    const int64_t area = static_cast<int64_t>(frame.height >> shift) * (frame.width >> shift);
    return channel < 3 ? rgb + channel * area : alpha;
  }
};

// rows[r][l] -> columns[l][r], both 16 x 16 words, by the distances between rows in words.
inline void transpose(const float* from, int64_t from_step, float* to, int64_t to_step) {
#if defined(__SSE2__)
  for (int r = 0; r < kBlock; r += 4) {
    for (int l = 0; l < kBlock; l += 4) {
      __m128 a = _mm_loadu_ps(from + r * from_step + l);
      __m128 b = _mm_loadu_ps(from + (r + 1) * from_step + l);
      __m128 c = _mm_loadu_ps(from + (r + 2) * from_step + l);
      __m128 d = _mm_loadu_ps(from + (r + 3) * from_step + l);
      _MM_TRANSPOSE4_PS(a, b, c, d);
      _mm_storeu_ps(to + l * to_step + r, a);
      _mm_storeu_ps(to + (l + 1) * to_step + r, b);
      _mm_storeu_ps(to + (l + 2) * to_step + r, c);
      _mm_storeu_ps(to + (l + 3) * to_step + r, d);
    }
  }
#else
  for (int r = 0; r < kBlock; ++r) {
    for (int l = 0; l < kBlock; ++l) to[l * to_step + r] = from[r * from_step + l];
  }
#endif
}

template <int kChannels>
class PictureLines {
 public:
  using Block = LineBlock<kChannels>;

  // Allocates; throws std::bad_alloc.
  explicit PictureLines(Frame frame)
      : rows(frame.height, frame.width), columns(frame.width, frame.height), frame_(frame),
        row_range_(frame.height), column_range_(frame.width) {}

  // Begins a picture: index (H,W) of the raster, top row first, and the colour where no face is.
  void begin(const int32_t* index, const float* background) {
    index_ = index;
    for (int c = 0; c < 3; ++c) background_[c] = background[c];
  }

  // Sets the colours of a pixel that shows a face; all such pixels must be set before `finish`.
  template <typename Colour>
  void set_colour(int x, int y, const Colour& colour) {
    Block& block = rows.at(y, static_cast<unsigned>(x) / kBlock);
    float* value = &block.value[0][static_cast<unsigned>(x) % kBlock];
    for (int c = 0; c < 3; ++c) value[c * kBlock] = colour[c];
  }

  void finish(const ColourSlopes& slopes) {
    find_ranges();
    rows.clear();
    columns.clear();
    for (int y = 0; y < frame_.height; y += kBlock) {
      for (int block = 0; block < rows.blocks; ++block) finish_tile(slopes, y, block);
    }
  }

  int32_t owner(int x, int y) const {
    return index_[static_cast<int64_t>(frame_.height - 1 - y) * frame_.width + x];
  }

  // What the pixel shows in every channel.
  void colour_at(int x, int y, float* colour) const {
    const bool shows_face = owner(x, y) >= 0;
    const Block& block = rows.at(y, x / kBlock);
    for (int c = 0; c < 3; ++c) {
      colour[c] = shows_face ? block.value[c][x % kBlock] : background_[c];
    }
    if (kChannels > 3) colour[kChannels - 1] = shows_face ? 1.f : 0.f;
  }

  Lines<kChannels> rows, columns;

 private:
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

  void find_ranges() {
    row_range_.clear();
    column_range_.clear();
    const Floats most = splat(std::numeric_limits<float>::infinity());
    for (int y = 0; y < frame_.height; ++y) {
      Floats low[3] = {most, most, most}, high[3] = {-most, -most, -most};
      bool gap = false;
      for (int block = 0; block < rows.blocks; ++block) {
        int32_t owner[kBlock];
        load_owners(y, block, owner);
        for (int part = 0; part < kBlock; part += kWidth) {
          const int at = block * kBlock + part;
          const Mask empty = less(load(owner + part), splat(0));
          const uint32_t bits_empty = bits(empty);
          if (bits_empty != 0) {
            gap = true;
            int32_t* gaps = &column_range_.has_gap[at];
            store(gaps, select(empty, splat(-1), load(gaps)));
            if (bits_empty == (uint32_t{1} << (kWidth - 1)) * 2 - 1) continue;
          }
          for (int c = 0; c < 3; ++c) {
            const Floats value = load(&rows.at(y, block).value[c][part]);
            const Floats lower = select(empty, most, value);
            const Floats upper = select(empty, -most, value);
            low[c] = minimum(lower, low[c]);
            high[c] = maximum(upper, high[c]);
            float *lowest = &column_range_.low[c][at], *highest = &column_range_.high[c][at];
            store(lowest, minimum(lower, load(lowest)));
            store(highest, maximum(upper, load(highest)));
          }
        }
      }
      row_range_.has_gap[y] = gap ? -1 : 0;
      for (int c = 0; c < 3; ++c) {
        for (int l = 0; l < kWidth; ++l) {
          row_range_.low[c][y] = std::min(row_range_.low[c][y], low[c][l]);
          row_range_.high[c][y] = std::max(row_range_.high[c][y], high[c][l]);
        }
      }
    }
  }

  // Slopes of the raster pixels of a tile; false if all are zero.
  bool load_slopes(const ColourSlopes& slopes, int y, int block,
                   float (*tile)[kBlock][kBlock]) const {
    const int shift = slopes.shift, x = block * kBlock;
    const int64_t width = frame_.width >> shift;
    const int most = kBlock >> shift, count = std::min(most, (frame_.width - x) >> shift);
    const int height = std::min(kBlock, frame_.height - y);
    int32_t any = 0;
    for (int c = 0; c < kChannels; ++c) {
      const float* plane = slopes.plane(c);
      for (int r = 0; r < height; r += 1 << shift) {
        const float* from = plane + ((frame_.height - 1 - y - r) >> shift) * width + (x >> shift);
        float found[kBlock] = {};
        if (count == kBlock) {
          std::memcpy(found, from, sizeof found);
        } else if (count == kBlock / 2) {
          std::memcpy(found, from, sizeof found / 2);
        } else {
          for (int l = 0; l < count; ++l) found[l] = from[l];
        }
        for (int l = 0; l < kBlock; ++l) any |= found[l] != 0.f;
        float* first = tile[c][r];
        if (shift == 0) {
          std::memcpy(first, found, sizeof found);
          continue;
        }
        for (int l = 0; l < kBlock / 2; ++l) {
          first[2 * l] = first[2 * l + 1] = 0.25f * found[l];
        }
        std::memcpy(tile[c][r + 1], first, sizeof found);
      }
      for (int r = height; r < kBlock; ++r) std::memset(tile[c][r], 0, sizeof tile[c][r]);
    }
    return any != 0;
  }

  // What a pixel could gain at most, by any colour between `low` and `high`. Rounding keeps
  // order, so no gain is greater, not even in the last bit.
  static Floats most_gain(const Floats* value, const Floats* slope, const Floats* low,
                          const Floats* high, Floats alpha_low, Floats alpha_high) {
    Floats sum = {};
    for (int c = 0; c < kChannels; ++c) {
      const Floats lower = c < 3 ? low[c] : alpha_low, upper = c < 3 ? high[c] : alpha_high;
      const Floats gain = maximum((value[c] - lower) * slope[c], (value[c] - upper) * slope[c]);
      sum = c == 0 ? gain : sum + gain;
    }
    return sum;
  }

  static Mask could_gain(Floats most, Mask where) {
    // NaN counts as alive; selected away where the pixel is not asked.
    const Mask dead = either(less(most, splat(0.f)), equal(most, splat(0.f)));
    return both(where, invert(dead));
  }
  static Mask invert(Mask m) { return static_cast<Mask>(~m); }

  void finish_tile(const ColourSlopes& slopes, int y, int block) {
    float tile[kChannels][kBlock][kBlock];
    if (!load_slopes(slopes, y, block, tile)) return;
    uint32_t columns_outside = 0, columns_inside = 0;
    const int x = block * kBlock;
    for (int r = 0; r < kBlock; ++r) {
      Block& cell = rows.at(y + r, block);
      load_owners(y + r, block, cell.owner);
      for (int c = 0; c < kChannels; ++c) {
        std::memcpy(cell.slope[c], tile[c][r], sizeof cell.slope[c]);
      }
      uint32_t outside = 0, inside = 0;
      for (int part = 0; part < kBlock; part += kWidth) {
        find_live(y + r, x, part, &cell, &outside, &inside, &columns_outside, &columns_inside);
      }
      rows.mark(y + r, block, outside != 0, inside != 0);
    }
    if ((columns_outside | columns_inside) == 0) return;
    const int64_t from = static_cast<int64_t>(rows.blocks) * sizeof(Block) / sizeof(float);
    const int64_t to = static_cast<int64_t>(columns.blocks) * sizeof(Block) / sizeof(float);
    Block &source = rows.at(y, block), &goal = columns.at(x, y / kBlock);
    for (int c = 0; c < kChannels; ++c) {
      transpose(source.value[c], from, goal.value[c], to);
      transpose(source.slope[c], from, goal.slope[c], to);
    }
    transpose(reinterpret_cast<const float*>(source.owner), from,
              reinterpret_cast<float*>(goal.owner), to);
    for (int l = 0; l < kBlock; ++l) {
      columns.mark(x + l, y / kBlock, columns_outside >> l & 1, columns_inside >> l & 1);
    }
  }

  // Fills in the background, and finds which pixels of a row could gain in scans of the row and
  // of their columns.
  void find_live(int y, int x, int part, Block* cell, uint32_t* outside, uint32_t* inside,
                 uint32_t* columns_outside, uint32_t* columns_inside) {
    const Mask empty = less(load(cell->owner + part), splat(0));
    const Mask full = invert(empty), every = either(full, empty);
    const Floats one = splat(1.f), nothing = splat(0.f);
    Floats value[kChannels], slope[kChannels], low[3], high[3];
    for (int c = 0; c < kChannels; ++c) {
      slope[c] = load(cell->slope[c] + part);
      value[c] = c < 3 ? select(empty, splat(background_[c]), load(cell->value[c] + part))
                       : select(empty, nothing, one);
      store(cell->value[c] + part, value[c]);
    }
    if (y < frame_.height && row_range_.low[0][y] <= row_range_.high[0][y]) {
      for (int c = 0; c < 3; ++c) {
        low[c] = splat(row_range_.low[c][y]);
        high[c] = splat(row_range_.high[c][y]);
      }
      *outside |= bits(could_gain(most_gain(value, slope, low, high, one, one), every));
      const bool gap = row_range_.has_gap[y] != 0;
      for (int c = 0; c < 3 && gap; ++c) {
        low[c] = minimum(splat(background_[c]), low[c]);
        high[c] = maximum(splat(background_[c]), high[c]);
      }
      const Floats bottom = gap ? nothing : one;
      *inside |= bits(could_gain(most_gain(value, slope, low, high, bottom, one), full));
    }
    const Mask gaps = less(load(&column_range_.has_gap[x + part]), splat(0));
    for (int c = 0; c < 3; ++c) {
      low[c] = load(&column_range_.low[c][x + part]);
      high[c] = load(&column_range_.high[c][x + part]);
    }
    const Mask asked = either(less(low[0], high[0]), equal(low[0], high[0]));
    *columns_outside |=
        bits(could_gain(most_gain(value, slope, low, high, one, one), asked)) << part;
    for (int c = 0; c < 3; ++c) {
      const Floats colour = splat(background_[c]);
      low[c] = select(gaps, minimum(colour, low[c]), low[c]);
      high[c] = select(gaps, maximum(colour, high[c]), high[c]);
    }
    const Floats bottom = select(gaps, nothing, one);
    *columns_inside |= bits(could_gain(most_gain(value, slope, low, high, bottom, one),
                                       both(asked, full))) << part;
  }

  Frame frame_;
  const int32_t* index_ = nullptr;
  float background_[3] = {};
  ColourRange row_range_, column_range_;
};

}  // namespace raster
}  // namespace bench
