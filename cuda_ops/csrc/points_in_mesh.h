// Which points a mesh contains, by the parity of the triangles above and below each. All of it in
// double precision and in one order of operations, so that every device decides alike.
#pragma once

#include "common.h"

namespace bench {

constexpr double kInsideSide = 512.0;  // the mesh's box becomes [0.5, 511.5]^3
constexpr int kInsideBuckets = 128;    // per side of the plane

// Bits of what the vertical through a point does with a face.
constexpr uint64_t kInsideAbove = 1, kInsideBelow = 2, kInsideBoth = 3;

struct InsideScale {
  double scale[3], shift[3];
};

// Of the box of the corners; false if it is flat, or a corner is NaN.
BENCH_HD bool inside_scale(const double low[3], const double high[3], InsideScale& to) {
  for (int axis = 0; axis < 3; ++axis) {
    if (!(high[axis] > low[axis])) return false;
    to.scale[axis] = (kInsideSide - 1.0) / (high[axis] - low[axis]);
    to.shift[axis] = 0.5 - to.scale[axis] * low[axis];
  }
  return true;
}

BENCH_HD void inside_scaled(const InsideScale& by, const double from[3], double to[3]) {
  for (int axis = 0; axis < 3; ++axis) to[axis] = by.scale[axis] * from[axis] + by.shift[axis];
}

// Whether a scaled point may be inside at all; false for NaN and infinity.
BENCH_HD bool inside_possible(const double p[3]) {
  bool possible = true;
  for (int axis = 0; axis < 3; ++axis) possible &= p[axis] >= 0.0 && p[axis] <= kInsideSide;
  return possible;
}

// The bucket of a scaled coordinate, at most the last one; also for what lies far outside.
BENCH_HD int inside_bucket(double x) {
  const double bucket = x * (kInsideBuckets / kInsideSide);  // exact: a quarter
  if (!(bucket >= 0.0)) return 0;
  return bucket < kInsideBuckets ? static_cast<int>(bucket) : kInsideBuckets - 1;
}

// The buckets of the plane that a face's box touches. A point in another one does not meet the
// face, which matters where rounding would say otherwise: beside a face that is almost a line.
struct InsideBuckets {
  uint8_t x0, x1, y0, y1;  // both ends count
};

BENCH_HD double inside_least(double a, double b, double c) {
  const double least = a < b ? a : b;
  return least < c ? least : c;
}

BENCH_HD double inside_most(double a, double b, double c) {
  const double most = a > b ? a : b;
  return most > c ? most : c;
}

BENCH_HD InsideBuckets inside_buckets(const double a[3], const double b[3], const double c[3]) {
  InsideBuckets to;
  to.x0 = static_cast<uint8_t>(inside_bucket(inside_least(a[0], b[0], c[0])));
  to.x1 = static_cast<uint8_t>(inside_bucket(inside_most(a[0], b[0], c[0])));
  to.y0 = static_cast<uint8_t>(inside_bucket(inside_least(a[1], b[1], c[1])));
  to.y1 = static_cast<uint8_t>(inside_bucket(inside_most(a[1], b[1], c[1])));
  return to;
}

// What a crossing needs of a face with scaled corners a, b, c. Ways and normal are turned by the
// sign of the projection's orientation and of the normal: a change of sign is exact.
struct InsideFace {
  double cx, cy;          // the last corner
  double px, py, qx, qy;  // the ways from it to the first and second
  double size;            // twice the area of the projection
  double ax, ay;          // the first corner
  double nx, ny;          // the normal
  double upright, lift;   // its height's size, and that times the first corner's height
};

BENCH_HD double inside_sign(double x) {
  return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x == 0.0 ? 0.0 : x;
}

// False for a face that no vertical meets: its projection has no area, or a corner is NaN.
BENCH_HD bool inside_face(const double a[3], const double b[3], const double c[3],
                          InsideFace& to) {
  const double px = a[0] - c[0], py = a[1] - c[1], qx = b[0] - c[0], qy = b[1] - c[1];
  const double area = px * qy - qx * py;
  if (!(area > 0.0 || area < 0.0)) return false;
  const double side = inside_sign(area);
  const double ux = c[0] - a[0], uy = c[1] - a[1], uz = c[2] - a[2];
  const double vx = b[0] - a[0], vy = b[1] - a[1], vz = b[2] - a[2];
  const double nz = ux * vy - uy * vx, up = inside_sign(nz);
  to.cx = c[0], to.cy = c[1];
  to.px = px * side, to.py = py * side, to.qx = qx * side, to.qy = qy * side;
  to.size = area * side;
  to.ax = a[0], to.ay = a[1];
  to.nx = (uy * vz - uz * vy) * up, to.ny = (uz * vx - ux * vz) * up;
  to.upright = nz * up;
  to.lift = a[2] * to.upright;
  return true;
}

// 0 unless the scaled point lies strictly inside the face's projection; else whether the vertical
// meets the face at or above the point, or below it.
BENCH_HD uint64_t inside_crossing(const InsideFace& f, double px, double py, double pz) {
  const double x = px - f.cx, y = py - f.cy;
  const double u = f.qy * x - f.qx * y, v = f.px * y - f.py * x;
  const double depth = f.lift + ((f.ax - px) * f.nx + (f.ay - py) * f.ny);
  const uint64_t side = depth >= pz * f.upright ? kInsideAbove : kInsideBelow;
  const uint64_t hit = (u > 0.0) & (v > 0.0) & (u + v < f.size) ? ~uint64_t{0} : 0;
  return hit & side;
}

}  // namespace bench
