#include "point_to_mesh_tree.h"

#include <new>

namespace {

constexpr int kNoMemory = -2;
constexpr int kChunk = 256;  // points a thread takes at a time

}  // namespace

// points (N, 3), vertices (V, 3), faces (F, 3) with indices in [0, V), F < 2^31.
// squared (N) and face (N); infinity and -1 for a point that is not finite, or if no face is.
extern "C" BENCH_API int bench_point_to_mesh(const float* points, int64_t point_count,
                                             const float* vertices, const int64_t* faces,
                                             int64_t face_count, float* squared, int64_t* face,
                                             int threads) {
    try {
        const bench::FaceTree tree(vertices, faces, face_count);
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic, kChunk)
        for (int64_t i = 0; i < point_count; i++) {
            const float* p = points + 3 * i;
            const bool finite = (p[0] - p[0]) + (p[1] - p[1]) + (p[2] - p[2]) == 0.0f;
            bench::Best best{bench::kInfinity, -1};
            if (finite && !tree.empty()) best = tree.nearest(p);
            std::memcpy(squared + i, &best.bits, sizeof best.bits);
            face[i] = best.face;
        }
    } catch (const std::bad_alloc&) {
        return kNoMemory;
    }
    return 0;
}
