#include "point_to_mesh_tree.h"

#include <new>

#include "curve.h"

namespace {

using namespace bench;

constexpr int kNoMemory = -2;
constexpr int64_t kChunk = 256;  // points a thread takes at a time
constexpr int64_t kWorthAnOrder = 512;  // points; the search of fewer is over before

// Indices of points along a curve: what one has found bounds the search of the next.
class Order {
  public:
    Order(const float* points, int64_t count) {
        if (count < kWorthAnOrder || count > std::numeric_limits<int32_t>::max()) return;
        float low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
        items_.resize(size_t(count));
        for (int64_t i = 0; i < count; i++) {
            items_[size_t(i)] = uint64_t(i);
            if (!finite3(points + 3 * i)) continue;
            for (int d = 0; d < 3; d++) {
                low[d] = std::min(low[d], points[3 * i + d]);
                high[d] = std::max(high[d], points[3 * i + d]);
            }
        }
        Frame frame;
        if (!fit(frame, low, high, count)) return;
        std::vector<uint64_t> spare(items_.size());
        set_keys(frame, points, items_.data(), count);
        sort_by_key(items_.data(), spare.data(), count, 3 * frame.bits);
    }

    int64_t operator[](int64_t n) const {
        return items_.empty() ? n : int64_t(items_[size_t(n)] & 0xffffffffu);
    }

  private:
    std::vector<uint64_t> items_;  // empty: as they are
};

}  // namespace

// points (N, 3), vertices (V, 3), faces (F, 3) with indices in [0, V), F < 2^31.
// squared (N) and face (N); infinity and -1 for a point that is not finite, or if no face is.
extern "C" BENCH_API int bench_point_to_mesh(const float* points, int64_t point_count,
                                             const float* vertices, const int64_t* faces,
                                             int64_t face_count, float* squared, int64_t* face,
                                             int threads) {
    try {
        const FaceTree tree(vertices, faces, face_count);
        const Order order(points, point_count);
        const int64_t chunks = (point_count + kChunk - 1) / kChunk;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic)
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            const int64_t end = std::min(point_count, (chunk + 1) * kChunk);
            int32_t start = kNoBlock;
            for (int64_t n = chunk * kChunk; n < end; n++) {
                const int64_t i = order[n];
                const float* p = points + 3 * i;
                Best best{kInfinity, -1};
                if (finite3(p) && !tree.empty()) best = tree.nearest(p, start);
                std::memcpy(squared + i, &best.bits, sizeof best.bits);
                face[i] = best.face;
            }
        }
    } catch (const std::bad_alloc&) {
        return kNoMemory;
    }
    return 0;
}
