// Squared distance from a point to a triangle, in double precision: exact for single precision
// input but for the last bits, before it is rounded to single once.
//
// The foot of the perpendicular counts if it falls inside; otherwise the nearest of the three
// edges does. An edge of length 0 is a point. A triangle whose height is below 1e-8 of its sides
// counts as its three edges, because its normal is rounding noise; that moves the distance by at
// most 1e-8 of the longest side.
//
// T is double, or a compiler's vector of doubles with one triangle per lane.
#pragma once

#include <cmath>
#include <cstdint>

#include "common.h"

namespace bench {

// What the distance needs of one triangle, computed once.
enum TriangleTerm {
    kAx, kAy, kAz,        // first corner a
    kUx, kUy, kUz,        // u = b - a
    kVx, kVy, kVz,        // v = c - a
    kUu, kVv, kWw,        // 1 / |u|^2, 1 / |v|^2, 1 / |c - b|^2, or 0 for an edge of length 0
    kSx, kSy, kSz,        // (foot - a) = s u + t v with s = S . (p - a), t = T . (p - a)
    kTx, kTy, kTz,        // S = T = 0 where the triangle counts as edges
    kNx, kNy, kNz,        // unit normal
    kTriangleTerms
};

BENCH_HD void triangle_terms(const float* a, const float* b, const float* c, double* out,
                             int stride) {
    double u[3], v[3], w[3], n[3];
    for (int d = 0; d < 3; d++) {
        u[d] = double(b[d]) - double(a[d]);
        v[d] = double(c[d]) - double(a[d]);
        w[d] = v[d] - u[d];
        out[(kAx + d) * stride] = double(a[d]);
        out[(kUx + d) * stride] = u[d];
        out[(kVx + d) * stride] = v[d];
    }
    const double uu = u[0] * u[0] + u[1] * u[1] + u[2] * u[2];
    const double vv = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
    const double ww = w[0] * w[0] + w[1] * w[1] + w[2] * w[2];
    out[kUu * stride] = uu > 0.0 ? 1.0 / uu : 0.0;
    out[kVv * stride] = vv > 0.0 ? 1.0 / vv : 0.0;
    out[kWw * stride] = ww > 0.0 ? 1.0 / ww : 0.0;
    n[0] = u[1] * v[2] - u[2] * v[1];
    n[1] = u[2] * v[0] - u[0] * v[2];
    n[2] = u[0] * v[1] - u[1] * v[0];
    const double nn = n[0] * n[0] + n[1] * n[1] + n[2] * n[2];
    const bool flat = !(nn > 1e-16 * uu * vv);
    const double by_nn = flat ? 0.0 : 1.0 / nn, by_n = flat ? 0.0 : 1.0 / std::sqrt(nn);
    for (int d = 0; d < 3; d++) {
        const int e = (d + 1) % 3, f = (d + 2) % 3;
        out[(kSx + d) * stride] = (v[e] * n[f] - v[f] * n[e]) * by_nn;
        out[(kTx + d) * stride] = (n[e] * u[f] - n[f] * u[e]) * by_nn;
        out[(kNx + d) * stride] = n[d] * by_n;
    }
}

template <class T>
BENCH_HD T edge_distance2(T px, T py, T pz, T ex, T ey, T ez, T inverse) {
    const T zero = inverse - inverse, one = zero + 1.0;
    T t = (px * ex + py * ey + pz * ez) * inverse;
    t = t > zero ? t : zero;
    t = t < one ? t : one;
    const T rx = px - t * ex, ry = py - t * ey, rz = pz - t * ez;
    return rx * rx + ry * ry + rz * rz;
}

// `term(i)` gives term i of the triangle (or of the triangles of all lanes).
template <class T, class Term>
BENCH_HD T triangle_distance2(T px, T py, T pz, Term term) {
    px = px - term(kAx), py = py - term(kAy), pz = pz - term(kAz);
    const T ux = term(kUx), uy = term(kUy), uz = term(kUz);
    const T vx = term(kVx), vy = term(kVy), vz = term(kVz);
    const T along_u = edge_distance2<T>(px, py, pz, ux, uy, uz, term(kUu));
    const T along_v = edge_distance2<T>(px, py, pz, vx, vy, vz, term(kVv));
    const T along_w = edge_distance2<T>(px - ux, py - uy, pz - uz, vx - ux, vy - uy, vz - uz,
                                        term(kWw));
    T best = along_v < along_u ? along_v : along_u;
    best = along_w < best ? along_w : best;
    const T s = px * term(kSx) + py * term(kSy) + pz * term(kSz);
    const T t = px * term(kTx) + py * term(kTy) + pz * term(kTz);
    const T height = px * term(kNx) + py * term(kNy) + pz * term(kNz);
    const T zero = s - s;
    return (s > zero) & (t > zero) & (s + t < zero + 1.0) ? height * height : best;
}

}  // namespace bench
