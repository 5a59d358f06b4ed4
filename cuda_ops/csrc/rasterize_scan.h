// Arithmetic of Kato's approximate gradient: what happens if an edge of a face moves.
//
// For every edge of a face and both axes, all raster lines that the edge crosses are scanned.
// Axis 0 scans columns: a = x runs along the lines' index, b = y is the moving coordinate and
// receives the gradient. Axis 1 exchanges the two. On each line the edge crosses at `cross`;
// the pixel just inside the face is `in`, its neighbour just outside is `out`.
//
// If a pixel at d took the colour across the edge, the loss would fall by s; only s > 0 counts.
// The corners would have to move by `reach` for that, so each of the edge's corners receives
// -s / reach.
#pragma once

#include "rasterize.h"

namespace bench {
namespace raster {

struct Edge {
  float a0, b0, a1, b1, a2, b2;  // pixel coordinates: the edge's two corners, the third corner
  float slope;
  float scale;  // pixels to device units on the moving axis
  int corner0, corner1;
  int direction;  // of the outside, +1 or -1 along b
  int first, last;  // lines, inclusive
  int length;  // pixels on a line
};

// The three corners in pixel coordinates, [corner][axis].
struct Corners {
  float at[3][2];
};

BENCH_HD Corners to_corners(const float* face, Frame frame) {
  Corners corners;
  for (int k = 0; k < 3; ++k) {
    corners.at[k][0] = to_pixel(face[3 * k], frame.width);
    corners.at[k][1] = to_pixel(face[3 * k + 1], frame.height);
  }
  return corners;
}

// False if the edge moves nothing. An edge with a0 == a1 never does: either both its corners lie
// on the line, and neither is moved, or its crossing is infinite.
BENCH_HD bool make_edge(const Corners& corners, int e, int axis, Frame frame, Edge* edge) {
  const int k0 = e, k1 = (e + 1) % 3, k2 = (e + 2) % 3;
  const int size_a = axis == 0 ? frame.width : frame.height;
  const int size_b = axis == 0 ? frame.height : frame.width;
  edge->a0 = corners.at[k0][axis];
  edge->a1 = corners.at[k1][axis];
  if (!(edge->a0 != edge->a1)) return false;
  const float low = edge->a0 < edge->a1 ? edge->a0 : edge->a1;
  const float high = edge->a0 < edge->a1 ? edge->a1 : edge->a0;
  const float first = ceilf(low);
  const float most = static_cast<float>(size_a - 1);
  edge->first = to_int(first > 0.f ? first : 0.f);
  // Truncation toward zero: an edge that ends in (-1, 0) still asks line 0, as in the original.
  edge->last = to_int(high < most ? high : most);
  if (edge->first > edge->last) return false;
  edge->a2 = corners.at[k2][axis];
  edge->b0 = corners.at[k0][1 - axis];
  edge->b1 = corners.at[k1][1 - axis];
  edge->b2 = corners.at[k2][1 - axis];
  edge->slope = (edge->b1 - edge->b0) / (edge->a1 - edge->a0);
  edge->scale = 2.f / size_b;
  edge->corner0 = k0;
  edge->corner1 = k1;
  edge->direction = (edge->a0 < edge->a1) == (axis == 0) ? -1 : 1;
  edge->length = size_b;
  return true;
}

// A raster pixel's share of the gradient of the picture, whose pixels are 1 << shift raster
// pixels wide and whose top row comes first; (x, y) is a raster pixel.
struct PictureGradient {
  const float* picture;
  Frame frame;
  int shift;

  BENCH_HD const float* row(int y) const {
    const int64_t from_top = (frame.height - 1 - y) >> shift;
    return picture + from_top * (frame.width >> shift);
  }
  BENCH_HD float share(float value) const { return shift == 0 ? value : 0.25f * value; }
  BENCH_HD float at(int axis, int line, int d) const {
    const int x = axis == 0 ? line : d, y = axis == 0 ? d : line;
    return share(row(y)[x >> shift]);
  }
};

struct Crossing {
  float cross;
  int in, out;
};

BENCH_HD float find_cross(const Edge& edge, int line) {
  return edge.slope * (line - edge.a0) + edge.b0;
}
BENCH_HD int find_inner(const Edge& edge, float cross) {
  return to_int(edge.direction > 0 ? floorf(cross) : ceilf(cross));
}

// False where either pixel lies outside the raster: edges at the very border move nothing.
BENCH_HD bool find_crossing(const Edge& edge, int line, Crossing* crossing) {
  const float cross = find_cross(edge, line);
  const int in = find_inner(edge, cross);
  if (in < 0 || in >= edge.length) return false;
  const int out = in + edge.direction;
  if (out < 0 || out >= edge.length) return false;
  crossing->cross = cross;
  crossing->in = in;
  crossing->out = out;
  return true;
}

// Slopes of the face's other two edges.
struct FarSlopes {
  float at0, at1;  // of the edges that end in the third corner and in corner 0 or 1
};

BENCH_HD FarSlopes make_far_slopes(const Edge& edge) {
  return {(edge.b2 - edge.b0) / (edge.a2 - edge.a0), (edge.b1 - edge.b2) / (edge.a1 - edge.a2)};
}

// The last pixel inside the face on this line, where one of its other two edges crosses.
BENCH_HD int find_far_side(const Edge& edge, const FarSlopes& slopes, int line) {
  float cross;
  if ((line - edge.a0) * (line - edge.a2) < 0.f) {
    cross = slopes.at0 * (line - edge.a0) + edge.b0;
  } else {
    cross = slopes.at1 * (line - edge.a2) + edge.b2;
  }
  return to_int(edge.direction > 0 ? ceilf(cross) : floorf(cross));
}
BENCH_HD int find_far_side(const Edge& edge, int line) {
  return find_far_side(edge, make_far_slopes(edge), line);
}

// How far a corner must move (device units) for the edge to reach a pixel, per pixel of offset.
// The corner that is not moved lies on the line where this is infinite; skip that one.
BENCH_HD float lever0(const Edge& edge, int line) {
  return (edge.a1 - edge.a0) / (edge.a1 - line) * edge.scale;
}
BENCH_HD float lever1(const Edge& edge, int line) {
  return (edge.a1 - edge.a0) / (line - edge.a0) * edge.scale;
}

// `eps` keeps pixels on the edge itself from dividing by zero.
BENCH_HD float reach(float lever, float offset, float eps) {
  const float distance = lever * offset;
  return distance > 0.f ? distance + eps : distance - eps;
}

}  // namespace raster
}  // namespace bench
