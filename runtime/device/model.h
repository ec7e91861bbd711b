// SPDX-License-Identifier: Apache-2.0
/* The C interface of retort_model, a model compiled to a library by `retort build`.
 *
 *     const retort_model_sizes largest = {.rows = 1, .tokens = 64};
 *     size_t bytes = retort_model_memory(&largest, 1);
 *     void *memory = aligned_alloc(RETORT_MODEL_ALIGNMENT, bytes);   // or a static array
 *     retort_model *model;
 *     if (retort_model_init(memory, bytes, weights, weights_bytes, NULL, &model)) …
 *     if (retort_model_run(model, &sizes, &inputs, &outputs)) …     // any number of times
 *
 * Nothing is allocated, opened, locked or printed; there are no variables but the caller's memory.
 * Any number of models may live in as many pieces of memory and run at the same time; one of them
 * is used by one thread at a time. There is nothing to release: the memory is the caller's, and so
 * are the weights, which are only read and may be shared. Arrays hold their elements end to end in
 * row-major order, at their natural alignment, in the byte order of the machine. */
#ifndef RETORT_MODEL_H
#define RETORT_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- statuses: what every function but _memory returns */

typedef int32_t retort_model_status;
enum {
    RETORT_MODEL_OK = 0,
    RETORT_MODEL_INVALID_ARGUMENT = 1, /* NULL, a negative size, offsets that are no rows */
    RETORT_MODEL_TOO_LARGE = 2,       /* a size or a row is larger than the library was built for */
    RETORT_MODEL_INVALID_ID = 3,      /* an element that picks from a table lies outside of it */
    RETORT_MODEL_SMALL_MEMORY = 4,    /* less than retort_model_memory says */
    RETORT_MODEL_UNALIGNED = 5,       /* memory or weights do not begin at a multiple of 64 */
    RETORT_MODEL_FOREIGN_WEIGHTS = 6, /* not a weights file, or of another build or byte order */
    RETORT_MODEL_DAMAGED_WEIGHTS = 7, /* cut short, or the checksum differs */
    RETORT_MODEL_STATUS_COUNT = 8
};

enum { RETORT_MODEL_ALIGNMENT = 64 }; /* of memory and of weights, in bytes */

/* @model@ */

typedef struct retort_model retort_model; /* lies at the beginning of the memory */
typedef struct retort_model_sizes retort_model_sizes;
typedef struct retort_model_inputs retort_model_inputs;
typedef struct retort_model_outputs retort_model_outputs;

/* ---- options of a model; all may be zero */

/* A part of the work: to be called once for each worker in [0, workers). */
typedef void (*retort_model_part)(void *argument, uint32_t worker);

typedef struct retort_model_options {
    uint32_t
        workers; /* at most 64; 0 and 1: the calling thread alone, and `parallel` is not used */
    uint32_t trusts_weights; /* not 0: weights are not compared with their checksum */
    /* Calls part(argument, worker) for every worker, on any threads, in any order or all at once,
     * and returns when all have returned; what they wrote is then seen by the caller. It is called
     * many times during a run. Results do not depend on it, to the bit. */
    void (*parallel)(void *user, retort_model_part part, void *argument, uint32_t workers);
    void *user; /* for `parallel` */
} retort_model_options;

/* ---- functions */

/* Bytes of memory for a model that runs inputs of these sizes or smaller ones with so many workers.
 * 0 where a size is negative or larger than the library was built for, or workers are above 64. */
size_t retort_model_memory(const retort_model_sizes *largest, uint32_t workers);

/* Begins a model in `memory`, aligned to 64 bytes, which the caller keeps for it until the model is
 * no longer used. `weights` are the bytes of the weights file, aligned to 64 bytes (a mapped file
 * is), which stay where they are as long; where the library holds its weights itself, pass NULL
 * and 0. They are compared with their checksum here, once. `options` may be NULL, and is copied.
 * *model is set where the status is OK. */
retort_model_status retort_model_init(void *memory, size_t memory_bytes, const void *weights,
                                      size_t weights_bytes, const retort_model_options *options,
                                      retort_model **model);

/* Runs the model. `inputs` and `outputs` are arrays of the shapes above for `sizes`; an output that
 * is NULL is not given. The memory is laid out for these sizes: where it is too small for them the
 * status is SMALL_MEMORY, and retort_model_memory says how much they need. After any other status
 * than OK the outputs hold what they held, and the model may be used on. */
retort_model_status retort_model_run(retort_model *model, const retort_model_sizes *sizes,
                                     const retort_model_inputs *inputs,
                                     const retort_model_outputs *outputs);

#ifdef __cplusplus
}
#endif

#endif
