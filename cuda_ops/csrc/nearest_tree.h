// A point cloud in blocks of 16 along a Hilbert curve, under a tree of boxes with 16 children a
// node. Only the order of visits depends on the curve; what is found does not.
//
// Clouds that defeat one regular grid (one outlier at 1e6, clusters inside clusters) are sorted
// again inside every overfull cell, in a frame of its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "curve.h"
#include "nearest.h"

namespace bench {

constexpr int kLeaf = 16;       // points a block, children a node
constexpr int kMaxLevels = 8;   // 16^8 > 2^31 points
constexpr int kMaxRun = 2 * kLeaf;  // points in one grid cell before it is refined

struct alignas(64) Block {
  float x[kLeaf], y[kLeaf], z[kLeaf];
  int32_t id[kLeaf];
};

// Boxes of 16 sibling nodes, and the lowest point index under each.
struct alignas(64) Boxes {
  float lo_x[kLeaf], lo_y[kLeaf], lo_z[kLeaf];
  float hi_x[kLeaf], hi_y[kLeaf], hi_z[kLeaf];
  int32_t first[kLeaf];
};

struct Tree {
  int64_t count;   // finite points
  int64_t blocks;  // leaves
  Block* block;
  uint32_t* key;   // Hilbert key of the first point of every block
  void* spare;     // 128 bytes a block, for what the search finds
  Frame frame;
  int levels;
  Boxes* boxes[kMaxLevels];     // boxes[0] bound the leaves, boxes[l] the groups of boxes[l-1]
  int64_t groups[kMaxLevels];
};

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Bytes of working memory for the tree of n points.
inline size_t tree_bytes(int64_t n) {
  const int64_t blocks = ceil_div(n, kLeaf);
  size_t bytes = 2 * sizeof(uint64_t) * static_cast<size_t>(n + kLeaf);
  bytes += static_cast<size_t>(blocks + 1) * (sizeof(Block) + sizeof(uint32_t));
  for (int64_t nodes = blocks;; nodes = ceil_div(nodes, kLeaf)) {
    const int64_t groups = ceil_div(std::max<int64_t>(nodes, 1), kLeaf);
    bytes += static_cast<size_t>(groups) * sizeof(Boxes);
    if (groups == 1) break;
  }
  return bytes + 64 * (kMaxLevels + 8);
}

namespace detail {

struct Arena {
  char* at;
  template <class T>
  T* take(int64_t count) {
    const uintptr_t start = (reinterpret_cast<uintptr_t>(at) + 63) & ~uintptr_t{63};
    at = reinterpret_cast<char*>(start + static_cast<size_t>(count) * sizeof(T));
    return reinterpret_cast<T*>(start);
  }
};

// Sorts the items of one cell again in the frame of their own box, until every cell is small or
// one point. `item` keeps indices in its lower half; keys are overwritten.
inline void refine(const float* points, uint64_t* item, uint64_t* spare, int64_t n, int depth) {
  for (int64_t from = 0; from < n;) {
    int64_t to = from + 1;
    while (to < n && (item[to] >> 32) == (item[from] >> 32)) ++to;
    const int64_t run = to - from;
    if (run > kMaxRun && depth < 64) {
      float lo[3] = {INFINITY, INFINITY, INFINITY};
      float hi[3] = {-INFINITY, -INFINITY, -INFINITY};
      for (int64_t i = from; i < to; ++i) {
        const float* p = points + 3 * (item[i] & 0xffffffffu);
        for (int a = 0; a < 3; ++a) {
          lo[a] = p[a] < lo[a] ? p[a] : lo[a];
          hi[a] = p[a] > hi[a] ? p[a] : hi[a];
        }
      }
      Frame frame;
      if (fit(frame, lo, hi, run)) {
        set_keys(frame, points, item + from, run);
        sort_by_key(item + from, spare + from, run, 3 * frame.bits);
        // A frame that splits nothing (extents near the smallest float) must not loop.
        if ((item[from] >> 32) != (item[to - 1] >> 32)) {
          refine(points, item + from, spare + from, run, depth + 1);
        }
      }
    }
    from = to;
  }
}

inline void set_box(Boxes& boxes, int slot, const float lo[3], const float hi[3], int32_t first) {
  boxes.lo_x[slot] = lo[0], boxes.lo_y[slot] = lo[1], boxes.lo_z[slot] = lo[2];
  boxes.hi_x[slot] = hi[0], boxes.hi_y[slot] = hi[1], boxes.hi_z[slot] = hi[2];
  boxes.first[slot] = first;
}

// Slots without a node: infinitely far, and behind every index.
inline void clear_boxes(Boxes& boxes) {
  for (int s = 0; s < kLeaf; ++s) {
    boxes.lo_x[s] = boxes.lo_y[s] = boxes.lo_z[s] = INFINITY;
    boxes.hi_x[s] = boxes.hi_y[s] = boxes.hi_z[s] = -INFINITY;
    boxes.first[s] = kNoIndex;
  }
}

inline float lowest(const float* v) {
  float m = v[0];
  for (int i = 1; i < kLeaf; ++i) m = v[i] < m ? v[i] : m;
  return m;
}

inline float highest(const float* v) {
  float m = v[0];
  for (int i = 1; i < kLeaf; ++i) m = v[i] > m ? v[i] : m;
  return m;
}

inline int32_t lowest(const int32_t* v) {
  int32_t m = v[0];
  for (int i = 1; i < kLeaf; ++i) m = v[i] < m ? v[i] : m;
  return m;
}

}  // namespace detail

// Builds the tree of n points (n, 3) in `memory` (tree_bytes(n)); non-finite points are left out.
// A point's index must fit in 31 bits.
inline void build_tree(Tree& tree, const float* points, int64_t n, char* memory) {
  using namespace detail;
  Arena arena{memory};
  uint64_t* item = arena.take<uint64_t>(n + kLeaf);
  uint64_t* spare = arena.take<uint64_t>(n + kLeaf);
  tree.spare = spare;  // not needed when the tree stands
  tree.block = arena.take<Block>(ceil_div(n, kLeaf));
  tree.key = arena.take<uint32_t>(ceil_div(n, kLeaf));

  float lo[3] = {INFINITY, INFINITY, INFINITY};
  float hi[3] = {-INFINITY, -INFINITY, -INFINITY};
  bool clean = true;
  for (int64_t i = 0; i < n; ++i) {
    const float* p = points + 3 * i;
    clean &= finite3(p);
    for (int a = 0; a < 3; ++a) {
      lo[a] = p[a] < lo[a] ? p[a] : lo[a];
      hi[a] = p[a] > hi[a] ? p[a] : hi[a];
    }
  }
  int64_t count = n;
  if (!clean) {
    count = 0;
    for (int a = 0; a < 3; ++a) lo[a] = INFINITY, hi[a] = -INFINITY;
    for (int64_t i = 0; i < n; ++i) {
      const float* p = points + 3 * i;
      if (!finite3(p)) continue;
      item[count++] = static_cast<uint64_t>(i);
      for (int a = 0; a < 3; ++a) {
        lo[a] = p[a] < lo[a] ? p[a] : lo[a];
        hi[a] = p[a] > hi[a] ? p[a] : hi[a];
      }
    }
  }
  tree.count = count;
  tree.blocks = ceil_div(count, kLeaf);
  const bool spread = fit(tree.frame, lo, hi, count);
  if (clean) {
    for (int64_t i = 0; i < n; ++i) item[i] = static_cast<uint64_t>(i);
  }
  set_keys(tree.frame, points, item, count);
  if (spread) {
    sort_by_key(item, spare, count, 3 * tree.frame.bits);
    for (int64_t b = 0; b < tree.blocks; ++b) {
      tree.key[b] = static_cast<uint32_t>(item[b * kLeaf] >> 32);
    }
    refine(points, item, spare, count, 0);
  } else {
    std::memset(tree.key, 0, sizeof(uint32_t) * static_cast<size_t>(tree.blocks));
  }

  int64_t nodes = tree.blocks;
  tree.levels = 0;
  do {
    tree.groups[tree.levels] = ceil_div(std::max<int64_t>(nodes, 1), kLeaf);
    tree.boxes[tree.levels] = arena.take<Boxes>(tree.groups[tree.levels]);
    nodes = tree.groups[tree.levels];
    clear_boxes(tree.boxes[tree.levels][nodes - 1]);
    ++tree.levels;
  } while (nodes > 1);

  for (int64_t b = 0; b < tree.blocks; ++b) {
    Block& block = tree.block[b];
    const int64_t filled = std::min<int64_t>(kLeaf, count - b * kLeaf);
    for (int64_t s = 0; s < kLeaf; ++s) {
      // Unused lanes repeat the last point, under an index that never wins a tie.
      const uint32_t id = static_cast<uint32_t>(item[b * kLeaf + std::min(s, filled - 1)]);
      const float* p = points + 3 * static_cast<int64_t>(id);
      block.x[s] = p[0];
      block.y[s] = p[1];
      block.z[s] = p[2];
      block.id[s] = s < filled ? static_cast<int32_t>(id) : kNoIndex;
    }
    const float box_lo[3] = {lowest(block.x), lowest(block.y), lowest(block.z)};
    const float box_hi[3] = {highest(block.x), highest(block.y), highest(block.z)};
    set_box(tree.boxes[0][b / kLeaf], static_cast<int>(b % kLeaf), box_lo, box_hi,
            lowest(block.id));
  }
  for (int l = 1; l < tree.levels; ++l) {
    for (int64_t g = 0; g < tree.groups[l - 1]; ++g) {
      const Boxes& below = tree.boxes[l - 1][g];
      const float box_lo[3] = {lowest(below.lo_x), lowest(below.lo_y), lowest(below.lo_z)};
      const float box_hi[3] = {highest(below.hi_x), highest(below.hi_y), highest(below.hi_z)};
      set_box(tree.boxes[l][g / kLeaf], static_cast<int>(g % kLeaf), box_lo, box_hi,
              lowest(below.first));
    }
  }
}

}  // namespace bench
