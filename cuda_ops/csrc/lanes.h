// Vectors of float32 and int32 in the width of the instruction set this file is compiled for.
// Every operation is a correctly rounded one of the same value per lane, so the width changes the
// speed and never a bit.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own AVX-512 intrinsics trip this warning wherever they are inlined (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace bench {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif

typedef float Floats __attribute__((vector_size(4 * kWidth)));
typedef int32_t Ints __attribute__((vector_size(4 * kWidth)));
typedef uint32_t Words __attribute__((vector_size(4 * kWidth)));

inline Floats load(const float* from) {
  Floats v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline Ints load(const int32_t* from) {
  Ints v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline void store(float* to, Floats v) { std::memcpy(to, &v, sizeof v); }
inline void store(int32_t* to, Ints v) { std::memcpy(to, &v, sizeof v); }

inline Floats splat(float x) { return x - Floats{}; }  // minus 0 keeps the sign of -0
inline Ints splat(int32_t x) { return x + Ints{}; }

// Masks: a register of bits where there is one, else all-ones lanes.
#if defined(__AVX512F__)

typedef __mmask16 Mask;

inline Mask less(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
inline Mask equal(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
inline Mask less(Ints a, Ints b) { return _mm512_cmplt_epi32_mask((__m512i)a, (__m512i)b); }
inline Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
inline Mask either(Mask a, Mask b) { return static_cast<Mask>(a | b); }
inline Ints select(Mask m, Ints a, Ints b) {
  return (Ints)_mm512_mask_mov_epi32((__m512i)b, m, (__m512i)a);
}
inline Floats select(Mask m, Floats a, Floats b) { return _mm512_mask_mov_ps(b, m, a); }
inline uint32_t bits(Mask m) { return m; }
// minimum(a, b) is "a < b ? a : b", so that a NaN in `a` loses.
inline Floats minimum(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Floats maximum(Floats a, Floats b) { return _mm512_max_ps(a, b); }

#else

typedef Ints Mask;

inline Mask less(Floats a, Floats b) { return a < b; }
inline Mask equal(Floats a, Floats b) { return a == b; }
inline Mask less(Ints a, Ints b) { return a < b; }
inline Mask both(Mask a, Mask b) { return a & b; }
inline Mask either(Mask a, Mask b) { return a | b; }
inline Ints select(Mask m, Ints a, Ints b) { return (a & m) | (b & ~m); }
inline Floats select(Mask m, Floats a, Floats b) {
  return (Floats)select(m, (Ints)a, (Ints)b);
}

#if defined(__AVX__)
inline uint32_t bits(Mask m) { return static_cast<uint32_t>(_mm256_movemask_ps((__m256)m)); }
inline Floats minimum(Floats a, Floats b) { return _mm256_min_ps(a, b); }
inline Floats maximum(Floats a, Floats b) { return _mm256_max_ps(a, b); }
#elif defined(__SSE2__)
inline uint32_t bits(Mask m) { return static_cast<uint32_t>(_mm_movemask_ps((__m128)m)); }
inline Floats minimum(Floats a, Floats b) { return _mm_min_ps(a, b); }
inline Floats maximum(Floats a, Floats b) { return _mm_max_ps(a, b); }
#else
inline uint32_t bits(Mask m) {
  uint32_t result = 0;
  for (int l = 0; l < kWidth; ++l) result |= static_cast<uint32_t>(m[l] & 1) << l;
  return result;
}
inline Floats minimum(Floats a, Floats b) { return select(a < b, a, b); }
inline Floats maximum(Floats a, Floats b) { return select(a > b, a, b); }
#endif

#endif

}  // namespace bench
