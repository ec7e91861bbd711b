// SPDX-License-Identifier: Apache-2.0
/* What makes of a compilation an ahead-of-time library: one graph, without tables for a runtime of
 * ours, linked with runtime/device. Set `device` of retort_compiler_options to one of these. */
#ifndef RETORT_COMPILER_DEVICE_LIBRARY_H
#define RETORT_COMPILER_DEVICE_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

/* What the device runtime does with an input; the fields of retort_device_input in
 * runtime/device/tables.h. */
typedef struct retort_device_input_facts {
    uint32_t fill, check, slot;
    int64_t limit;
} retort_device_input_facts;

typedef struct retort_device_options {
    const char *graph;                       /* the one to compile */
    const char *prefix;                      /* its functions are <prefix>_memory, _init, _run */
    const retort_device_input_facts *inputs; /* of the graph's, in order */
    /* By symbol of the module: the largest values, and those that the memory is planned for. */
    const int64_t *largest, *planned;
    int32_t tokens, rows, longest; /* symbols of packed rows, or -1 */
    const uint64_t *offsets;       /* by parameter: of its bytes among the weights */
    uint64_t weights_bytes, checksum;
    uint8_t build[16];
    const void *weights; /* to be part of the library; NULL: they come from a file */
    const void *text;    /* a tokenizer's block (runtime/device/README.md), or NULL */
    size_t text_bytes;
} retort_device_options;

#endif
