// Kato's approximate gradient of colours, or of colours and silhouette together, face by face.
// CPU only; the arithmetic is that of rasterize_scan.h in vectors of pixels.
#pragma once

#include <algorithm>

#include "rasterize_colour_lines.h"

namespace bench {
namespace raster {

// One value for each pixel of a block.
struct Wide {
  Floats part[kParts] = {};

  // The order does not depend on the processor.
  float sum() const {
    float lanes[kBlock];
    for (int k = 0; k < kParts; ++k) store(lanes + k * kWidth, part[k]);
    for (int half = kBlock / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    return lanes[0];
  }
};

template <int kChannels>
class ColourScan {
 public:
  using Block = LineBlock<kChannels>;

  ColourScan(const PictureLines<kChannels>& lines, Frame frame, float eps)
      : lines_(lines), frame_(frame), eps_(eps) {}

  // Adds what lines along one axis give to the nine values of a face; `face` owns pixels.
  void scan_face(const float* face, int32_t id, int axis, float* result) const {
    const Corners corners = to_corners(face, frame_);
    const Lines<kChannels>& lines = axis == 0 ? lines_.columns : lines_.rows;
    for (int e = 0; e < 3; ++e) {
      Edge edge;
      if (!make_edge(corners, e, axis, frame_, &edge)) continue;
      const FarSlopes slopes = make_far_slopes(edge);
      const float unit = 1.f / ((edge.a1 - edge.a0) * edge.scale);
      Wide pull0, pull1;
      for (int first = edge.first; first <= edge.last; first += kBlock) {
        Crossings found;
        found.find(edge, slopes, first);
        const int count = std::min(kBlock, edge.last - first + 1);
        for (int l = 0; l < count; ++l) {
          const int line = first + l, in = found.in[l], out = in + edge.direction;
          // Edges at the very border move nothing.
          if (!lines.is_live[line] || in < 0 || in >= edge.length) continue;
          if (out < 0 || out >= edge.length) continue;
          const Levers levers = {(edge.a1 - line) * unit, (line - edge.a0) * unit};
          const Crossing at = {found.cross[l], in, out};
          pull_outside(edge, axis, line, lines, at, id, levers, &pull0, &pull1);
          pull_inside(edge, axis, line, lines, at, found.far_side[l], id, levers, &pull0, &pull1);
        }
      }
      result[3 * edge.corner0 + 1 - axis] -= pull0.sum();
      result[3 * edge.corner1 + 1 - axis] -= pull1.sum();
    }
  }

 private:
  // Where an edge crosses the lines of a block.
  struct Crossings {
    float cross[kBlock];
    int32_t in[kBlock], far_side[kBlock];

    void find(const Edge& edge, const FarSlopes& slopes, int first) {
#pragma omp simd
      for (int32_t l = 0; l < kBlock; ++l) {
        cross[l] = find_cross(edge, first + l);
        in[l] = find_inner(edge, cross[l]);
        far_side[l] = find_far_side(edge, slopes, first + l);
      }
    }
  };

  // Reciprocals of the levers: reach / lever = offset + rest with rest = eps by, which has the sign
  // of the offset where the lever is positive. On the line of a corner the other one is not moved:
  // its lever is infinite and `by` 0.
  struct Levers {
    float by0, by1;
  };

  // Pixels from the edge to the border of the picture that would gain by the colour inside, if
  // that is the face's own.
  void pull_outside(const Edge& edge, int axis, int line, const Lines<kChannels>& lines,
                    const Crossing& at, int32_t id, Levers levers, Wide* pull0,
                    Wide* pull1) const {
    const int x = axis == 0 ? line : at.in, y = axis == 0 ? at.in : line;
    const int border = at.out / kBlock;
    const int first = edge.direction > 0 ? border : 0;
    const int last = edge.direction > 0 ? lines.blocks - 1 : border;
    if (!lines.gains_outside.any(line, first, last) || lines_.owner(x, y) != id) return;
    float offered[kChannels];
    lines_.colour_at(x, y, offered);
    const float eps = edge.direction > 0 ? eps_ : -eps_;
    const float rest0 = eps * std::fabs(levers.by0), rest1 = eps * std::fabs(levers.by1);
    const int low = edge.direction > 0 ? at.out % kBlock : 0;
    const int high = edge.direction > 0 ? kBlock - 1 : at.out % kBlock;
    Wide sum0, sum1;
    lines.gains_outside.for_each(line, first, last, [&](int block) {
      const Block& pixels = lines.at(line, block);
      const float* position = &lines.position[block * kBlock];
      for (int k = 0; k < kParts; ++k) {
        const Floats gain = positive_gain(pixels, k * kWidth, offered);
        const Floats offset = load(position + k * kWidth) - splat(at.cross);
        const Floats far0 = offset + splat(rest0), far1 = offset + splat(rest1);
        // One division for two quotients; far0 and far1 have the same sign.
        Floats share = gain / (far0 * far1);
        if (block == border) share = select(within(k, low, high), share, splat(0.f));
        sum0.part[k] += share * far1;
        sum1.part[k] += share * far0;
      }
    });
    for (int k = 0; k < kParts; ++k) {
      pull0->part[k] += sum0.part[k] * splat(levers.by0);
      pull1->part[k] += sum1.part[k] * splat(levers.by1);
    }
  }

  // Pixels of the face itself that would gain by the colour outside.
  void pull_inside(const Edge& edge, int axis, int line, const Lines<kChannels>& lines,
                   const Crossing& at, int far_side, int32_t id, Levers levers, Wide* pull0,
                   Wide* pull1) const {
    const int low = std::max(std::min(at.in, far_side), 0);
    const int high = std::min(std::max(at.in, far_side), edge.length - 1);
    if (low > high || !lines.gains_inside.any(line, low / kBlock, high / kBlock)) return;
    float offered[kChannels];
    lines_.colour_at(axis == 0 ? line : at.out, axis == 0 ? at.out : line, offered);
    const float rest0 = eps_ * levers.by0, rest1 = eps_ * levers.by1;
    lines.gains_inside.for_each(line, low / kBlock, high / kBlock, [&](int block) {
      const Block& pixels = lines.at(line, block);
      const float* position = &lines.position[block * kBlock];
      for (int k = 0; k < kParts; ++k) {
        const Floats gain = positive_gain(pixels, k * kWidth, offered);
        const Ints owner = load(pixels.owner + k * kWidth);
        const Mask other = either(less(owner, splat(id)), less(splat(id), owner));
        const Mask own = select_not(other, within(k, low - block * kBlock, high - block * kBlock));
        const Floats offset = load(position + k * kWidth) - splat(at.cross);
        const Floats far0 = lengthen(offset, rest0, levers.by0);
        const Floats far1 = lengthen(offset, rest1, levers.by1);
        const Floats share = select(both(own, less(splat(0.f), gain)), gain / (far0 * far1),
                                    splat(0.f));
        pull0->part[k] += share * far1 * splat(levers.by0);
        pull1->part[k] += share * far0 * splat(levers.by1);
      }
    });
  }

  static Mask select_not(Mask other, Mask among) { return static_cast<Mask>(~other & among); }

  // As `reach`: eps is added where lever * offset is positive, else subtracted.
  static Floats lengthen(Floats offset, float rest, float lever) {
    const Mask grows = lever > 0.f ? less(splat(0.f), offset) : less(offset, splat(0.f));
    return select(grows, offset + splat(rest), offset - splat(rest));
  }

  static Mask within(int k, int low, int high) {
    const Ints lane = load(kLanes + k * kWidth);
    return both(less(splat(low - 1), lane), less(lane, splat(high + 1)));
  }

  // What the loss would fall by if pixels took another colour; 0 where it would not.
  static Floats positive_gain(const Block& pixels, int lane, const float* offered) {
    Floats sum = {};
    for (int c = 0; c < kChannels; ++c) {
      const Floats gain =
          (load(pixels.value[c] + lane) - splat(offered[c])) * load(pixels.slope[c] + lane);
      sum = c == 0 ? gain : sum + gain;
    }
    return maximum(sum, splat(0.f));  // NaN becomes 0
  }

  static constexpr int32_t kLanes[kBlock] = {0, 1, 2,  3,  4,  5,  6,  7,
                                             8, 9, 10, 11, 12, 13, 14, 15};

  const PictureLines<kChannels>& lines_;
  Frame frame_;
  float eps_;
};

}  // namespace raster
}  // namespace bench
