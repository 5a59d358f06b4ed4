// Kato's approximate gradient of colours, or of colours and silhouette together. CPU only; the
// arithmetic is that of rasterize_scan.h in vectors of pixels.
//
// Strips of lines are swept one after the other, each by all edges that cross it, so that its lines
// are read from a near cache and take little memory.
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

// An edge while its lines are swept, with what they gave so far.
struct ScannedEdge {
  Edge edge;
  FarSlopes slopes;
  float unit;  // of reciprocal levers
  int32_t face;
  Wide pull0, pull1;
};

template <int kChannels>
class ColourScan {
 public:
  using Block = LineBlock<kChannels>;

  // Allocates; throws std::bad_alloc, as do all that follow.
  ColourScan(const ColourRaster& raster, Frame frame)
      : raster_(raster), frame_(frame), strip_(frame),
        first_start_(std::max(frame.height, frame.width) / kBlock + 1) {}

  // Begins a sweep of lines along one axis; then `add` the faces, then `sweep`.
  void begin(int axis) {
    axis_ = axis;
    std::fill(first_start_.begin(), first_start_.end(), -1);
    starts_.clear();
  }

  // A face that owns pixels and is not culled.
  void add(const float* face, int32_t id) {
    const Corners corners = to_corners(face, frame_);
    for (int e = 0; e < 3; ++e) {
      Edge edge;
      if (!make_edge(corners, e, axis_, frame_, &edge)) continue;
      int32_t* first = &first_start_[edge.first / kBlock];
      starts_.push_back({*first, id, e});
      *first = static_cast<int32_t>(starts_.size()) - 1;
    }
  }

  // Adds to the nine values of each face in `result`.
  void sweep(const float* faces, const ColourSlopes& slopes, float eps, float* result) {
    eps_ = eps;
    const int lines = axis_ == 0 ? frame_.width : frame_.height;
    for (int first = 0; first < lines; first += kBlock) {
      begin_edges(faces, first_start_[first / kBlock]);
      if (active_.empty()) continue;
      if (axis_ == 0) {
        strip_.load_columns(raster_, slopes, first);
      } else {
        strip_.load_rows(raster_, slopes, first);
      }
      for (size_t k = 0; k < active_.size();) {
        ScannedEdge& scanned = active_[k];
        scan_lines(first, &scanned);
        if (scanned.edge.last >= first + kBlock) {
          ++k;
          continue;
        }
        float* moved = result + 9 * static_cast<int64_t>(scanned.face) + 1 - axis_;
        moved[3 * scanned.edge.corner0] -= scanned.pull0.sum();
        moved[3 * scanned.edge.corner1] -= scanned.pull1.sum();
        scanned = active_.back();
        active_.pop_back();
      }
    }
  }

 private:
  // An edge in the list of those that begin in a strip.
  struct Start {
    int32_t next, face, edge;
  };

  void begin_edges(const float* faces, int32_t start) {
    for (int32_t s = start; s >= 0; s = starts_[s].next) {
      ScannedEdge scanned;
      const float* face = faces + 9 * static_cast<int64_t>(starts_[s].face);
      make_edge(to_corners(face, frame_), starts_[s].edge, axis_, frame_, &scanned.edge);
      scanned.slopes = make_far_slopes(scanned.edge);
      scanned.unit = 1.f / ((scanned.edge.a1 - scanned.edge.a0) * scanned.edge.scale);
      scanned.face = starts_[s].face;
      active_.push_back(scanned);
    }
  }

  // Where an edge crosses the lines of a strip.
  struct Crossings {
    float cross[kBlock];
    int32_t in[kBlock], far_side[kBlock];

    void find(const ScannedEdge& scanned, int first) {
      const Edge edge = scanned.edge;
      const FarSlopes slopes = scanned.slopes;
#pragma omp simd
      for (int32_t l = 0; l < kBlock; ++l) {
        cross[l] = find_cross(edge, first + l);
        in[l] = find_inner(edge, cross[l]);
        far_side[l] = find_far_side(edge, slopes, first + l);
      }
    }
  };

  // The lines of the strip that the edge crosses.
  void scan_lines(int first, ScannedEdge* scanned) const {
    const Edge& edge = scanned->edge;
    Crossings found;
    found.find(*scanned, first);
    const int end = std::min(edge.last - first, kBlock - 1);
    for (int l = std::max(edge.first - first, 0); l <= end; ++l) {
      const int line = first + l, in = found.in[l], out = in + edge.direction;
      if (!strip_.is_live[l] || in < 0 || in >= edge.length) continue;
      if (out < 0 || out >= edge.length) continue;  // at the very border edges move nothing
      const Levers levers = {(edge.a1 - line) * scanned->unit, (line - edge.a0) * scanned->unit};
      const Crossing at = {found.cross[l], in, out};
      pull_outside(axis_, line, at, levers, scanned);
      pull_inside(axis_, line, at, found.far_side[l], levers, scanned);
    }
  }

  // Reciprocals of the levers: reach / lever = offset + rest with rest = eps by, which has the sign
  // of the offset where the lever is positive. On the line of a corner the other one is not moved:
  // its lever is infinite and `by` 0.
  struct Levers {
    float by0, by1;
  };

  // Pixels from the edge to the border of the picture that would gain by the colour inside, if
  // that is the face's own.
  void pull_outside(int axis, int line, const Crossing& at, Levers levers,
                    ScannedEdge* scanned) const {
    const Edge& edge = scanned->edge;
    const int x = axis == 0 ? line : at.in, y = axis == 0 ? at.in : line;
    const int row = line % kBlock, border = at.out / kBlock;
    const int first = edge.direction > 0 ? border : 0;
    const int last = edge.direction > 0 ? (edge.length - 1) / kBlock : border;
    if (!strip_.gains_outside.any(row, first, last)) return;
    if (raster_.owner(x, y) != scanned->face) return;
    float offered[kChannels];
    raster_.template colour_at<kChannels>(x, y, offered);
    const float eps = edge.direction > 0 ? eps_ : -eps_;
    const float rest0 = eps * std::fabs(levers.by0), rest1 = eps * std::fabs(levers.by1);
    const int low = edge.direction > 0 ? at.out % kBlock : 0;
    const int high = edge.direction > 0 ? kBlock - 1 : at.out % kBlock;
    Wide sum0, sum1;
    strip_.gains_outside.for_each(row, first, last, [&](int block) {
      const Block& pixels = strip_.at(row, block);
      const float* position = &strip_.position[block * kBlock];
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
      scanned->pull0.part[k] += sum0.part[k] * splat(levers.by0);
      scanned->pull1.part[k] += sum1.part[k] * splat(levers.by1);
    }
  }

  // Pixels of the face itself that would gain by the colour outside.
  void pull_inside(int axis, int line, const Crossing& at, int far_side, Levers levers,
                   ScannedEdge* scanned) const {
    const Edge& edge = scanned->edge;
    const int row = line % kBlock;
    const int low = std::max(std::min(at.in, far_side), 0);
    const int high = std::min(std::max(at.in, far_side), edge.length - 1);
    if (low > high || !strip_.gains_inside.any(row, low / kBlock, high / kBlock)) return;
    float offered[kChannels];
    raster_.template colour_at<kChannels>(axis == 0 ? line : at.out, axis == 0 ? at.out : line,
                                         offered);
    const float rest0 = eps_ * levers.by0, rest1 = eps_ * levers.by1;
    const Ints face = splat(scanned->face);
    strip_.gains_inside.for_each(row, low / kBlock, high / kBlock, [&](int block) {
      const Block& pixels = strip_.at(row, block);
      const float* position = &strip_.position[block * kBlock];
      for (int k = 0; k < kParts; ++k) {
        const Floats gain = positive_gain(pixels, k * kWidth, offered);
        const Ints owner = load(pixels.owner + k * kWidth);
        const Mask other = either(less(owner, face), less(face, owner));
        const int start = block * kBlock;
        const Mask own = select_not(other, within(k, low - start, high - start));
        const Floats offset = load(position + k * kWidth) - splat(at.cross);
        const Mask after = less(splat(0.f), offset), before = less(offset, splat(0.f));
        const Floats far0 = lengthen(offset, rest0, levers.by0 < 0.f ? before : after);
        const Floats far1 = lengthen(offset, rest1, levers.by1 < 0.f ? before : after);
        const Floats share = select(both(own, less(splat(0.f), gain)), gain / (far0 * far1),
                                    splat(0.f));
        scanned->pull0.part[k] += share * far1 * splat(levers.by0);
        scanned->pull1.part[k] += share * far0 * splat(levers.by1);
      }
    });
  }

  // Of those `among`, the ones that are not `other`.
  static Mask select_not(Mask other, Mask among) { return static_cast<Mask>(~other & among); }

  // As `reach`: eps is added where lever * offset is positive, else subtracted.
  static Floats lengthen(Floats offset, float rest, Mask is_positive) {
    return offset + select(is_positive, splat(rest), splat(-rest));
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

  const ColourRaster& raster_;
  Frame frame_;
  int axis_ = 0;
  float eps_ = 0.f;
  LineStrip<kChannels> strip_;
  std::vector<int32_t> first_start_;  // of each strip, in starts_
  std::vector<Start> starts_;
  std::vector<ScannedEdge> active_;  // edges that cross the strip
};

}  // namespace raster
}  // namespace bench
