// Kato's approximate gradient of colours, and of colours and silhouettes together.
//
// Unlike the silhouette alone, the pixels that would gain by another colour depend on the face that
// offers it, so there are no lists to prepare: each scan walks its line, eight pixels at a time,
// past blocks whose gradient is zero.

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "huge_pages.h"
#include "rasterize_scan.h"

namespace bench {
namespace raster {
namespace {

constexpr int kBlock = 8;

// The pixels of one picture in lines along one axis: values, their gradient and the face index.
struct Lines {
  // Allocates; throws std::bad_alloc.
  Lines(int count, int length, int channels)
      : blocks((length + kBlock - 1) / kBlock), stride(static_cast<int64_t>(blocks) * kBlock),
        plane(stride * count), value(plane * channels), slope(plane * channels), owner(plane, -1),
        block_live(static_cast<size_t>(blocks) * count), live(count) {}

  void clear_live() {
    std::fill(block_live.begin(), block_live.end(), 0);
    std::fill(live.begin(), live.end(), 0);
  }

  int64_t blocks, stride, plane;
  std::vector<float> value, slope;  // [channel][line][position]
  std::vector<int32_t> owner;
  std::vector<uint8_t> block_live, live;  // whether any gradient there is not zero
};

// Maps of one picture, top row first; rgb and its gradient are null where they are not asked for,
// and so is the gradient of alpha.
struct PictureMaps {
  const int32_t* index;
  const float* rgb;
  const float* rgb_slope;
  const float* alpha_slope;
};

template <int kChannels>
class ColourScan {
 public:
  // Allocates; throws std::bad_alloc.
  ColourScan(Frame frame, int64_t face_count)
      : frame_(frame), columns_(frame.width, frame.height, kChannels),
        rows_(frame.height, frame.width, kChannels), owns_(face_count) {}

  void prepare(const PictureMaps& maps) {
    std::fill(owns_.begin(), owns_.end(), 0);
    columns_.clear_live();
    rows_.clear_live();
    const int64_t width = frame_.width, area = width * frame_.height;
    for (int y = 0; y < frame_.height; ++y) {
      for (int x = 0; x < frame_.width; ++x) {
        const int64_t from = (frame_.height - 1 - y) * width + x;
        const int32_t owner = maps.index[from];
        if (owner >= 0) owns_[owner] = 1;
        float value[kChannels], slope[kChannels];
        for (int c = 0; c < 3 && kChannels >= 3; ++c) {
          value[c] = maps.rgb[c * area + from];
          slope[c] = maps.rgb_slope[c * area + from];
        }
        if (kChannels != 3) {
          value[kChannels - 1] = owner >= 0 ? 1.f : 0.f;
          slope[kChannels - 1] = maps.alpha_slope[from];
        }
        put(rows_, y, x, owner, value, slope);
        put(columns_, x, y, owner, value, slope);
      }
    }
  }

  bool owns_pixels(int64_t face) const { return owns_[face] != 0; }

  // Adds to the nine values of one face.
  void scan_face(const float* face, int32_t id, float eps, float* result) const {
    const Corners corners = to_corners(face, frame_);
    for (int axis = 0; axis < 2; ++axis) {
      const Lines& lines = axis == 0 ? columns_ : rows_;
      for (int e = 0; e < 3; ++e) {
        Edge edge;
        if (!make_edge(corners, e, axis, frame_, &edge)) continue;
        float pull0 = 0.f, pull1 = 0.f;
        for (int line = edge.first; line <= edge.last; ++line) {
          if (lines.live[line]) scan_line(edge, lines, line, id, eps, &pull0, &pull1);
        }
        result[3 * edge.corner0 + 1 - axis] -= pull0;
        result[3 * edge.corner1 + 1 - axis] -= pull1;
      }
    }
  }

 private:
  static void put(Lines& lines, int line, int position, int32_t owner, const float* value,
                  const float* slope) {
    const int64_t at = line * lines.stride + position;
    bool any = false;
    for (int c = 0; c < kChannels; ++c) {
      lines.value[c * lines.plane + at] = value[c];
      lines.slope[c * lines.plane + at] = slope[c];
      any |= slope[c] != 0.f;
    }
    lines.owner[at] = owner;
    if (any) lines.block_live[line * lines.blocks + position / kBlock] = lines.live[line] = 1;
  }

  void scan_line(const Edge& edge, const Lines& lines, int line, int32_t id, float eps,
                 float* pull0, float* pull1) const {
    Crossing at;
    if (!find_crossing(edge, line, &at)) return;
    const int32_t* owner = &lines.owner[line * lines.stride];
    const float to0 = lever0(edge, line), to1 = lever1(edge, line);
    float sum0 = 0.f, sum1 = 0.f;
    if (owner[at.in] == id) {
      const int first = edge.direction > 0 ? at.out : 0;
      const int last = edge.direction > 0 ? edge.length - 1 : at.out;
      add_pulls<false>(lines, line, at.in, first, last, id, at.cross, to0, to1, eps, &sum0, &sum1);
    }
    const int far_side = find_far_side(edge, line);
    const int first = std::max(std::min(at.in, far_side), 0);
    const int last = std::min(std::max(at.in, far_side), edge.length - 1);
    add_pulls<true>(lines, line, at.out, first, last, id, at.cross, to0, to1, eps, &sum0, &sum1);
    if (edge.a1 != line) *pull0 += sum0;
    if (edge.a0 != line) *pull1 += sum1;
  }

  // Pixels in [first, last] that would gain by the colour at `offer`; of this face only if `own`.
  // Eight partial sums, chosen by the position, so the order does not depend on the processor.
  template <bool own>
  static void add_pulls(const Lines& lines, int line, int offer, int first, int last, int32_t id,
                        float cross, float to0, float to1, float eps, float* sum0, float* sum1) {
    if (first > last) return;
    const int64_t start = line * lines.stride;
    const uint8_t* live = &lines.block_live[line * lines.blocks];
    float offered[kChannels];
    for (int c = 0; c < kChannels; ++c) offered[c] = lines.value[c * lines.plane + start + offer];
    float part0[kBlock] = {}, part1[kBlock] = {};
    for (int block = first / kBlock; block <= last / kBlock; ++block) {
      if (!live[block]) continue;
      const int32_t base = block * kBlock;
      const float* value = &lines.value[start + base];
      const float* slope = &lines.slope[start + base];
      const int32_t* owner = &lines.owner[start + base];
      const int64_t plane = lines.plane;
#pragma omp simd
      for (int32_t lane = 0; lane < kBlock; ++lane) {
        float gain = 0.f;
        for (int c = 0; c < kChannels; ++c) {
          gain += (value[c * plane + lane] - offered[c]) * slope[c * plane + lane];
        }
        const int32_t d = base + lane;
        const bool asked = (d >= first) & (d <= last) & (!own | (owner[lane] == id));
        const float s = asked & (gain > 0.f) ? gain : 0.f;
        const float offset = static_cast<float>(d) - cross;
        part0[lane] += s > 0.f ? s / reach(to0, offset, eps) : 0.f;
        part1[lane] += s > 0.f ? s / reach(to1, offset, eps) : 0.f;
      }
    }
    *sum0 += ((part0[0] + part0[4]) + (part0[1] + part0[5])) +
             ((part0[2] + part0[6]) + (part0[3] + part0[7]));
    *sum1 += ((part1[0] + part1[4]) + (part1[1] + part1[5])) +
             ((part1[2] + part1[6]) + (part1[3] + part1[7]));
  }

  Frame frame_;
  Lines columns_, rows_;
  std::vector<uint8_t> owns_;
};

template <int kChannels>
int scan_pictures(const PictureMaps& maps, const float* faces, int64_t batch, int64_t face_count,
                  Frame frame, float eps, float* result, int threads) {
  const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
  const int64_t parts = wanted < face_count ? wanted : face_count;
  const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
  std::vector<ColourScan<kChannels>> scans;
  try {
    for (int t = 0; t < threads; ++t) scans.emplace_back(frame, face_count);
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    ColourScan<kChannels>& scan = scans[omp_get_thread_num()];
    PictureMaps picture = {maps.index + b * area, nullptr, nullptr, nullptr};
    if (maps.rgb_slope != nullptr) {
      picture.rgb = maps.rgb + 3 * b * area;
      picture.rgb_slope = maps.rgb_slope + 3 * b * area;
    }
    if (maps.alpha_slope != nullptr) picture.alpha_slope = maps.alpha_slope + b * area;
    scan.prepare(picture);
    const int64_t first = face_count * part / parts, last = face_count * (part + 1) / parts;
    std::memset(result + (b * face_count + first) * 9, 0, sizeof(float) * (last - first) * 9);
    for (int64_t f = first; f < last; ++f) {
      const float* face = faces + (b * face_count + f) * 9;
      if (!scan.owns_pixels(f) || is_culled(face)) continue;
      scan.scan_face(face, static_cast<int32_t>(f), eps, result + (b * face_count + f) * 9);
    }
  }
  return 0;
}

}  // namespace
}  // namespace raster
}  // namespace bench

// rgb (B,3,H,W) and its gradient, or both null; gradient (B,H,W) of alpha, or null; faces,
// index (B,H,W) -> result (B,F,3,3).
extern "C" BENCH_API int bench_scan_colours(const float* rgb, const float* rgb_gradient,
                                            const float* alpha_gradient, const float* faces,
                                            const int32_t* index, int64_t batch,
                                            int64_t face_count, int64_t height, int64_t width,
                                            float eps, float* result, int threads) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height), static_cast<int>(width)};
  const PictureMaps maps = {index, rgb, rgb_gradient, alpha_gradient};
  bench::expect_writes(result, batch * face_count * 9 * sizeof(float));
  if (rgb_gradient == nullptr) {
    return scan_pictures<1>(maps, faces, batch, face_count, frame, eps, result, threads);
  }
  if (alpha_gradient == nullptr) {
    return scan_pictures<3>(maps, faces, batch, face_count, frame, eps, result, threads);
  }
  return scan_pictures<4>(maps, faces, batch, face_count, frame, eps, result, threads);
}
