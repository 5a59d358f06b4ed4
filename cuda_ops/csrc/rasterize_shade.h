// Arithmetic of colours and depths on the pixels of a face, and of their exact gradients.
//
// A texture is a cube of T x T x T colours; a pixel of a face looks it up at its
// perspective-correct barycentric weights times T - 1, between the eight texels around.
#pragma once

#include "rasterize.h"

namespace bench {
namespace raster {

constexpr int kTexels = 8;

// The lowest of the eight texels around a pixel, and how far the pixel lies towards the others.
struct TextureCell {
  int at[3];
  float part[3];
};

BENCH_HD TextureCell texture_cell(const float* face, const float* w, float depth, int side,
                                  float eps) {
  TextureCell cell;
  const float most = static_cast<float>(side - 1) - eps;
  for (int k = 0; k < 3; ++k) {
    const float position = w[k] * (side - 1) * (depth / face[3 * k + 2]);
    const float positive = position > 0.f ? position : 0.f;  // NaN becomes 0
    const float clamped = positive < most ? positive : most;
    int at = static_cast<int>(clamped);
    at = at < side - 2 ? at : side - 2;  // where eps is lost in rounding
    cell.at[k] = at;
    cell.part[k] = clamped - at;
  }
  return cell;
}

// Place in the cube and share of texel p; bit k of p chooses the upper neighbour on axis k.
BENCH_HD int texel_place(const TextureCell& cell, int side, int p) {
  return ((cell.at[0] + (p & 1)) * side + cell.at[1] + (p >> 1 & 1)) * side + cell.at[2] +
         (p >> 2 & 1);
}
BENCH_HD float texel_share(const TextureCell& cell, int p) {
  float share = 1.f;
  for (int k = 0; k < 3; ++k) share *= p >> k & 1 ? cell.part[k] : 1.f - cell.part[k];
  return share;
}

BENCH_HD void sample_texture(const float* texture, const TextureCell& cell, int side,
                             float* colour) {
  colour[0] = colour[1] = colour[2] = 0.f;
  for (int p = 0; p < kTexels; ++p) {
    const float* texel = texture + 3 * static_cast<int64_t>(texel_place(cell, side, p));
    const float share = texel_share(cell, p);
    for (int c = 0; c < 3; ++c) colour[c] += share * texel[c];
  }
}

// What a pixel's depth adds to the gradient of its face; `m` is the face's corner_inverse.
// The weights are taken as they come from the inverse, without their clamping.
BENCH_HD void add_depth_gradient(const float* face, const float* m, const float* w, float depth,
                                 float gradient, Frame frame, float* result) {
  const float square = depth * depth;
  const float along_x = -(m[0] / face[2] + m[3] / face[5] + m[6] / face[8]);
  const float along_y = -(m[1] / face[2] + m[4] / face[5] + m[7] / face[8]);
  for (int k = 0; k < 3; ++k) {
    const float z = face[3 * k + 2];
    const float pull = gradient * w[k] * square;
    result[3 * k] -= pull * along_x * (0.5f * frame.width);
    result[3 * k + 1] -= pull * along_y * (0.5f * frame.height);
    result[3 * k + 2] += pull / (z * z);
  }
}

}  // namespace raster
}  // namespace bench
