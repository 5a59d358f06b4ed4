// Pictures of textured faces: colours, cover and depth, each only where it is asked for.
//
// A band of raster rows is drawn, its pixels are sorted by face and given their colours, and the
// picture's rows are written from it: no map of the raster is stored but the face index.

#include <algorithm>
#include <cstring>

#include "rasterize_draw.h"
#include "rasterize_texels.h"

namespace bench {
namespace raster {
namespace {

// One picture's results, top row first; null where they are not asked for.
struct Picture {
  int32_t* index;  // of the raster
  float* rgb;
  float* alpha;
  float* depth;
  int pool;  // raster pixels on a side of a picture pixel
};

class Painter {
 public:
  // Allocates; throws std::bad_alloc.
  Painter(Frame frame, const Parts& parts, int64_t face_count, bool colours)
      : canvas_(frame, parts.most_rows(), parts.step), frame_(frame),
        runs_(colours ? face_count : 0,
              static_cast<int64_t>(canvas_.band_rows()) * frame.width + 1),
        stride_(frame.width + kBlock), sums_(frame.width) {
    if (colours) colours_.reset(new float[3 * stride_ * canvas_.band_rows()]());
  }

  void paint(const float* faces, int64_t count, float near, float far, const Paint& paint,
             const Picture& picture, int first_row, int last_row) {
    canvas_.draw_picture(faces, count, near, far, first_row, last_row, [&](int first, int last) {
      if (picture.rgb != nullptr) colour_band(faces, count, paint, first, last);
      for (int y = first; y < last; y += picture.pool) {
        if (picture.pool == 1) {
          write_row(paint, picture, y, y - first);
        } else {
          write_rows(paint, picture, y, y - first);
        }
      }
    });
  }

 private:
  void colour_band(const float* faces, int64_t count, const Paint& paint, int first, int last) {
    runs_.clear();
    for (int y = first; y < last; ++y) runs_.add_row(canvas_.index_row(y), frame_.width, y);
    for (int64_t f = 0; f < count; ++f) {
      if (!runs_.has_pixels(f)) continue;
      const ShownFace shown(faces + 9 * f, f, frame_, paint);
      runs_.for_blocks(f, &pixels_, [&](const PixelBlock& pixels) {
        texels_.locate(shown, pixels);
        for (int l = 0; l < pixels.count; ++l) {
          const Quad colour = texels_.sample(shown, l) * shown.light;
          float* out = colour_row(pixels.y[l] - first, 0) + pixels.x[l];
          for (int c = 0; c < 3; ++c) out[c * stride_] = colour[c];
        }
      });
    }
  }

  float* colour_row(int row, int channel) { return &colours_[(3 * row + channel) * stride_]; }

  // `y` is the raster row, `row` its place in the band. Pictures have their top row first.
  void write_row(const Paint& paint, const Picture& picture, int y, int row) {
    const int width = frame_.width;
    const int64_t start = static_cast<int64_t>(frame_.height - 1 - y) * width;
    const int32_t* owner = canvas_.index_row(y);
    std::memcpy(picture.index + start, owner, sizeof(int32_t) * width);
    if (picture.alpha != nullptr) {
      for (int x = 0; x < width; ++x) picture.alpha[start + x] = owner[x] >= 0 ? 1.f : 0.f;
    }
    if (picture.depth != nullptr) {
      std::memcpy(picture.depth + start, canvas_.depth_row(y), sizeof(float) * width);
    }
    if (picture.rgb == nullptr) return;
    const int64_t area = static_cast<int64_t>(frame_.height) * width;
    for (int c = 0; c < 3; ++c) {
      const float* colour = colour_row(row, c);
      float* out = picture.rgb + c * area + start;
      for (int x = 0; x < width; ++x) out[x] = owner[x] >= 0 ? colour[x] : paint.background[c];
    }
  }

  // Two raster rows, `y` the lower one, to one row of the picture.
  void write_rows(const Paint& paint, const Picture& picture, int y, int row) {
    const int width = frame_.width / 2;
    const int64_t below = static_cast<int64_t>(frame_.height - 1 - y) * frame_.width;
    const int64_t start = static_cast<int64_t>(frame_.height / 2 - 1 - y / 2) * width;
    const int32_t *bottom = canvas_.index_row(y), *top = canvas_.index_row(y + 1);
    std::memcpy(picture.index + below, bottom, sizeof(int32_t) * frame_.width);
    std::memcpy(picture.index + below - frame_.width, top, sizeof(int32_t) * frame_.width);
    if (picture.alpha != nullptr) {
      for (int x = 0; x < width; ++x) {
        const int covered = (bottom[2 * x] >= 0) + (bottom[2 * x + 1] >= 0) +
                            (top[2 * x] >= 0) + (top[2 * x + 1] >= 0);
        picture.alpha[start + x] = 0.25f * covered;
      }
    }
    if (picture.depth != nullptr) {
      const float *lower = canvas_.depth_row(y), *upper = canvas_.depth_row(y + 1);
      for (int x = 0; x < width; ++x) {
        picture.depth[start + x] =
            mean_of_four(upper[2 * x], upper[2 * x + 1], lower[2 * x], lower[2 * x + 1]);
      }
    }
    if (picture.rgb == nullptr) return;
    const int64_t area = static_cast<int64_t>(frame_.height / 2) * width;
    bool any = false;
    for (int x = 0; x < frame_.width; ++x) any |= (bottom[x] & top[x]) >= 0;
    for (int c = 0; c < 3; ++c) {
      float* out = picture.rgb + c * area + start;
      const float nothing = paint.background[c];
      if (!any) {
        std::fill_n(out, width, nothing);
        continue;
      }
      const float *lower = colour_row(row, c), *upper = colour_row(row + 1, c);
      float* sums = sums_.data();
#pragma omp simd
      for (int x = 0; x < frame_.width; ++x) {
        const float below = lower[x], above = upper[x];
        sums[x] = (top[x] >= 0 ? above : nothing) + (bottom[x] >= 0 ? below : nothing);
      }
      for (int x = 0; x < width; ++x) out[x] = mean_of_columns(sums[2 * x], sums[2 * x + 1]);
    }
  }

  Canvas canvas_;
  Frame frame_;
  FaceRuns runs_;
  int64_t stride_;
  std::unique_ptr<float[]> colours_;  // [row of the band][channel][x], lit
  std::vector<float> sums_;  // of two raster rows
  PixelBlock pixels_;
  TexelBlock texels_;
};

}  // namespace
}  // namespace raster
}  // namespace bench

// faces (B,F,3,3), textures (B,fronts,T,T,T,3) whose pictures are `texture_step` floats apart,
// light (B,F,3) or null, background (B,3) -> index (B, H pool, W pool), rgb (B,3,H,W), alpha and
// depth (B,H,W), each null if it is not asked for; pool is 1 or 2.
extern "C" BENCH_API int bench_paint(const float* faces, const float* textures,
                                     const float* light, const float* background, int64_t batch,
                                     int64_t face_count, int64_t fronts, int64_t texture_step,
                                     int64_t side, int64_t height, int64_t width, int64_t pool,
                                     float near, float far, float eps, int64_t linear,
                                     int32_t* index, float* rgb, float* alpha, float* depth,
                                     int threads) {
  using namespace bench::raster;
  const int step = static_cast<int>(pool);
  const Frame frame = {static_cast<int>(height) * step, static_cast<int>(width) * step};
  const Parts parts(batch, frame.height, step, threads);
  std::vector<std::unique_ptr<Painter>> painters;
  try {
    for (int t = 0; t < threads; ++t) {
      painters.emplace_back(new Painter(frame, parts, face_count, rgb != nullptr));
    }
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  const int64_t area = height * width, raster = area * pool * pool;
  bench::expect_writes(index, batch * raster * sizeof(int32_t));
  if (rgb != nullptr) bench::expect_writes(rgb, batch * area * 3 * sizeof(float));
  if (alpha != nullptr) bench::expect_writes(alpha, batch * area * sizeof(float));
  if (depth != nullptr) bench::expect_writes(depth, batch * area * sizeof(float));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts.count; ++task) {
    const int64_t b = task / parts.count;
    const int part = static_cast<int>(task % parts.count);
    const Paint paint = {textures == nullptr ? nullptr : textures + b * texture_step,
                         light == nullptr ? nullptr : light + b * face_count * 3,
                         background + 3 * b, fronts, static_cast<int>(side), eps, linear != 0};
    const Picture picture = {index + b * raster,
                             rgb == nullptr ? nullptr : rgb + b * 3 * area,
                             alpha == nullptr ? nullptr : alpha + b * area,
                             depth == nullptr ? nullptr : depth + b * area, step};
    painters[omp_get_thread_num()]->paint(faces + b * face_count * 9, face_count, near, far,
                                          paint, picture, parts.first_row(part),
                                          parts.first_row(part + 1));
  }
  return 0;
}
