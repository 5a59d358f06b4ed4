// Surface sampling on the CPU: a table of starting faces makes the search for a face a step or
// two, whatever the areas.

#include "sample_surface.h"

#include "parallel.h"

#include <algorithm>
#include <cstdlib>

namespace bench {
namespace {

enum Status { kFine = 0, kBadIndex = 1, kNotFinite = 2, kNoArea = 3 };
constexpr int64_t kBlock = 64;      // samples whose random numbers are drawn together
constexpr int64_t kSamples = 4096;  // samples and faces that a thread takes at once
constexpr int64_t kFaces = 4096;

void draw(uint64_t seed, uint64_t object, uint64_t first, uint32_t bits[4][kBlock]) {
  uint32_t c0[kBlock], c1[kBlock], c2[kBlock], c3[kBlock];
  for (int64_t i = 0; i < kBlock; ++i) {
    uint32_t c[4];
    sample_bits(seed, object, first + static_cast<uint64_t>(i), c);
    c0[i] = c[0], c1[i] = c[1], c2[i] = c[2], c3[i] = c[3];
  }
  std::copy(c0, c0 + kBlock, bits[0]);
  std::copy(c1, c1 + kBlock, bits[1]);
  std::copy(c2, c2 + kBlock, bits[2]);
  std::copy(c3, c3 + kBlock, bits[3]);
}

}  // namespace
}  // namespace bench

// vertices (v, 3), faces (f, 3) -> points (count, 3), face_index (count). status[0] tells what is
// wrong with the mesh (1 a face's index, 2 an area that is not finite, 3 no area), status[1]
// which face. Returns 1 when memory runs out.
extern "C" BENCH_API int bench_sample_surface(const float* vertices, const int64_t* faces,
                                              int64_t v, int64_t f, int64_t count, int64_t seed,
                                              int64_t object, float* points, int64_t* face_index,
                                              int64_t* status, int threads) {
  using namespace bench;
  int bits = 0;
  while ((int64_t{1} << bits) < f) ++bits;
  const int64_t buckets = int64_t{1} << bits;
  const size_t bytes = sizeof(double) * static_cast<size_t>(f) +
                       sizeof(uint64_t) * static_cast<size_t>(f) +
                       sizeof(int64_t) * static_cast<size_t>(buckets);
  char* memory = static_cast<char*>(std::malloc(bytes));
  if (memory == nullptr) return 1;
  double* area = reinterpret_cast<double*>(memory);
  uint64_t* sum = reinterpret_cast<uint64_t*>(area + f);
  int64_t* guide = reinterpret_cast<int64_t*>(sum + f);

  // Areas; a face with an index out of range gets -1, which no area is.
  parallel_for(threads, (f + kFaces - 1) / kFaces, [&](int64_t piece) {
    const int64_t end = std::min(f, (piece + 1) * kFaces);
    for (int64_t i = piece * kFaces; i < end; ++i) {
      const int64_t a = faces[3 * i], b = faces[3 * i + 1], c = faces[3 * i + 2];
      const bool inside = a >= 0 && a < v && b >= 0 && b < v && c >= 0 && c < v;
      area[i] = inside ? double_area(vertices + 3 * a, vertices + 3 * b, vertices + 3 * c) : -1.0;
    }
  });
  double largest = 0.0;
  status[0] = kFine;
  for (int64_t i = 0; i < f && status[0] == kFine; ++i) {
    status[1] = i;
    if (area[i] < 0.0) status[0] = kBadIndex;
    if (!(area[i] < INFINITY)) status[0] = kNotFinite;
    largest = std::max(largest, area[i]);
  }
  if (status[0] == kFine && largest == 0.0) status[0] = kNoArea;
  if (status[0] != kFine) {
    std::free(memory);
    return 0;
  }

  const double unit_weight = weight_unit(f);
  uint64_t total = 0;
  for (int64_t i = 0; i < f; ++i) {
    total += static_cast<uint64_t>(weight(area[i], largest, unit_weight));
    sum[i] = total;
  }
  for (int64_t k = 0, face = 0; k < buckets; ++k) {
    const uint64_t lowest = bits == 0 ? 0 : static_cast<uint64_t>(k) << (64 - bits);
    const uint64_t at = multiply_high(lowest, total);
    while (sum[face] <= at) ++face;
    guide[k] = face;
  }

  const auto sample_block = [&](int64_t first) {
    uint32_t random[4][kBlock];
    draw(static_cast<uint64_t>(seed), static_cast<uint64_t>(object), static_cast<uint64_t>(first),
         random);
    const int64_t filled = std::min(kBlock, count - first);
    for (int64_t i = 0; i < filled; ++i) {
      const uint32_t c[4] = {random[0][i], random[1][i], random[2][i], random[3][i]};
      const uint64_t at = ticket(c, total);
      int64_t face = guide[bits == 0 ? 0 : (static_cast<uint64_t>(c[0]) << 32 | c[1]) >> (64 - bits)];
      while (sum[face] <= at) ++face;
      const int64_t* corner = faces + 3 * face;
      face_index[first + i] = face;
      place(vertices + 3 * corner[0], vertices + 3 * corner[1], vertices + 3 * corner[2], c,
            points + 3 * (first + i));
    }
  };
  parallel_for(threads, (count + kSamples - 1) / kSamples, [&](int64_t piece) {
    const int64_t end = std::min(count, (piece + 1) * kSamples);
    for (int64_t first = piece * kSamples; first < end; first += kBlock) sample_block(first);
  });
  std::free(memory);
  return 0;
}
