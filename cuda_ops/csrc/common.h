// Shared by every kernel: the arithmetic is written once as plain inline functions for host and
// device; <op>.cpp loops over them with OpenMP and <op>.cu launches them.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define BENCH_HD __host__ __device__ inline
#else
#define BENCH_HD inline
#endif

// The libraries export C functions only; everything else stays hidden.
#define BENCH_API __attribute__((visibility("default")))
