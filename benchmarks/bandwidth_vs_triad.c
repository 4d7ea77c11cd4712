/* STREAM's triad a[i] = b[i] + 3 c[i] in C, for bandwidth_vs_triad.py, which runs it over torch's own arrays. */
#include <stddef.h>

void triad(float *restrict a, const float *restrict b, const float *restrict c, size_t n) {
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) a[i] = b[i] + 3.0f * c[i];
}
