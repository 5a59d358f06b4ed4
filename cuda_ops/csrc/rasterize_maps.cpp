// Which face each pixel shows, with weights and depth.

#include <algorithm>

#include "rasterize_draw.h"

namespace bench {
namespace raster {
namespace {

// Writes raster row y to picture row height - 1 - y (pictures have their top row first).
void write_row(const float* faces, const Canvas& canvas, int y, int32_t* index_out,
               float* weights_out, float* depth_out) {
  const Frame frame = canvas.frame();
  const int32_t* index = canvas.index_row(y);
  const float* depth = canvas.depth_row(y);
  const int64_t start = static_cast<int64_t>(frame.height - 1 - y) * frame.width;
  int32_t previous = -1;
  float m[9] = {};
  for (int x = 0; x < frame.width; ++x) {
    Weights w = {0.f, 0.f, 0.f};
    if (index[x] >= 0) {
      if (index[x] != previous) {
        corner_inverse(faces + 9 * static_cast<int64_t>(index[x]), frame, m);
        previous = index[x];
      }
      w = weights_at(m, static_cast<float>(x), static_cast<float>(y));
    }
    index_out[start + x] = index[x];
    depth_out[start + x] = depth[x];
    weights_out[3 * (start + x)] = w.w0;
    weights_out[3 * (start + x) + 1] = w.w1;
    weights_out[3 * (start + x) + 2] = w.w2;
  }
}

}  // namespace
}  // namespace raster
}  // namespace bench

// faces (B,F,3,3) -> index (B,H,W), weights (B,H,W,3), depth (B,H,W).
extern "C" BENCH_API int bench_rasterize_maps(const float* faces, int64_t batch,
                                              int64_t face_count, int64_t height, int64_t width,
                                              float near, float far, int32_t* index,
                                              float* weights, float* depth, int threads) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height), static_cast<int>(width)};
  const Parts parts(batch, frame.height, 1, threads);
  std::vector<Canvas> canvases = make_canvases(frame, parts, threads);
  if (canvases.empty()) return kOutOfMemory;
  const int64_t pixels = height * width;
  bench::expect_writes(index, batch * pixels * sizeof(int32_t));
  bench::expect_writes(weights, batch * pixels * 3 * sizeof(float));
  bench::expect_writes(depth, batch * pixels * sizeof(float));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts.count; ++task) {
    const int64_t b = task / parts.count;
    const int part = static_cast<int>(task % parts.count);
    Canvas& canvas = canvases[omp_get_thread_num()];
    const float* picture = faces + b * face_count * 9;
    canvas.draw_picture(picture, face_count, near, far, parts.first_row(part),
                        parts.first_row(part + 1), [&](int first, int last) {
                          for (int y = first; y < last; ++y) {
                            write_row(picture, canvas, y, index + b * pixels,
                                      weights + b * pixels * 3, depth + b * pixels);
                          }
                        });
  }
  return 0;
}
