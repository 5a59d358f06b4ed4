// Intersection over union of two boolean grids, in whole numbers: cells are packed into bits,
// counted with population counts, and only the last division is floating point (double).
// A byte other than 0 is an occupied cell. Two empty grids give 1.
#pragma once

#include <cstdint>

#include "common.h"

namespace bench {

// Eight cells (bytes) as eight bytes of 0 or 1.
BENCH_HD uint64_t cells_as_ones(uint64_t cells) {
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    return (((cells & low) + low) | cells) >> 7 & 0x0101010101010101u;
}

// Eight cells as eight bits, first cell lowest.
BENCH_HD uint64_t cells_as_bits(uint64_t cells) {
    return cells_as_ones(cells) * 0x0102040810204080u >> 56;
}

BENCH_HD double iou_of_counts(int64_t intersection, int64_t either) {
    return either == 0 ? 1.0 : double(intersection) / double(either);
}

}  // namespace bench
