// Distance from points to the nearest triangle on CUDA: one thread a point over tiles of 32
// faces, passed over where their box is farther than the best face so far.
//
// The caller gives orders along a curve through space: of the faces so that tiles are small, of
// the points so that a warp wants the same tiles. Orders decide only how fast it is, never which
// face is found: the least rounded distance, the lowest index among equals.

#include <cuda_runtime.h>

#include "point_to_mesh.h"

namespace bench {
namespace {

constexpr int kTileFaces = 32;
constexpr int kPointThreads = 128;
constexpr int kBoxesAtOnce = 256;
constexpr int kBoxTerms = 6;       // low x y z, high x y z
constexpr int32_t kNoFace = 0x7fffffff;
constexpr float kFarthest = INFINITY;

struct Tiles {
  double* term;   // [tile][term][face]
  float* box;     // [tile][6]; low above high where no face is
  int32_t* face;  // [tile][face], kNoFace where there is none
};

struct Term {
  const double* at;
  BENCH_HD double operator()(int which) const { return at[which * kTileFaces]; }
};

struct Found {
  float distance2;
  int32_t face;
};

__device__ bool finite(const float* p) {
  return (p[0] - p[0]) + (p[1] - p[1]) + (p[2] - p[2]) == 0.0f;
}

// A block a tile. Faces with an index outside or a corner that is not finite stay out.
__global__ void fill_tiles(const float* vertices, int64_t vertex_count, const int64_t* faces,
                           int64_t face_count, const int64_t* order, Tiles tiles) {
  const int64_t tile = blockIdx.x;
  for (int lane = threadIdx.x; lane < kTileFaces; lane += blockDim.x) {
    const int64_t place = tile * kTileFaces + lane;
    int32_t id = kNoFace;
    if (place < face_count) {
      const int64_t f = order[place];
      const float* corner[3];
      bool good = true;
      for (int c = 0; c < 3; ++c) {
        const int64_t v = faces[3 * f + c];
        const bool inside = v >= 0 && v < vertex_count;
        corner[c] = vertices + 3 * (inside ? v : 0);
        good = good && inside && finite(corner[c]);
      }
      if (good) {
        id = static_cast<int32_t>(f);
        triangle_terms(corner[0], corner[1], corner[2],
                       tiles.term + tile * kTriangleTerms * kTileFaces + lane, kTileFaces);
      }
    }
    tiles.face[place] = id;
  }
  __syncthreads();
  for (int side = threadIdx.x; side < kBoxTerms; side += blockDim.x) {
    const int axis = side % 3;
    const bool low = side < 3;
    float edge = low ? kFarthest : -kFarthest;
    for (int lane = 0; lane < kTileFaces; ++lane) {
      const int32_t f = tiles.face[tile * kTileFaces + lane];
      if (f == kNoFace) continue;
      for (int c = 0; c < 3; ++c) {
        const float x = vertices[3 * faces[3 * static_cast<int64_t>(f) + c] + axis];
        edge = low ? (x < edge ? x : edge) : (x > edge ? x : edge);
      }
    }
    tiles.box[tile * kBoxTerms + side] = edge;
  }
}

// At most the squared distance to anything in the box: 16 millionths are taken off, which covers
// the rounding of its eight operations. Squares below the normal range count as 0, those above it
// as the largest number.
__device__ float bound(const float* box, const float* p) {
  float sum = 0.0f;
  for (int d = 0; d < 3; ++d) {
    const float below = box[d] - p[d], above = p[d] - box[3 + d];
    float gap = below > above ? below : above;
    gap = gap > 0.0f ? gap : 0.0f;
    sum += gap * gap;
  }
  sum = sum < 3.4e38f ? sum : 3.4e38f;
  return sum > 1e-37f ? sum * 0.999984f : 0.0f;
}

__device__ void test(const Tiles& tiles, int64_t tile, const float* p, Found& best) {
  for (int lane = 0; lane < kTileFaces; ++lane) {
    const int32_t face = tiles.face[tile * kTileFaces + lane];
    if (face == kNoFace) continue;
    const Term term{tiles.term + tile * kTriangleTerms * kTileFaces + lane};
    const float distance2 =
        static_cast<float>(triangle_distance2<double>(p[0], p[1], p[2], term));
    if (distance2 < best.distance2 || (distance2 == best.distance2 && face < best.face))
      best = Found{distance2, face};
  }
}

// The tile with the nearest box first: the distance it gives spares most of the others.
__global__ void __launch_bounds__(kPointThreads)
    search(const float* points, int64_t point_count, const int64_t* order, int64_t tile_count,
           Tiles tiles, float* squared, int64_t* face) {
  __shared__ float boxes[kBoxesAtOnce * kBoxTerms];
  const int64_t place = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int64_t i = place < point_count ? order[place] : 0;
  const float* p = points + 3 * i;
  const bool wanted = place < point_count && finite(p);
  Found best{kFarthest, kNoFace};
  int64_t nearest = -1;
  for (int round = 0; round < 2; ++round) {
    float least = kFarthest;
    for (int64_t first = 0; first < tile_count; first += kBoxesAtOnce) {
      const int64_t left = tile_count - first;
      const int count = static_cast<int>(left < kBoxesAtOnce ? left : kBoxesAtOnce);
      __syncthreads();
      for (int k = threadIdx.x; k < count * kBoxTerms; k += blockDim.x)
        boxes[k] = tiles.box[first * kBoxTerms + k];
      __syncthreads();
      for (int k = 0; wanted && k < count; ++k) {
        const float* box = boxes + k * kBoxTerms;
        if (!(box[0] <= box[3])) continue;  // nothing in it
        const float at_least = bound(box, p);
        if (round == 0 && (nearest < 0 || at_least < least)) {
          nearest = first + k;
          least = at_least;
        }
        if (round == 1 && first + k != nearest && at_least <= best.distance2)
          test(tiles, first + k, p, best);
      }
    }
    if (round == 0 && nearest >= 0) test(tiles, nearest, p, best);
  }
  if (place >= point_count) return;
  squared[i] = best.distance2;
  face[i] = best.face == kNoFace ? -1 : best.face;
}

}  // namespace
}  // namespace bench

// As bench_point_to_mesh, and the number of vertices; a face index outside [0, V) leaves its face
// out. face_order (F) and point_order (N) are permutations. For T = ceil(F / 32) tiles the caller
// gives terms (T * 21 * 32) double, boxes (T * 6) float and ids (T * 32) int32 to work in.
extern "C" BENCH_API int bench_point_to_mesh_cuda(
    const float* points, int64_t point_count, const float* vertices, int64_t vertex_count,
    const int64_t* faces, int64_t face_count, const int64_t* face_order,
    const int64_t* point_order, double* terms, float* boxes, int32_t* ids, float* squared,
    int64_t* face, void* stream) {
  using namespace bench;
  const auto s = static_cast<cudaStream_t>(stream);
  const int64_t tile_count = (face_count + kTileFaces - 1) / kTileFaces;
  const Tiles tiles{terms, boxes, ids};
  fill_tiles<<<static_cast<unsigned>(tile_count), kTileFaces, 0, s>>>(
      vertices, vertex_count, faces, face_count, face_order, tiles);
  if (cudaError_t error = cudaGetLastError()) return error;
  const int64_t blocks = (point_count + kPointThreads - 1) / kPointThreads;
  search<<<static_cast<unsigned>(blocks), kPointThreads, 0, s>>>(
      points, point_count, point_order, tile_count, tiles, squared, face);
  return cudaGetLastError();
}
