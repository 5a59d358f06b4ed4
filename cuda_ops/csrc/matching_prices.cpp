// Prices of the cheapest one-to-one matching: shortest augmenting paths (Jonker and Volgenant,
// Computing 38, 1987) over whole rows at a time, begun with the prices of a part of the problem.
//
// For the CPU alone: the paths are found one after another, and the solver that takes these prices
// runs there too.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <vector>

#include "common.h"
#include "lanes.h"

namespace bench {
namespace {

constexpr int kNoMemory = -2;
constexpr int64_t kLine = 16;        // rows are padded to whole ones; fits the widest vectors
constexpr int64_t kPart = 4;         // the first 1 / kPart of rows and columns is solved before
constexpr int64_t kSmallest = 64;    // and not where it would be smaller than this
constexpr int32_t kNobody = -1;
static_assert(kLine % kWidth == 0, "vectors divide the padding");

int64_t padded(int64_t count) { return (count + kLine - 1) / kLine * kLine; }

class Matching {
 public:
  // costs (n, n)
  Matching(const float* costs, int64_t n)
      : stride_(padded(n)), costs_(n * stride_, INFINITY), row_(n), column_(stride_),
        open_(stride_), way_(stride_), closed_at_(stride_), before_(stride_), row_of_(stride_),
        column_of_(n), closed_(n) {
    for (int64_t i = 0; i < n; ++i) std::copy_n(costs + i * n, n, costs_.data() + i * stride_);
  }

  // Matches the first n rows and columns.
  void solve(int64_t n) {
    const int64_t part = n / kPart / kLine * kLine;
    width_ = padded(n);
    std::fill_n(column_.begin(), width_, 0.0f);
    if (part >= kSmallest) {
      solve(part);
      width_ = padded(n);
      extend(part, n);
    }
    settle(n);
    for (int32_t i = 0; i < n; ++i) {
      if (column_of_[i] == kNobody) augment(i);
    }
  }

  const std::vector<float>& column() const { return column_; }

 private:
  // From the prices of the first columns to those of all rows, and back to all columns.
  void extend(int64_t part, int64_t n) {
    std::fill_n(way_.begin(), width_, INFINITY);
    for (int64_t i = 0; i < n; ++i) {
      const float* cost = costs_.data() + i * stride_;
      float least = INFINITY;
      for (int64_t j = 0; j < part; ++j) least = std::min(least, cost[j] - column_[j]);
      for (int64_t j = 0; j < width_; ++j) way_[j] = std::min(way_[j], cost[j] - least);
    }
    std::copy_n(way_.begin(), n, column_.begin());
    std::fill(column_.begin() + n, column_.begin() + width_, 0.0f);
  }

  // Raises the rows' prices to what columns leave them, and matches where that is no conflict.
  void settle(int64_t n) {
    std::fill_n(row_of_.begin(), width_, kNobody);
    for (int32_t i = 0; i < n; ++i) {
      open_all();
      row_[i] = look(i, 0.0f);
      const int64_t j = place_of(row_[i]);
      const bool taken = row_of_[j] != kNobody;
      column_of_[i] = taken ? kNobody : static_cast<int32_t>(j);
      if (!taken) row_of_[j] = i;
    }
  }

  // Matches a free row by the shortest way to a free column, over exchanges of partners.
  void augment(int32_t free) {
    open_all();
    int64_t count = 0, j = 0;
    float least = 0.0f;
    for (int32_t i = free;; i = row_of_[j]) {
      least = look(i, least - row_[i]);
      j = place_of(least);
      if (row_of_[j] == kNobody) break;
      closed_[count++] = j;
      closed_at_[j] = least;
      way_[j] = INFINITY;
      open_[j] = -INFINITY;
    }
    row_[free] += least;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t c = closed_[k];
      row_[row_of_[c]] += least - closed_at_[c];
      column_[c] -= least - closed_at_[c];
    }
    for (int32_t i = kNobody; i != free;) {
      i = before_[j];
      row_of_[j] = i;
      std::swap(j, column_of_[i]);
    }
  }

  void open_all() {
    std::fill_n(way_.begin(), width_, INFINITY);
    std::copy_n(column_.begin(), width_, open_.begin());
  }

  // Shortens the ways to all open columns by those over row i; the shortest of all that are left.
  float look(int32_t i, float base) {
    const float *cost = costs_.data() + i * stride_, *price = open_.data();
    float* way = way_.data();
    int32_t* before = before_.data();
    Floats least = splat(INFINITY);
    const Floats start = splat(base);
    const Ints here = splat(i);
    for (int64_t j = 0; j < width_; j += kWidth) {
      const Floats known = load(way + j), found = start + (load(cost + j) - load(price + j));
      const Mask shorter = less(found, known);
      const Floats now = select(shorter, found, known);
      store(way + j, now);
      store(before + j, select(shorter, here, load(before + j)));
      least = minimum(now, least);
    }
    float shortest = least[0];
    for (int lane = 1; lane < kWidth; ++lane) shortest = std::min(shortest, least[lane]);
    return shortest;
  }

  // The first column to which the way is this long.
  int64_t place_of(float length) const {
    const Floats wanted = splat(length);
    for (int64_t j = 0;; j += kWidth) {
      const uint32_t found = bits(equal(load(way_.data() + j), wanted));
      if (found != 0) return j + __builtin_ctz(found);
    }
  }

  int64_t stride_, width_ = 0;
  std::vector<float> costs_;
  std::vector<float> row_, column_;      // prices: cost - row - column is nowhere below zero
  std::vector<float> open_;              // prices of columns, -infinity of closed ones
  std::vector<float> way_, closed_at_;   // lengths to columns from the free row
  std::vector<int32_t> before_, row_of_; // of columns: the row before on the way; the partner
  std::vector<int64_t> column_of_, closed_;
};

}  // namespace
}  // namespace bench

// costs (n, n), each in [0, 1] -> prices (n) of the columns.
extern "C" BENCH_API int bench_matching_prices(const float* costs, int64_t n, float* prices,
                                               int /*threads*/) try {
  bench::Matching matching(costs, n);
  matching.solve(n);
  std::copy_n(matching.column().begin(), n, prices);
  return 0;
} catch (const std::bad_alloc&) {
  return bench::kNoMemory;
}
