// The rasterizer on CUDA: the arithmetic of rasterize.h and rasterize_scan.h.
//
// Forward: one warp a face takes the pixels of its bounding box; the nearest face of each pixel is
// found by an integer atomic minimum over (depth, face index) packed into 64 bits, which gives the
// same winner in whatever order the faces arrive. Backward: one warp a face, five lanes for each
// of the six (edge, axis) pairs; the partial sums meet in a fixed order. No floating-point atomics.

#include "rasterize_cuda.h"

namespace bench {
namespace raster {
namespace {

typedef unsigned long long Key;

constexpr Key kEmpty = ~0ull;

// Orders like the depth itself; smaller is nearer, then the lower face index.
__device__ Key make_key(float depth, int32_t face) {
  const unsigned int bits = __float_as_uint(depth + 0.f);  // -0 becomes +0
  const unsigned int ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<Key>(ordered) << 32 | static_cast<unsigned int>(face);
}

__device__ float key_depth(Key key) {
  const unsigned int ordered = static_cast<unsigned int>(key >> 32);
  return __uint_as_float(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

__device__ int32_t key_face(Key key) {
  return key == kEmpty ? -1 : static_cast<int32_t>(static_cast<unsigned int>(key));
}

__global__ void draw_faces(const float* faces, int64_t total, int64_t face_count, Frame frame,
                           float near, float far, Key* keys) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (item >= total) return;
  const int lane = threadIdx.x % kWarp;
  float face[9];
  for (int k = 0; k < 9; ++k) face[k] = faces[item * 9 + k];
  if (is_culled(face) || !is_placed(face)) return;
  const Box box = bounding_box(face, frame);
  if (box.x_first > box.x_last || box.y_first > box.y_last) return;
  float m[9];
  corner_inverse(face, frame, m);
  const int32_t index = static_cast<int32_t>(item % face_count);
  Key* picture = keys + item / face_count * frame.height * frame.width;
  const int columns = box.x_last - box.x_first + 1;
  const int pixels = columns * (box.y_last - box.y_first + 1);
  for (int p = lane; p < pixels; p += kWarp) {
    const int x = box.x_first + p % columns, y = box.y_first + p / columns;
    if (!is_inside(face, pixel_centre(x, frame.width), pixel_centre(y, frame.height))) continue;
    const float z =
        depth_at(face, weights_at(m, static_cast<float>(x), static_cast<float>(y)));
    if (!(z > near) || !(z < far)) continue;
    const Key key = make_key(z, index);
    Key* pixel = picture + static_cast<int64_t>(y) * frame.width + x;
    // Reading first spares most of the atomics; a stale value only costs one of them.
    if (key < *pixel) atomicMin(pixel, key);
  }
}

// One thread a pixel of the picture, top row first; keys have the bottom row first.
__global__ void write_maps(const float* faces, int64_t total, int64_t face_count, Frame frame,
                           float far, const Key* keys, int32_t* index, float* weights,
                           float* depth) {
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= total) return;
  const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
  const int64_t b = pixel / area, place = pixel % area;
  const int x = static_cast<int>(place % frame.width);
  const int y = frame.height - 1 - static_cast<int>(place / frame.width);
  const Key key = keys[b * area + static_cast<int64_t>(y) * frame.width + x];
  const int32_t face = key_face(key);
  Weights w = {0.f, 0.f, 0.f};
  if (face >= 0) {
    float m[9];
    corner_inverse(faces + (b * face_count + face) * 9, frame, m);
    w = weights_at(m, static_cast<float>(x), static_cast<float>(y));
  }
  index[pixel] = face;
  depth[pixel] = face >= 0 ? key_depth(key) : far;
  weights[3 * pixel] = w.w0;
  weights[3 * pixel + 1] = w.w1;
  weights[3 * pixel + 2] = w.w2;
}

// One thread a pixel of the picture writes its pool x pool raster pixels.
__global__ void write_silhouettes(int64_t total, int height, int width, int pool,
                                  const Key* keys, int32_t* index, float* alpha) {
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= total) return;
  const int64_t area = static_cast<int64_t>(height) * width;
  const int64_t b = pixel / area, place = pixel % area;
  const int64_t row_length = static_cast<int64_t>(width) * pool;
  const int64_t raster = b * area * pool * pool;
  int covered = 0;
  for (int dy = 0; dy < pool; ++dy) {
    for (int dx = 0; dx < pool; ++dx) {
      const int64_t x = place % width * pool + dx;
      const int64_t top = place / width * pool + dy;
      const int64_t bottom = static_cast<int64_t>(height) * pool - 1 - top;
      const int32_t face = key_face(keys[raster + bottom * row_length + x]);
      index[raster + top * row_length + x] = face;
      covered += face >= 0;
    }
  }
  alpha[pixel] = static_cast<float>(covered) / (pool * pool);
}

__device__ void scan_line(const Edge& edge, int axis, int line, int32_t id, Frame frame,
                          const int32_t* index, const PictureGradient& gradient, float eps,
                          float* pull0, float* pull1) {
  Crossing at;
  if (!find_crossing(edge, line, &at)) return;
  const int64_t origin = (frame.height - 1) * static_cast<int64_t>(frame.width);
  const int64_t line_step = axis == 0 ? 1 : -static_cast<int64_t>(frame.width);
  const int64_t step = axis == 0 ? -static_cast<int64_t>(frame.width) : 1;
  const int32_t* owner = index + origin + line * line_step;
  const bool owns_in = owner[at.in * step] == id;
  const bool out_is_empty = owner[at.out * step] < 0;
  if (!owns_in && !out_is_empty) return;
  const float to0 = lever0(edge, line), to1 = lever1(edge, line);
  float sum0 = 0.f, sum1 = 0.f;
  if (owns_in) {
    const int first = edge.direction > 0 ? at.out : 0;
    const int last = edge.direction > 0 ? edge.length - 1 : at.out;
    for (int d = first; d <= last; ++d) {
      if (owner[d * step] >= 0) continue;
      const float s = -gradient.at(axis, line, d);
      if (!(s > 0.f)) continue;
      const float offset = d - at.cross;
      sum0 += s / reach(to0, offset, eps);
      sum1 += s / reach(to1, offset, eps);
    }
  }
  if (out_is_empty) {
    const int far_side = find_far_side(edge, line);
    int d = at.in < far_side ? at.in : far_side;
    int last = at.in < far_side ? far_side : at.in;
    d = d > 0 ? d : 0;
    last = last < edge.length - 1 ? last : edge.length - 1;
    for (; d <= last; ++d) {
      if (owner[d * step] != id) continue;
      const float s = gradient.at(axis, line, d);
      if (!(s > 0.f)) continue;
      const float offset = d - at.cross;
      sum0 += s / reach(to0, offset, eps);
      sum1 += s / reach(to1, offset, eps);
    }
  }
  if (edge.a1 != line) *pull0 += sum0;
  if (edge.a0 != line) *pull1 += sum1;
}

__global__ void scan_faces(const float* gradient, const float* faces, const int32_t* index,
                           const uint8_t* owns, int64_t total, int64_t face_count, Frame frame,
                           int pool, float eps, float* result) {
  __shared__ float shared[kWarpsPerBlock][kWarp][2];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + warp;
  if (item >= total || !owns[item]) return;
  float face[9];
  for (int k = 0; k < 9; ++k) face[k] = faces[item * 9 + k];
  if (is_culled(face)) return;
  const int64_t b = item / face_count;
  const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
  const PictureGradient slope = {gradient + b * (area / (pool * pool)), frame, pool - 1};
  float pull0 = 0.f, pull1 = 0.f;
  const int pair = lane / kLanesPerPair;
  if (pair < kPairs) {
    const int axis = pair % 2;
    Edge edge;
    if (make_edge(to_corners(face, frame), pair / 2, axis, frame, &edge)) {
      for (int line = edge.first + lane % kLanesPerPair; line <= edge.last;
           line += kLanesPerPair) {
        scan_line(edge, axis, line, static_cast<int32_t>(item % face_count), frame,
                  index + b * area, slope, eps, &pull0, &pull1);
      }
    }
  }
  write_pulls(shared[warp], lane, pull0, pull1, result + item * 9);
}

// Keys of all raster pixels of the batch, bottom row first.
void draw(const float* faces, int64_t batch, int64_t face_count, Frame frame, float near,
          float far, Key* keys, cudaStream_t stream) {
  const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
  cudaMemsetAsync(keys, 0xff, sizeof(Key) * batch * area, stream);
  const int64_t total = batch * face_count;
  draw_faces<<<blocks(total, kWarpsPerBlock), kThreads, 0, stream>>>(faces, total, face_count,
                                                                     frame, near, far, keys);
}

}  // namespace
}  // namespace raster
}  // namespace bench

extern "C" BENCH_API int bench_rasterize_maps_cuda(const float* faces, int64_t batch,
                                                   int64_t face_count, int64_t height,
                                                   int64_t width, float near, float far,
                                                   int32_t* index, float* weights, float* depth,
                                                   int64_t* keys, void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height), static_cast<int>(width)};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  Key* nearest = reinterpret_cast<Key*>(keys);
  draw(faces, batch, face_count, frame, near, far, nearest, queue);
  const int64_t total = batch * height * width;
  write_maps<<<blocks(total, kThreads), kThreads, 0, queue>>>(
      faces, total, face_count, frame, far, nearest, index, weights, depth);
  return static_cast<int>(cudaGetLastError());
}

extern "C" BENCH_API int bench_rasterize_silhouettes_cuda(const float* faces, int64_t batch,
                                                          int64_t face_count, int64_t height,
                                                          int64_t width, int64_t pool,
                                                          float near, float far, int32_t* index,
                                                          float* alpha, int64_t* keys,
                                                          void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height * pool), static_cast<int>(width * pool)};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  Key* nearest = reinterpret_cast<Key*>(keys);
  draw(faces, batch, face_count, frame, near, far, nearest, queue);
  const int64_t total = batch * height * width;
  write_silhouettes<<<blocks(total, kThreads), kThreads, 0, queue>>>(
      total, static_cast<int>(height), static_cast<int>(width), static_cast<int>(pool), nearest,
      index, alpha);
  return static_cast<int>(cudaGetLastError());
}

extern "C" BENCH_API int bench_rasterize_silhouettes_backward_cuda(
    const float* gradient, const float* faces, const int32_t* index, int64_t batch,
    int64_t face_count, int64_t height, int64_t width, int64_t pool, float eps, float* result,
    uint8_t* owns, void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height * pool), static_cast<int>(width * pool)};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  const int64_t total = batch * face_count;
  const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
  cudaMemsetAsync(result, 0, sizeof(float) * 9 * total, queue);
  cudaMemsetAsync(owns, 0, total, queue);
  mark_owners<<<blocks(batch * area, kThreads), kThreads, 0, queue>>>(index, batch * area, area,
                                                                      face_count, owns);
  scan_faces<<<blocks(total, kWarpsPerBlock), kThreads, 0, queue>>>(
      gradient, faces, index, owns, total, face_count, frame, static_cast<int>(pool), eps,
      result);
  return static_cast<int>(cudaGetLastError());
}
