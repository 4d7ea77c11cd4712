/* STREAM's triad a[i] = b[i] + 3 c[i] in C, for bandwidth_vs_triad.py. */
#include <stddef.h>

/* First touch by all threads, so that on a NUMA machine each has its own share near. */
void fill(float *restrict a, float *restrict b, float *restrict c, size_t n) {
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) a[i] = 0.0f, b[i] = 1.5f, c[i] = 2.5f;
}

void triad(float *restrict a, const float *restrict b, const float *restrict c, size_t n) {
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) a[i] = b[i] + 3.0f * c[i];
}
