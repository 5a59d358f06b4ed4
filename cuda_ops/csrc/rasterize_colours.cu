// Colours, depths and their gradients on CUDA: the arithmetic of rasterize_shade.h and
// rasterize_scan.h.
//
// Backward: one warp a face that owns pixels. For textures the warp walks the face's bounding box
// and adds the pixels one after the other, 24 lanes for the eight texels' three channels; for
// depths every lane sums its own pixels and the lanes meet in a fixed order. No floating-point
// atomics: the same bits in every run.

#include "rasterize_cuda.h"
#include "rasterize_shade.h"

namespace bench {
namespace raster {
namespace {

constexpr unsigned int kAllLanes = 0xffffffffu;

__global__ void shade(const float* faces, const float* textures, const float* background,
                      const int32_t* index, const float* weights, const float* depth,
                      int64_t total, int64_t area, int64_t face_count, int side, float eps,
                      float* rgb) {
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= total) return;
  const int64_t b = pixel / area, place = pixel % area;
  float colour[3];
  if (index[pixel] >= 0) {
    const int64_t f = b * face_count + index[pixel];
    const int64_t cube = static_cast<int64_t>(side) * side * side * 3;
    const TextureCell cell =
        texture_cell(faces + 9 * f, weights + 3 * pixel, depth[pixel], side, eps);
    sample_texture(textures + f * cube, cell, side, colour);
  } else {
    for (int c = 0; c < 3; ++c) colour[c] = background[3 * b + c];
  }
  for (int c = 0; c < 3; ++c) rgb[(3 * b + c) * area + place] = colour[c];
}

// The pixels of the raster where a face may be, counted row by row.
struct Pixels {
  Box box;
  int columns, count;
};

__device__ Pixels pixels_of(const float* face, Frame frame) {
  Pixels pixels = {bounding_box(face, frame), 0, 0};
  if (pixels.box.x_first > pixels.box.x_last || pixels.box.y_first > pixels.box.y_last) {
    return pixels;
  }
  pixels.columns = pixels.box.x_last - pixels.box.x_first + 1;
  pixels.count = pixels.columns * (pixels.box.y_last - pixels.box.y_first + 1);
  return pixels;
}

// Place of a pixel in maps whose top row comes first.
__device__ int64_t place_of(const Pixels& pixels, int p, Frame frame) {
  const int x = pixels.box.x_first + p % pixels.columns;
  const int y = pixels.box.y_first + p / pixels.columns;
  return static_cast<int64_t>(frame.height - 1 - y) * frame.width + x;
}

__global__ void add_to_textures(const float* gradient, const float* faces, const int32_t* index,
                                const float* weights, const float* depth, const uint8_t* owns,
                                int64_t total, int64_t face_count, Frame frame, int side,
                                float eps, float* result) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (item >= total || !owns[item]) return;
  const int lane = threadIdx.x % kWarp;
  const int64_t b = item / face_count, area = static_cast<int64_t>(frame.height) * frame.width;
  const int32_t id = static_cast<int32_t>(item % face_count);
  const float* face = faces + 9 * item;
  float* texture = result + item * side * side * side * 3;
  const float* slope = gradient + b * 3 * area;
  const Pixels pixels = pixels_of(face, frame);
  const int texel = lane / 3, channel = lane % 3;
  for (int start = 0; start < pixels.count; start += kWarp) {
    const int p = start + lane;
    const bool own =
        p < pixels.count && index[b * area + place_of(pixels, p, frame)] == id;
    for (unsigned int left = __ballot_sync(kAllLanes, own); left != 0; left &= left - 1) {
      const int64_t place = place_of(pixels, start + __ffs(left) - 1, frame);
      const int64_t pixel = b * area + place;
      if (texel < kTexels) {
        const TextureCell cell =
            texture_cell(face, weights + 3 * pixel, depth[pixel], side, eps);
        texture[3 * texel_place(cell, side, texel) + channel] +=
            texel_share(cell, texel) * slope[channel * area + place];
      }
      __syncwarp();  // the next pixel may add to the same texels by other lanes
    }
  }
}

__global__ void add_depths(const float* gradient, const float* faces, const int32_t* index,
                           const float* weights, const float* depth, const uint8_t* owns,
                           int64_t total, int64_t face_count, Frame frame, float* result) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (item >= total || !owns[item]) return;
  const int lane = threadIdx.x % kWarp;
  const int64_t b = item / face_count, area = static_cast<int64_t>(frame.height) * frame.width;
  const int32_t id = static_cast<int32_t>(item % face_count);
  const float* face = faces + 9 * item;
  float m[9], sum[9] = {};
  corner_inverse(face, frame, m);
  const Pixels pixels = pixels_of(face, frame);
  for (int p = lane; p < pixels.count; p += kWarp) {
    const int64_t pixel = b * area + place_of(pixels, p, frame);
    if (index[pixel] != id) continue;
    add_depth_gradient(face, m, weights + 3 * pixel, depth[pixel], gradient[pixel], frame, sum);
  }
  __syncwarp();
  for (int k = 0; k < 9; ++k) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      sum[k] += __shfl_down_sync(kAllLanes, sum[k], step);
    }
    if (lane == 0) result[9 * item + k] += sum[k];
  }
}

// One picture's maps for a scan, top row first; null where they are not asked for.
struct Maps {
  const int32_t* index;
  const float* rgb;
  const float* rgb_slope;
  const float* alpha_slope;
  int64_t area;

  // What the loss would gain if the pixel at `to` had what the pixel at `from` has.
  __device__ float gain(int64_t to, int64_t from) const {
    float sum = 0.f;
    if (rgb_slope != nullptr) {
      for (int c = 0; c < 3; ++c) {
        sum += (rgb[c * area + to] - rgb[c * area + from]) * rgb_slope[c * area + to];
      }
    }
    if (alpha_slope != nullptr) {
      const float here = index[to] >= 0 ? 1.f : 0.f, there = index[from] >= 0 ? 1.f : 0.f;
      sum += (here - there) * alpha_slope[to];
    }
    return sum;
  }
};

__device__ void scan_colour_line(const Edge& edge, int axis, int line, int32_t id, Frame frame,
                                 const Maps& maps, float eps, float* pull0, float* pull1) {
  Crossing at;
  if (!find_crossing(edge, line, &at)) return;
  const int64_t width = frame.width;
  const int64_t step = axis == 0 ? -width : 1;
  const int64_t start = (frame.height - 1) * width + line * (axis == 0 ? 1 : -width);
  const float to0 = lever0(edge, line), to1 = lever1(edge, line);
  float sum0 = 0.f, sum1 = 0.f;
  if (maps.index[start + at.in * step] == id) {
    const int first = edge.direction > 0 ? at.out : 0;
    const int last = edge.direction > 0 ? edge.length - 1 : at.out;
    for (int d = first; d <= last; ++d) {
      const float s = maps.gain(start + d * step, start + at.in * step);
      if (!(s > 0.f)) continue;
      const float offset = d - at.cross;
      sum0 += s / reach(to0, offset, eps);
      sum1 += s / reach(to1, offset, eps);
    }
  }
  const int far_side = find_far_side(edge, line);
  int d = at.in < far_side ? at.in : far_side;
  int last = at.in < far_side ? far_side : at.in;
  d = d > 0 ? d : 0;
  last = last < edge.length - 1 ? last : edge.length - 1;
  for (; d <= last; ++d) {
    if (maps.index[start + d * step] != id) continue;
    const float s = maps.gain(start + d * step, start + at.out * step);
    if (!(s > 0.f)) continue;
    const float offset = d - at.cross;
    sum0 += s / reach(to0, offset, eps);
    sum1 += s / reach(to1, offset, eps);
  }
  if (edge.a1 != line) *pull0 += sum0;
  if (edge.a0 != line) *pull1 += sum1;
}

__global__ void scan_colours(Maps maps, const float* faces, const uint8_t* owns, int64_t total,
                             int64_t face_count, Frame frame, float eps, float* result) {
  __shared__ float found[kWarpsPerBlock][kWarp][2];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + warp;
  if (item >= total || !owns[item]) return;
  float face[9];
  for (int k = 0; k < 9; ++k) face[k] = faces[item * 9 + k];
  if (is_culled(face)) return;
  const int64_t b = item / face_count;
  maps.index += b * maps.area;
  if (maps.rgb_slope != nullptr) {
    maps.rgb += 3 * b * maps.area;
    maps.rgb_slope += 3 * b * maps.area;
  }
  if (maps.alpha_slope != nullptr) maps.alpha_slope += b * maps.area;
  float pull0 = 0.f, pull1 = 0.f;
  const int pair = lane / kLanesPerPair;
  if (pair < kPairs) {
    const int axis = pair % 2;
    Edge edge;
    if (make_edge(to_corners(face, frame), pair / 2, axis, frame, &edge)) {
      for (int line = edge.first + lane % kLanesPerPair; line <= edge.last;
           line += kLanesPerPair) {
        scan_colour_line(edge, axis, line, static_cast<int32_t>(item % face_count), frame, maps,
                         eps, &pull0, &pull1);
      }
    }
  }
  write_pulls(found[warp], lane, pull0, pull1, result + item * 9);
}

void find_owners(const int32_t* index, int64_t batch, int64_t face_count, int64_t area,
                 uint8_t* owns, cudaStream_t queue) {
  cudaMemsetAsync(owns, 0, batch * face_count, queue);
  mark_owners<<<blocks(batch * area, kThreads), kThreads, 0, queue>>>(index, batch * area, area,
                                                                      face_count, owns);
}

}  // namespace
}  // namespace raster
}  // namespace bench

extern "C" BENCH_API int bench_shade_cuda(const float* faces, const float* textures,
                                          const float* background, const int32_t* index,
                                          const float* weights, const float* depth,
                                          int64_t batch, int64_t face_count, int64_t side,
                                          int64_t height, int64_t width, float eps, float* rgb,
                                          void* stream) {
  using namespace bench::raster;
  const int64_t area = height * width;
  shade<<<blocks(batch * area, kThreads), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      faces, textures, background, index, weights, depth, batch * area, area, face_count,
      static_cast<int>(side), eps, rgb);
  return static_cast<int>(cudaGetLastError());
}

extern "C" BENCH_API int bench_shade_backward_cuda(const float* gradient, const float* faces,
                                                   const int32_t* index, const float* weights,
                                                   const float* depth, int64_t batch,
                                                   int64_t face_count, int64_t side,
                                                   int64_t height, int64_t width, float eps,
                                                   float* result, uint8_t* owns, void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height), static_cast<int>(width)};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  const int64_t total = batch * face_count;
  cudaMemsetAsync(result, 0, sizeof(float) * 3 * side * side * side * total, queue);
  find_owners(index, batch, face_count, height * width, owns, queue);
  add_to_textures<<<blocks(total, kWarpsPerBlock), kThreads, 0, queue>>>(
      gradient, faces, index, weights, depth, owns, total, face_count, frame,
      static_cast<int>(side), eps, result);
  return static_cast<int>(cudaGetLastError());
}

extern "C" BENCH_API int bench_depth_backward_cuda(const float* gradient, const float* faces,
                                                   const int32_t* index, const float* weights,
                                                   const float* depth, int64_t batch,
                                                   int64_t face_count, int64_t height,
                                                   int64_t width, float* result, uint8_t* owns,
                                                   void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height), static_cast<int>(width)};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  const int64_t total = batch * face_count;
  find_owners(index, batch, face_count, height * width, owns, queue);
  add_depths<<<blocks(total, kWarpsPerBlock), kThreads, 0, queue>>>(
      gradient, faces, index, weights, depth, owns, total, face_count, frame, result);
  return static_cast<int>(cudaGetLastError());
}

extern "C" BENCH_API int bench_scan_colours_cuda(const float* rgb, const float* rgb_gradient,
                                                 const float* alpha_gradient, const float* faces,
                                                 const int32_t* index, int64_t batch,
                                                 int64_t face_count, int64_t height,
                                                 int64_t width, float eps, float* result,
                                                 uint8_t* owns, void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height), static_cast<int>(width)};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  const int64_t total = batch * face_count;
  const int64_t area = height * width;
  cudaMemsetAsync(result, 0, sizeof(float) * 9 * total, queue);
  find_owners(index, batch, face_count, area, owns, queue);
  const Maps maps = {index, rgb, rgb_gradient, alpha_gradient, area};
  scan_colours<<<blocks(total, kWarpsPerBlock), kThreads, 0, queue>>>(
      maps, faces, owns, total, face_count, frame, eps, result);
  return static_cast<int>(cudaGetLastError());
}
