// The gradients of a picture's colours: corners by Kato's approximation, textures and lights true.
//
// Nothing of the forward pass is kept but the face index: the pixels of each face get their
// colours again while its texture is at hand for the gradient. A thread owns whole pictures, or
// ranges of faces of one picture, so every sum has one order whatever the number of threads.

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "huge_pages.h"
#include "rasterize_colour_scan.h"
#include "rasterize_texels.h"

namespace bench {
namespace raster {
namespace {

// What one picture's backward reads and writes; results are null where they are not asked for.
struct Work {
  const float* faces;
  const int32_t* index;
  Paint paint;
  ColourSlopes slopes;
  float* to_faces;
  float* to_textures;
  float* to_light;
};

template <int kChannels>
class ColourBackward {
 public:
  // Allocates; throws std::bad_alloc.
  ColourBackward(Frame frame, int64_t face_count, int side, bool scans)
      : frame_(frame), count_(face_count),
        runs_(face_count, static_cast<int64_t>(frame.height) * frame.width + 1),
        raster_(scans ? frame : Frame{1, 1}), scan_(raster_, scans ? frame : Frame{1, 1}),
        texels_gradient_(static_cast<size_t>(side) * side * side) {}

  // The results of fronts [first, last) and their backs; throws std::bad_alloc.
  void run(const Work& work, int64_t first, int64_t last, float eps) {
    runs_.clear();
    for (int y = 0; y < frame_.height; ++y) {
      const int64_t row = static_cast<int64_t>(frame_.height - 1 - y) * frame_.width;
      runs_.add_row(work.index + row, frame_.width, y);
    }
    raster_.begin(work.index, work.paint.background);
    const int64_t fronts = work.paint.fronts;
    for (int64_t f = 0; f < fronts; ++f) {
      const bool own = f >= first && f < last;
      if (own) clear_results(work, f);
      if (work.to_faces == nullptr && !own) continue;
      bool seen = false;
      for (int64_t id = f; id < count_; id += fronts) {
        if (runs_.has_pixels(id)) shade_face(work, id, own, &seen);
      }
      if (own && work.to_textures != nullptr) write_texture(work, f, seen);
    }
    if (work.to_faces == nullptr) return;
    raster_.find_ranges();
    for (int axis = 0; axis < 2; ++axis) {
      scan_.begin(axis);
      for (int64_t f = first; f < last; ++f) {
        for (int64_t id = f; id < count_; id += fronts) {
          const float* face = work.faces + 9 * id;
          if (runs_.has_pixels(id) && !is_culled(face)) scan_.add(face, static_cast<int32_t>(id));
        }
      }
      scan_.sweep(work.faces, work.slopes, eps, work.to_faces);
    }
  }

 private:
  void clear_results(const Work& work, int64_t front) {
    for (int64_t id = front; id < count_; id += work.paint.fronts) {
      if (work.to_faces != nullptr) std::memset(work.to_faces + 9 * id, 0, 9 * sizeof(float));
      if (work.to_light != nullptr) std::memset(work.to_light + 3 * id, 0, 3 * sizeof(float));
    }
  }

  // Gives the pixels of a face their colours; if it is an own one, adds up its gradients.
  void shade_face(const Work& work, int64_t id, bool own, bool* seen) {
    const ShownFace shown(work.faces + 9 * id, id, frame_, work.paint);
    const bool learns = own && (work.to_textures != nullptr || work.to_light != nullptr);
    if (learns && !*seen) {
      std::fill(texels_gradient_.begin(), texels_gradient_.end(), Quad{});
      *seen = true;
    }
    Quad to_light = {};
    runs_.for_blocks(id, &pixels_, [&](const PixelBlock& pixels) {
      texels_.locate(shown, pixels);
      for (int l = 0; l < pixels.count; ++l) colours_[l] = texels_.sample(shown, l);
      if (learns) {
        texels_.weigh();
        place_slopes(work.slopes, pixels);
        for (int l = 0; l < pixels.count; ++l) {
          const Quad slope = slope_at(work.slopes, l);
          to_light += slope * colours_[l];
          add_texels(slope * shown.light, l, shown);
        }
      }
      if (work.to_faces != nullptr) {
        for (int l = 0; l < pixels.count; ++l) {
          raster_.set_colour(pixels.x[l], pixels.y[l], colours_[l] * shown.light);
        }
      }
    });
    if (learns && work.to_light != nullptr) {
      for (int c = 0; c < 3; ++c) work.to_light[3 * id + c] = to_light[c];
    }
  }

  void place_slopes(const ColourSlopes& slopes, const PixelBlock& pixels) {
    const int shift = slopes.shift, width = frame_.width >> shift, top = frame_.height - 1;
    for (int l = 0; l < kBlock; ++l) {
      slope_place_[l] = ((top - pixels.y[l]) >> shift) * width + (pixels.x[l] >> shift);
    }
  }

  Quad slope_at(const ColourSlopes& slopes, int l) const {
    const int64_t area = static_cast<int64_t>(frame_.height >> slopes.shift) *
                         (frame_.width >> slopes.shift);
    const float* from = slopes.rgb + slope_place_[l];
    const float share = slopes.shift == 0 ? 1.f : 0.25f;
    return share * Quad{from[0], from[area], from[2 * area], 0.f};
  }

  void add_texels(Quad slope, int l, const ShownFace& shown) {
    Quad* lowest = &texels_gradient_[texels_.place[l] / 3];
    for (int p = 0; p < kTexels / 2; ++p) {
      Quad* texel = lowest + shown.step[p] / 3;
      texel[0] += texels_.share[p][l] * slope;
      texel[1] += texels_.share[p + kTexels / 2][l] * slope;
    }
  }

  void write_texture(const Work& work, int64_t front, bool seen) {
    float* out = work.to_textures + front * work.paint.cube_size();
    if (!seen) {
      std::memset(out, 0, sizeof(float) * work.paint.cube_size());
      return;
    }
    const int64_t count = static_cast<int64_t>(texels_gradient_.size());
    for (int64_t t = 0; t < count; ++t) {
      for (int c = 0; c < 3; ++c) out[3 * t + c] = texels_gradient_[t][c];
    }
  }

  Frame frame_;
  int64_t count_;
  FaceRuns runs_;
  ColourRaster raster_;
  ColourScan<kChannels> scan_;
  std::vector<Quad> texels_gradient_;
  PixelBlock pixels_;
  TexelBlock texels_;
  Quad colours_[kBlock];
  int32_t slope_place_[kBlock];
};

template <int kChannels>
int run_backward(const Work& all, int64_t batch, int64_t face_count, int64_t texture_step,
                 Frame frame, float eps, int threads) {
  const int64_t wanted = batch < threads ? (threads + batch - 1) / batch : 1;
  const int64_t fronts = all.paint.fronts, parts = std::min(wanted, fronts);
  const int64_t raster = static_cast<int64_t>(frame.height) * frame.width;
  const int64_t area = raster >> (2 * all.slopes.shift);
  std::vector<std::unique_ptr<ColourBackward<kChannels>>> workers;
  try {
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back(new ColourBackward<kChannels>(frame, face_count, all.paint.side,
                                                         all.to_faces != nullptr));
    }
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
  std::atomic<bool> is_short{false};
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
  for (int64_t task = 0; task < batch * parts; ++task) {
    const int64_t b = task / parts, part = task % parts;
    Work work = all;
    work.faces += b * face_count * 9;
    work.index += b * raster;
    work.paint.textures += b * texture_step;
    work.paint.background += 3 * b;
    if (work.paint.light != nullptr) work.paint.light += b * face_count * 3;
    work.slopes.rgb += 3 * b * area;
    if (work.slopes.alpha != nullptr) work.slopes.alpha += b * area;
    if (work.to_faces != nullptr) work.to_faces += b * face_count * 9;
    if (work.to_textures != nullptr) work.to_textures += b * fronts * work.paint.cube_size();
    if (work.to_light != nullptr) work.to_light += b * face_count * 3;
    try {
      workers[omp_get_thread_num()]->run(work, fronts * part / parts,
                                         fronts * (part + 1) / parts, eps);
    } catch (const std::bad_alloc&) {  // must not leave the loop
      is_short = true;
    }
  }
  return is_short ? kOutOfMemory : 0;
}

}  // namespace
}  // namespace raster
}  // namespace bench

// rgb_gradient (B,3,H,W), alpha_gradient (B,H,W) or null, and what bench_paint was given ->
// to_faces (B,F,3,3), to_textures (B,fronts,T,T,T,3), to_light (B,F,3), each null if it is not
// asked for. index is (B, H pool, W pool).
extern "C" BENCH_API int bench_paint_backward(
    const float* rgb_gradient, const float* alpha_gradient, const float* faces,
    const float* textures, const float* light, const float* background, const int32_t* index,
    int64_t batch, int64_t face_count, int64_t fronts, int64_t texture_step, int64_t side,
    int64_t height, int64_t width, int64_t pool, float eps, int64_t linear, float* to_faces,
    float* to_textures, float* to_light, int threads) {
  using namespace bench::raster;
  const int step = static_cast<int>(pool);
  const Frame frame = {static_cast<int>(height) * step, static_cast<int>(width) * step};
  const Paint paint = {textures, light, background, fronts, static_cast<int>(side), eps,
                       linear != 0};
  const ColourSlopes slopes = {rgb_gradient, alpha_gradient, frame, step - 1};
  const Work work = {faces, index, paint, slopes, to_faces, to_textures, to_light};
  if (to_textures != nullptr) {
    bench::expect_writes(to_textures, batch * fronts * paint.cube_size() * sizeof(float));
  }
  if (to_faces != nullptr) {
    bench::expect_writes(to_faces, batch * face_count * 9 * sizeof(float));
  }
  if (alpha_gradient == nullptr) {
    return run_backward<3>(work, batch, face_count, texture_step, frame, eps, threads);
  }
  return run_backward<4>(work, batch, face_count, texture_step, frame, eps, threads);
}
