// Arithmetic of DIB-R's renderer (Chen et al., NeurIPS 2019) as kaolin defines it.
//
// Faces are three corners (x, y) on the image plane (-1..1, x right, y up) with depths z, larger
// being nearer. All coordinates are multiplied by `multiplier` first. Raster rows grow upward
// here; pictures have their top row first.
//
// The foreground follows kaolin's expressions one rounding after the other, so that pixels on an
// edge fall to the same face. The soft mask is written relative to the pixel instead, which
// rounds less. One addition to the originals: a face that is not finite, or whose area does not
// exceed the rounding of its own coordinates, is never drawn.
#pragma once

#include <cmath>

#include "common.h"

namespace bench {
namespace dibr {

using std::exp;
using std::expm1;

// What the C functions return where memory is short; 0 is success.
constexpr int kOutOfMemory = 12;
// `last` of a pixel that fewer than `knum` faces come near to.
constexpr int32_t kNoLast = 2147483647;

// Half a unit in the last place of 1.
template <class T>
struct Rounding;
template <>
struct Rounding<float> {
  static constexpr double value = 5.9604644775390625e-8;
};
template <>
struct Rounding<double> {
  static constexpr double value = 1.1102230246251565e-16;
};

// Pixel centres along one side. kaolin rounds them to float32 for every type of input, except
// version 0.9.0 in its soft mask (`wide`).
struct Axis {
  int n;
  bool wide;
  float step;
  double wide_step;
};

BENCH_HD Axis make_axis(int n, double multiplier, bool wide) {
  return {n, wide, static_cast<float>(multiplier) / n, multiplier / n};
}

template <class T>
BENCH_HD T centre(const Axis& axis, int i) {
  const int odd = 2 * i + 1 - axis.n;
  return axis.wide ? static_cast<T>(axis.wide_step * odd) : static_cast<T>(axis.step * odd);
}

struct Grid {
  Axis x, y;
};

BENCH_HD Grid make_grid(int height, int width, double multiplier, bool wide) {
  return {make_axis(width, multiplier, wide), make_axis(height, multiplier, wide)};
}

// Inclusive range of pixels; empty if a first one exceeds its last one.
struct Box {
  int32_t x_first, x_last, y_first, y_last;
};

BENCH_HD bool is_empty(const Box& box) {
  return box.x_first > box.x_last || box.y_first > box.y_last;
}

// The smallest pixel whose centre is at or above `bound` (n if there is none).
template <class T>
BENCH_HD int first_at(const Axis& axis, T bound) {
  const double guess = 0.5 * (static_cast<double>(bound) / axis.wide_step + axis.n - 1.0);
  // Compared as doubles first: far-away corners do not fit an int.
  int i = guess > 0.0 ? (guess < axis.n ? static_cast<int>(guess) : axis.n) : 0;
  while (i > 0 && !(centre<T>(axis, i - 1) < bound)) --i;
  while (i < axis.n && centre<T>(axis, i) < bound) ++i;
  return i;
}

// A triangle in multiplied coordinates.
template <class T>
struct Triangle {
  T x[3], y[3];
};

// False if a corner is not finite after multiplication.
template <class T>
BENCH_HD bool load_triangle(const T* xy, double multiplier, Triangle<T>* triangle) {
  const T scale = static_cast<T>(multiplier);
  T probe = 0;
  for (int k = 0; k < 3; ++k) {
    triangle->x[k] = xy[2 * k] * scale;
    triangle->y[k] = xy[2 * k + 1] * scale;
    probe += triangle->x[k] * T(0) + triangle->y[k] * T(0);  // 0, or NaN
  }
  return probe == T(0);
}

template <class T>
BENCH_HD T least(const T* v) {
  const T low = v[0] < v[1] ? v[0] : v[1];
  return low < v[2] ? low : v[2];
}

template <class T>
BENCH_HD T most(const T* v) {
  const T high = v[0] > v[1] ? v[0] : v[1];
  return high > v[2] ? high : v[2];
}

// Pixels with low - margin <= centre < high + margin on both axes.
template <class T>
BENCH_HD Box pixel_box(const Triangle<T>& triangle, const Grid& grid, T margin) {
  Box box;
  box.x_first = first_at(grid.x, static_cast<T>(least(triangle.x) - margin));
  box.x_last = first_at(grid.x, static_cast<T>(most(triangle.x) + margin)) - 1;
  box.y_first = first_at(grid.y, static_cast<T>(least(triangle.y) - margin));
  box.y_last = first_at(grid.y, static_cast<T>(most(triangle.y) + margin)) - 1;
  return box;
}

// Whether the area of a face (corners not multiplied) exceeds the rounding of its coordinates.
template <class T>
BENCH_HD bool has_area(const T* xy) {
  const double m = static_cast<double>(xy[2]) - xy[0], p = static_cast<double>(xy[3]) - xy[1];
  const double n = static_cast<double>(xy[4]) - xy[0], q = static_cast<double>(xy[5]) - xy[1];
  double size = fabs(m), reach = fabs(static_cast<double>(xy[0]));
  size = fmax(fmax(size, fabs(n)), fmax(fabs(p), fabs(q)));
  for (int k = 1; k < 6; ++k) reach = fmax(reach, fabs(static_cast<double>(xy[k])));
  return fabs(m * q - n * p) > 4.0 * Rounding<T>::value * size * reach;
}

// The pixels a face may cover; empty where it is not drawn at all.
template <class T>
BENCH_HD Box drawn_box(const T* xy, const T* z, bool valid, const Grid& grid, double multiplier,
                       Triangle<T>* triangle) {
  const Box nothing = {0, -1, 0, -1};
  const T probe = z[0] * T(0) + z[1] * T(0) + z[2] * T(0);
  if (!valid || !(probe == T(0))) return nothing;
  if (!load_triangle(xy, multiplier, triangle) || !has_area(xy)) return nothing;
  return pixel_box(*triangle, grid, T(0));
}

// The pixels whose soft mask a face may touch.
template <class T>
BENCH_HD Box near_box(const T* xy, const Grid& grid, double multiplier, double boxlen,
                      Triangle<T>* triangle) {
  const Box nothing = {0, -1, 0, -1};
  if (!load_triangle(xy, multiplier, triangle)) return nothing;
  return pixel_box(*triangle, grid, static_cast<T>(boxlen * multiplier));
}

template <class T>
BENCH_HD T with_sign(double size, T of) {
  return static_cast<T>(of < T(0) ? -size : size);
}

// Barycentric weights of a point on the image; false outside. Comparisons with NaN are false.
// kOld: version 0.9.0, which allows 1e-7 outside and takes the first weight as the rest to 1.
// Without branches, so that the CPU can take several pixels at once.
template <bool kOld, class T>
BENCH_HD bool weights_at(const Triangle<T>& t, T x, T y, T eps, T* w) {
  if (kOld) {
    const T m = t.x[1] - t.x[0], p = t.y[1] - t.y[0];
    const T n = t.x[2] - t.x[0], q = t.y[2] - t.y[0];
    const T s = x - t.x[0], u = y - t.y[0];
    const T k1 = s * q - n * u, k2 = m * u - s * p, k3 = m * q - n * p;
    w[1] = static_cast<T>(k1 / (k3 + 1e-7));
    w[2] = static_cast<T>(k2 / (k3 + 1e-7));
    w[0] = T(1) - w[1] - w[2];
    return (w[0] >= -1e-7) & (w[1] >= -1e-7) & (w[2] >= -1e-7);
  }
  const T ax = t.x[0] - x, ay = t.y[0] - y, bx = t.x[1] - x, by = t.y[1] - y;
  const T cx = t.x[2] - x, cy = t.y[2] - y;
  const T w0 = bx * cy - by * cx, w1 = cx * ay - cy * ax, w2 = ax * by - ay * bx;
  const T norm = w0 + w1 + w2;
  const T divisor = norm + (norm < T(0) ? -eps : eps);
  w[0] = w0 / divisor;
  w[1] = w1 / divisor;
  w[2] = w2 / divisor;
  return (w[0] >= T(0)) & (w[1] >= T(0)) & (w[2] >= T(0)) & (norm != T(0));
}

template <class T>
BENCH_HD T depth_at(const T* z, const T* w) {
  return w[0] * z[0] + w[1] * z[1] + w[2] * z[2];
}

// The gradient of the corners follows from that of the features. With s[i] = sum over the face's
// pixels of (weight i) x (gradient of the pixel), all that is needed is
//   pull[i][j - 1] = dot(s[i], c_j - c_0),
// because the derivatives of the weights are linear in the weights. Without damping corner i gets
//   - sum over j of pull[i][j - 1] grad w_j:
// moving it by v moves every point of the face by w_i v against the pixels. Both versions damp the
// area by which they divide, each in its own way. Corners are not multiplied here.
template <bool kOld, class T>
BENCH_HD void corner_gradient(const T* xy, const double pull[3][2], double multiplier, double eps,
                              T* result) {
  const double m = static_cast<double>(xy[2]) - xy[0], p = static_cast<double>(xy[3]) - xy[1];
  const double n = static_cast<double>(xy[4]) - xy[0], q = static_cast<double>(xy[5]) - xy[1];
  const double area = m * q - n * p;  // twice the signed area
  const double damped = kOld ? area : area + with_sign(eps, area);
  const double scale = multiplier * multiplier * area;
  const double inverse = kOld ? multiplier * multiplier * multiplier * multiplier /
                                    (scale * scale + 1e-10)
                              : 1.0 / (damped * damped);
  const double u = pull[0][0] + pull[1][0] + pull[2][0];
  const double v = pull[0][1] + pull[1][1] + pull[2][1];
  const double u1 = pull[1][0], u2 = pull[2][0], v1 = pull[1][1], v2 = pull[2][1];
  const double trace = area * (u1 + v2);
  const double bx = damped * (p * v1 + q * v2) - q * trace;
  const double by = n * trace - damped * (m * v1 + n * v2);
  const double cx = p * trace - damped * (p * u1 + q * u2);
  const double cy = damped * (m * u1 + n * u2) - m * trace;
  result[0] = static_cast<T>(-(bx + cx + damped * (q * u - p * v)) * inverse);
  result[1] = static_cast<T>(-(by + cy + damped * (m * v - n * u)) * inverse);
  result[2] = static_cast<T>(bx * inverse);
  result[3] = static_cast<T>(by * inverse);
  result[4] = static_cast<T>(cx * inverse);
  result[5] = static_cast<T>(cy * inverse);
}

// The point of a triangle's border that is nearest to a pixel.
template <class T>
struct Nearest {
  T squared;  // distance, in multiplied units
  T t;        // place on the edge: 0 at its first corner, 1 at its second
  T dx, dy;   // from the pixel to the point
  int edge;   // from corner `edge` to the next
};

template <class T>
struct Border {
  Triangle<T> corners;
  T ex[3], ey[3], inverse[3];  // edges and the inverses of their squared lengths
};

template <class T>
BENCH_HD void make_border(const Triangle<T>& triangle, Border<T>* border) {
  border->corners = triangle;
  for (int k = 0; k < 3; ++k) {
    const int next = k == 2 ? 0 : k + 1;
    border->ex[k] = triangle.x[next] - triangle.x[k];
    border->ey[k] = triangle.y[next] - triangle.y[k];
    const T length = border->ex[k] * border->ex[k] + border->ey[k] * border->ey[k];
    // An edge without length is its first corner.
    border->inverse[k] = length > T(0) ? T(1) / length : T(0);
  }
}

// Earlier edges go first on equal distance.
template <class T>
BENCH_HD Nearest<T> nearest_on(const Border<T>& border, T x, T y) {
  Nearest<T> best = {};
  for (int k = 0; k < 3; ++k) {
    const T ax = border.corners.x[k] - x, ay = border.corners.y[k] - y;
    T t = -(ax * border.ex[k] + ay * border.ey[k]) * border.inverse[k];
    t = t > T(0) ? t : T(0);
    t = t < T(1) ? t : T(1);
    const T dx = ax + t * border.ex[k], dy = ay + t * border.ey[k];
    const T squared = dx * dx + dy * dy;
    const bool nearer = k == 0 || squared < best.squared;
    best.squared = nearer ? squared : best.squared;
    best.t = nearer ? t : best.t;
    best.dx = nearer ? dx : best.dx;
    best.dy = nearer ? dy : best.dy;
    best.edge = nearer ? k : best.edge;
  }
  return best;
}

// 1 - exp(-z), accurate for small z too; `p` becomes exp(-z). Overflown distances (NaN, infinity)
// miss.
template <class T>
BENCH_HD T miss_probability(T z, T* p) {
  if (!(z < T(700))) {
    *p = T(0);
    return T(1);
  }
  *p = exp(-z);
  return z > T(0.5) ? T(1) - *p : -expm1(-z);
}

// Adds what one pixel pulls at the corners of a face to six sums, but for the factor that is the
// same for all pixels; `slope` is the gradient of the pixel's probability `miss`.
template <class T>
BENCH_HD void add_pixel(const Border<T>& border, T x, T y, T slope, T miss, T factor,
                        double* sum) {
  const Nearest<T> at = nearest_on(border, x, y);
  T p;
  const T q = miss_probability(at.squared * factor, &p);
  if (!(q > T(0)) || p == T(0)) return;
  const double strength = 2.0 * slope * (miss / q) * p;
  const int next = at.edge == 2 ? 0 : at.edge + 1;
  const double vx = strength * at.dx, vy = strength * at.dy, t = at.t;
  sum[2 * at.edge] += (1.0 - t) * vx;
  sum[2 * at.edge + 1] += (1.0 - t) * vy;
  sum[2 * next] += t * vx;
  sum[2 * next + 1] += t * vy;
}

}  // namespace dibr
}  // namespace bench
