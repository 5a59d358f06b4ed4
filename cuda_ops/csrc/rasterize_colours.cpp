// Colours of a face map, and the gradients of textures and depths. Maps have their top row first.
//
// A thread owns whole pictures, or all pixels of a range of faces in one picture, so every sum has
// one order whatever the number of threads.

#include <algorithm>
#include <cstring>

#include "huge_pages.h"
#include "rasterize_shade.h"

namespace bench {
namespace raster {
namespace {

// How many ranges of faces each picture is cut into.
int64_t face_parts(int64_t batch, int64_t face_count, int threads) {
  const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
  return std::max<int64_t>(1, std::min(wanted, face_count));
}

}  // namespace
}  // namespace raster
}  // namespace bench

// faces (B,F,3,3), textures (B,F,T,T,T,3), background (B,3), index, weights, depth -> rgb
// (B,3,H,W).
extern "C" BENCH_API int bench_shade(const float* faces, const float* textures,
                                     const float* background, const int32_t* index,
                                     const float* weights, const float* depth, int64_t batch,
                                     int64_t face_count, int64_t side, int64_t height,
                                     int64_t width, float eps, float* rgb, int threads) {
  using namespace bench::raster;
  const int64_t area = height * width, cube = side * side * side * 3;
  bench::expect_writes(rgb, batch * area * 3 * sizeof(float));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
  for (int64_t row = 0; row < batch * height; ++row) {
    const int64_t b = row / height, start = row % height * width;
    float* out = rgb + b * 3 * area + start;
    for (int64_t x = 0; x < width; ++x) {
      const int64_t pixel = b * area + start + x;
      const float* colour = background + 3 * b;
      float sampled[3];
      if (index[pixel] >= 0) {
        const int64_t f = b * face_count + index[pixel];
        const TextureCell cell = texture_cell(faces + 9 * f, weights + 3 * pixel, depth[pixel],
                                              static_cast<int>(side), eps);
        sample_texture(textures + f * cube, cell, static_cast<int>(side), sampled);
        colour = sampled;
      }
      for (int c = 0; c < 3; ++c) out[c * area + x] = colour[c];
    }
  }
  return 0;
}

// gradient (B,3,H,W) of the colours -> result (B,F,T,T,T,3).
extern "C" BENCH_API int bench_shade_backward(const float* gradient, const float* faces,
                                              const int32_t* index, const float* weights,
                                              const float* depth, int64_t batch,
                                              int64_t face_count, int64_t side, int64_t height,
                                              int64_t width, float eps, float* result,
                                              int threads) {
  using namespace bench::raster;
  const int64_t area = height * width, cube = side * side * side * 3;
  const int64_t parts = face_parts(batch, face_count, threads);
  bench::expect_writes(result, batch * face_count * cube * sizeof(float));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    const int64_t first = face_count * part / parts, last = face_count * (part + 1) / parts;
    std::memset(result + (b * face_count + first) * cube, 0,
                sizeof(float) * (last - first) * cube);
    const float* slope = gradient + b * 3 * area;
    for (int64_t place = 0; place < area; ++place) {
      const int64_t pixel = b * area + place;
      if (index[pixel] < first || index[pixel] >= last) continue;
      const int64_t f = b * face_count + index[pixel];
      const TextureCell cell = texture_cell(faces + 9 * f, weights + 3 * pixel, depth[pixel],
                                            static_cast<int>(side), eps);
      for (int p = 0; p < kTexels; ++p) {
        const int at = texel_place(cell, static_cast<int>(side), p);
        float* texel = result + f * cube + 3 * static_cast<int64_t>(at);
        const float share = texel_share(cell, p);
        for (int c = 0; c < 3; ++c) texel[c] += share * slope[c * area + place];
      }
    }
  }
  return 0;
}

// Adds the gradient of the depths (B,H,W) to result (B,F,3,3).
extern "C" BENCH_API int bench_depth_backward(const float* gradient, const float* faces,
                                              const int32_t* index, const float* weights,
                                              const float* depth, int64_t batch,
                                              int64_t face_count, int64_t height, int64_t width,
                                              float* result, int threads) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height), static_cast<int>(width)};
  const int64_t area = height * width;
  const int64_t parts = face_parts(batch, face_count, threads);
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    const int64_t first = face_count * part / parts, last = face_count * (part + 1) / parts;
    float m[9] = {};
    int64_t previous = -1;
    for (int64_t pixel = b * area; pixel < (b + 1) * area; ++pixel) {
      if (index[pixel] < first || index[pixel] >= last) continue;
      const int64_t f = b * face_count + index[pixel];
      if (f != previous) corner_inverse(faces + 9 * f, frame, m);
      previous = f;
      add_depth_gradient(faces + 9 * f, m, weights + 3 * pixel, depth[pixel], gradient[pixel],
                         frame, result + 9 * f);
    }
  }
  return 0;
}
