// SPDX-License-Identifier: Apache-2.0
/* Initial word embeddings from a file of word vectors (data.word_vectors). */
#ifndef RETORT_RUNTIME_TRAIN_WORD_EMBEDDINGS_H
#define RETORT_RUNTIME_TRAIN_WORD_EMBEDDINGS_H

#include "runtime/instance.h"
#include "runtime/train/data.h"

/* Writes the vector of each token that the file has into the program's word embeddings, which keep
 * their random values elsewhere, and copies these where there is a frozen table beside them. Says
 * how many were found. Nothing happens where the settings name no file. Wrong are lines of the file
 * (runtime/base/word_vectors.h) and a width that is not the embeddings'. */
RT_MUST_CHECK rt_status retort_word_embeddings_load(const retort_data *data,
                                                    const retort_settings *settings,
                                                    retort_instance *instance,
                                                    retort_console *console, rt_error *error);

#endif
