// Strips of sixteen raster lines, for scans by colour. CPU only.
//
// A line is cut into blocks of 16 pixels, each with its colours, their gradient and its faces side
// by side in memory. A scan offers the pixels of a line the colour of one of them. For each line
// the lowest and highest colours that can be offered are known, hence whether any pixel of a block
// could gain by any of them. Blocks that could not are dead and are not visited.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "lanes.h"
#include "rasterize_colour_raster.h"
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
class LineStrip {
 public:
  using Block = LineBlock<kChannels>;

  // Allocates; throws std::bad_alloc.
  explicit LineStrip(Frame frame)
      : blocks_((std::max(frame.height, frame.width) + kBlock - 1) / kBlock),
        gains_outside(kBlock, blocks_), gains_inside(kBlock, blocks_),
        position(static_cast<size_t>(blocks_) * kBlock), cells_(new Block[kBlock * blocks_]) {
    for (size_t d = 0; d < position.size(); ++d) position[d] = static_cast<float>(d);
  }

  // Lines y, y + 1, ... along rows.
  void load_rows(const ColourRaster& raster, const ColourSlopes& slopes, int y) {
    clear();
    for (int block = 0; block < raster.blocks(); ++block) {
      Block* tile = &cells_[block];
      if (!load_tile(raster, slopes, y, block, tile, blocks_)) continue;
      for (int r = 0; r < kBlock && y + r < raster.frame().height; ++r) {
        Lanes found;
        for (int part = 0; part < kBlock; part += kWidth) {
          find_live(tile[r * blocks_], part, RowOffers(raster, y + r), &found);
        }
        mark(r, block, found.outside != 0, found.inside != 0);
      }
    }
  }

  // Lines x, x + 1, ... along columns; x is a multiple of 16.
  void load_columns(const ColourRaster& raster, const ColourSlopes& slopes, int x) {
    clear();
    for (int y = 0; y < raster.frame().height; y += kBlock) {
      if (!load_tile(raster, slopes, y, x / kBlock, tile_, 1)) continue;
      Lanes found;
      for (int part = 0; part < kBlock; part += kWidth) {
        const ColumnOffers offers(raster, x + part);
        for (int r = 0; r < kBlock; ++r) find_live(tile_[r], part, offers, &found);
      }
      if ((found.outside | found.inside) == 0) continue;
      turn(&cells_[y / kBlock]);
      for (int l = 0; l < kBlock; ++l) {
        mark(l, y / kBlock, found.outside >> l & 1, found.inside >> l & 1);
      }
    }
  }

  const Block& at(int line, int block) const { return cells_[line * blocks_ + block]; }

 private:
  int blocks_;

 public:
  // Of the lines of the strip: blocks with a pixel that could gain by the colour of some face on
  // the line; or with a pixel of a face that could gain by any colour on the line.
  BlockBits gains_outside, gains_inside;
  bool is_live[kBlock];
  std::vector<float> position;  // of the pixels of a line

 private:
  // Bits of pixels that could gain.
  struct Lanes {
    uint32_t outside = 0, inside = 0;
  };

  // The colours between which all offers lie that the pixels of a vector can get: of faces on
  // their line, and of all pixels on it. `asked` where there are any.
  struct Offers {
    Floats low[3], high[3], lowest[3], highest[3], alpha;
    Mask asked;

    void finish(const float* background, Mask gaps) {
      asked = either(less(low[0], high[0]), equal(low[0], high[0]));
      for (int c = 0; c < 3; ++c) {
        const Floats colour = splat(background[c]);
        lowest[c] = select(gaps, minimum(colour, low[c]), low[c]);
        highest[c] = select(gaps, maximum(colour, high[c]), high[c]);
      }
      alpha = select(gaps, splat(0.f), splat(1.f));
    }
  };
  struct RowOffers : Offers {
    RowOffers(const ColourRaster& raster, int y) {
      for (int c = 0; c < 3; ++c) {
        this->low[c] = splat(raster.rows.low[c][y]);
        this->high[c] = splat(raster.rows.high[c][y]);
      }
      this->finish(raster.background(), less(splat(raster.rows.has_gap[y]), splat(0)));
    }
  };
  struct ColumnOffers : Offers {
    ColumnOffers(const ColourRaster& raster, int x) {
      for (int c = 0; c < 3; ++c) {
        this->low[c] = load(&raster.columns.low[c][x]);
        this->high[c] = load(&raster.columns.high[c][x]);
      }
      this->finish(raster.background(), less(load(&raster.columns.has_gap[x]), splat(0)));
    }
  };

  void clear() {
    gains_outside.clear();
    gains_inside.clear();
    std::fill_n(is_live, kBlock, false);
  }

  void mark(int line, int block, bool outside, bool inside) {
    if (outside) gains_outside.set(line, block);
    if (inside) gains_inside.set(line, block);
    is_live[line] |= outside | inside;
  }

  // Rows y... of a block of columns, `step` blocks apart in `tile`; false if no pixel has a slope.
  static bool load_tile(const ColourRaster& raster, const ColourSlopes& slopes, int y, int block,
                        Block* tile, int64_t step) {
    if (!load_slopes(raster.frame(), slopes, y, block, tile, step)) return false;
    for (int r = 0; r < kBlock; ++r) {
      Block& row = tile[r * step];
      raster.load_owners(y + r, block, row.owner);
      const int last = raster.frame().height - 1;  // rows beyond show no face
      for (int part = 0; part < kBlock; part += kWidth) {
        const Mask empty = less(load(row.owner + part), splat(0));
        for (int c = 0; c < 3; ++c) {
          const float* from = raster.values(std::min(y + r, last), c) + block * kBlock + part;
          store(row.value[c] + part, select(empty, splat(raster.background()[c]), load(from)));
        }
        if (kChannels > 3) {
          store(row.value[kChannels - 1] + part, select(empty, splat(0.f), splat(1.f)));
        }
      }
    }
    return true;
  }

  // Slopes of the raster pixels of a tile; false if all are zero, and nothing is written then.
  static bool load_slopes(const Frame& frame, const ColourSlopes& slopes, int y, int block,
                          Block* tile, int64_t step) {
    const int shift = slopes.shift, x = block * kBlock;
    const int64_t width = frame.width >> shift;
    const int most = kBlock >> shift, count = std::min(most, (frame.width - x) >> shift);
    const int height = std::min(kBlock, frame.height - y) >> shift;
    float found[kChannels][kBlock][kBlock];  // of the picture's pixels
    int32_t any = 0;
    for (int c = 0; c < kChannels; ++c) {
      const float* from =
          slopes.plane(c) + ((frame.height - 1 - y) >> shift) * width + (x >> shift);
      for (int r = 0; r < height; ++r, from -= width) {
        if (count == kBlock) {
          std::memcpy(found[c][r], from, sizeof found[c][r]);
        } else if (count == kBlock / 2) {
          std::memcpy(found[c][r], from, sizeof found[c][r] / 2);
        } else {
          std::memcpy(found[c][r], from, sizeof(float) * count);
        }
        for (int l = count; l < most; ++l) found[c][r][l] = 0.f;
        if (shift == 0) {
          for (int l = 0; l < kBlock; ++l) any |= found[c][r][l] != 0.f;
        } else {
          for (int l = 0; l < kBlock / 2; ++l) any |= found[c][r][l] != 0.f;
        }
      }
    }
    if (!any) return false;
    for (int c = 0; c < kChannels; ++c) {
      for (int r = 0; r < kBlock; ++r) {
        float* row = tile[r * step].slope[c];
        if (r >> shift >= height) {
          std::memset(row, 0, kBlock * sizeof(float));
        } else if (shift == 0) {
          std::memcpy(row, found[c][r], kBlock * sizeof(float));
        } else {
          const float* source = found[c][r / 2];
          for (int l = 0; l < kBlock / 2; ++l) row[2 * l] = row[2 * l + 1] = 0.25f * source[l];
        }
      }
    }
    return true;
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

  // Which pixels of a row could gain by what they are offered.
  static void find_live(const Block& row, int part, const Offers& offers, Lanes* found) {
    const Mask full = less(splat(-1), load(row.owner + part));
    Floats value[kChannels], slope[kChannels];
    for (int c = 0; c < kChannels; ++c) {
      value[c] = load(row.value[c] + part);
      slope[c] = load(row.slope[c] + part);
    }
    const Floats one = splat(1.f);
    const Floats by_faces = most_gain(value, slope, offers.low, offers.high, one, one);
    const Floats by_all =
        most_gain(value, slope, offers.lowest, offers.highest, offers.alpha, one);
    found->outside |= bits(could_gain(by_faces, offers.asked)) << part;
    found->inside |= bits(could_gain(by_all, both(offers.asked, full))) << part;
  }

  // Writes the tile's columns as the lines of the strip.
  void turn(Block* goal) const {
    const int64_t from = sizeof(Block) / sizeof(float), to = from * blocks_;
    for (int c = 0; c < kChannels; ++c) {
      transpose(tile_[0].value[c], from, goal->value[c], to);
      transpose(tile_[0].slope[c], from, goal->slope[c], to);
    }
    transpose(reinterpret_cast<const float*>(tile_[0].owner), from,
              reinterpret_cast<float*>(goal->owner), to);
  }

  std::unique_ptr<Block[]> cells_;  // [line][block]
  Block tile_[kBlock];
};

}  // namespace raster
}  // namespace bench
