// SPDX-License-Identifier: Apache-2.0
/* What a machine can do at most, measured by small loops that are compiled like any kernel: peaks
 * of arithmetic and of memory. Single-threaded; several threads may measure with one probe at once.
 *
 *     rt_probe *probe;
 *     RT_TRY(rt_probe_create(&probe, error));
 *     double flops = rt_probe_flops(probe, RT_PROBE_fma_f32);    // per second
 *     rt_probe_destroy(probe);
 */
#ifndef RETORT_COMPILER_CODEGEN_PROBE_H
#define RETORT_COMPILER_CODEGEN_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

typedef enum rt_probe_kind {
#define PROBE(id, ...) RT_PROBE_##id,
#include "compiler/codegen/probes.def"
    RT_PROBE_COUNT
} rt_probe_kind;

typedef struct rt_probe rt_probe;

RT_MUST_CHECK rt_status rt_probe_create(rt_probe **probe, rt_error *error);
void rt_probe_destroy(rt_probe *probe); /* NULL is fine */

const char *rt_probe_text(rt_probe_kind kind);
/* Whether this machine has the instructions. */
bool rt_probe_has(const rt_probe *probe, rt_probe_kind kind);
bool rt_probe_is_memory(rt_probe_kind kind);

/* Operations a second, multiply and add counted apart; a measurement takes about a millisecond. */
double rt_probe_flops(const rt_probe *probe, rt_probe_kind kind);

/* Bytes read and written a second over a region of memory that the caller owns, 64-byte aligned and
 * a multiple of 4096 in size, run through `times` times. */
double rt_probe_bytes(const rt_probe *probe, rt_probe_kind kind, void *memory, size_t bytes,
                      int times);

#endif
