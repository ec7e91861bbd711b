// SPDX-License-Identifier: Apache-2.0
/* A place for each buffer. The compiler has planned the order, in which buffers that lie lower come
 * first; with it, each at the lowest place that is free during its whole life, the plan for the
 * sizes that it planned for is found again, and a good one for all others. */
#ifndef RETORT_RUNTIME_DEVICE_LAYOUT_H
#define RETORT_RUNTIME_DEVICE_LAYOUT_H

#include "runtime/device/tables.h"

enum { RETORT_DEVICE_ALIGNMENT = 64 };

uint64_t retort_device_align(uint64_t bytes);

/* Value of a size for these symbols. */
uint64_t retort_device_size(const retort_size *size, const int64_t *symbols);

/* Fills offsets[i] of each buffer, multiples of 64; returns the bytes of all. */
uint64_t retort_device_layout(const retort_device_model *tables, const int64_t *symbols,
                              uint64_t *offsets);

#endif
