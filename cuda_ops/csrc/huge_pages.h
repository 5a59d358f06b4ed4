// Fresh large outputs cost more in page faults than in work; huge pages spare most of them.
#pragma once

#include "common.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bench {

// A hint for memory that will be written for the first time. Never needed for the result.
inline void expect_writes(void* start, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kHuge = uintptr_t{1} << 21;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(start) + kHuge - 1) / kHuge * kHuge;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(start) + bytes) / kHuge * kHuge;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  (void)start;
  (void)bytes;
#endif
}

}  // namespace bench
