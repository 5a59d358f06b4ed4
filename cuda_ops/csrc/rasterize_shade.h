// Arithmetic of colours and depths on the pixels of a face, and of their exact gradients.
//
// A texture is a cube of T x T x T colours; a pixel of a face looks it up at its
// perspective-correct barycentric weights times T - 1, between the eight texels around. The back
// of a face, whose corners run the other way, shows the cube of its front with axes 0 and 2
// exchanged. What is found is multiplied by the light of the face.
#pragma once

#include "rasterize.h"

namespace bench {
namespace raster {

constexpr int kTexels = 8;

// What a picture's faces show. The textures are those of the first `fronts` faces; face
// `fronts` + i is the back of face i.
struct Paint {
  const float* textures;    // (fronts,T,T,T,3) of one picture
  const float* light;       // (F,3), or null: 1
  const float* background;  // (3)
  int64_t fronts;
  int side;
  float eps;
  bool linear;  // weights are linear on the screen, not through a lens

  BENCH_HD int64_t cube_size() const { return static_cast<int64_t>(side) * side * side * 3; }
  BENCH_HD bool is_back(int64_t face) const { return face >= fronts; }
  BENCH_HD int64_t front(int64_t face) const { return face >= fronts ? face - fronts : face; }
  BENCH_HD const float* cube(int64_t face) const { return textures + front(face) * cube_size(); }
  BENCH_HD float light_of(int64_t face, int channel) const {
    return light == nullptr ? 1.f : light[3 * face + channel];
  }
};

// The corners of a face in the order of its cube's axes: those of a back are those of its front.
// Weights that are linear on the screen are those of a face at depth 1.
BENCH_HD void texture_corners(const float* face, bool is_back, bool linear, float* corners) {
  for (int k = 0; k < 3; ++k) {
    const float* corner = face + 3 * (is_back ? 2 - k : k);
    corners[3 * k] = corner[0];
    corners[3 * k + 1] = corner[1];
    corners[3 * k + 2] = linear ? 1.f : corner[2];
  }
}

// How the weights of these corners become positions in the cube.
struct TextureMap {
  int side;
  float most;      // the last position on an axis
  float scale[3];  // of each axis, by the reciprocal depth of its corner
};

BENCH_HD TextureMap make_texture_map(const float* corners, const Paint& paint) {
  TextureMap map;
  const float length = static_cast<float>(paint.side - 1), most = length - paint.eps;
  map.side = paint.side;
  map.most = most > 0.f ? most : 0.f;
  for (int k = 0; k < 3; ++k) map.scale[k] = length / corners[3 * k + 2];
  return map;
}

// The lowest of the eight texels around a pixel, and how far the pixel lies towards the others.
struct TextureCell {
  int at0, at1, at2;
  float part0, part1, part2;
};

BENCH_HD float texture_position(float w, float depth, float scale, float most) {
  const float position = w * (depth * scale);
  const float positive = position > 0.f ? position : 0.f;  // NaN becomes 0
  return positive < most ? positive : most;
}

BENCH_HD int texture_floor(float position, int side) {
  const int at = static_cast<int>(position);
  return at < side - 2 ? at : side - 2;  // where eps is lost in rounding
}

BENCH_HD TextureCell texture_cell(const TextureMap& map, Weights w, float depth) {
  const float p0 = texture_position(w.w0, depth, map.scale[0], map.most);
  const float p1 = texture_position(w.w1, depth, map.scale[1], map.most);
  const float p2 = texture_position(w.w2, depth, map.scale[2], map.most);
  TextureCell cell;
  cell.at0 = texture_floor(p0, map.side);
  cell.at1 = texture_floor(p1, map.side);
  cell.at2 = texture_floor(p2, map.side);
  cell.part0 = p0 - cell.at0;
  cell.part1 = p1 - cell.at1;
  cell.part2 = p2 - cell.at2;
  return cell;
}

// Place of the lowest texel in the cube, and of texel p behind it; bit k of p chooses the upper
// neighbour on axis k.
BENCH_HD int cell_place(const TextureCell& cell, int side) {
  return (cell.at0 * side + cell.at1) * side + cell.at2;
}
BENCH_HD int texel_step(int side, int p) {
  return (p & 1) * side * side + (p >> 1 & 1) * side + (p >> 2 & 1);
}
BENCH_HD float texel_share(const TextureCell& cell, int p) {
  return (p & 1 ? cell.part0 : 1.f - cell.part0) * (p & 2 ? cell.part1 : 1.f - cell.part1) *
         (p & 4 ? cell.part2 : 1.f - cell.part2);
}

// Texels of one colour give that colour exactly, so that a uniform surface pulls at nothing.
BENCH_HD float blend(float from, float to, float part) { return from + part * (to - from); }

BENCH_HD void sample_texture(const float* texture, const TextureCell& cell, int side,
                             float* colour) {
  const float* lowest = texture + 3 * static_cast<int64_t>(cell_place(cell, side));
  for (int c = 0; c < 3; ++c) {
    float found[kTexels];
    for (int p = 0; p < kTexels; ++p) found[p] = lowest[3 * texel_step(side, p) + c];
    for (int p = 0; p < 8; p += 2) found[p] = blend(found[p], found[p + 1], cell.part0);
    for (int p = 0; p < 8; p += 4) found[p] = blend(found[p], found[p + 2], cell.part1);
    colour[c] = blend(found[0], found[4], cell.part2);
  }
}

// The mean of a picture pixel's four raster pixels, from the sums of its columns.
BENCH_HD float mean_of_columns(float left, float right) { return 0.25f * (left + right); }
BENCH_HD float mean_of_four(float top_left, float top_right, float bottom_left,
                            float bottom_right) {
  return mean_of_columns(top_left + bottom_left, top_right + bottom_right);
}

// The gradient of depths: what the pixels of a face pull with at each corner, weighed by how its
// depth follows the corner. The weights are taken without their clamping.
struct DepthPull {
  float corner[3];
};

BENCH_HD void add_depth_pull(Weights w, float depth, float gradient, DepthPull* pull) {
  const float strength = gradient * (depth * depth);
  pull->corner[0] += strength * w.w0;
  pull->corner[1] += strength * w.w1;
  pull->corner[2] += strength * w.w2;
}

// Adds to the nine values of the face; `m` is its corner_inverse.
BENCH_HD void add_depth_gradient(const float* face, const float* m, const DepthPull& pull,
                                 Frame frame, float* result) {
  const float along_x = -(m[0] / face[2] + m[3] / face[5] + m[6] / face[8]);
  const float along_y = -(m[1] / face[2] + m[4] / face[5] + m[7] / face[8]);
  for (int k = 0; k < 3; ++k) {
    const float z = face[3 * k + 2];
    result[3 * k] -= pull.corner[k] * along_x * (0.5f * frame.width);
    result[3 * k + 1] -= pull.corner[k] * along_y * (0.5f * frame.height);
    result[3 * k + 2] += pull.corner[k] / (z * z);
  }
}

}  // namespace raster
}  // namespace bench
