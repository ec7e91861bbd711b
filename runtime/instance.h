// SPDX-License-Identifier: Apache-2.0
/* A program with its memory: weights, state, buffers, threads.
 *
 *     retort_instance_options options;
 *     retort_instance_options_init(&options);
 *     RT_TRY(retort_instance_create(program, &options, &instance, error));  // loads the weights
 *     RT_TRY(retort_instance_reserve(instance, largest_symbols, error));    // once, largest batch
 *     int32_t *ids = retort_instance_input(instance, step, "input_ids");
 *     …                                                                     // fill the inputs
 *     RT_TRY(retort_instance_run(instance, step, symbols, error));          // allocates nothing
 *     const float *loss = retort_instance_output(instance, step, "loss");
 *     retort_instance_destroy(instance);
 *
 * All buffers of an entry point lie where the plan for the largest batch puts them; smaller batches
 * use the same places. Entry points share one block, since only one runs at a time: an output is
 * valid until another entry runs, and inputs are filled after the last run of another entry.
 * One thread uses an instance at a time. */
#ifndef RETORT_RUNTIME_INSTANCE_H
#define RETORT_RUNTIME_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/abi.h"
#include "runtime/base/status.h"

typedef struct retort_instance retort_instance;

typedef struct retort_instance_options {
    size_t size;      /* of this struct, set by _init */
    uint32_t workers; /* 0: RETORT_THREADS, else the cores of the affinity mask */
    uint64_t seed;    /* of dropout and of initial values */
    const char
        *weights; /* a folder or file where external tensors lie instead; NULL: as compiled */
    bool skips_checksum; /* do not compare checksums (tests alone) */
    /* Parameters that the caller fills itself after creation, as from a checkpoint: no source is
     * read for those it answers true for. NULL: there are none. */
    bool (*is_given)(const retort_parameter *parameter, void *argument);
    void *given_argument;
    /* Gives the value of one that is_given answered true for and that has no memory of its own
     * (retort_instance_parameter), whenever it is needed; NULL: it stays zero. */
    rt_status (*give)(const retort_parameter *parameter, void *memory, void *argument,
                      rt_error *error);
} retort_instance_options;

void retort_instance_options_init(retort_instance_options *options);

/* Checks the program, allocates its parameters and gives them their initial values: sources are
 * mapped, compared with their checksum, converted once into place, and let go. */
RT_MUST_CHECK rt_status retort_instance_create(const retort_program *program,
                                               const retort_instance_options *options,
                                               retort_instance **instance, rt_error *error);
void retort_instance_destroy(retort_instance *instance); /* NULL is fine */

const retort_program *retort_instance_program(const retort_instance *instance);
uint32_t retort_instance_workers(const retort_instance *instance);
/* The pool that its kernels run on; not to be used while an entry runs. */
struct rt_threads *retort_instance_threads(const retort_instance *instance);

/* Lays out the buffers of all entry points for these largest symbol values. May be called again
 * with larger ones: contents of buffers are then lost. */
RT_MUST_CHECK rt_status retort_instance_reserve(retort_instance *instance,
                                                const int64_t *largest_symbols, rt_error *error);

/* The same with largest values for each entry point, so that evaluation in large batches does not
 * raise what training needs: largest_symbols[entry], or NULL for an entry that will not run. */
RT_MUST_CHECK rt_status retort_instance_reserve_entries(retort_instance *instance,
                                                        const int64_t *const *largest_symbols,
                                                        rt_error *error);

/* What is allocated, in bytes: the plan's figures. */
typedef struct retort_memory {
    uint64_t weights, gradients, state, buffers, scratch;
    uint64_t derived;   /* from weights */
    uint64_t preparing; /* the most that computing `derived` takes for a while, before buffers are
                           used */
} retort_memory;
retort_memory retort_instance_memory(const retort_instance *instance);

/* The memory of a parameter, of an input or an output of an entry; NULL where there is none of that
 * name. Valid after the first reserve. A weight that is read only to derive others from it has none
 * either: see retort_instance_read. */
void *retort_instance_parameter(const retort_instance *instance, int index);
void *retort_instance_input(const retort_instance *instance, int entry, const char *name);
const void *retort_instance_output(const retort_instance *instance, int entry, const char *name);
void *retort_instance_buffer(const retort_instance *instance, int entry, int buffer);

/* Copies the value of a parameter, also of one that has no memory, to `values`. */
RT_MUST_CHECK rt_status retort_instance_read(const retort_instance *instance, int index,
                                             void *values, rt_error *error);

/* Computes what derives from weights, for the entries that memory is reserved for, where it was not
 * computed yet. retort_instance_run does it where it was not done: then the first run takes longer.
 */
RT_MUST_CHECK rt_status retort_instance_prepare(retort_instance *instance, rt_error *error);
/* To be called when weights were written by anything but an entry, as from a checkpoint. */
void retort_instance_weights_changed(retort_instance *instance);

/* Dropout's seed, and the counter of micro-batches that the next runs use. */
void retort_instance_set_step(retort_instance *instance, uint64_t step);

/* Calls of kernels are reported here while not NULL; see retort_context.trace. */
void retort_instance_set_trace(retort_instance *instance,
                               void (*trace)(const retort_context *context, uint32_t node,
                                             uint32_t is_end),
                               void *tracer);

/* Runs an entry point with these symbol values, none larger than reserved. */
RT_MUST_CHECK rt_status retort_instance_run(retort_instance *instance, int entry,
                                            const int64_t *symbols, rt_error *error);

#endif
