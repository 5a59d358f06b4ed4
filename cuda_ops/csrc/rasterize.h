// Arithmetic of the triangle rasterizer of Neural 3D Mesh Renderer (Kato et al., CVPR 2018).
//
// Faces are nine floats: three corners (x, y, z); x and y in normalised device coordinates
// (-1..1, y up), z the camera depth. A raster has `width` x `height` pixels; pixel (0, 0) is the
// one at x = y = -1, so raster rows grow upward. Pixel coordinate of a device coordinate u on an
// axis of n pixels: 0.5 * (u n + n - 1).
//
// Every line below is one rounding of float32: the libraries are built without fused operations,
// so CPU levels and CUDA agree to the last bit.
#pragma once

#include <cmath>

#include "common.h"

namespace bench {
namespace raster {

// Pixel centres this far (in pixels) outside the bounding box of a face are still tested.
// It only has to exceed the rounding of the pixel coordinates.
constexpr float kBoxMargin = 0.01f;

// What the C functions return where memory is short; 0 is success.
constexpr int kOutOfMemory = 12;

struct Frame {
  int height;
  int width;
};

// Faces seen from behind (clockwise with y up) are not drawn. Zero area is not culled here.
BENCH_HD bool is_culled(const float* face) {
  return (face[7] - face[1]) * (face[3] - face[0]) < (face[4] - face[1]) * (face[6] - face[0]);
}

// Whether the corners can be placed on the raster at all; NaN and infinity cannot.
BENCH_HD bool is_placed(const float* face) {
  // 0 * x is 0 for finite x and NaN otherwise.
  const float probe = face[0] * 0.f + face[1] * 0.f + face[3] * 0.f + face[4] * 0.f +
                      face[6] * 0.f + face[7] * 0.f;
  return probe == 0.f;
}

BENCH_HD float to_pixel(float u, int n) { return 0.5f * (u * n + n - 1.f); }

BENCH_HD float pixel_centre(int i, int n) { return (2.f * i + 1.f - n) / n; }

// CUDA's float to int conversion: saturating, NaN becomes 0. On x86 the plain cast would give
// INT_MIN for all of these.
BENCH_HD int to_int(float value) {
  if (!(value == value)) return 0;
  if (value >= 2147483648.f) return 2147483647;
  if (value <= -2147483648.f) return -2147483647 - 1;
  return static_cast<int>(value);
}

// Inclusive range of pixels whose centres may lie inside the face; empty if first > last.
struct Box {
  int x_first, x_last, y_first, y_last;
};

BENCH_HD void axis_range(float a, float b, float c, int n, int* first, int* last) {
  float low = a < b ? a : b;
  low = low < c ? low : c;
  float high = a > b ? a : b;
  high = high > c ? high : c;
  low = ceilf(low - kBoxMargin);
  high = floorf(high + kBoxMargin);
  // Compared as floats first: far-away corners do not fit an int.
  *first = low > 0.f ? (low < static_cast<float>(n) ? static_cast<int>(low) : n) : 0;
  *last = high < static_cast<float>(n - 1) ? (high >= 0.f ? static_cast<int>(high) : -1) : n - 1;
}

BENCH_HD Box bounding_box(const float* face, Frame frame) {
  Box box;
  axis_range(to_pixel(face[0], frame.width), to_pixel(face[3], frame.width),
             to_pixel(face[6], frame.width), frame.width, &box.x_first, &box.x_last);
  axis_range(to_pixel(face[1], frame.height), to_pixel(face[4], frame.height),
             to_pixel(face[7], frame.height), frame.height, &box.y_first, &box.y_last);
  return box;
}

// Rows of the inverse of the corner matrix: weight k at pixel (x, y) is m[3k] x + m[3k+1] y +
// m[3k+2]. A face without area divides by zero, all its weights become NaN or 0/0 later, and it
// is never drawn.
BENCH_HD void corner_inverse(const float* face, Frame frame, float* m) {
  const float x0 = to_pixel(face[0], frame.width), y0 = to_pixel(face[1], frame.height);
  const float x1 = to_pixel(face[3], frame.width), y1 = to_pixel(face[4], frame.height);
  const float x2 = to_pixel(face[6], frame.width), y2 = to_pixel(face[7], frame.height);
  const float d = x2 * (y0 - y1) + x0 * (y1 - y2) + x1 * (y2 - y0);
  m[0] = (y1 - y2) / d;
  m[1] = (x2 - x1) / d;
  m[2] = (x1 * y2 - x2 * y1) / d;
  m[3] = (y2 - y0) / d;
  m[4] = (x0 - x2) / d;
  m[5] = (x2 * y0 - x0 * y2) / d;
  m[6] = (y0 - y1) / d;
  m[7] = (x1 - x0) / d;
  m[8] = (x0 * y1 - x1 * y0) / d;
}

// Edges are inclusive: a pixel centre on a shared edge is inside both faces.
BENCH_HD bool is_inside(const float* face, float xp, float yp) {
  return !((yp - face[1]) * (face[3] - face[0]) < (xp - face[0]) * (face[4] - face[1])) &
         !((yp - face[4]) * (face[6] - face[3]) < (xp - face[3]) * (face[7] - face[4])) &
         !((yp - face[7]) * (face[0] - face[6]) < (xp - face[6]) * (face[1] - face[7]));
}

// As CUDA's fmin(fmax(w, 0), 1): NaN becomes 0.
BENCH_HD float clamp_weight(float w) {
  const float positive = w > 0.f ? w : 0.f;
  return positive < 1.f ? positive : 1.f;
}

struct Weights {
  float w0, w1, w2;
};

// Screen-space barycentric weights of pixel (x, y), clamped and made to sum to 1.
BENCH_HD Weights weights_at(const float* m, float x, float y) {
  const float w0 = clamp_weight(m[0] * x + m[1] * y + m[2]);
  const float w1 = clamp_weight(m[3] * x + m[4] * y + m[5]);
  const float w2 = clamp_weight(m[6] * x + m[7] * y + m[8]);
  const float sum = w0 + w1 + w2;
  return {w0 / sum, w1 / sum, w2 / sum};
}

// Perspective-correct depth: the reciprocal is linear on the screen.
BENCH_HD float depth_at(const float* face, Weights w) {
  return 1.f / (w.w0 / face[2] + w.w1 / face[5] + w.w2 / face[8]);
}

}  // namespace raster
}  // namespace bench
