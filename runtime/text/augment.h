// SPDX-License-Identifier: Apache-2.0
/* More rows from the rows of a table: each text is changed word by word, again and again, and what
 * differs from everything before is written as a row of its own, with the label of the row that it
 * comes from. How words change is a perturber's matter: augment_words.h, augment_replace.h.
 *
 *     rt_augmentation augmentation = {.perturber = perturber, .rounds = 20, .seed = 1};
 *     RT_TRY(rt_augment_rows(&table, &augmentation, &writer, &report, error));
 *
 * What is drawn depends on (seed, row) alone. */
#ifndef RETORT_RUNTIME_TEXT_AUGMENT_H
#define RETORT_RUNTIME_TEXT_AUGMENT_H

#include "runtime/base/philox.h"
#include "runtime/text/table.h"

/* The words of a text, borrowed: from the text itself, or from whoever put others in. */
typedef struct rt_word_list {
    rt_text *items;
    size_t count;
    size_t capacity;
} rt_word_list;

bool rt_word_list_add(rt_word_list *words, rt_text word); /* false without memory */
void rt_word_list_deinit(rt_word_list *words);

/* Which text of a table: of row `row` the first (0) or the second (1). */
typedef struct rt_text_place {
    size_t row;
    int side;
} rt_text_place;

typedef struct rt_perturber {
    void *state;
    /* Appends the words of a text; they live until the next text is split on the same side. NULL:
     * what stands between blanks. */
    rt_status (*split)(void *state, rt_text_place place, rt_text text, rt_word_list *words);
    /* Called once for each text, before its words are changed. NULL: nothing is to be done. */
    rt_status (*begin)(void *state, rt_text_place place, const rt_word_list *words,
                       rt_error *error);
    /* Changes the words of a text, which are as they were split. False: to be discarded. */
    bool (*perturb)(void *state, rt_text_place place, rt_word_list *words, rt_random *random);
} rt_perturber;

typedef struct rt_augmentation {
    const rt_perturber *perturber;
    size_t rounds;
    bool changes_both; /* of pairs the first, then the second, then both; else not both */
    bool drops_rows;   /* leaves out the rows themselves, which else stand before what they give */
    uint64_t seed;
    void (*show_progress)(void *user, uint64_t done, uint64_t total); /* rows; or NULL */
    void *progress_user;
} rt_augmentation;

typedef struct rt_augment_report {
    size_t rows;       /* of the table */
    size_t tried;      /* changed rows */
    size_t discarded;  /* of these, by the perturber */
    size_t duplicates; /* of these, with texts that stood there before */
    size_t written;    /* changed rows that are new */
} rt_augment_report;

/* Writes a header that names the columns as the table's layout does (none where it has none), and
 * the rows: first[, second][, label]. */
RT_MUST_CHECK rt_status rt_augment_rows(const rt_table *table, const rt_table_layout *layout,
                                        const rt_augmentation *augmentation, rt_writer *writer,
                                        rt_augment_report *report, rt_error *error);

#endif
