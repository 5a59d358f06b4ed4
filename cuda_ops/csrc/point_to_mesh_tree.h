// Triangles in blocks of 8 under a tree of boxes with 16 children a node. The tree decides only
// how fast the nearest triangle is found, never which: blocks are skipped only if their box is
// farther than the best triangle so far, with a margin for rounding.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

#include "lanes.h"
#include "point_to_mesh.h"

namespace bench {

constexpr int kLeafFaces = 8;
constexpr int kChildren = 16;

typedef double Doubles __attribute__((vector_size(4 * kWidth)));
typedef float HalfFloats __attribute__((vector_size(2 * kWidth)));
constexpr int kHalf = kWidth / 2;

struct alignas(64) FaceBlock {
    double term[kTriangleTerms][kLeafFaces];
    int32_t face[kLeafFaces];  // ascending; the last one repeats to fill the block
};

struct alignas(64) BoxNode {
    float low[3][kChildren], high[3][kChildren];
    int32_t child[kChildren];  // index of a node, or ~index of a block
    int32_t lane[kChildren];   // 0..15, or kNoBox where there is no child
    uint32_t lanes;            // one bit per child
};

constexpr int kDeepest = 12;  // levels; 8 * 16^8 > 2^31 faces
constexpr int32_t kNoBox = std::numeric_limits<int32_t>::max();
constexpr int32_t kNoBlock = -1;
constexpr int32_t kInfinity = 0x7f800000;  // bits of a single precision infinity

// Lanes whose value is at most the one with these bits.
inline uint32_t at_most(HalfFloats values, int32_t bound_bits) {
    float bound;
    std::memcpy(&bound, &bound_bits, sizeof bound);
#if defined(__AVX512F__) && defined(__AVX512VL__)
    return _mm256_cmp_ps_mask((__m256)values, _mm256_set1_ps(bound), _CMP_LE_OQ);
#elif defined(__AVX__)
    return uint32_t(_mm_movemask_ps(_mm_cmple_ps((__m128)values, _mm_set1_ps(bound))));
#else
    uint32_t lanes = 0;
    for (int l = 0; l < kHalf; l++) lanes |= uint32_t(values[l] <= bound) << l;
    return lanes;
#endif
}

inline int32_t lowest_lane(Ints values) {
    typedef int32_t Four __attribute__((vector_size(16)));
    Four part[kWidth / 4];
    std::memcpy(part, &values, sizeof values);
    for (int i = 1; i < kWidth / 4; i++) part[0] = part[i] < part[0] ? part[i] : part[0];
    const Four f = part[0];
    return std::min(std::min(f[0], f[1]), std::min(f[2], f[3]));
}

struct Best {
    int32_t bits;  // squared distance in single precision; non-negative floats sort as integers
    int32_t face;
};

class FaceTree {
  public:
    // Faces with a coordinate that is not finite are left out.
    FaceTree(const float* vertices, const int64_t* faces, int64_t face_count) {
        items_.reserve(size_t(face_count));
        for (int64_t f = 0; f < face_count; f++) add(vertices, faces + 3 * f, int32_t(f));
        if (items_.empty()) return;
        const int64_t blocks = (int64_t(items_.size()) + kLeafFaces - 1) / kLeafFaces;
        blocks_.resize(size_t(blocks));
        nodes_.reserve(size_t(blocks / 8 + 8));
        Box box;
        make_node(vertices, faces, 0, int64_t(items_.size()), box);
        items_ = {};
    }

    bool empty() const { return blocks_.empty(); }

    // `start`: the block that is seen first, whose distance bounds all others, or kNoBlock;
    // afterwards the one that held the nearest face, where a point close by had better begin.
    Best nearest(const float* point, int32_t& start) const {
        Best best{kInfinity, kNoBox};
        const Query query = make_query(point);
        const int32_t first = start;
        if (first != kNoBlock) test(blocks_[size_t(first)], query, best);
        Frame frames[kDeepest];
        Frame* frame = frames;
        open(0, query, *frame);
        // Down to the nearest box first: the bound it gives spares most of the rest.
        for (int lane = frame->next;;) {
            frame->left &= ~(1u << lane);
            const int32_t child = frame->node->child[lane];
            if (child >= 0) {
                open(child, query, *++frame);
                lane = frame->next;
                continue;
            }
            if (~child != first) {
                const int32_t before = best.bits;
                test(blocks_[size_t(~child)], query, best);
                if (best.bits < before) start = ~child;
            }
            uint32_t lanes;
            while ((lanes = worth(*frame, best)) == 0)
                if (frame-- == frames) return best;
            lane = __builtin_ctz(lanes);
            for (lanes &= lanes - 1; lanes; lanes &= lanes - 1) {
                const int other = __builtin_ctz(lanes);
                if (frame->keys[other] < frame->keys[lane]) lane = other;
            }
        }
    }

  private:
    struct Item {
        float centre[3];
        int32_t face;
    };
    struct Box {
        float low[3], high[3];
    };
    struct Query {
        Floats single[3];
        Doubles exact[3];
    };

    std::vector<Item> items_;
    std::vector<FaceBlock> blocks_;
    std::vector<BoxNode> nodes_;
    int64_t blocks_made_ = 0;

    static Query make_query(const float* point) {
        Query query;
        for (int d = 0; d < 3; d++) {
            query.single[d] = splat(point[d]);
            query.exact[d] = double(point[d]) - Doubles{};
        }
        return query;
    }

    void add(const float* vertices, const int64_t* face, int32_t id) {
        Item item;
        float check = 0.0f;
        for (int d = 0; d < 3; d++) {
            const float a = vertices[3 * face[0] + d], b = vertices[3 * face[1] + d],
                        c = vertices[3 * face[2] + d];
            check += (a - a) + (b - b) + (c - c);  // NaN unless all are finite
            item.centre[d] = std::min({a, b, c}) * 0.5f + std::max({a, b, c}) * 0.5f;
        }
        item.face = id;
        if (check == 0.0f) items_.push_back(item);
    }

    // Builds what holds items [begin, end), gives its box and returns it as a child. The ends of
    // all ranges but the last are multiples of 8, so only the last block is padded.
    int32_t build(const float* vertices, const int64_t* faces, int64_t begin, int64_t end,
                  Box& box) {
        return end - begin <= kLeafFaces ? make_block(vertices, faces, begin, end, box)
                                         : make_node(vertices, faces, begin, end, box);
    }

    int32_t make_node(const float* vertices, const int64_t* faces, int64_t begin, int64_t end,
                      Box& box) {
        const int32_t index = int32_t(nodes_.size());
        nodes_.emplace_back();
        int64_t edge[kChildren + 1] = {begin, end};
        const int parts = split(edge);
        for (int d = 0; d < 3; d++) {
            box.low[d] = std::numeric_limits<float>::infinity();
            box.high[d] = -box.low[d];
        }
        BoxNode node;
        node.lanes = (1u << parts) - 1;
        for (int i = 0; i < kChildren; i++) {
            Box inner;
            std::memset(&inner, 0, sizeof inner);
            node.child[i] = 0;
            node.lane[i] = i < parts ? i : kNoBox;
            if (i < parts) {
                node.child[i] = build(vertices, faces, edge[i], edge[i + 1], inner);
                for (int d = 0; d < 3; d++) {
                    box.low[d] = std::min(box.low[d], inner.low[d]);
                    box.high[d] = std::max(box.high[d], inner.high[d]);
                }
            }
            for (int d = 0; d < 3; d++) {
                node.low[d][i] = inner.low[d];
                node.high[d][i] = inner.high[d];
            }
        }
        nodes_[size_t(index)] = node;
        return index;
    }

    // Halves the ranges between `edge[0]` and `edge[1]` four times; returns how many there are.
    int split(int64_t* edge) {
        int parts = 1;
        for (int round = 0; round < 4; round++) {
            int64_t old[kChildren + 1];
            std::copy(edge, edge + parts + 1, old);
            int made = 0;
            for (int i = 0; i < parts; i++) {
                edge[made++] = old[i];
                const int64_t blocks = (old[i + 1] - old[i] + kLeafFaces - 1) / kLeafFaces;
                if (blocks < 2) continue;
                const int64_t middle = old[i] + blocks / 2 * kLeafFaces;
                halve(old[i], middle, old[i + 1]);
                edge[made++] = middle;
            }
            edge[made] = old[parts];
            parts = made;
        }
        return parts;
    }

    // Puts the lower centres along the widest axis before `middle`.
    void halve(int64_t begin, int64_t middle, int64_t end) {
        float low[3], high[3];
        for (int d = 0; d < 3; d++) low[d] = high[d] = items_[size_t(begin)].centre[d];
        for (int64_t i = begin; i < end; i++)
            for (int d = 0; d < 3; d++) {
                low[d] = std::min(low[d], items_[size_t(i)].centre[d]);
                high[d] = std::max(high[d], items_[size_t(i)].centre[d]);
            }
        int axis = 0;
        for (int d = 1; d < 3; d++)
            if (high[d] - low[d] > high[axis] - low[axis]) axis = d;
        const auto first = items_.begin();
        std::nth_element(first + begin, first + middle, first + end,
                         [axis](const Item& a, const Item& b) {
                             return a.centre[axis] != b.centre[axis]
                                        ? a.centre[axis] < b.centre[axis]
                                        : a.face < b.face;
                         });
    }

    int32_t make_block(const float* vertices, const int64_t* faces, int64_t begin, int64_t end,
                       Box& box) {
        const int32_t index = int32_t(blocks_made_++);
        FaceBlock& block = blocks_[size_t(index)];
        int32_t ids[kLeafFaces];
        const int count = int(end - begin);
        for (int i = 0; i < count; i++) {
            const int32_t face = items_[size_t(begin + i)].face;
            int at = i;
            for (; at > 0 && ids[at - 1] > face; at--) ids[at] = ids[at - 1];
            ids[at] = face;
        }
        for (int i = count; i < kLeafFaces; i++) ids[i] = ids[count - 1];
        for (int d = 0; d < 3; d++) {
            box.low[d] = std::numeric_limits<float>::infinity();
            box.high[d] = -box.low[d];
        }
        for (int i = 0; i < kLeafFaces; i++) {
            const float* corner[3];
            for (int c = 0; c < 3; c++) corner[c] = vertices + 3 * faces[3 * int64_t(ids[i]) + c];
            for (int d = 0; d < 3; d++)
                for (int c = 0; c < 3; c++) {
                    box.low[d] = std::min(box.low[d], corner[c][d]);
                    box.high[d] = std::max(box.high[d], corner[c][d]);
                }
            triangle_terms(corner[0], corner[1], corner[2], &block.term[0][i], kLeafFaces);
            block.face[i] = ids[i];
        }
        return ~index;
    }

    // An opened node: what is known about its children and which of them are still to be visited.
    struct Frame {
        alignas(64) int32_t keys[kChildren];
        const BoxNode* node;
        uint32_t left;
        int next;
    };

    // Lower bounds of the squared distances to the 16 boxes as sortable integers, with the lane in
    // the lowest 4 bits. The bound is taken down by at least 49 units in the last place, which
    // covers the rounding of its eight operations many times over.
    void open(int32_t index, const Query& query, Frame& frame) const {
        const BoxNode& node = nodes_[size_t(index)];
        Ints lowest = splat(kNoBox);
        for (int i = 0; i < kChildren; i += kWidth) {
            Floats sum = Floats{};
            for (int d = 0; d < 3; d++) {
                const Floats below = load(node.low[d] + i) - query.single[d];
                const Floats above = query.single[d] - load(node.high[d] + i);
                Floats gap = below > above ? below : above;
                gap = gap > 0.0f ? gap : Floats{};
                sum = d == 0 ? gap * gap : sum + gap * gap;
            }
            Ints key;
            std::memcpy(&key, &sum, sizeof key);
            key = key - 64;
            key = key > 0 ? key : Ints{};
            key = (key & ~15) | load(node.lane + i);
            store(frame.keys + i, key);
            lowest = key < lowest ? key : lowest;
        }
        frame.node = &node;
        frame.left = node.lanes;
        frame.next = lowest_lane(lowest) & 15;
    }

    // The children whose box may hold something as near as `best`.
    static uint32_t worth(const Frame& frame, const Best& best) {
        uint32_t lanes = 0;
        const Ints bound = splat(best.bits | 15);
        for (int i = 0; i < kChildren; i += kWidth)
            lanes |= bits(less(bound, load(frame.keys + i))) << i;
        return frame.left & ~lanes;
    }

    static void test(const FaceBlock& block, const Query& query, Best& best) {
        for (int i = 0; i < kLeafFaces; i += kHalf) {
            const auto term = [&](int which) {
                Doubles value;
                std::memcpy(&value, block.term[which] + i, sizeof value);
                return value;
            };
            const Doubles exact = triangle_distance2<Doubles>(query.exact[0], query.exact[1],
                                                              query.exact[2], term);
            const HalfFloats rounded = __builtin_convertvector(exact, HalfFloats);
            alignas(32) int32_t found[kHalf];
            std::memcpy(found, &rounded, sizeof rounded);
            for (uint32_t lanes = at_most(rounded, best.bits); lanes; lanes &= lanes - 1) {
                const int lane = __builtin_ctz(lanes);
                const int32_t face = block.face[i + lane];
                if (found[lane] < best.bits || (found[lane] == best.bits && face < best.face))
                    best = Best{found[lane], face};
            }
        }
    }
};

}  // namespace bench
