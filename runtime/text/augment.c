// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/augment.h"

#include <stdio.h>

#include "runtime/base/checksum.h"
#include "runtime/text/lines.h"

bool rt_word_list_add(rt_word_list *words, rt_text word) {
    if (!rt_reserve(&words->items, &words->capacity, words->count + 1, sizeof word)) return false;
    words->items[words->count++] = word;
    return true;
}

void rt_word_list_deinit(rt_word_list *words) {
    free(words->items);
    *words = (rt_word_list){0};
}

/* ---- texts that stood there before, by checksum: of 10^8 rows two different ones are taken for
 * one with a chance of 1 in 4000 */

typedef struct seen_texts {
    uint64_t *slots; /* 0: empty; linear probing, at most half full */
    size_t slot_count, count;
} seen_texts;

static size_t find_slot(const seen_texts *seen, uint64_t sum) {
    size_t slot = (size_t)sum & (seen->slot_count - 1);
    while (seen->slots[slot] && seen->slots[slot] != sum)
        slot = (slot + 1) & (seen->slot_count - 1);
    return slot;
}

static bool grow_seen(seen_texts *seen) {
    seen_texts grown = {.slot_count = seen->slot_count ? 2 * seen->slot_count : 4096,
                        .count = seen->count};
    grown.slots = calloc(grown.slot_count, sizeof *grown.slots);
    if (!grown.slots) return false;
    for (size_t i = 0; i < seen->slot_count; ++i)
        if (seen->slots[i]) grown.slots[find_slot(&grown, seen->slots[i])] = seen->slots[i];
    free(seen->slots);
    *seen = grown;
    return true;
}

static rt_status add_seen(seen_texts *seen, uint64_t sum, bool *is_new) {
    sum += sum == 0;
    if (2 * seen->count >= seen->slot_count && !grow_seen(seen)) return RT_OUT_OF_MEMORY;
    size_t slot = find_slot(seen, sum);
    *is_new = seen->slots[slot] == 0;
    seen->slots[slot] = sum;
    seen->count += *is_new;
    return RT_OK;
}

/* ---- bytes of a row */

typedef struct row_bytes {
    char *data;
    size_t count, capacity;
} row_bytes;

static bool put(row_bytes *row, rt_text text) {
    if (!rt_reserve(&row->data, &row->capacity, row->count + text.length, 1)) return false;
    if (text.length) memcpy(row->data + row->count, text.bytes, text.length);
    row->count += text.length;
    return true;
}

static bool put_words(row_bytes *row, const rt_word_list *words) {
    bool is_put = true;
    for (size_t i = 0; i < words->count && is_put; ++i) {
        if (i) is_put = put(row, rt_text_of(" "));
        is_put = is_put && put(row, words->items[i]);
    }
    return is_put;
}

/* A column's text as it stands; a tab, which only plain text can have, would begin another. */
static bool put_field(row_bytes *row, rt_text text) {
    size_t begin = row->count;
    if (!put(row, text)) return false;
    for (size_t i = begin; i < row->count; ++i)
        if (row->data[i] == '\t') row->data[i] = ' ';
    return true;
}

/* As few digits as give the same number again. */
static bool put_score(row_bytes *row, float score) {
    char text[32];
    for (int digits = 6; digits <= 9; ++digits) {
        snprintf(text, sizeof text, "%.*g", digits, (double)score);
        if (strtof(text, NULL) == score) break;
    }
    return put(row, rt_text_of(text));
}

/* ---- augmenting */

typedef struct augmenter {
    const rt_table *table;
    const rt_augmentation *options;
    rt_writer *writer;
    rt_augment_report *report;
    rt_error *error;
    int sides;
    rt_word_list words[2];   /* as they stand in the table */
    rt_word_list changed[2]; /* as they are changed */
    seen_texts seen;
    row_bytes row;
} augmenter;

static rt_text text_at(const rt_table_row *row, int side) {
    return side ? row->second : row->first;
}

static rt_status split_at_blanks(rt_text text, rt_word_list *words) {
    for (rt_text word = rt_text_next_word(&text); word.length; word = rt_text_next_word(&text))
        if (!rt_word_list_add(words, word)) return RT_OUT_OF_MEMORY;
    return RT_OK;
}

static rt_status split_row(augmenter *a, size_t row) {
    const rt_perturber *p = a->options->perturber;
    for (int side = 0; side < a->sides; ++side) {
        rt_text text = text_at(&a->table->rows[row], side);
        rt_text_place place = {row, side};
        a->words[side].count = 0;
        RT_TRY(p->split ? p->split(p->state, place, text, &a->words[side])
                        : split_at_blanks(text, &a->words[side]));
    }
    return RT_OK;
}

static bool copy_words(rt_word_list *to, const rt_word_list *from) {
    if (!rt_reserve(&to->items, &to->capacity, from->count, sizeof *to->items)) return false;
    if (from->count) memcpy(to->items, from->items, from->count * sizeof *to->items);
    to->count = from->count;
    return true;
}

/* The texts of a row, made of words. */
static bool put_texts(augmenter *a, const rt_word_list *words) {
    a->row.count = 0;
    return put_words(&a->row, &words[0]) &&
           (a->sides == 1 || (put(&a->row, rt_text_of("\t")) && put_words(&a->row, &words[1])));
}

/* Writes what is in `row` with the label behind it. */
static bool write_row(augmenter *a, const rt_table_row *from) {
    bool is_put = true;
    if (a->table->has_labels) {
        is_put = put(&a->row, rt_text_of("\t"));
        if (a->table->is_of_scores)
            is_put = is_put && put_score(&a->row, from->score);
        else
            is_put = is_put && put(&a->row, rt_text_of(a->table->labels.names[from->class]));
    }
    is_put = is_put && put(&a->row, rt_text_of("\n"));
    if (is_put) rt_writer_write(a->writer, a->row.data, a->row.count);
    return is_put;
}

static rt_status write_original(augmenter *a, const rt_table_row *row) {
    a->row.count = 0;
    bool is_put = put_field(&a->row, row->first);
    if (a->sides == 2)
        is_put = is_put && put(&a->row, rt_text_of("\t")) && put_field(&a->row, row->second);
    return is_put && write_row(a, row) ? RT_OK : RT_OUT_OF_MEMORY;
}

/* One changed row: those sides change whose bit is in `sides`. */
static rt_status change(augmenter *a, size_t row, unsigned sides, rt_random *random) {
    const rt_perturber *p = a->options->perturber;
    bool is_kept = true, is_new;
    ++a->report->tried;
    for (int side = 0; side < a->sides; ++side) {
        if (!copy_words(&a->changed[side], &a->words[side])) return RT_OUT_OF_MEMORY;
        rt_text_place place = {row, side};
        if (sides >> side & 1) is_kept &= p->perturb(p->state, place, &a->changed[side], random);
    }
    if (!is_kept) {
        ++a->report->discarded;
        return RT_OK;
    }
    if (!put_texts(a, a->changed)) return RT_OUT_OF_MEMORY;
    RT_TRY(add_seen(&a->seen, rt_checksum(a->row.data, a->row.count), &is_new));
    if (!is_new) {
        ++a->report->duplicates;
        return RT_OK;
    }
    ++a->report->written;
    return write_row(a, &a->table->rows[row]) ? RT_OK : RT_OUT_OF_MEMORY;
}

static rt_status augment_row(augmenter *a, size_t row) {
    const rt_perturber *p = a->options->perturber;
    rt_random random = rt_random_begin(a->options->seed, (uint64_t)a->table->rows[row].index);
    RT_TRY(split_row(a, row));
    for (int side = 0; p->begin && side < a->sides; ++side)
        RT_TRY(p->begin(p->state, (rt_text_place){row, side}, &a->words[side], a->error));
    if (!a->options->drops_rows) RT_TRY(write_original(a, &a->table->rows[row]));
    for (size_t round = 0; round < a->options->rounds; ++round) {
        RT_TRY(change(a, row, 1, &random));
        if (a->sides == 1) continue;
        RT_TRY(change(a, row, 2, &random));
        if (a->options->changes_both) RT_TRY(change(a, row, 3, &random));
    }
    return RT_OK;
}

/* What a row of the table has must not come again, whichever row it is made of. */
static rt_status note_rows(augmenter *a) {
    bool is_new;
    for (size_t row = 0; row < a->table->count; ++row) {
        RT_TRY(split_row(a, row));
        if (!put_texts(a, a->words)) return RT_OUT_OF_MEMORY;
        RT_TRY(add_seen(&a->seen, rt_checksum(a->row.data, a->row.count), &is_new));
    }
    return RT_OK;
}

static rt_status augment(augmenter *a) {
    const rt_augmentation *o = a->options;
    RT_TRY(note_rows(a));
    for (size_t row = 0; row < a->table->count; ++row) {
        RT_TRY(augment_row(a, row));
        if (o->show_progress) o->show_progress(o->progress_user, row + 1, a->table->count);
    }
    return RT_OK;
}

static void write_header(const augmenter *a, const rt_table_layout *layout) {
    bool is_plain = layout->is_plain_text;
    if (!is_plain && layout->header == RT_HEADER_NEVER) return;
    rt_writer_print(a->writer, "%s", is_plain ? "sentence" : layout->first);
    if (a->sides == 2) rt_writer_print(a->writer, "\t%s", layout->second);
    if (a->table->has_labels) rt_writer_print(a->writer, "\t%s", layout->label);
    rt_writer_print(a->writer, "\n");
}

rt_status rt_augment_rows(const rt_table *table, const rt_table_layout *layout,
                          const rt_augmentation *augmentation, rt_writer *writer,
                          rt_augment_report *report, rt_error *error) {
    rt_error own = {{0}};
    augmenter a = {.table = table,
                   .options = augmentation,
                   .writer = writer,
                   .report = report,
                   .error = &own,
                   .sides = table->has_pairs ? 2 : 1};
    *report = (rt_augment_report){.rows = table->count};
    write_header(&a, layout);
    rt_status status = augment(&a);
    for (int side = 0; side < 2; ++side) {
        rt_word_list_deinit(&a.words[side]);
        rt_word_list_deinit(&a.changed[side]);
    }
    free(a.seen.slots);
    free(a.row.data);
    return status == RT_OK
               ? RT_OK
               : rt_fail(error, status, "%s", own.text[0] ? own.text : rt_status_text(status));
}
