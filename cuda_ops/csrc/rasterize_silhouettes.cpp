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

// The pixels of one raster that pull edges outward: background where the loss would fall if it
// were covered. Kept per line and sorted, so that a scan touches nothing else.
//
// `before(line, d)` is the number of entries of a line at positions below d.
struct PullLists {
  void allocate(int lines, int length, int64_t line_step, int64_t position_step) {
    stride = length + kChunk;
    this->line_step = line_step;
    this->position_step = position_step;
    position.assign(static_cast<size_t>(lines) * stride, 0.f);
    strength.assign(static_cast<size_t>(lines) * stride, 0.f);
    count.assign(static_cast<size_t>(lines + 1) * (length + 1), 0);
    is_live.assign(lines, 0);
  }
  int before(int line, int d) const { return count[line * line_step + d * position_step]; }

  int64_t stride, line_step, position_step;
  std::vector<float> position, strength;
  std::vector<int32_t> count;
  std::vector<uint8_t> is_live;  // whether any scan on the line can find something
};

// Everything the backward of one picture looks up, in raster order (row 0 at the bottom).
class SilhouetteScan {
 public:
  // Allocates; throws std::bad_alloc.
  SilhouetteScan(Frame frame, int64_t face_count) : frame_(frame), owns_(face_count) {
    columns_.allocate(frame.width, frame.height, 1, frame.width);
    rows_.allocate(frame.height, frame.width, frame.width + 1, 1);
    gradient_.resize(static_cast<size_t>(frame.height) * frame.width);
    filled_.resize(frame.width);
  }

  // index: (H,W) raster map, top row first; gradient: of the picture, top row first.
  void prepare(const int32_t* index, const float* gradient, int pool) {
    index_ = index;
    std::fill(owns_.begin(), owns_.end(), 0);
    std::fill(filled_.begin(), filled_.end(), 0);
    std::fill(columns_.is_live.begin(), columns_.is_live.end(), 0);
    const int width = frame_.width, height = frame_.height;
    for (int y = 0; y < height; ++y) {
      const int top = height - 1 - y;
      const int32_t* owner = index + static_cast<int64_t>(top) * width;
      const float* from = gradient + static_cast<int64_t>(top / pool) * (width / pool);
      float* g = &gradient_[static_cast<size_t>(y) * width];
      if (pool == 1) {
        std::memcpy(g, from, sizeof(float) * width);
      } else {
        for (int x = 0; x < width; ++x) g[x] = 0.25f * from[x / 2];
      }
      std::memcpy(&columns_.count[static_cast<size_t>(y) * width], filled_.data(),
                  sizeof(int32_t) * width);
      prepare_row(y, owner, g);
    }
    std::memcpy(&columns_.count[static_cast<size_t>(height) * width], filled_.data(),
                sizeof(int32_t) * width);
  }

  bool owns_pixels(int64_t face) const { return owns_[face] != 0; }

  // Adds to the nine values of one face.
  void scan_face(const float* face, int32_t id, float eps, float* result) const {
    for (int e = 0; e < 3; ++e) {
      for (int axis = 0; axis < 2; ++axis) {
        Edge edge;
        if (!make_edge(face, e, axis, frame_, &edge)) continue;
        float pull0 = 0.f, pull1 = 0.f;
        scan_edge(edge, axis, id, eps, &pull0, &pull1);
        result[3 * edge.corner0 + 1 - axis] -= pull0;
        result[3 * edge.corner1 + 1 - axis] -= pull1;
      }
    }
  }

 private:
  void prepare_row(int y, const int32_t* owner, const float* g) {
    const int width = frame_.width;
    float* position = &rows_.position[y * rows_.stride];
    float* strength = &rows_.strength[y * rows_.stride];
    int32_t* count = &rows_.count[y * rows_.line_step];
    int n = 0;
    bool live = false;
    for (int x = 0; x < width; ++x) {
      count[x] = n;
      position[n] = static_cast<float>(x);
      strength[n] = -g[x];
      n += (owner[x] < 0) & (g[x] < 0.f);
      if (owner[x] >= 0) {
        owns_[owner[x]] = 1;
        if (g[x] > 0.f) {
          live = true;
          columns_.is_live[x] = 1;
        }
      }
    }
    count[width] = n;
    rows_.is_live[y] = live || n > 0;
    for (int k = 0; k < n; ++k) {
      const int x = static_cast<int>(position[k]);
      const int64_t slot = x * columns_.stride + filled_[x]++;
      columns_.position[slot] = static_cast<float>(y);
      columns_.strength[slot] = strength[k];
      columns_.is_live[x] = 1;
    }
  }

  void scan_edge(const Edge& edge, int axis, int32_t id, float eps, float* pull0,
                 float* pull1) const {
    const PullLists& lists = axis == 0 ? columns_ : rows_;
    // Steps in the stored index map (top row first) and in the raster-order gradient.
    const int64_t width = frame_.width;
    const int64_t origin = (frame_.height - 1) * width;
    const int64_t line_step = axis == 0 ? 1 : -width;
    const int64_t index_step = axis == 0 ? -width : 1;
    const int64_t gradient_step = axis == 0 ? width : 1;
    for (int line = edge.first; line <= edge.last; ++line) {
      if (!lists.is_live[line]) continue;
      Crossing at;
      if (!find_crossing(edge, line, &at)) continue;
      const int32_t* index = index_ + origin + line * line_step;
      const bool owns_in = index[at.in * index_step] == id;
      const bool out_is_empty = index[at.out * index_step] < 0;
      if (!owns_in && !out_is_empty) continue;
      float sum0 = 0.f, sum1 = 0.f;
      const float to0 = lever0(edge, line), to1 = lever1(edge, line);
      if (owns_in) {
        const int begin = edge.direction > 0 ? lists.before(line, at.out) : 0;
        const int end = lists.before(line, edge.direction > 0 ? edge.length : at.out + 1);
        const int64_t start = line * lists.stride + begin;
        add_pulls(&lists.position[start], &lists.strength[start], end - begin, at.cross, to0, to1,
                  eps, &sum0, &sum1);
      }
      if (out_is_empty) {
        const int far_side = find_far_side(edge, line);
        int d = at.in < far_side ? at.in : far_side;
        int last = at.in < far_side ? far_side : at.in;
        d = d > 0 ? d : 0;
        last = last < edge.length - 1 ? last : edge.length - 1;
        const float* g = &gradient_[axis == 0 ? line : line * width];
        for (; d <= last; ++d) {
          const float s = g[d * gradient_step];
          if (index[d * index_step] != id || !(s > 0.f)) continue;
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
  std::vector<float> gradient_;
  std::vector<int32_t> filled_;
  std::vector<uint8_t> owns_;
  const int32_t* index_ = nullptr;
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
  const Bands bands(batch, frame.height, step, threads);
  std::vector<Canvas> canvases = make_canvases(frame, bands, threads);
  if (canvases.empty()) return kOutOfMemory;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * bands.count; ++task) {
    const int64_t b = task / bands.count;
    const int band = static_cast<int>(task % bands.count);
    const int first = bands.first_row(band), last = bands.first_row(band + 1);
    Canvas& canvas = canvases[omp_get_thread_num()];
    canvas.draw_all(faces + b * face_count * 9, face_count, near, far, first, last);
    for (int y = first; y < last; y += step) {
      write_rows(canvas, (frame.height - y) / step - 1, step,
                 index + b * height * width * pool * pool, alpha + b * height * width);
    }
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
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    SilhouetteScan& scan = scans[omp_get_thread_num()];
    scan.prepare(index + b * height * width * pool * pool, gradient + b * height * width, step);
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
