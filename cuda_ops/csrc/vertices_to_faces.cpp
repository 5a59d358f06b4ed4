// Gathering the corners of faces, and summing their gradients in a fixed order.

#include <cstring>

#include "common.h"

// vertices (B,V,3), faces (1 or B,F,3) -> corners (B,F,3,3). Indices have been checked.
extern "C" BENCH_API int bench_vertices_to_faces(const float* vertices, const int32_t* faces,
                                                 int64_t batch, int64_t face_batch,
                                                 int64_t vertex_count, int64_t face_count,
                                                 float* corners, int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
  for (int64_t b = 0; b < batch; ++b) {
    const int32_t* index = faces + (face_batch == 1 ? 0 : b * face_count * 3);
    const float* from = vertices + b * vertex_count * 3;
    float* to = corners + b * face_count * 9;
    for (int64_t c = 0; c < face_count * 3; ++c) {
      const float* corner = from + 3 * static_cast<int64_t>(index[c]);
      to[3 * c] = corner[0];
      to[3 * c + 1] = corner[1];
      to[3 * c + 2] = corner[2];
    }
  }
  return 0;
}

// The adjoint: every vertex receives the sum over its corners, in the order of the faces.
extern "C" BENCH_API int bench_vertices_to_faces_backward(const float* gradient,
                                                          const int32_t* faces, int64_t batch,
                                                          int64_t face_batch,
                                                          int64_t vertex_count,
                                                          int64_t face_count, float* result,
                                                          int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
  for (int64_t b = 0; b < batch; ++b) {
    const int32_t* index = faces + (face_batch == 1 ? 0 : b * face_count * 3);
    const float* from = gradient + b * face_count * 9;
    float* to = result + b * vertex_count * 3;
    std::memset(to, 0, sizeof(float) * vertex_count * 3);
    for (int64_t c = 0; c < face_count * 3; ++c) {
      float* vertex = to + 3 * static_cast<int64_t>(index[c]);
      vertex[0] += from[3 * c];
      vertex[1] += from[3 * c + 1];
      vertex[2] += from[3 * c + 2];
    }
  }
  return 0;
}
