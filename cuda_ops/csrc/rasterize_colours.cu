// Colours, depths and their gradients on CUDA: the arithmetic of rasterize_shade.h and
// rasterize_scan.h.
//
// Forward: one thread a pixel of the picture, for its raster pixels. Backward: the raster's colours
// are found again, then one warp a face that owns pixels scans. For textures a warp takes a cube:
// it walks the bounding boxes of the front and the back and adds their pixels one after the other,
// 24 lanes for the eight texels' three channels; for lights and depths every lane sums its own
// pixels and the lanes meet in a fixed order. No floating-point atomics: the same bits every run.

#include "rasterize_cuda.h"
#include "rasterize_shade.h"

namespace bench {
namespace raster {
namespace {

constexpr unsigned int kAllLanes = 0xffffffffu;

// Paint of one picture of the batch.
__device__ Paint paint_of(Paint all, int64_t b, int64_t face_count, int64_t texture_step) {
  all.textures += b * texture_step;
  all.background += 3 * b;
  if (all.light != nullptr) all.light += b * face_count * 3;
  return all;
}

struct ShownPixel {
  TextureCell cell;
  const float* cube;
};

// Where raster pixel (x, y) lies in the texture of its face.
__device__ ShownPixel show_pixel(const float* face, int32_t id, int x, int y, Frame frame,
                                 const Paint& paint) {
  float corners[9], m[9];
  texture_corners(face, paint.is_back(id), paint.linear, corners);
  corner_inverse(corners, frame, m);
  const Weights w = weights_at(m, static_cast<float>(x), static_cast<float>(y));
  return {texture_cell(make_texture_map(corners, paint), w, depth_at(corners, w)),
          paint.cube(id)};
}

__device__ void colour_pixel(const float* faces, int32_t id, int x, int y, Frame frame,
                             const Paint& paint, float* colour) {
  if (id < 0) {
    for (int c = 0; c < 3; ++c) colour[c] = paint.background[c];
    return;
  }
  const ShownPixel shown = show_pixel(faces + 9 * static_cast<int64_t>(id), id, x, y, frame, paint);
  sample_texture(shown.cube, shown.cell, paint.side, colour);
  for (int c = 0; c < 3; ++c) colour[c] *= paint.light_of(id, c);
}

// Results may be null. `deep` are the raster's depths.
__global__ void paint_pixels(const float* faces, Paint all, const int32_t* index,
                             const float* deep, int64_t total, int64_t face_count,
                             int64_t texture_step, Frame frame, int pool, float* rgb,
                             float* alpha, float* depth) {
  const int64_t pixel = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= total) return;
  const int width = frame.width / pool;
  const int64_t area = static_cast<int64_t>(frame.height / pool) * width;
  const int64_t b = pixel / area, place = pixel % area;
  const int64_t raster = b * frame.height * frame.width;
  const Paint paint = paint_of(all, b, face_count, texture_step);
  float colours[4][3], deeps[4];
  int covered = 0;
  for (int k = 0; k < pool * pool; ++k) {
    const int x = static_cast<int>(place % width) * pool + k % pool;
    const int row = static_cast<int>(place / width) * pool + k / pool;
    const int64_t at = raster + static_cast<int64_t>(row) * frame.width + x;
    covered += index[at] >= 0;
    deeps[k] = depth != nullptr ? deep[at] : 0.f;
    if (rgb != nullptr) {
      colour_pixel(faces + b * face_count * 9, index[at], x, frame.height - 1 - row, frame, paint,
                   colours[k]);
    }
  }
  if (alpha != nullptr) alpha[pixel] = static_cast<float>(covered) / (pool * pool);
  if (depth != nullptr) {
    depth[pixel] = pool == 1 ? deeps[0] : mean_of_four(deeps[0], deeps[1], deeps[2], deeps[3]);
  }
  for (int c = 0; c < 3 && rgb != nullptr; ++c) {
    rgb[(3 * b + c) * area + place] =
        pool == 1 ? colours[0][c]
                  : mean_of_four(colours[0][c], colours[1][c], colours[2][c], colours[3][c]);
  }
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

// The gradient of a raster pixel's colours.
struct ColourGradient {
  PictureGradient channel[3];

  __device__ ColourGradient(const float* rgb, int64_t b, Frame frame, int shift) {
    const int64_t area = static_cast<int64_t>(frame.height >> shift) * (frame.width >> shift);
    for (int c = 0; c < 3; ++c) channel[c] = {rgb + (3 * b + c) * area, frame, shift};
  }
};

// One warp a cube.
__global__ void add_to_textures(const float* gradient, const float* faces, Paint all,
                                const int32_t* index, const uint8_t* owns, int64_t total,
                                int64_t face_count, int64_t texture_step, Frame frame, int shift,
                                float* result) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (item >= total) return;
  const int lane = threadIdx.x % kWarp;
  const int64_t b = item / all.fronts, area = static_cast<int64_t>(frame.height) * frame.width;
  const Paint paint = paint_of(all, b, face_count, texture_step);
  float* texture = result + item * paint.cube_size();
  const ColourGradient slopes(gradient, b, frame, shift);
  const int texel = lane / 3, channel = lane % 3;
  for (int64_t id = item % paint.fronts; id < face_count; id += paint.fronts) {
    if (!owns[b * face_count + id]) continue;
    const float* face = faces + 9 * (b * face_count + id);
    const Pixels pixels = pixels_of(face, frame);
    for (int start = 0; start < pixels.count; start += kWarp) {
      const int p = start + lane;
      const bool own =
          p < pixels.count && index[b * area + place_of(pixels, p, frame)] == id;
      for (unsigned int left = __ballot_sync(kAllLanes, own); left != 0; left &= left - 1) {
        const int q = start + __ffs(left) - 1;
        const int x = pixels.box.x_first + q % pixels.columns;
        const int y = pixels.box.y_first + q / pixels.columns;
        if (texel < kTexels) {
          const TextureCell cell =
              show_pixel(face, static_cast<int32_t>(id), x, y, frame, paint).cell;
          const int place = cell_place(cell, paint.side) + texel_step(paint.side, texel);
          texture[3 * static_cast<int64_t>(place) + channel] +=
              texel_share(cell, texel) *
              (slopes.channel[channel].at(1, y, x) * paint.light_of(id, channel));
        }
        __syncwarp();  // the next pixel may add to the same texels by other lanes
      }
    }
  }
}

// One warp a face.
__global__ void add_to_light(const float* gradient, const float* faces, Paint all,
                             const int32_t* index, const uint8_t* owns, int64_t total,
                             int64_t face_count, int64_t texture_step, Frame frame, int shift,
                             float* result) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (item >= total || !owns[item]) return;
  const int lane = threadIdx.x % kWarp;
  const int64_t b = item / face_count, area = static_cast<int64_t>(frame.height) * frame.width;
  const int32_t id = static_cast<int32_t>(item % face_count);
  const Paint paint = paint_of(all, b, face_count, texture_step);
  const ColourGradient slopes(gradient, b, frame, shift);
  const float* face = faces + 9 * item;
  const Pixels pixels = pixels_of(face, frame);
  float sum[3] = {0.f, 0.f, 0.f};
  for (int p = lane; p < pixels.count; p += kWarp) {
    if (index[b * area + place_of(pixels, p, frame)] != id) continue;
    const int x = pixels.box.x_first + p % pixels.columns;
    const int y = pixels.box.y_first + p / pixels.columns;
    const ShownPixel shown = show_pixel(face, id, x, y, frame, paint);
    float colour[3];
    sample_texture(shown.cube, shown.cell, paint.side, colour);
    for (int c = 0; c < 3; ++c) sum[c] += slopes.channel[c].at(1, y, x) * colour[c];
  }
  __syncwarp();
  for (int c = 0; c < 3; ++c) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      sum[c] += __shfl_down_sync(kAllLanes, sum[c], step);
    }
    if (lane == 0) result[3 * item + c] = sum[c];
  }
}

__global__ void add_depths(const float* gradient, const float* faces, const int32_t* index,
                           const uint8_t* owns, int64_t total, int64_t face_count, Frame frame,
                           int shift, float* result) {
  const int64_t item = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  if (item >= total || !owns[item]) return;
  const int lane = threadIdx.x % kWarp;
  const int64_t b = item / face_count, area = static_cast<int64_t>(frame.height) * frame.width;
  const int32_t id = static_cast<int32_t>(item % face_count);
  const PictureGradient slope = {gradient + b * (area >> (2 * shift)), frame, shift};
  const float* face = faces + 9 * item;
  float m[9];
  corner_inverse(face, frame, m);
  DepthPull pull = {{0.f, 0.f, 0.f}};
  const Pixels pixels = pixels_of(face, frame);
  for (int p = lane; p < pixels.count; p += kWarp) {
    if (index[b * area + place_of(pixels, p, frame)] != id) continue;
    const int x = pixels.box.x_first + p % pixels.columns;
    const int y = pixels.box.y_first + p / pixels.columns;
    const Weights w = weights_at(m, static_cast<float>(x), static_cast<float>(y));
    add_depth_pull(w, depth_at(face, w), slope.at(1, y, x), &pull);
  }
  __syncwarp();
  for (int k = 0; k < 3; ++k) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      pull.corner[k] += __shfl_down_sync(kAllLanes, pull.corner[k], step);
    }
  }
  if (lane == 0) add_depth_gradient(face, m, pull, frame, result + 9 * item);
}

// One picture's maps for a scan, top row first: index and colours of the raster, gradients of the
// picture; that of alpha is null where it is not asked for.
struct Maps {
  const int32_t* index;
  const float* rgb;
  const float* rgb_slope;
  const float* alpha_slope;
  Frame frame;
  int shift;

  // What the loss would gain if the pixel at `to` had what the pixel at `from` has.
  __device__ float gain(int64_t to, int64_t from) const {
    const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
    const int64_t row = to / frame.width >> shift, x = to % frame.width >> shift;
    const int64_t at = row * (frame.width >> shift) + x;
    const float share = shift == 0 ? 1.f : 0.25f;
    float sum = 0.f;
    for (int c = 0; c < 3; ++c) {
      const float slope = share * rgb_slope[c * (area >> (2 * shift)) + at];
      sum += (rgb[c * area + to] - rgb[c * area + from]) * slope;
    }
    if (alpha_slope != nullptr) {
      const float here = index[to] >= 0 ? 1.f : 0.f, there = index[from] >= 0 ? 1.f : 0.f;
      sum += (here - there) * (share * alpha_slope[at]);
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
  const int64_t area = static_cast<int64_t>(frame.height) * frame.width;
  maps.index += b * area;
  maps.rgb += 3 * b * area;
  maps.rgb_slope += 3 * b * (area >> (2 * maps.shift));
  if (maps.alpha_slope != nullptr) maps.alpha_slope += b * (area >> (2 * maps.shift));
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

// As bench_paint, from the raster's index and depths.
extern "C" BENCH_API int bench_paint_cuda(const float* faces, const float* textures,
                                          const float* light, const float* background,
                                          const int32_t* index, const float* deep, int64_t batch,
                                          int64_t face_count, int64_t fronts,
                                          int64_t texture_step, int64_t side, int64_t height,
                                          int64_t width, int64_t pool, float eps, int64_t linear,
                                          float* rgb, float* alpha, float* depth, void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height * pool), static_cast<int>(width * pool)};
  const Paint paint = {textures, light, background, fronts, static_cast<int>(side), eps,
                       linear != 0};
  const int64_t total = batch * height * width;
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  paint_pixels<<<blocks(total, kThreads), kThreads, 0, queue>>>(
      faces, paint, index, deep, total, face_count, texture_step, frame, static_cast<int>(pool),
      rgb, alpha, depth);
  return static_cast<int>(cudaGetLastError());
}

// As on the CPU, with scratch for the raster's colours and for which faces own pixels.
extern "C" BENCH_API int bench_paint_backward_cuda(
    const float* rgb_gradient, const float* alpha_gradient, const float* faces,
    const float* textures, const float* light, const float* background, const int32_t* index,
    int64_t batch, int64_t face_count, int64_t fronts, int64_t texture_step, int64_t side,
    int64_t height, int64_t width, int64_t pool, float eps, int64_t linear, float* to_faces,
    float* to_textures, float* to_light, float* colours, uint8_t* owns, void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height * pool), static_cast<int>(width * pool)};
  const Paint paint = {textures, light, background, fronts, static_cast<int>(side), eps,
                       linear != 0};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  const int shift = static_cast<int>(pool) - 1;
  const int64_t total = batch * face_count, cubes = batch * fronts;
  const int64_t raster = static_cast<int64_t>(frame.height) * frame.width;
  find_owners(index, batch, face_count, raster, owns, queue);
  if (to_textures != nullptr) {
    cudaMemsetAsync(to_textures, 0, sizeof(float) * paint.cube_size() * cubes, queue);
    add_to_textures<<<blocks(cubes, kWarpsPerBlock), kThreads, 0, queue>>>(
        rgb_gradient, faces, paint, index, owns, cubes, face_count, texture_step, frame, shift,
        to_textures);
  }
  if (to_light != nullptr) {
    cudaMemsetAsync(to_light, 0, sizeof(float) * 3 * total, queue);
    add_to_light<<<blocks(total, kWarpsPerBlock), kThreads, 0, queue>>>(
        rgb_gradient, faces, paint, index, owns, total, face_count, texture_step, frame, shift,
        to_light);
  }
  if (to_faces != nullptr) {
    paint_pixels<<<blocks(batch * raster, kThreads), kThreads, 0, queue>>>(
        faces, paint, index, nullptr, batch * raster, face_count, texture_step, frame, 1, colours,
        nullptr, nullptr);
    cudaMemsetAsync(to_faces, 0, sizeof(float) * 9 * total, queue);
    const Maps maps = {index, colours, rgb_gradient, alpha_gradient, frame, shift};
    scan_colours<<<blocks(total, kWarpsPerBlock), kThreads, 0, queue>>>(
        maps, faces, owns, total, face_count, frame, eps, to_faces);
  }
  return static_cast<int>(cudaGetLastError());
}

extern "C" BENCH_API int bench_depth_backward_cuda(const float* gradient, const float* faces,
                                                   const int32_t* index, int64_t batch,
                                                   int64_t face_count, int64_t height,
                                                   int64_t width, int64_t pool, float* result,
                                                   uint8_t* owns, void* stream) {
  using namespace bench::raster;
  const Frame frame = {static_cast<int>(height * pool), static_cast<int>(width * pool)};
  cudaStream_t queue = static_cast<cudaStream_t>(stream);
  const int64_t total = batch * face_count;
  const int64_t raster = static_cast<int64_t>(frame.height) * frame.width;
  find_owners(index, batch, face_count, raster, owns, queue);
  add_depths<<<blocks(total, kWarpsPerBlock), kThreads, 0, queue>>>(
      gradient, faces, index, owns, total, face_count, frame, static_cast<int>(pool) - 1, result);
  return static_cast<int>(cudaGetLastError());
}
