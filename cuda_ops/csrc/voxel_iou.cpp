#include "voxel_iou.h"

#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

// 64 cells as 64 bits, first cell lowest. The compilers do not find the one instruction for it.
inline uint64_t pack(const uint8_t* cells) {
#if defined(__AVX512BW__)
    const __m512i all = _mm512_loadu_si512(cells);
    return _mm512_test_epi8_mask(all, all);
#elif defined(__SSE2__)
    uint64_t empty = 0;
    for (int part = 0; part < 4; part++) {
        const __m128i some = _mm_loadu_si128(reinterpret_cast<const __m128i*>(cells) + part);
        const int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(some, _mm_setzero_si128()));
        empty |= uint64_t(uint16_t(mask)) << (16 * part);
    }
    return ~empty;
#else
    uint64_t bits = 0;
    for (int part = 0; part < 8; part++) {
        uint64_t eight;
        std::memcpy(&eight, cells + 8 * part, 8);  // little or big: both grids alike
        bits |= bench::cells_as_bits(eight) << (8 * part);
    }
    return bits;
#endif
}

double iou(const uint8_t* preds, const uint8_t* target, int64_t cells) {
    int64_t intersection = 0, either = 0, i = 0;
    for (; i + 64 <= cells; i += 64) {
        const uint64_t p = pack(preds + i), t = pack(target + i);
        intersection += __builtin_popcountll(p & t);
        either += __builtin_popcountll(p | t);
    }
    for (; i < cells; i++) {
        intersection += preds[i] && target[i];
        either += preds[i] || target[i];
    }
    return bench::iou_of_counts(intersection, either);
}

}  // namespace

// preds, target (B, cells) bytes; result (B).
extern "C" BENCH_API int bench_voxel_iou(const uint8_t* preds, const uint8_t* target,
                                         int64_t batch, int64_t cells, double* result,
                                         int threads) {
    // Below some megabytes waking a second thread takes longer than counting.
    const bool large = batch > 1 && batch * cells > (1 << 23);
#pragma omp parallel for num_threads(threads) if (threads > 1 && large) schedule(static)
    for (int64_t b = 0; b < batch; b++)
        result[b] = iou(preds + b * cells, target + b * cells, cells);
    return 0;
}
