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
// A face with a coordinate that is not finite or 2^24 cells or more away marks nothing, and
// neither does a face with an index outside [0, V).
//
// Bits: cell (x, y, z) is bit z % b of word z / b of row (x, y), with b bits a word.
#pragma once

#include <cmath>
#include <cstdint>

#include "common.h"

namespace bench {

constexpr int kVoxelLargestResolution = 1024;
enum VoxelError { kVoxelBadResolution = -1, kVoxelNoMemory = -2 };
constexpr float kVoxelFarthest = 16777216.0f;  // 2^24 cells: single precision ends to count there

// The corners of a face in voxel units; false if the face marks nothing.
BENCH_HD bool voxel_corners(const float* vertices, const int64_t* face, int64_t vertex_count,
                            int resolution, float corner[3][3]) {
    bool usable = true;
    for (int c = 0; c < 3; c++) {
        const int64_t index = face[c];
        const bool known = index >= 0 && index < vertex_count;
        usable &= known;
        for (int d = 0; d < 3; d++) {
            const float value = known ? vertices[3 * index + d] * float(resolution) : 0.0f;
            corner[c][d] = value;
            usable &= std::fabs(value) < kVoxelFarthest;  // false for NaN
        }
    }
    return usable;
}

// The two axes of the plane and the axis of the lines, for pass 0 (along x), 1 (y) and 2 (z).
BENCH_HD int voxel_axis(int pass, int which) {
    return which == 2 ? pass : (which == 0 ? (pass == 0 ? 2 : 0) : (pass == 1 ? 2 : 1));
}

// One triangle seen along one axis, with the lattice lines that can meet it. T is float, or a
// compiler's vector of floats with one triangle per lane.
template <class T>
struct VoxelPass {
    T a0, a1, aw;     // first corner
    T e10, e11, e1w;  // second corner - first
    T e20, e21, e2w;  // third corner - first
    T det;
    T low0, high0, low1, high1;  // lines from ceil(low) to floor(high); 0 to -1 for none
};

template <class T>
BENCH_HD T voxel_min(T a, T b) {
    return b < a ? b : a;
}
template <class T>
BENCH_HD T voxel_max(T a, T b) {
    return a < b ? b : a;
}
template <class T>
BENCH_HD T voxel_abs(T a) {
    return a < 0.0f ? -a : a;
}

// Lines are tested with rounded arithmetic, which accepts some that pass beside the triangle:
// many if it is nearly degenerate. With u = 2^-24 and l the longest component of an edge, the
// numerators of t1, t2 err by 6.2 u l (R + |A|), det by 4.2 u l^2, hence an accepted line is
// within `margin` of the triangle (twice what the analysis gives). So the box loses no line that a
// loop over all R^2 lines would accept, and grows to the whole grid where det is mere rounding.
template <class T>
BENCH_HD VoxelPass<T> voxel_pass(const T corner[3][3], int pass, int resolution) {
    const int p0 = voxel_axis(pass, 0), p1 = voxel_axis(pass, 1);
    const T* a = corner[0];
    const T* b = corner[1];
    const T* c = corner[2];
    VoxelPass<T> out;
    out.a0 = a[p0], out.a1 = a[p1], out.aw = a[pass];
    out.e10 = b[p0] - a[p0], out.e11 = b[p1] - a[p1], out.e1w = b[pass] - a[pass];
    out.e20 = c[p0] - a[p0], out.e21 = c[p1] - a[p1], out.e2w = c[pass] - a[pass];
    out.det = out.e11 * out.e20 - out.e21 * out.e10;

    const T zero = out.det - out.det, size = zero + float(resolution);
    const T edge = voxel_max<T>(voxel_max<T>(voxel_abs(out.e10), voxel_abs(out.e11)),
                                voxel_max<T>(voxel_abs(out.e20), voxel_abs(out.e21)));
    const T reach = size + voxel_max<T>(voxel_abs(out.a0), voxel_abs(out.a1)) + edge;
    const T area = voxel_abs(out.det);
    const T wide = edge * (edge * reach / area * 0x1p-19f + 0x1p-20f);
    const T margin = area > 1e-25f ? wide : reach + reach;
    const T min0 = voxel_min<T>(a[p0], voxel_min<T>(b[p0], c[p0])) - margin;
    const T max0 = voxel_max<T>(a[p0], voxel_max<T>(b[p0], c[p0])) + margin;
    const T min1 = voxel_min<T>(a[p1], voxel_min<T>(b[p1], c[p1])) - margin;
    const T max1 = voxel_max<T>(a[p1], voxel_max<T>(b[p1], c[p1])) + margin;
    out.low0 = voxel_min<T>(voxel_max<T>(min0, zero), size);
    out.low1 = voxel_min<T>(voxel_max<T>(min1, zero), size);
    out.high0 = voxel_min<T>(voxel_max<T>(max0, zero - 1.0f), size - 1.0f);
    out.high1 = voxel_min<T>(voxel_max<T>(max1, zero - 1.0f), size - 1.0f);
    out.high0 = area > 0.0f ? out.high0 : zero - 1.0f;
    return out;
}

// Rounds what is at least -1 up and down; std::ceil and std::floor are slow calls without SSE 4.
BENCH_HD int voxel_ceil(float x) {
    const int whole = int(x);
    return whole + (float(whole) < x);
}
BENCH_HD int voxel_floor(float x) {
    const int whole = int(x);
    return whole - (x < float(whole));
}

// Where line (i0, i1) meets the plane of the triangle, in the order of the original. The line is
// accepted if t1 >= 0, t2 >= 0, t1 + t2 <= 1 and 0 <= depth < R; its cell is the whole part of
// depth. T is float or a vector with one line per lane.
template <class T>
struct VoxelLine {
    T t1, t2, depth;
};

BENCH_HD bool voxel_accepts(const VoxelLine<float>& line, int resolution) {
    return line.t1 >= 0.0f && line.t2 >= 0.0f && line.t1 + line.t2 <= 1.0f &&
           line.depth >= 0.0f && line.depth < float(resolution);
}

template <class T>
BENCH_HD VoxelLine<T> voxel_line(const VoxelPass<float>& p, T i0, T i1) {
    const T d0 = i0 - p.a0, d1 = i1 - p.a1;
    VoxelLine<T> line;
    line.t1 = (p.e20 * d1 - p.e21 * d0) / p.det;
    line.t2 = (-p.e10 * d1 + p.e11 * d0) / p.det;
    line.depth = (line.t1 * p.e1w + line.t2 * p.e2w) + p.aw;
    return line;
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
