// Silhouettes with 1 x 1 or 2 x 2 raster pixels to a picture pixel, and their gradient.

#include <cstring>

#include "rasterize_draw.h"
#include "rasterize_scan.h"

namespace bench {
namespace raster {
namespace {

constexpr int kChunk = 8;

// Writes the raster rows of one picture row. Pictures and stored maps have the top row first.
void write_rows(const Canvas& canvas, int row, int pool, int32_t* index, float* alpha) {
  const Frame frame = canvas.frame();
  const int width = frame.width / pool;
  const int bottom = frame.height - (row + 1) * pool;
  for (int k = 0; k < pool; ++k) {
    std::memcpy(index + static_cast<int64_t>(row * pool + k) * frame.width,
                canvas.index_row(bottom + pool - 1 - k), sizeof(int32_t) * frame.width);
  }
  float* out = alpha + static_cast<int64_t>(row) * width;
  const int32_t* lower = canvas.index_row(bottom);
  if (pool == 1) {
    for (int x = 0; x < width; ++x) out[x] = lower[x] >= 0 ? 1.f : 0.f;
    return;
  }
  const int32_t* upper = canvas.index_row(bottom + 1);
  for (int x = 0; x < width; ++x) {
    const int covered = (lower[2 * x] >= 0) + (lower[2 * x + 1] >= 0) + (upper[2 * x] >= 0) +
                        (upper[2 * x + 1] >= 0);
    out[x] = 0.25f * covered;
  }
}

// Bits of what a line's pixels ask for: to be covered, or to be uncovered.
constexpr uint8_t kPullsOut = 1, kPullsIn = 2;

// The pixels of one raster that pull edges outward: background where the loss would fall if it
// were covered. Kept per line and sorted, so that a scan touches nothing else.
struct PullLists {
  // Allocates; throws std::bad_alloc.
  PullLists(int lines, int length, int64_t line_step, int64_t position_step)
      : stride(length + kChunk), line_step(line_step), position_step(position_step),
        position(static_cast<size_t>(lines) * stride), strength(position.size()),
        count(static_cast<size_t>(lines + 1) * (length + 1)), is_live(lines),
        live_before(lines + 1) {}

  // The number of entries of a line at positions below d.
  int before(int line, int d) const { return count[line * line_step + d * position_step]; }

  void count_live() {
    for (size_t line = 0; line < is_live.size(); ++line) {
      live_before[line + 1] = live_before[line] + (is_live[line] != 0);
    }
  }
  // Whether a scan of lines between two pixel coordinates can find something.
  bool any_live(float low, float high) const {
    const float most = static_cast<float>(is_live.size() - 1);
    const int first = to_int(low > 0.f ? low : 0.f);
    const int last = to_int(high < most ? high : most);
    return first <= last && live_before[last + 1] > live_before[first];
  }

  int64_t stride, line_step, position_step;
  std::vector<float> position, strength;
  std::vector<uint16_t> count;
  std::vector<uint8_t> is_live;  // what a scan on the line can find, as bits
  std::vector<int32_t> live_before;
};

// Everything the backward of one picture looks up, in raster order (row 0 at the bottom).
class SilhouetteScan {
 public:
  // Allocates; throws std::bad_alloc.
  SilhouetteScan(Frame frame, int64_t face_count)
      : frame_(frame), columns_(frame.width, frame.height, 1, frame.width),
        rows_(frame.height, frame.width, frame.width + 1, 1), slope_(frame.width),
        filled_(frame.width), owns_(face_count + 1) {}

  // index: (H,W) raster map, top row first; gradient: of the picture.
  void prepare(const int32_t* index, const PictureGradient& gradient) {
    index_ = index;
    gradient_ = gradient;
    std::fill(owns_.begin(), owns_.end(), 0);
    std::fill(filled_.begin(), filled_.end(), 0);
    std::fill(columns_.is_live.begin(), columns_.is_live.end(), 0);
    const int width = frame_.width, height = frame_.height;
    for (int y = 0; y < height; ++y) {
      std::memcpy(&columns_.count[static_cast<size_t>(y) * width], filled_.data(),
                  sizeof(uint16_t) * width);
      prepare_row(y, index + static_cast<int64_t>(height - 1 - y) * width);
    }
    std::memcpy(&columns_.count[static_cast<size_t>(height) * width], filled_.data(),
                sizeof(uint16_t) * width);
    columns_.count_live();
    rows_.count_live();
  }

  bool owns_pixels(int64_t face) const { return owns_[face + 1] != 0; }

  // Adds to the nine values of one face.
  void scan_face(const float* face, int32_t id, float eps, float* result) const {
    const Corners corners = to_corners(face, frame_);
    for (int axis = 0; axis < 2; ++axis) {
      const float p0 = corners.at[0][axis], p1 = corners.at[1][axis], p2 = corners.at[2][axis];
      const PullLists& lists = axis == 0 ? columns_ : rows_;
      if (!lists.any_live(std::min(std::min(p0, p1), p2), std::max(std::max(p0, p1), p2))) {
        continue;
      }
      for (int e = 0; e < 3; ++e) {
        Edge edge;
        if (!make_edge(corners, e, axis, frame_, &edge)) continue;
        float pull0 = 0.f, pull1 = 0.f;
        scan_edge(edge, axis, lists, id, eps, &pull0, &pull1);
        result[3 * edge.corner0 + 1 - axis] -= pull0;
        result[3 * edge.corner1 + 1 - axis] -= pull1;
      }
    }
  }

 private:
  void prepare_row(int y, const int32_t* owner) {
    const int width = frame_.width;
    float* slope = slope_.data();
    const float* from = gradient_.row(y);
    if (gradient_.shift == 0) {
      std::memcpy(slope, from, sizeof(float) * width);
    } else {
      for (int x = 0; x < width / 2; ++x) {
        slope[2 * x] = slope[2 * x + 1] = gradient_.share(from[x]);
      }
    }
    uint8_t* column_live = columns_.is_live.data();
    uint8_t pulls_out = 0, pulls_in = 0;
    for (int x = 0; x < width; ++x) {
      const uint8_t out = (owner[x] < 0) & (slope[x] < 0.f) ? kPullsOut : 0;
      const uint8_t in = (owner[x] >= 0) & (slope[x] > 0.f) ? kPullsIn : 0;
      pulls_out |= out;
      pulls_in |= in;
      column_live[x] |= out | in;
    }
    uint8_t* owns = owns_.data() + 1;  // the background, -1, has a place too
    for (int x = 0; x < width; ++x) owns[owner[x]] = 1;
    rows_.is_live[y] = pulls_out | pulls_in;
    uint16_t* count = &rows_.count[y * rows_.line_step];
    if (!pulls_out) {
      std::memset(count, 0, sizeof(uint16_t) * (width + 1));
      return;
    }
    float* position = &rows_.position[y * rows_.stride];
    float* strength = &rows_.strength[y * rows_.stride];
    int n = 0;
    for (int x = 0; x < width; ++x) {
      count[x] = static_cast<uint16_t>(n);
      position[n] = static_cast<float>(x);
      strength[n] = -slope[x];
      n += (owner[x] < 0) & (slope[x] < 0.f);
    }
    count[width] = static_cast<uint16_t>(n);
    for (int k = 0; k < n; ++k) {
      const int x = static_cast<int>(position[k]);
      const int64_t slot = x * columns_.stride + filled_[x]++;
      columns_.position[slot] = static_cast<float>(y);
      columns_.strength[slot] = strength[k];
    }
  }

  void scan_edge(const Edge& edge, int axis, const PullLists& lists, int32_t id, float eps,
                 float* pull0, float* pull1) const {
    // Steps in the stored index map, whose top row comes first.
    const int64_t width = frame_.width;
    const int64_t origin = (frame_.height - 1) * width;
    const int64_t line_step = axis == 0 ? 1 : -width;
    const int64_t step = axis == 0 ? -width : 1;
    for (int line = edge.first; line <= edge.last; ++line) {
      const uint8_t live = lists.is_live[line];
      if (!live) continue;
      Crossing at;
      if (!find_crossing(edge, line, &at)) continue;
      const int32_t* owner = index_ + origin + line * line_step;
      const bool owns_in = (live & kPullsOut) && owner[at.in * step] == id;
      const bool out_is_empty = (live & kPullsIn) && owner[at.out * step] < 0;
      int begin = 0, end = 0;
      if (owns_in) {
        begin = edge.direction > 0 ? lists.before(line, at.out) : 0;
        end = lists.before(line, edge.direction > 0 ? edge.length : at.out + 1);
      }
      if (begin >= end && !out_is_empty) continue;
      float sum0 = 0.f, sum1 = 0.f;
      const float to0 = lever0(edge, line), to1 = lever1(edge, line);
      if (begin < end) {
        const int64_t start = line * lists.stride + begin;
        add_pulls(&lists.position[start], &lists.strength[start], end - begin, at.cross, to0, to1,
                  eps, &sum0, &sum1);
      }
      if (out_is_empty) {
        const int far_side = find_far_side(edge, line);
        const int last = std::min(std::max(at.in, far_side), edge.length - 1);
        for (int d = std::max(std::min(at.in, far_side), 0); d <= last; ++d) {
          if (owner[d * step] != id) continue;
          const float s = gradient_.at(axis, line, d);
          if (!(s > 0.f)) continue;
          const float offset = d - at.cross;
          sum0 += s / reach(to0, offset, eps);
          sum1 += s / reach(to1, offset, eps);
        }
      }
      if (edge.a1 != line) *pull0 += sum0;
      if (edge.a0 != line) *pull1 += sum1;
    }
  }

  // Sums strength / reach over a list, in eight fixed partial sums whatever the processor.
  static void add_pulls(const float* position, const float* strength, int count, float cross,
                        float to0, float to1, float eps, float* sum0, float* sum1) {
    if (count <= 0) return;
    float part0[kChunk] = {}, part1[kChunk] = {};
    for (int start = 0; start < count; start += kChunk) {
      const int32_t left = count - start;
#pragma omp simd
      for (int32_t lane = 0; lane < kChunk; ++lane) {
        // Entries past the end belong to nobody; they are finite and weigh nothing.
        const float s = lane < left ? strength[start + lane] : 0.f;
        const float offset = position[start + lane] - cross;
        part0[lane] += s / reach(to0, offset, eps);
        part1[lane] += s / reach(to1, offset, eps);
      }
    }
    *sum0 += ((part0[0] + part0[4]) + (part0[1] + part0[5])) +
             ((part0[2] + part0[6]) + (part0[3] + part0[7]));
    *sum1 += ((part1[0] + part1[4]) + (part1[1] + part1[5])) +
             ((part1[2] + part1[6]) + (part1[3] + part1[7]));
  }

  Frame frame_;
  PullLists columns_, rows_;
  std::vector<float> slope_;
  std::vector<uint16_t> filled_;
  std::vector<uint8_t> owns_;
  const int32_t* index_ = nullptr;
  PictureGradient gradient_ = {};
};

}  // namespace
}  // namespace raster
}  // namespace bench

// faces (B,F,3,3) -> index (B, H pool, W pool), alpha (B,H,W); pool is 1 or 2.
extern "C" BENCH_API int bench_rasterize_silhouettes(const float* faces, int64_t batch,
                                                     int64_t face_count, int64_t height,
                                                     int64_t width, int64_t pool, float near,
                                                     float far, int32_t* index, float* alpha,
                                                     int threads) {
  using namespace bench::raster;
  const int step = static_cast<int>(pool);
  const Frame frame = {static_cast<int>(height) * step, static_cast<int>(width) * step};
  const Parts parts(batch, frame.height, step, threads);
  std::vector<Canvas> canvases = make_canvases(frame, parts, threads);
  if (canvases.empty()) return kOutOfMemory;
  const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
  bench::expect_writes(index, batch * area * sizeof(int32_t));
  bench::expect_writes(alpha, batch * height * width * sizeof(float));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts.count; ++task) {
    const int64_t b = task / parts.count;
    const int part = static_cast<int>(task % parts.count);
    Canvas& canvas = canvases[omp_get_thread_num()];
    canvas.draw_picture(faces + b * face_count * 9, face_count, near, far, parts.first_row(part),
                        parts.first_row(part + 1), [&](int first, int last) {
                          for (int y = first; y < last; y += step) {
                            write_rows(canvas, (frame.height - y) / step - 1, step,
                                       index + b * area, alpha + b * height * width);
                          }
                        });
  }
  return 0;
}

// gradient (B,H,W), faces, index -> result (B,F,3,3). Each face owns its nine values, so the sums
// are the same whatever the threads.
extern "C" BENCH_API int bench_rasterize_silhouettes_backward(
    const float* gradient, const float* faces, const int32_t* index, int64_t batch,
    int64_t face_count, int64_t height, int64_t width, int64_t pool, float eps, float* result,
    int threads) {
  using namespace bench::raster;
  const int step = static_cast<int>(pool);
  const Frame frame = {static_cast<int>(height) * step, static_cast<int>(width) * step};
  const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
  const int64_t parts = wanted < face_count ? wanted : face_count;
  std::vector<SilhouetteScan> scans;
  try {
    for (int t = 0; t < threads; ++t) scans.emplace_back(frame, face_count);
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  bench::expect_writes(result, batch * face_count * 9 * sizeof(float));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    SilhouetteScan& scan = scans[omp_get_thread_num()];
    scan.prepare(index + b * height * width * pool * pool,
                 {gradient + b * height * width, frame, step - 1});
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
