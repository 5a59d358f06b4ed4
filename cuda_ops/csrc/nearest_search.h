// Exact search of one block of 16 query points in a tree: the nearest boxes first, and no box
// that cannot hold a nearer point or the same distance under a lower index.
//
// The bounds need no tolerance. Rounding is monotone, so a box's distance, computed with the same
// operations in the same order, is never above the computed distance of a point inside it.
#pragma once

#include "nearest_tree.h"

namespace bench {

constexpr int kParts = kLeaf / kWidth;  // registers that hold a block

struct alignas(64) Found {
  float distance[kLeaf];
  int32_t id[kLeaf];
};
static_assert(sizeof(Found) == 8 * kLeaf, "fits into Tree::spare");

namespace detail {

struct Entry {
  float bound;
  int32_t first;
  int32_t level;
  int64_t node;
};

// The box of the queries, and the worst of what they have found so far.
struct Packet {
  Floats lo_x, lo_y, lo_z, hi_x, hi_y, hi_z;
  float worst;
  int32_t worst_id;
};

inline float top(const float* v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(_mm512_load_ps(v));
#else
  return highest(v);
#endif
}

inline int32_t top(const int32_t* v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_epi32(_mm512_load_si512(v));
#else
  int32_t m = v[0];
  for (int i = 1; i < kLeaf; ++i) m = v[i] > m ? v[i] : m;
  return m;
#endif
}

// Distance between intervals, 0 where they overlap.
inline Floats gap(Floats lo_a, Floats hi_a, Floats lo_b, Floats hi_b) {
  return maximum(maximum(lo_b - hi_a, lo_a - hi_b), Floats{});
}

// Whether a node can hold something for one of the queries; sharper than the test of their common
// box, which lets everything pass where the targets lie closer together than the queries.
inline bool reachable(const Block& query, const Boxes& boxes, int slot, const Found& found) {
  for (int part = 0; part < kParts; ++part) {
    const int at = part * kWidth;
    const Floats x = load(query.x + at), y = load(query.y + at), z = load(query.z + at);
    const Floats gx = gap(x, x, splat(boxes.lo_x[slot]), splat(boxes.hi_x[slot]));
    const Floats gy = gap(y, y, splat(boxes.lo_y[slot]), splat(boxes.hi_y[slot]));
    const Floats gz = gap(z, z, splat(boxes.lo_z[slot]), splat(boxes.hi_z[slot]));
    const Floats bound = gx * gx + gy * gy + gz * gz;
    const Floats best = load(found.distance + at);
    const Mask tie = both(equal(bound, best), less(splat(boxes.first[slot]), load(found.id + at)));
    if (bits(either(less(bound, best), tie))) return true;
  }
  return false;
}

// True if something nearer was found.
inline bool visit(const Block& query, const Boxes& boxes, int slot, const Block& target,
                  Found& found, Packet& packet) {
  const Floats lo_x = splat(boxes.lo_x[slot]), hi_x = splat(boxes.hi_x[slot]);
  const Floats lo_y = splat(boxes.lo_y[slot]), hi_y = splat(boxes.hi_y[slot]);
  const Floats lo_z = splat(boxes.lo_z[slot]), hi_z = splat(boxes.hi_z[slot]);
  const Ints first = splat(boxes.first[slot]);
  bool changed = false;
  for (int part = 0; part < kParts; ++part) {
    const int at = part * kWidth;
    const Floats x = load(query.x + at), y = load(query.y + at), z = load(query.z + at);
    Floats best = load(found.distance + at);
    Ints id = load(found.id + at);
    const Floats gx = gap(x, x, lo_x, hi_x), gy = gap(y, y, lo_y, hi_y);
    const Floats gz = gap(z, z, lo_z, hi_z);
    const Floats bound = gx * gx + gy * gy + gz * gz;
    if (!bits(either(less(bound, best), both(equal(bound, best), less(first, id))))) continue;
    // Distances first; who it was is asked only of the few blocks that hold something nearer.
    alignas(64) float pairs[kLeaf * kWidth];
    Floats least = splat(INFINITY);
#pragma GCC unroll 16
    for (int t = 0; t < kLeaf; ++t) {
      const Floats d = squared_distance(x, y, z, splat(target.x[t]), splat(target.y[t]),
                                        splat(target.z[t]));
      store(pairs + t * kWidth, d);
      least = minimum(d, least);
    }
    const Mask better = less(least, best);
    if (!bits(either(better, equal(least, best)))) continue;
    best = minimum(least, best);
    id = select(better, splat(kNoIndex), id);
#pragma GCC unroll 16
    for (int t = 0; t < kLeaf; ++t) {
      const Ints j = splat(target.id[t]);
      id = select(both(equal(load(pairs + t * kWidth), best), less(j, id)), j, id);
    }
    store(found.distance + at, best);
    store(found.id + at, id);
    changed = true;
  }
  if (changed) {
    packet.worst = top(found.distance);
    packet.worst_id = top(found.id);
  }
  return changed;
}

// Where the curve would put the queries.
inline int64_t place(const Block& query, const Tree& tree) {
  const int middle = kLeaf / 2;
  const uint32_t key =
      frame_key(tree.frame, query.x[middle], query.y[middle], query.z[middle]);
  const uint32_t* after = std::upper_bound(tree.key, tree.key + tree.blocks, key);
  return std::max<int64_t>(after - tree.key - 1, 0);
}

// Whether the nearest of some query is farther than the queries are from each other.
inline bool far(const Packet& packet) {
  const float dx = packet.hi_x[0] - packet.lo_x[0], dy = packet.hi_y[0] - packet.lo_y[0];
  const float dz = packet.hi_z[0] - packet.lo_z[0];
  return packet.worst > dx * dx + dy * dy + dz * dz;
}

}  // namespace detail

constexpr int64_t kNoStart = -1;

// Fills `found` with the nearest target of each of 16 finite queries. `boxes`/`slot` bound them.
//
// `start`: the block of targets that is seen first, whose distances bound all others; kNoStart is
// the one around the queries. Afterwards, where the next queries on the curve had better begin:
// far from the targets that is the block in which these found their nearest.
inline void search(const Block& query, const Boxes& boxes, int slot, const Tree& tree,
                   Found& found, int64_t& start) {
  using namespace detail;
  for (int s = 0; s < kLeaf; ++s) found.distance[s] = INFINITY, found.id[s] = kNoIndex;
  if (tree.count == 0) return;
  Packet packet;
  packet.lo_x = splat(boxes.lo_x[slot]), packet.hi_x = splat(boxes.hi_x[slot]);
  packet.lo_y = splat(boxes.lo_y[slot]), packet.hi_y = splat(boxes.hi_y[slot]);
  packet.lo_z = splat(boxes.lo_z[slot]), packet.hi_z = splat(boxes.hi_z[slot]);
  packet.worst = INFINITY;
  packet.worst_id = kNoIndex;

  const int64_t home = start == kNoStart ? place(query, tree) : start;
  visit(query, tree.boxes[0][home / kLeaf], static_cast<int>(home % kLeaf), tree.block[home],
        found, packet);
  start = home;

  Entry stack[kMaxLevels * kLeaf];
  int size = 0;
  stack[size++] = Entry{0.0f, 0, tree.levels, 0};
  while (size > 0) {
    const Entry entry = stack[--size];
    if (!nearer(entry.bound, entry.first, packet.worst, packet.worst_id)) continue;
    if (entry.level == 0) {
      if (entry.node != home &&
          visit(query, tree.boxes[0][entry.node / kLeaf], static_cast<int>(entry.node % kLeaf),
                tree.block[entry.node], found, packet)) {
        start = entry.node;
      }
      continue;
    }
    if (entry.level < tree.levels &&
        !reachable(query, tree.boxes[entry.level][entry.node / kLeaf],
                   static_cast<int>(entry.node % kLeaf), found)) {
      continue;
    }
    const int level = entry.level - 1;
    const Boxes& group = tree.boxes[level][entry.node];
    alignas(64) float bound[kLeaf];
    uint32_t open = 0;
    const Floats worst = splat(packet.worst);
    const Ints worst_id = splat(packet.worst_id);
    for (int part = 0; part < kParts; ++part) {
      const int at = part * kWidth;
      const Floats gx = gap(packet.lo_x, packet.hi_x, load(group.lo_x + at), load(group.hi_x + at));
      const Floats gy = gap(packet.lo_y, packet.hi_y, load(group.lo_y + at), load(group.hi_y + at));
      const Floats gz = gap(packet.lo_z, packet.hi_z, load(group.lo_z + at), load(group.hi_z + at));
      const Floats d = gx * gx + gy * gy + gz * gz;
      store(bound + at, d);
      const Mask tie = both(equal(d, worst), less(load(group.first + at), worst_id));
      open |= bits(either(less(d, worst), tie)) << at;
    }
    // Farthest first onto the stack; of equal ones the lower index ends on top.
    const int base = size;
    while (open != 0) {
      const int s = 31 - __builtin_clz(open);
      open ^= 1u << s;
      const Entry child{bound[s], group.first[s], level, entry.node * kLeaf + s};
      int at = size++;
      for (; at > base && stack[at - 1].bound < child.bound; --at) stack[at] = stack[at - 1];
      stack[at] = child;
    }
  }
  if (!far(packet)) start = kNoStart;
}

}  // namespace bench
