// Which cells of a grid a triangle meets: the 13-axis separating-axis test of Akenine-Moeller
// (2001), for closed cells. Unfused double precision in one order, the same bits everywhere.
#pragma once

#include <cmath>

#include "common.h"

namespace bench {

// The cells that the box of a triangle touches, on one axis: cell c spans [c, c + 1].
BENCH_HD void cells_between(double low, double high, int resolution, int& first, int& last) {
  const double from = std::ceil(low) - 1.0, to = std::floor(high), end = resolution - 1;
  first = static_cast<int>(from < 0.0 ? 0.0 : from > end ? end + 1.0 : from);
  last = static_cast<int>(to < 0.0 ? -1.0 : to > end ? end : to);
}

// The box of cells of a triangle, (3, 3) corners; empty if first > last on an axis.
BENCH_HD void cells_touched(const double* corners, int resolution, int first[3], int last[3]) {
  bool finite = true;
  for (int k = 0; k < 9; ++k) finite &= corners[k] - corners[k] == 0.0;
  for (int axis = 0; axis < 3; ++axis) {
    first[axis] = 0, last[axis] = -1;
    if (!finite) continue;
    const double a = corners[axis], b = corners[3 + axis], c = corners[6 + axis];
    double low = b < a ? b : a, high = b > a ? b : a;
    low = c < low ? c : low, high = c > high ? c : high;
    cells_between(low, high, resolution, first[axis], last[axis]);
  }
}

// Whether three projected corners leave a gap to the cell; a NaN, of products that overflow, does.
BENCH_HD bool apart(double a, double b, double c, double radius) {
  double low = b < a ? b : a, high = b > a ? b : a;
  low = c < low ? c : low, high = c > high ? c : high;
  return !(a == a && b == b && c == c && low <= radius && high >= -radius);
}

// Whether a triangle, (3, 3) corners, meets a cell.
BENCH_HD bool triangle_meets_cell(const double* corners, int x, int y, int z) {
  const double centre[3] = {x + 0.5, y + 0.5, z + 0.5};
  double c[3][3], edge[3][3];
  for (int k = 0; k < 3; ++k) {
    for (int axis = 0; axis < 3; ++axis) c[k][axis] = corners[3 * k + axis] - centre[axis];
  }
  for (int axis = 0; axis < 3; ++axis) {
    if (apart(c[0][axis], c[1][axis], c[2][axis], 0.5)) return false;
  }
  for (int k = 0; k < 3; ++k) {
    for (int axis = 0; axis < 3; ++axis) edge[k][axis] = c[(k + 1) % 3][axis] - c[k][axis];
  }
  const double normal[3] = {edge[0][1] * edge[1][2] - edge[0][2] * edge[1][1],
                            edge[0][2] * edge[1][0] - edge[0][0] * edge[1][2],
                            edge[0][0] * edge[1][1] - edge[0][1] * edge[1][0]};
  const double plane = normal[0] * c[0][0] + normal[1] * c[0][1] + normal[2] * c[0][2];
  const double reach = std::fabs(normal[0]) + std::fabs(normal[1]) + std::fabs(normal[2]);
  if (!(std::fabs(plane) <= 0.5 * reach)) return false;
  for (int k = 0; k < 3; ++k) {
    for (int axis = 0; axis < 3; ++axis) {
      const int one = (axis + 1) % 3, two = (axis + 2) % 3;
      const double p = edge[k][one], q = edge[k][two];
      if (apart(q * c[0][one] - p * c[0][two], q * c[1][one] - p * c[1][two],
                q * c[2][one] - p * c[2][two], 0.5 * (std::fabs(q) + std::fabs(p)))) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace bench
