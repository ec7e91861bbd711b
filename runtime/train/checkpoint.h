// SPDX-License-Identifier: Apache-2.0
/* Checkpoints: folders that hold a trained model as transformers loads it, and with it all that
 * going on needs.
 *
 *     model.safetensors       the weights under their checkpoint names
 *     config.json …           what the compiler said stands beside them ("checkpoint" in settings)
 *     vocab.txt, tokenizer_config.json
 *     optimizer.safetensors   the optimiser's state, by the names of its parameters
 *     trainer.json            position, best so far, settings (see retort_train_state)
 *     checksums.txt           "<XXH64 of the file, 16 hex digits>  <name>" for each of the others
 *
 * A folder is written beside its place as "<folder>.new", synced, then exchanged with it: whoever
 * looks finds a whole one, old or new. */
#ifndef RETORT_RUNTIME_TRAIN_CHECKPOINT_H
#define RETORT_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/base/safetensors.h"
#include "runtime/train/data.h"
#include "runtime/train/runner.h"

/* Where a run stands after `update` updates. All of it is in trainer.json, numbers in the fewest
 * digits that read back to the same value. */
typedef struct retort_train_state {
    uint64_t update;
    bool has_evaluated;
    uint64_t evaluated; /* updates made at the last evaluation */
    double last;        /* what it gave for the goal */
    bool has_best;
    double best; /* of the goal */
    uint64_t best_update;
    uint64_t tokens; /* trained on so far */
    double seconds;  /* of work so far, evaluations included */
    /* Of the updates since the last line of metrics. */
    uint64_t window_updates, window_tokens;
    double window_seconds, window_loss, window_terms[RETORT_MAX_TERMS];
    uint64_t metrics_bytes; /* length of metrics.jsonl */
    uint64_t data_checksum; /* retort_data_checksum of the training rows */
    uint64_t data_rows;
    uint64_t workers; /* threads that the run is made with */
} retort_train_state;

/* What a checkpoint is written from; all lent. */
typedef struct retort_checkpoint_source {
    const retort_instance *instance;
    const retort_settings *settings;
    const retort_data *data;
    const retort_train_state *state;
} retort_checkpoint_source;

/* Writes the folder whole; on failure what was there stays, and the temporary folder is removed. */
RT_MUST_CHECK rt_status retort_checkpoint_write(const retort_checkpoint_source *source,
                                                const char *folder, rt_error *error);

/* Makes `to` a checkpoint of the same content as `from`; tensors by links where the file system has
 * them, since those files are never written again. */
RT_MUST_CHECK rt_status retort_checkpoint_copy(const char *from, const char *to, rt_error *error);

/* Bytes that a checkpoint of the program takes, about. */
uint64_t retort_checkpoint_bytes(const retort_program *program);

/* Whether a parameter is part of the trained model: a weight that is no teacher's. */
bool retort_checkpoint_holds(const retort_parameter *parameter);

/* A checkpoint opened for reading, or a plain folder with model.safetensors (is_saved false). */
typedef struct retort_checkpoint {
    char *folder;
    bool is_saved; /* trainer.json and checksums are there */
    retort_train_state state;
    json_t *trainer; /* trainer.json */
    rt_safetensors model;
    rt_safetensors optimizer; /* empty where there is none */
} retort_checkpoint;

/* Opens a folder and compares all checksums; an error names the file that is damaged or missing. */
RT_MUST_CHECK rt_status retort_checkpoint_open(const char *folder, retort_checkpoint *checkpoint,
                                               rt_error *error);
void retort_checkpoint_close(retort_checkpoint *checkpoint); /* also of a zeroed struct */

/* For retort_instance_options.is_given: whether the checkpoint (`argument`) has the parameter. */
bool retort_checkpoint_gives(const retort_parameter *parameter, void *argument);
/* For retort_instance_options.give, of what it has. */
RT_MUST_CHECK rt_status retort_checkpoint_give(const retort_parameter *parameter, void *memory,
                                               void *argument, rt_error *error);

/* Fills the instance's parameters that have memory. Weights of the model that are missing or have
 * another shape are errors; so is missing state with `needs_state`. */
RT_MUST_CHECK rt_status retort_checkpoint_load(const retort_checkpoint *checkpoint,
                                               retort_instance *instance, bool needs_state,
                                               rt_error *error);

#endif
