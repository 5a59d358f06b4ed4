// Conservative voxelisation of a triangle mesh, as Kato et al. (CVPR 2018) evaluate with it.
//
// The grid has R^3 cells; cell n spans [n, n+1) in voxel units (unit-cube coordinates times R).
//   surface  for each axis w and each integer lattice line (i0, i1) of the plane (p0, p1), lines
//            0..R-1, that meets a triangle (borders included): with k = floor(depth along w), the
//            four cells (i0, i1, k), (i0-1, i1, k), (i0, i1-1, k), (i0-1, i1-1, k) are marked.
//   vertex   the cell of every corner of a face is marked; coordinates truncate towards zero.
//   fill     outside = unmarked cells of the six boundary layers, and every unmarked cell that
//            reaches one of them through faces of unmarked cells. The result is the complement.
// Single precision without fused operations, in exactly the order written below: a cell more or
// less is decided by the last bit for faces that lie on lattice planes.
//
// A face with a coordinate that is not finite or beyond 2^24 cells marks nothing, and neither
// does a face with an index outside [0, V).
//
// Bits: row (x, y) holds the cells along z in `words` words; bit z of the row is cell (x, y, z).
#pragma once

#include <cmath>
#include <cstdint>

#include "common.h"

namespace bench {

constexpr int kVoxelLargestResolution = 1024;
enum VoxelError { kVoxelBadResolution = -1, kVoxelNoMemory = -2 };
constexpr float kVoxelFarthest = 16777216.0f;  // 2^24 cells: single precision ends to count there

struct VoxelTriangle {
    float corner[3][3];  // voxel units
    bool usable;
};

BENCH_HD VoxelTriangle voxel_triangle(const float* vertices, const int64_t* face,
                                      int64_t vertex_count, int resolution) {
    VoxelTriangle triangle;
    triangle.usable = true;
    for (int c = 0; c < 3; c++) {
        const int64_t index = face[c];
        const bool known = index >= 0 && index < vertex_count;
        triangle.usable &= known;
        for (int d = 0; d < 3; d++) {
            const float value = known ? vertices[3 * index + d] * float(resolution) : 0.0f;
            triangle.corner[c][d] = value;
            triangle.usable &= std::fabs(value) <= kVoxelFarthest;  // false for NaN
        }
    }
    return triangle;
}

// One triangle seen along one axis, with the lattice lines that can meet it.
struct VoxelPass {
    float a0, a1, aw;        // first corner
    float e10, e11, e1w;     // second corner - first
    float e20, e21, e2w;     // third corner - first
    float det;
    int low0, high0, low1, high1;  // inclusive; empty if low > high
};

// The two axes of the plane and the axis of the lines, for pass 0 (along x), 1 (y) and 2 (z).
BENCH_HD int voxel_axis(int pass, int which) {
    return which == 2 ? pass : (which == 0 ? (pass == 0 ? 2 : 0) : (pass == 1 ? 2 : 1));
}

BENCH_HD float voxel_min(float a, float b) { return b < a ? b : a; }
BENCH_HD float voxel_max(float a, float b) { return a < b ? b : a; }

// Lines are tested with rounded arithmetic, which accepts some that pass beside the triangle:
// many if it is nearly degenerate. With u = 2^-24 and l the longest component of an edge, the
// numerators of t1, t2 err by 6.2 u l (R + |A|), det by 4.2 u l^2, hence an accepted line is
// within `margin` of the triangle (twice what the analysis gives). So the box loses no line that a
// loop over all R^2 lines would accept, and grows to the whole grid where det is mere rounding.
BENCH_HD VoxelPass voxel_pass(const VoxelTriangle& triangle, int pass, int resolution) {
    const int p0 = voxel_axis(pass, 0), p1 = voxel_axis(pass, 1);
    const float* a = triangle.corner[0];
    const float* b = triangle.corner[1];
    const float* c = triangle.corner[2];
    VoxelPass out;
    out.a0 = a[p0], out.a1 = a[p1], out.aw = a[pass];
    out.e10 = b[p0] - a[p0], out.e11 = b[p1] - a[p1], out.e1w = b[pass] - a[pass];
    out.e20 = c[p0] - a[p0], out.e21 = c[p1] - a[p1], out.e2w = c[pass] - a[pass];
    out.det = out.e11 * out.e20 - out.e21 * out.e10;

    const float size = float(resolution), last = float(resolution - 1);
    const float edge = voxel_max(voxel_max(std::fabs(out.e10), std::fabs(out.e11)),
                                 voxel_max(std::fabs(out.e20), std::fabs(out.e21)));
    const float reach = size + voxel_max(std::fabs(out.a0), std::fabs(out.a1)) + edge;
    const float area = std::fabs(out.det);
    const float margin =
        area > 1e-25f ? edge * (edge * reach / area * 0x1p-19f + 0x1p-20f) : 2.0f * reach;
    const float min0 = voxel_min(a[p0], voxel_min(b[p0], c[p0])) - margin;
    const float max0 = voxel_max(a[p0], voxel_max(b[p0], c[p0])) + margin;
    const float min1 = voxel_min(a[p1], voxel_min(b[p1], c[p1])) - margin;
    const float max1 = voxel_max(a[p1], voxel_max(b[p1], c[p1])) + margin;
    // Clamped as floats first: a cast of a large float is undefined.
    out.low0 = int(std::ceil(voxel_min(voxel_max(min0, 0.0f), size)));
    out.high0 = int(std::floor(voxel_min(voxel_max(max0, -1.0f), last)));
    out.low1 = int(std::ceil(voxel_min(voxel_max(min1, 0.0f), size)));
    out.high1 = int(std::floor(voxel_min(voxel_max(max1, -1.0f), last)));
    if (out.det == 0.0f) out.high0 = -1;
    return out;
}

// The cell along the line at which line (i0, i1) meets the triangle, or -1.
BENCH_HD int voxel_depth(const VoxelPass& p, int i0, int i1, int resolution) {
    const float d0 = float(i0) - p.a0, d1 = float(i1) - p.a1;
    const float n1 = p.e20 * d1 - p.e21 * d0;
    const float n2 = -p.e10 * d1 + p.e11 * d0;
    // Spares the divisions where the answer is beyond rounding; never changes it.
    const float sign = p.det < 0.0f ? -1.0f : 1.0f;
    if (n1 * sign < -1e-20f || n2 * sign < -1e-20f) return -1;
    const float t1 = n1 / p.det, t2 = n2 / p.det;
    if (t1 < 0.0f || t2 < 0.0f || t1 + t2 > 1.0f) return -1;
    const float depth = std::floor((t1 * p.e1w + t2 * p.e2w) + p.aw);
    return depth >= 0.0f && depth < float(resolution) ? int(depth) : -1;
}

// Marks the cells around line (i0, i1) at depth k. Grid::mark(x, y, z) and Grid::mark_two(x, y, z)
// (cells z and z - 1) ignore negative indices; none is above R - 1.
template <class Grid>
BENCH_HD void voxel_mark(Grid& grid, int pass, int i0, int i1, int k) {
    if (pass == 0) {  // (z, y, x)
        grid.mark_two(k, i1, i0);
        grid.mark_two(k, i1 - 1, i0);
    } else if (pass == 1) {  // (x, z, y)
        grid.mark_two(i0, k, i1);
        grid.mark_two(i0 - 1, k, i1);
    } else {  // (x, y, z)
        grid.mark(i0, i1, k);
        grid.mark(i0 - 1, i1, k);
        grid.mark(i0, i1 - 1, k);
        grid.mark(i0 - 1, i1 - 1, k);
    }
}

// Coordinates in (-1, 0) truncate to cell 0, as in the original.
template <class Grid>
BENCH_HD void voxel_mark_corner(Grid& grid, const float* corner, int resolution) {
    const int x = int(corner[0]), y = int(corner[1]), z = int(corner[2]);
    if (x >= 0 && x < resolution && y >= 0 && y < resolution && z >= 0 && z < resolution)
        grid.mark(x, y, z);
}

// Spreads `seed` along the runs of 1 bits of `open` that it touches, both ways, inside one word.
template <class Word>
BENCH_HD Word voxel_spread(Word seed, Word open) {
    Word up = open, down = open, s = seed & open, t = s;
    for (int step = 1; step < int(8 * sizeof(Word)); step *= 2) {
        s |= up & Word(s << step);
        t |= down & Word(t >> step);
        up &= Word(up << step);
        down &= Word(down >> step);
    }
    return s | t;
}

// Bits of word `j` of a row that are cells (the last word of a row may be partly unused).
template <class Word>
BENCH_HD Word voxel_valid(int j, int resolution) {
    const int left = resolution - j * int(8 * sizeof(Word));
    return left >= int(8 * sizeof(Word)) ? Word(~Word(0)) : Word((Word(1) << left) - 1);
}

// First and last cell of a row, as far as word `j` holds them.
template <class Word>
BENCH_HD Word voxel_ends(int j, int resolution) {
    const int bits = int(8 * sizeof(Word)), last = resolution - 1;
    Word ends = j == 0 ? Word(1) : Word(0);
    if (last / bits == j) ends |= Word(Word(1) << (last % bits));
    return ends;
}

}  // namespace bench
