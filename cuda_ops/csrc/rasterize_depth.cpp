// The gradient of depths.

#include <omp.h>

#include <algorithm>
#include <new>

#include "rasterize_runs.h"
#include "rasterize_scan.h"
#include "rasterize_shade.h"

namespace bench {
namespace raster {
namespace {

struct DepthBlock {
  float w0[kBlock], w1[kBlock], w2[kBlock], depth[kBlock];

  void find(const float* face, const float* inverse, const PixelBlock& pixels) {
    float corners[9], m[9];  // copies: results do not overwrite them
    std::memcpy(corners, face, sizeof corners);
    std::memcpy(m, inverse, sizeof m);
#pragma omp simd
    for (int32_t l = 0; l < kBlock; ++l) find_one(corners, m, pixels.x[l], pixels.y[l], l);
  }

 private:
  void find_one(const float* face, const float* m, int32_t x, int32_t y, int32_t l) {
    const Weights w = weights_at(m, static_cast<float>(x), static_cast<float>(y));
    w0[l] = w.w0;
    w1[l] = w.w1;
    w2[l] = w.w2;
    depth[l] = depth_at(face, w);
  }
};

}  // namespace
}  // namespace raster
}  // namespace bench

// Adds the gradient of the depths (B,H,W) to result (B,F,3,3); index is (B, H pool, W pool).
extern "C" BENCH_API int bench_depth_backward(const float* gradient, const float* faces,
                                              const int32_t* index, int64_t batch,
                                              int64_t face_count, int64_t height, int64_t width,
                                              int64_t pool, float* result, int threads) {
  using namespace bench::raster;
  const int step = static_cast<int>(pool);
  const Frame frame = {static_cast<int>(height) * step, static_cast<int>(width) * step};
  const int64_t raster = static_cast<int64_t>(frame.height) * frame.width;
  const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
  const int64_t parts = std::min(wanted, face_count);
  std::vector<std::unique_ptr<FaceRuns>> all_runs;
  try {
    for (int t = 0; t < threads; ++t) all_runs.emplace_back(new FaceRuns(face_count, raster + 1));
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    FaceRuns& runs = *all_runs[omp_get_thread_num()];
    runs.clear();
    for (int y = 0; y < frame.height; ++y) {
      const int64_t row = static_cast<int64_t>(frame.height - 1 - y) * frame.width;
      runs.add_row(index + b * raster + row, frame.width, y);
    }
    const PictureGradient slope = {gradient + b * height * width, frame, step - 1};
    PixelBlock block;
    DepthBlock found;
    for (int64_t f = face_count * part / parts; f < face_count * (part + 1) / parts; ++f) {
      if (!runs.has_pixels(f)) continue;
      const float* face = faces + (b * face_count + f) * 9;
      float m[9];
      corner_inverse(face, frame, m);
      DepthPull pull = {{0.f, 0.f, 0.f}};
      runs.for_blocks(f, &block, [&](const PixelBlock& pixels) {
        found.find(face, m, pixels);
        for (int l = 0; l < pixels.count; ++l) {
          add_depth_pull({found.w0[l], found.w1[l], found.w2[l]}, found.depth[l],
                         slope.at(1, pixels.y[l], pixels.x[l]), &pull);
        }
      });
      add_depth_gradient(face, m, pull, frame, result + (b * face_count + f) * 9);
    }
  }
  return 0;
}
