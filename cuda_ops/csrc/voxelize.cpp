#include "voxelize.h"

#include <omp.h>

#include <cstring>
#include <memory>
#include <new>

namespace {

using namespace bench;

template <class Word>
struct Bits {
    static constexpr int kBits = int(8 * sizeof(Word));
    Word* marked;           // (R, R, words)
    int resolution, words;  // words a row

    void mark(int x, int y, int z) {
        if ((x | y) < 0 || z < 0) return;
        marked[(x * resolution + y) * words + z / kBits] |= Word(Word(1) << (z % kBits));
    }
    void mark_two(int x, int y, int z) {
        if ((x | y) < 0) return;
        if (words == 1) {
            const Word bit = Word(Word(1) << z);
            marked[x * resolution + y] |= Word(bit | bit >> 1);
        } else {
            mark(x, y, z);
            mark(x, y, z - 1);
        }
    }
};

template <class Word>
void mark_surface(Bits<Word> grid, const float* vertices, int64_t vertex_count,
                  const int64_t* faces, int64_t face_count) {
    const int resolution = grid.resolution;
    for (int64_t f = 0; f < face_count; f++) {
        const VoxelTriangle triangle =
            voxel_triangle(vertices, faces + 3 * f, vertex_count, resolution);
        if (!triangle.usable) continue;
        for (int c = 0; c < 3; c++) voxel_mark_corner(grid, triangle.corner[c], resolution);
        for (int pass = 0; pass < 3; pass++) {
            const VoxelPass lines = voxel_pass(triangle, pass, resolution);
            for (int i0 = lines.low0; i0 <= lines.high0; i0++)
                for (int i1 = lines.low1; i1 <= lines.high1; i1++) {
                    const int k = voxel_depth(lines, i0, i1, resolution);
                    if (k >= 0) voxel_mark(grid, pass, i0, i1, k);
                }
        }
    }
}

// One step in layer `here`: every open cell next to an outside cell, and its run along z, becomes
// outside. Returns whether anything changed. `next` is scratch of one layer.
template <class Word, bool kOneWord>
bool flood_layer(Word* __restrict here, const Word* __restrict wall, Word* __restrict next,
                 int resolution, int words) {
    constexpr int top = int(8 * sizeof(Word)) - 1;
    const int layer = resolution * words;
    const Word* before = here - layer;
    const Word* after = here + layer;
    Word difference = 0;
#pragma omp simd reduction(| : difference)
    for (int i = words; i < layer - words; i++) {  // rows 0 and R-1 are boundary: final
        Word seed = here[i] | before[i] | after[i] | here[i - words] | here[i + words];
        if (!kOneWord) {
            const int j = i % words;
            if (j > 0) seed |= here[i - 1] >> top;
            if (j + 1 < words) seed |= Word(here[i + 1] << top);
        }
        next[i] = voxel_spread<Word>(seed, Word(~wall[i]));
        difference |= next[i] ^ here[i];
    }
    if (difference == 0) return false;
    std::memcpy(here + words, next + words, sizeof(Word) * size_t(layer - 2 * words));
    return true;
}

// Floods the outside layer by layer along x. A layer is worked on while it or a neighbour has
// changed, so the cost follows the number of changes and not the longest way through the grid.
template <class Word, bool kOneWord>
void flood(const Word* marked, Word* outside, Word* next, char* due, int resolution, int words) {
    const int layer = resolution * words, last = resolution - 1;
    for (int x = 0; x < resolution; x++)
        for (int y = 0; y < resolution; y++)
            for (int j = 0; j < words; j++) {
                const bool edge = x == 0 || x == last || y == 0 || y == last;
                const Word cells = edge ? Word(~Word(0)) : voxel_ends<Word>(j, resolution);
                const int at = x * layer + y * words + j;
                outside[at] = Word(cells & ~marked[at]);
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
            while (flood_layer<Word, kOneWord>(outside + x * layer, marked + x * layer, next,
                                               resolution, words))
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
    if (resolution % 8 == 0) {
        for (int row = 0; row < resolution * resolution; row++)
            for (int z = 0; z < resolution; z += 8) {
                const Word word = Word(~outside[row * words + z / bits]);
                const uint64_t eight = spread_byte(uint64_t(word >> (z % bits)) & 255);
                std::memcpy(cells + int64_t(row) * resolution + z, &eight, 8);
            }
        return;
    }
    for (int row = 0; row < resolution * resolution; row++)
        for (int z = 0; z < resolution; z++)
            cells[int64_t(row) * resolution + z] =
                uint8_t(~outside[row * words + z / bits] >> (z % bits) & 1);
}

template <class Word>
int voxelize(const float* vertices, const int64_t* faces, int64_t batch, int64_t vertex_count,
             int64_t face_count, int resolution, uint8_t* cells, int threads) {
    constexpr int bits = int(8 * sizeof(Word));
    const int words = (resolution + bits - 1) / bits;
    const int64_t grid = int64_t(resolution) * resolution * words;
    if (threads > batch) threads = int(batch);
    if (threads < 1) threads = 1;
    // A thread's own: marked grid, outside grid, one layer, one flag per layer.
    const int64_t layer = int64_t(resolution) * words, own = 2 * grid + layer + resolution;
    std::unique_ptr<Word[]> scratch(new (std::nothrow) Word[size_t(own * threads)]);
    if (!scratch) return kVoxelNoMemory;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(dynamic, 1)
    for (int64_t b = 0; b < batch; b++) {
        Word* const marked = scratch.get() + own * omp_get_thread_num();
        Word* const outside = marked + grid;
        Word* const next = outside + grid;
        char* const due = reinterpret_cast<char*>(next + layer);
        // Bits beyond the grid count as marked, so that nothing ever floods them.
        for (int64_t i = 0; i < grid; i++)
            marked[i] = Word(~voxel_valid<Word>(int(i % words), resolution));
        mark_surface(Bits<Word>{marked, resolution, words}, vertices + b * vertex_count * 3,
                     vertex_count, faces, face_count);
        if (words == 1)
            flood<Word, true>(marked, outside, next, due, resolution, words);
        else
            flood<Word, false>(marked, outside, next, due, resolution, words);
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
