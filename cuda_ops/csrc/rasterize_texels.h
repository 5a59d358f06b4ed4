// Where a block of a face's pixels lies in its texture. CPU only; the arithmetic is that of
// rasterize_shade.h, in vectors of pixels for the places and of colours for the texels.
#pragma once

#include <cstring>

#include "rasterize_runs.h"
#include "rasterize_shade.h"

namespace bench {
namespace raster {

typedef float Quad __attribute__((vector_size(16)));

inline Quad load_quad(const float* from) {
  Quad v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

// One face, with what all its pixels need.
struct ShownFace {
  ShownFace(const float* face, int64_t id, Frame frame, const Paint& paint)
      : cube(paint.cube(id)) {
    texture_corners(face, paint.is_back(id), paint.linear, corners);
    corner_inverse(corners, frame, m);
    map = make_texture_map(corners, paint);
    light = Quad{paint.light_of(id, 0), paint.light_of(id, 1), paint.light_of(id, 2), 0.f};
    for (int p = 0; p < kTexels / 2; ++p) step[p] = 3 * texel_step(paint.side, p);
  }

  const float* cube;
  float corners[9], m[9];
  TextureMap map;
  Quad light;
  int step[kTexels / 2];  // to the four texels that are lower on axis 2, in floats
};

inline Quad blend(Quad from, Quad to, float part) { return from + part * (to - from); }

struct TexelBlock {
  int32_t place[kBlock];  // of the lowest texel, in floats
  float part0[kBlock], part1[kBlock], part2[kBlock];
  float share[kTexels][kBlock];

  void locate(const ShownFace& shown, const PixelBlock& pixels) {
    // A copy, because the compiler cannot know that results do not overwrite what it reads.
    const ShownFace own = shown;
#pragma omp simd
    for (int32_t l = 0; l < kBlock; ++l) locate_one(own, pixels.x[l], pixels.y[l], l);
  }

  // Fills in the shares, of located pixels.
  void weigh() {
#pragma omp simd
    for (int32_t l = 0; l < kBlock; ++l) weigh_one(l);
  }

  // The unlit colour of pixel l; sample_texture in vectors of colours. Two texels that follow each
  // other on axis 2 are six floats, which two vectors of four cover without reading beyond.
  Quad sample(const ShownFace& shown, int l) const {
    const float* at = shown.cube + place[l];
    Quad low[kTexels / 2], high[kTexels / 2];
    for (int p = 0; p < kTexels / 2; ++p) {
      low[p] = load_quad(at + shown.step[p]);
      high[p] = load_quad(at + shown.step[p] + 2);
    }
    const Quad lower = blend(blend(low[0], low[1], part0[l]), blend(low[2], low[3], part0[l]),
                             part1[l]);
    const Quad upper = blend(blend(high[0], high[1], part0[l]),
                             blend(high[2], high[3], part0[l]), part1[l]);
    return blend(lower, Quad{upper[1], upper[2], upper[3], 0.f}, part2[l]);
  }

 private:
  // Functions of their own: compilers vectorise no loop that declares structures.
  void locate_one(const ShownFace& own, int32_t x, int32_t y, int32_t l) {
    const Weights w = weights_at(own.m, static_cast<float>(x), static_cast<float>(y));
    const float depth = depth_at(own.corners, w);
    const TextureCell cell = texture_cell(own.map, w, depth);
    place[l] = 3 * cell_place(cell, own.map.side);
    part0[l] = cell.part0;
    part1[l] = cell.part1;
    part2[l] = cell.part2;
  }
  void weigh_one(int32_t l) {
    const TextureCell cell = {0, 0, 0, part0[l], part1[l], part2[l]};
    for (int p = 0; p < kTexels; ++p) share[p][l] = texel_share(cell, p);
  }
};

}  // namespace raster
}  // namespace bench
