// Nearest neighbours on the CPU: brute force for small clouds, a tree for large ones, the same
// bits either way and for any number of threads. The gradient adds up in order of index.

#include <atomic>
#include <cstdlib>

#include "nearest_brute.h"
#include "nearest_search.h"
#include "parallel.h"

namespace bench {
namespace {

enum Method { kAuto = 0, kBruteForce = 1, kTree = 2 };
enum Code { kDone = 0, kNoMemory = 1 };

// One direction of one batch item, or one item with both.
struct Item {
  const float* source;
  const float* target;
  int64_t n, m;
  float* source_distance;
  int64_t* source_index;
  float* target_distance;  // null: source to target only
  int64_t* target_index;
  bool use_tree;
  Tree source_tree, target_tree;
};

// Measured on one core (ns): a pair costs 0.06, 0.11, 0.3 by width of the vectors, a point that is
// put into a tree and looked up 37, 45, 72.
constexpr double kPairCost = kWidth == 16 ? 0.06 : kWidth == 8 ? 0.11 : 0.3;
constexpr double kPointCost = kWidth == 16 ? 37 : kWidth == 8 ? 45 : 72;

double brute_force_cost(const Item& item) {
  const double pairs = static_cast<double>(item.n) * static_cast<double>(item.m);
  return kPairCost * (item.target_distance != nullptr ? 2 * pairs : pairs);
}

double tree_cost(const Item& item) { return kPointCost * static_cast<double>(item.n + item.m); }

// A thread that is woken for less than this (ns) costs more than it brings.
constexpr double kWorthAThread = 30000;

// For a point that has no target at a finite distance: the first one whose distance overflows, or
// (NaN, -1) where every distance is NaN.
void settle(const float* p, const float* targets, int64_t m, float* distance, int64_t* index) {
  *distance = NAN;
  *index = -1;
  if (std::isnan(p[0]) || std::isnan(p[1]) || std::isnan(p[2])) return;
  for (int64_t j = 0; j < m; ++j) {
    const float* t = targets + 3 * j;
    const float d = squared_distance(p[0], p[1], p[2], t[0], t[1], t[2]);
    if (std::isnan(d)) continue;
    *distance = d;
    *index = j;
    return;
  }
}

void settle_rest(const float* points, int64_t from, int64_t to, const float* targets, int64_t m,
                 float* distance, int64_t* index) {
  for (int64_t i = from; i < to; ++i) {
    if (distance[i] < INFINITY) continue;
    settle(points + 3 * i, targets, m, distance + i, index + i);
  }
}

// Found in the order of the curve: neighbours in memory belong to one thread.
void search_blocks(const Tree& from, const Tree& to, int64_t first, int64_t last) {
  Found* found = static_cast<Found*>(from.spare);
  int64_t start = kNoStart;
  for (int64_t b = first; b < last; ++b) {
    search(from.block[b], from.boxes[0][b / kLeaf], static_cast<int>(b % kLeaf), to, found[b],
           start);
  }
}

// Brings what was found to its place; then points that are in no tree, and those whose nearest is
// at no finite distance.
void hand_out(const Tree& tree, const float* points, int64_t n, const float* targets, int64_t m,
              float* distance, int64_t* index) {
  const Found* found = static_cast<const Found*>(tree.spare);
  for (int64_t b = 0; b < tree.blocks; ++b) {
    const int64_t filled = std::min<int64_t>(kLeaf, tree.count - b * kLeaf);
    for (int64_t s = 0; s < filled; ++s) {
      const int32_t i = tree.block[b].id[s];
      distance[i] = found[b].distance[s];
      index[i] = found[b].id[s];
    }
  }
  if (tree.count < n) {
    for (int64_t i = 0; i < n; ++i) {
      if (!finite3(points + 3 * i)) distance[i] = INFINITY;
    }
  }
  settle_rest(points, 0, n, targets, m, distance, index);
}

void solve_by_brute_force(const Item& item, int threads) {
  const int64_t there = ceil_div(item.n, kRows);
  const int64_t back = item.target_distance != nullptr ? ceil_div(item.m, kRows) : 0;
  parallel_for(threads, there + back, [&](int64_t piece) {
    const bool forth = piece < there;
    const float* points = forth ? item.source : item.target;
    const float* others = forth ? item.target : item.source;
    const int64_t own = forth ? item.n : item.m, other = forth ? item.m : item.n;
    float* distance = forth ? item.source_distance : item.target_distance;
    int64_t* index = forth ? item.source_index : item.target_index;
    const int64_t from = (forth ? piece : piece - there) * kRows;
    const int64_t to = std::min<int64_t>(from + kRows, own);
    brute_force(points, from, to, others, other, distance, index);
    settle_rest(points, from, to, others, other, distance, index);
  });
}

constexpr int64_t kChunk = 16;  // blocks of queries a thread takes at once

void solve_by_trees(Item& item, char* memory, int threads) {
  parallel_for(threads, 2, [&](int64_t side) {
    if (side == 0) {
      build_tree(item.source_tree, item.source, item.n, memory);
    } else {
      build_tree(item.target_tree, item.target, item.m, memory + tree_bytes(item.n));
    }
  });
  const bool two_ways = item.target_distance != nullptr;
  const int64_t there = ceil_div(item.source_tree.blocks, kChunk);
  const int64_t back = two_ways ? ceil_div(item.target_tree.blocks, kChunk) : 0;
  parallel_for(threads, there + back, [&](int64_t piece) {
    const bool forth = piece < there;
    const Tree& from = forth ? item.source_tree : item.target_tree;
    const Tree& to = forth ? item.target_tree : item.source_tree;
    const int64_t first = (forth ? piece : piece - there) * kChunk;
    search_blocks(from, to, first, std::min(first + kChunk, from.blocks));
  });
  parallel_for(threads, two_ways ? 2 : 1, [&](int64_t side) {
    if (side == 0) {
      hand_out(item.source_tree, item.source, item.n, item.target, item.m, item.source_distance,
               item.source_index);
    } else {
      hand_out(item.target_tree, item.target, item.m, item.source, item.n, item.target_distance,
               item.target_index);
    }
  });
}

int solve(Item* items, int64_t count, int threads) {
  size_t bytes = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (items[i].use_tree) bytes += tree_bytes(items[i].n) + tree_bytes(items[i].m);
  }
  char* memory = nullptr;
  if (bytes > 0) {
    memory = static_cast<char*>(std::malloc(bytes));
    if (memory == nullptr) return kNoMemory;
  }
  char* at = memory;
  for (int64_t i = 0; i < count; ++i) {
    Item& item = items[i];
    if (item.use_tree) {
      solve_by_trees(item, at, threads);
      at += tree_bytes(item.n) + tree_bytes(item.m);
    } else {
      solve_by_brute_force(item, threads);
    }
  }
  std::free(memory);
  return kDone;
}

void pad(float* distance, int64_t* index, int64_t from, int64_t to) {
  for (int64_t i = from; i < to; ++i) distance[i] = 0.0f, index[i] = -1;
}

}  // namespace
}  // namespace bench

// source (batch, n, 3), target (batch, m, 3), lengths (batch) or null; target_distance and
// target_index are null for one direction only. method: 0 chooses, 1 brute force, 2 tree.
// Returns 1 when memory runs out.
extern "C" BENCH_API int bench_nearest(const float* source, const float* target,
                                       const int64_t* source_lengths,
                                       const int64_t* target_lengths, int64_t batch, int64_t n,
                                       int64_t m, float* source_distance, int64_t* source_index,
                                       float* target_distance, int64_t* target_index, int method,
                                       int threads) {
  using namespace bench;
  const bool two_ways = target_distance != nullptr;
  Item* items = static_cast<Item*>(std::malloc(sizeof(Item) * static_cast<size_t>(batch + 1)));
  if (items == nullptr) return kNoMemory;
  for (int64_t b = 0; b < batch; ++b) {
    Item& item = items[b];
    item.source = source + 3 * n * b;
    item.target = target + 3 * m * b;
    item.n = source_lengths ? source_lengths[b] : n;
    item.m = target_lengths ? target_lengths[b] : m;
    item.source_distance = source_distance + n * b;
    item.source_index = source_index + n * b;
    item.target_distance = two_ways ? target_distance + m * b : nullptr;
    item.target_index = two_ways ? target_index + m * b : nullptr;
    item.use_tree = method == kTree;
    if (method == kAuto) item.use_tree = tree_cost(item) < brute_force_cost(item);
    pad(item.source_distance, item.source_index, item.n, n);
    if (two_ways) pad(item.target_distance, item.target_index, item.m, m);
  }
  double cost = 0;
  for (int64_t b = 0; b < batch; ++b) {
    cost += items[b].use_tree ? tree_cost(items[b]) : brute_force_cost(items[b]);
  }
  threads = std::max(1, std::min(threads, static_cast<int>(std::min(cost / kWorthAThread, 1e6))));
  int code = kDone;
  if (batch < 2 * threads) {  // the threads share every item
    code = solve(items, batch, threads);
  } else {  // an item each
    std::atomic<int> worst{kDone};
    parallel_for(threads, batch, [&](int64_t b) {
      const int one = solve(items + b, 1, 1);
      if (one != kDone) worst = one;
    });
    code = worst;
  }
  std::free(items);
  return code;
}

// Gradients of both clouds from those of the squared distances; either direction's gradient and
// index may be null. Adds up in order of index: the same bits for any number of threads.
extern "C" BENCH_API int bench_nearest_backward(
    const float* source, const float* target, const int64_t* source_index,
    const int64_t* target_index, const float* source_grad, const float* target_grad,
    int64_t batch, int64_t n, int64_t m, float* grad_of_source, float* grad_of_target,
    int threads) {
  using namespace bench;
  // (batch, side): the side's own distances first, then what the other side's points pull.
  parallel_for(batch * (n + m) > 8192 ? threads : 1, 2 * batch, [&](int64_t task) {
    const int64_t b = task / 2;
    const bool first = task % 2 == 0;
    const int64_t own_count = first ? n : m;
    const int64_t other_count = first ? m : n;
    const float* own = (first ? source : target) + 3 * own_count * b;
    const float* other = (first ? target : source) + 3 * other_count * b;
    const int64_t* own_index = first ? source_index : target_index;
    const int64_t* other_index = first ? target_index : source_index;
    const float* own_grad = first ? source_grad : target_grad;
    const float* other_grad = first ? target_grad : source_grad;
    float* result = (first ? grad_of_source : grad_of_target) + 3 * own_count * b;
    std::memset(result, 0, sizeof(float) * 3 * static_cast<size_t>(own_count));
    if (own_index != nullptr) {
      for (int64_t i = 0; i < own_count; ++i) {
        const int64_t j = own_index[own_count * b + i];
        if (j < 0) continue;
        const float g = own_grad[own_count * b + i];
        for (int a = 0; a < 3; ++a) {
          result[3 * i + a] = distance_gradient(own[3 * i + a], other[3 * j + a], g);
        }
      }
    }
    if (other_index != nullptr) {
      for (int64_t j = 0; j < other_count; ++j) {
        const int64_t i = other_index[other_count * b + j];
        if (i < 0) continue;
        const float g = other_grad[other_count * b + j];
        for (int a = 0; a < 3; ++a) {
          result[3 * i + a] += distance_gradient(own[3 * i + a], other[3 * j + a], g);
        }
      }
    }
  });
  return 0;
}
