// SPDX-License-Identifier: Apache-2.0
/* Makes a WordPiece vocabulary from text: special tokens, then the characters, then merged pieces.
 *
 *     rt_vocabulary_training training = rt_vocabulary_training_default(8000);
 *     rt_vocabulary_trainer *trainer;
 *     RT_TRY(rt_vocabulary_trainer_create(&training, &trainer, error));
 *     RT_TRY(rt_vocabulary_trainer_add_file(trainer, "corpus.txt", error));
 *     RT_TRY(rt_vocabulary_trainer_write(trainer, "vocab.txt", &report, error));
 *     rt_vocabulary_trainer_destroy(trainer);
 *
 * Words are those of rt_normalise. Every word begins as its characters, all but the first with "##"
 * in front; the most frequent pair of neighbours becomes one piece, again and again (Sennrich et
 * al. 2016, "Neural machine translation of rare words with subword units", on the pieces of
 * Schuster and Nakajima 2012). Of equally frequent pairs the one whose pieces are older is taken,
 * so the result is a function of text and settings. */
#ifndef RETORT_RUNTIME_TEXT_VOCABULARY_TRAINER_H
#define RETORT_RUNTIME_TEXT_VOCABULARY_TRAINER_H

#include "runtime/text/table.h"
#include "runtime/text/text_table.h"
#include "runtime/text/tokenizer.h"

typedef struct rt_vocabulary_training {
    rt_tokenizer_options tokenizer; /* normalisation, special tokens, longest word */
    size_t size;                    /* tokens wanted, special ones counted */
    size_t alphabet_limit;          /* different characters kept, the most frequent; 1000 */
    uint64_t least_count;           /* a pair, or word, seen fewer times is not taken; 2 */
    bool is_of_words;               /* whole words, the most frequent; others are [UNK] later */
    const rt_text_table *only;      /* with is_of_words: but of these; NULL: of all */
    /* Called now and then, where not NULL: bytes read of a file, then tokens made of those wanted.
     */
    void (*show_progress)(void *user, bool is_reading, uint64_t done, uint64_t total);
    void *progress_user;
} rt_vocabulary_training;

rt_vocabulary_training rt_vocabulary_training_default(size_t size);

typedef struct rt_vocabulary_report {
    uint64_t words; /* in the text */
    size_t different_words;
    size_t characters;        /* different ones kept */
    uint64_t uncovered_words; /* in the text, with a character that was not kept, or not taken as
                                 a whole: [UNK] later */
    size_t tokens;            /* written; fewer than wanted where the text has no more pairs */
} rt_vocabulary_report;

typedef struct rt_vocabulary_trainer rt_vocabulary_trainer;

RT_MUST_CHECK rt_status rt_vocabulary_trainer_create(const rt_vocabulary_training *training,
                                                     rt_vocabulary_trainer **trainer,
                                                     rt_error *error);
void rt_vocabulary_trainer_destroy(rt_vocabulary_trainer *trainer); /* NULL is fine */

/* Counts the words of a text; fails only for want of memory. */
RT_MUST_CHECK rt_status rt_vocabulary_trainer_add_text(rt_vocabulary_trainer *trainer,
                                                       rt_text text);
/* Of a file of plain text. "path:line: reason" where bytes are not UTF-8. */
RT_MUST_CHECK rt_status rt_vocabulary_trainer_add_file(rt_vocabulary_trainer *trainer,
                                                       const char *path, rt_error *error);
/* Of the texts of a table. */
RT_MUST_CHECK rt_status rt_vocabulary_trainer_add_table(rt_vocabulary_trainer *trainer,
                                                        const rt_table *table);

/* Trains on what was added and writes the file, one token per line; at the end, once. `report` may
 * be NULL. INVALID_DATA where nothing was added, INVALID_ARGUMENT where the wanted size does not
 * hold the special tokens and characters. */
RT_MUST_CHECK rt_status rt_vocabulary_trainer_write(rt_vocabulary_trainer *trainer,
                                                    const char *path, rt_vocabulary_report *report,
                                                    rt_error *error);

#endif
