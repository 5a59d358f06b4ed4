#include "voxelize.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "lanes.h"

namespace {

using namespace bench;

// Word (x, j, y) holds cells [j b, j b + b) along z: neighbours along y are neighbours in memory,
// so that one vector instruction works on many rows.
template <class Word>
struct Bits {
    static constexpr int kBits = int(8 * sizeof(Word));
    Word* marked;           // (R, words, R)
    int resolution, words;  // words a row

    Word& word(int x, int y, int z) {
        return marked[(x * words + z / kBits) * resolution + y];
    }
    void mark(int x, int y, int z) {
        if ((x | y | z) >= 0) word(x, y, z) |= Word(Word(1) << (z % kBits));
    }
    void mark_two(int x, int y, int z) {
        if ((x | y) < 0) return;
        const Word bit = Word(Word(1) << (z % kBits));
        word(x, y, z) |= Word(bit | bit >> 1);
        if (z % kBits == 0) mark(x, y, z - 1);
    }
};

// Lattice lines that met a face, for each pass, packed into one integer: i0, i1, depth, 10 bits
// each. Marking waits until there are many, because how many lines meet one face is a toss-up that
// the processor cannot predict.
struct HitList {
    static constexpr int kRoom = 1024;
    int count = 0;
    int32_t hit[kRoom + 16];
};

inline void append(HitList& list, Ints hits, uint32_t lanes) {
#if defined(__AVX512F__)
    const __m512i packed = _mm512_maskz_compress_epi32(__mmask16(lanes), (__m512i)hits);
    _mm512_storeu_si512(list.hit + list.count, packed);
    list.count += __builtin_popcount(lanes);
#else
    int32_t all[kWidth];
    store(all, hits);
    for (; lanes; lanes &= lanes - 1) list.hit[list.count++] = all[__builtin_ctz(lanes)];
#endif
}

template <class Word>
void mark_hits(Bits<Word> grid, int pass, HitList& list) {
    for (int i = 0; i < list.count; i++) {
        const int32_t hit = list.hit[i];
        voxel_mark(grid, pass, hit >> 20, hit >> 10 & 1023, hit & 1023);
    }
    list.count = 0;
}

// The lines of a face in tiles of kWidth / 4 by 4.
template <class Word>
void find_lines(Bits<Word> grid, const VoxelPass<float>& face, int pass, HitList& list) {
    constexpr int kRows = kWidth / 4;
    const int low0 = voxel_ceil(face.low0), high0 = voxel_floor(face.high0);
    const int low1 = voxel_ceil(face.low1), high1 = voxel_floor(face.high1);
    Ints row, column;
    for (int l = 0; l < kWidth; l++) row[l] = l / 4, column[l] = l % 4;
    const Floats size = splat(float(grid.resolution));
    for (int i0 = low0; i0 <= high0; i0 += kRows)
        for (int i1 = low1; i1 <= high1; i1 += 4) {
            const Ints at0 = row + i0, at1 = column + i1;
            const VoxelLine<Floats> line = voxel_line<Floats>(
                face, __builtin_convertvector(at0, Floats), __builtin_convertvector(at1, Floats));
            const Mask out = either(either(less(line.t1, Floats{}), less(line.t2, Floats{})),
                                    either(less(splat(1.0f), line.t1 + line.t2),
                                           less(line.depth, Floats{})));
            const uint32_t rows = (1u << 4 * std::min(high0 - i0 + 1, kRows)) - 1;
            const uint32_t columns = ((1u << std::min(high1 - i1 + 1, 4)) - 1) * 0x1111u;
            const uint32_t lanes = bits(less(line.depth, size)) & ~bits(out) & rows & columns;
            const Ints cell = __builtin_convertvector(line.depth, Ints);
            append(list, at0 << 20 | at1 << 10 | cell, lanes);
            if (list.count >= HitList::kRoom) mark_hits(grid, pass, list);
        }
}

// Faces side by side in the lanes of vectors, in voxel units.
struct FaceLanes {
    Floats corner[3][3];  // corner, axis
    uint32_t usable;      // as voxel_corners() says
};

FaceLanes load_faces(const float* vertices, const int64_t* faces, int64_t vertex_count, int count,
                     int resolution) {
    float raw[9][kWidth] = {};
    FaceLanes lanes;
    lanes.usable = 0;
    for (int l = 0; l < count; l++) {
        const uint64_t a = uint64_t(faces[3 * l]), b = uint64_t(faces[3 * l + 1]),
                       c = uint64_t(faces[3 * l + 2]);
        if (std::max(a, std::max(b, c)) >= uint64_t(vertex_count)) continue;  // negative too
        lanes.usable |= 1u << l;
        for (int d = 0; d < 3; d++) {
            raw[d][l] = vertices[3 * a + uint64_t(d)];
            raw[3 + d][l] = vertices[3 * b + uint64_t(d)];
            raw[6 + d][l] = vertices[3 * c + uint64_t(d)];
        }
    }
    for (int i = 0; i < 9; i++) {
        const Floats value = load(raw[i]) * float(resolution);
        lanes.usable &= bits(less(voxel_abs(value), splat(kVoxelFarthest)));
        lanes.corner[i / 3][i % 3] = value;
    }
    return lanes;
}

// voxel_mark_corner() for all lanes.
template <class Word>
void mark_corners(Bits<Word> grid, const FaceLanes& faces) {
    constexpr int kBits = Bits<Word>::kBits;
    const Ints none = splat(int32_t(-1)), size = splat(int32_t(grid.resolution));
    for (int c = 0; c < 3; c++) {
        Ints cell[3];
        uint32_t inside = faces.usable;
        for (int d = 0; d < 3; d++) {
            cell[d] = __builtin_convertvector(faces.corner[c][d], Ints);
            inside &= bits(both(less(none, cell[d]), less(cell[d], size)));
        }
        int32_t word[kWidth], bit[kWidth];
        store(word, (cell[0] * grid.words + cell[2] / kBits) * grid.resolution + cell[1]);
        store(bit, cell[2] & (kBits - 1));
        for (; inside; inside &= inside - 1) {
            const int l = __builtin_ctz(inside);
            grid.marked[word[l]] |= Word(Word(1) << bit[l]);
        }
    }
}

template <class Word>
void mark_surface(Bits<Word> grid, const float* vertices, int64_t vertex_count,
                  const int64_t* faces, int64_t face_count) {
    constexpr int kFields = int(sizeof(VoxelPass<float>) / sizeof(float));
    HitList lists[3];
    for (int64_t first = 0; first < face_count; first += kWidth) {
        const int count = int(std::min<int64_t>(kWidth, face_count - first));
        const FaceLanes group =
            load_faces(vertices, faces + 3 * first, vertex_count, count, grid.resolution);
        mark_corners(grid, group);
        for (int pass = 0; pass < 3; pass++) {
            const VoxelPass<Floats> all =
                voxel_pass<Floats>(group.corner, pass, grid.resolution);
            float field[kFields][kWidth];
            std::memcpy(field, &all, sizeof all);
            for (uint32_t lanes = group.usable; lanes; lanes &= lanes - 1) {
                const int l = __builtin_ctz(lanes);
                float own[kFields];
                for (int i = 0; i < kFields; i++) own[i] = field[i][l];
                VoxelPass<float> face;
                std::memcpy(&face, own, sizeof face);
                find_lines(grid, face, pass, lists[pass]);
            }
        }
    }
    for (int pass = 0; pass < 3; pass++) mark_hits(grid, pass, lists[pass]);
}

// One step in layer `here`: every open cell next to an outside cell, and its run along z, becomes
// outside. Returns whether anything changed. `next` is scratch of one layer.
template <class Word>
bool flood_layer(Word* __restrict here, const Word* __restrict wall, Word* __restrict next,
                 int resolution, int words) {
    constexpr int top = int(8 * sizeof(Word)) - 1;
    const int layer = resolution * words;
    Word difference = 0;
    for (int j = 0; j < words; j++) {
        const int row = j * resolution;
        const Word* own = here + row;
        const Word* before = own - layer;
        const Word* after = own + layer;
        // The bits that come over from the words below and above along z; `none` where there are
        // no such words.
        const Word* below = own - (j > 0 ? resolution : 0);
        const Word* above = own + (j + 1 < words ? resolution : 0);
        const Word low = Word(j > 0), high = Word(Word(j + 1 < words) << top);
        Word* out = next + row;
        // Rows 0 and R-1 are boundary: all their open cells are outside already, so that what lies
        // beyond them in memory (words of other layers) adds nothing.
#pragma omp simd reduction(| : difference)
        for (int y = 0; y < resolution; y++) {
            Word seed = own[y] | before[y] | after[y] | own[y - 1] | own[y + 1];
            seed |= Word((below[y] >> top & low) | (Word(above[y] << top) & high));
            out[y] = voxel_spread<Word>(seed, Word(~wall[row + y]));
            difference |= out[y] ^ own[y];
        }
    }
    if (difference == 0) return false;
    std::memcpy(here, next, sizeof(Word) * size_t(layer));
    return true;
}

// Floods the outside layer by layer along x. A layer is worked on while it or a neighbour has
// changed, so the cost follows the number of changes and not the longest way through the grid.
template <class Word>
void flood(const Word* marked, Word* outside, Word* next, char* due, int resolution, int words) {
    const int layer = resolution * words, last = resolution - 1;
    for (int x = 0; x < resolution; x++)
        for (int j = 0; j < words; j++) {
            const bool face = x == 0 || x == last;
            const Word ends = face ? Word(~Word(0)) : voxel_ends<Word>(j, resolution);
            const Word* wall = marked + x * layer + j * resolution;
            Word* out = outside + x * layer + j * resolution;
            for (int y = 0; y < resolution; y++) out[y] = Word(ends & ~wall[y]);
            out[0] = Word(~wall[0]), out[last] = Word(~wall[last]);
        }
    std::memset(due, 1, size_t(resolution));
    bool forward = true;
    for (bool busy = true; busy; forward = !forward) {
        busy = false;
        for (int step = 1; step < last; step++) {
            const int x = forward ? step : last - step;
            if (!due[x]) continue;
            due[x] = 0;
            bool changed = false;
            while (flood_layer<Word>(outside + x * layer, marked + x * layer, next, resolution,
                                     words))
                changed = true;
            if (changed) due[x - 1] = due[x + 1] = 1, busy = true;
        }
    }
}

// Eight bits to eight bytes of 0 or 1, lowest bit first.
inline uint64_t spread_byte(uint64_t bits) {
    const uint64_t picked = (bits * 0x0101010101010101u) & 0x8040201008040201u;
    return ((picked + 0x7f7f7f7f7f7f7f7fu) | picked) >> 7 & 0x0101010101010101u;
}

// Occupied = not outside.
template <class Word>
void write_cells(const Word* outside, uint8_t* cells, int resolution, int words) {
    constexpr int bits = int(8 * sizeof(Word));
    for (int x = 0; x < resolution; x++)
        for (int y = 0; y < resolution; y++)
            for (int j = 0; j < words; j++) {
                uint8_t* out = cells + (int64_t(x) * resolution + y) * resolution + j * bits;
                Word word = Word(~outside[(x * words + j) * resolution + y]);
                int left = std::min(bits, resolution - j * bits);
                for (; left >= 8; left -= 8, out += 8, word = Word(word >> 8)) {
                    const uint64_t eight = spread_byte(uint64_t(word) & 255);
                    std::memcpy(out, &eight, 8);
                }
                for (; left > 0; left--, word = Word(word >> 1)) *out++ = uint8_t(word & 1);
            }
}

template <class Word>
int voxelize(const float* vertices, const int64_t* faces, int64_t batch, int64_t vertex_count,
             int64_t face_count, int resolution, uint8_t* cells, int threads) {
    constexpr int bits = int(8 * sizeof(Word));
    const int words = (resolution + bits - 1) / bits, layer = resolution * words;
    const int64_t grid = int64_t(resolution) * layer;
    threads = int(std::max<int64_t>(1, std::min<int64_t>(threads, batch)));
    // A thread's own: marked grid, outside grid, one layer, one flag per layer.
    const int64_t own = 2 * grid + layer + resolution;
    std::unique_ptr<Word[]> scratch(new (std::nothrow) Word[size_t(own * threads)]);
    if (!scratch) return kVoxelNoMemory;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic, 1)
    for (int64_t b = 0; b < batch; b++) {
        Word* const marked = scratch.get() + own * omp_get_thread_num();
        Word* const outside = marked + grid;
        Word* const next = outside + grid;
        char* const due = reinterpret_cast<char*>(next + layer);
        // Bits beyond the grid count as marked, so that nothing ever floods them.
        for (int row = 0; row < resolution * words; row++)
            std::fill_n(marked + int64_t(row) * resolution, resolution,
                        Word(~voxel_valid<Word>(row % words, resolution)));
        mark_surface(Bits<Word>{marked, resolution, words}, vertices + b * vertex_count * 3,
                     vertex_count, faces, face_count);
        flood<Word>(marked, outside, next, due, resolution, words);
        write_cells(outside, cells + b * int64_t(resolution) * resolution * resolution,
                    resolution, words);
    }
    return 0;
}

}  // namespace

// vertices (B, V, 3), faces (F, 3), cells (B, R, R, R) bytes 0 or 1.
extern "C" BENCH_API int bench_voxelize(const float* vertices, const int64_t* faces, int64_t batch,
                                        int64_t vertex_count, int64_t face_count,
                                        int64_t resolution, uint8_t* cells, int threads) {
    if (resolution < 2 || resolution > kVoxelLargestResolution) return kVoxelBadResolution;
    const auto run = resolution <= 32 ? voxelize<uint32_t> : voxelize<uint64_t>;
    return run(vertices, faces, batch, vertex_count, face_count, int(resolution), cells, threads);
}
