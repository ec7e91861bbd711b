// SPDX-License-Identifier: Apache-2.0
/* What writing and reading checkpoints share. */
#ifndef RETORT_RUNTIME_TRAIN_CHECKPOINT_INTERNAL_H
#define RETORT_RUNTIME_TRAIN_CHECKPOINT_INTERNAL_H

#include "runtime/train/checkpoint.h"

enum { RETORT_CHECKPOINT_FORMAT = 1 };

#define RETORT_MODEL_FILE "model.safetensors"
#define RETORT_OPTIMIZER_FILE "optimizer.safetensors"
#define RETORT_TRAINER_FILE "trainer.json"
#define RETORT_CHECKSUMS_FILE "checksums.txt"

/* The numbers of retort_train_state by name: FIELD(name, kind), kind COUNT, REAL or FLAG. */
#define RETORT_STATE_FIELDS(FIELD) \
    FIELD(update, COUNT)           \
    FIELD(has_evaluated, FLAG)     \
    FIELD(evaluated, COUNT)        \
    FIELD(last, REAL)              \
    FIELD(has_best, FLAG)          \
    FIELD(best, REAL)              \
    FIELD(best_update, COUNT)      \
    FIELD(tokens, COUNT)           \
    FIELD(seconds, REAL)           \
    FIELD(window_updates, COUNT)   \
    FIELD(window_tokens, COUNT)    \
    FIELD(window_seconds, REAL)    \
    FIELD(window_loss, REAL)       \
    FIELD(metrics_bytes, COUNT)    \
    FIELD(data_rows, COUNT)        \
    FIELD(workers, COUNT)

/* "[2, 3]" */
const char *retort_shape_text(int rank, const int64_t *dims, char text[128]);

/* Copies a tensor of the parameter's shape, in its element type, in pieces that the mapped file is
 * let go of. */
void retort_copy_values(const retort_parameter *parameter, void *memory,
                        const rt_safetensor *tensor, const rt_mapped_file *file);

/* XXH64 of a whole file, read in pieces that are let go. */
RT_MUST_CHECK rt_status retort_file_checksum(const char *path, uint64_t *checksum, rt_error *error);

#endif
