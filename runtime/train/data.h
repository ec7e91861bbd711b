// SPDX-License-Identifier: Apache-2.0
/* The texts of a run as a program reads them: vocabulary and tokenizer, classes, rows. Everything
 * is found from the settings; what does not fit the compiled model is an error before any work. */
#ifndef RETORT_RUNTIME_TRAIN_DATA_H
#define RETORT_RUNTIME_TRAIN_DATA_H

#include "runtime/abi.h"
#include "runtime/text/dataset.h"
#include "runtime/text/labels.h"
#include "runtime/text/metrics.h"
#include "runtime/train/console.h"
#include "runtime/train/settings.h"

/* What decides which checkpoint is best. */
typedef struct retort_goal {
    bool is_loss;     /* the evaluation's loss; then `metric` means nothing */
    rt_metric metric; /* else */
    const char *name; /* "accuracy", "loss" */
} retort_goal;

bool retort_goal_is_better(const retort_goal *goal, double value, double best);

/* Zero it to begin. */
typedef struct retort_data {
    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    rt_labels labels; /* the classes; none for a regression, or until a training file tells them */
    bool is_of_scores;
    bool predicts_tokens; /* that were masked: there are neither labels nor classes */
    bool has_one_type;    /* the model has one token type: second texts are of type 0 too */
    bool needs_pairs;     /* the model compares two texts */
    int64_t class_count;  /* of the program's logits */
    retort_goal goal;
    unsigned metrics; /* reported, as RT_METRIC_BIT; the goal's among them */
} retort_data;

/* Reads vocabulary, tokenizer settings and classes, and holds them against the program. `folder` is
 * a saved model whose vocab.txt and tokenizer_config.json come before the compiled ones, or NULL.
 */
RT_MUST_CHECK rt_status retort_data_open(const retort_program *program,
                                         const retort_settings *settings, const char *folder,
                                         retort_data *data, rt_error *error);
void retort_data_close(retort_data *data); /* also of a zeroed struct */

/* Reads a file in the layout of the settings and tokenises it. The first file read with labels
 * gives the classes where none are known; where they are not needed the label column is not looked
 * at. What was skipped or cut becomes a note. */
RT_MUST_CHECK rt_status retort_data_read(retort_data *data, const retort_settings *settings,
                                         const char *path, bool needs_labels,
                                         retort_console *console, rt_dataset *rows,
                                         rt_error *error);

/* Where no classes are known: "0", "1" … as many as the program has. */
RT_MUST_CHECK rt_status retort_data_name_classes(retort_data *data, rt_error *error);

/* Sum over what is trained on: ids, lengths, types and labels in their order. */
uint64_t retort_data_checksum(const rt_dataset *rows);

#endif
