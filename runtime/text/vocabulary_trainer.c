// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/vocabulary_trainer.h"

#include <utf8proc.h>

#include "runtime/base/file.h"
#include "runtime/text/lines.h"
#include "runtime/text/pair_queue.h"

/* A different word: where its symbols are, and how often it occurs. */
typedef struct counted_word {
    rt_text text; /* lent by the table of words */
    uint64_t count;
    size_t start; /* in symbols */
    uint32_t length;
} counted_word;

/* A character of the text. */
typedef struct counted_character {
    rt_text text;
    uint64_t count;
    bool continues_words;
} counted_character;

struct rt_vocabulary_trainer {
    rt_vocabulary_training training;
    rt_words scratch;
    rt_text_table words;
    uint64_t *counts; /* of words, by number */
    size_t count_capacity;
    rt_text_table pieces; /* numbers are the ids of the vocabulary */
    counted_word *sorted; /* most frequent first; those with a character not kept are left out */
    size_t sorted_count;
    uint32_t *symbols; /* of all words, by their pieces' numbers */
    rt_pair_queue queue;
    rt_vocabulary_report report;
};

rt_vocabulary_training rt_vocabulary_training_default(size_t size) {
    return (rt_vocabulary_training){.tokenizer = rt_tokenizer_options_uncased(),
                                    .size = size,
                                    .alphabet_limit = 1000,
                                    .least_count = 2};
}

rt_status rt_vocabulary_trainer_create(const rt_vocabulary_training *training,
                                       rt_vocabulary_trainer **trainer, rt_error *error) {
    rt_vocabulary_trainer *made = calloc(1, sizeof *made);
    if (!made) return rt_fail(error, RT_OUT_OF_MEMORY, "vocabulary: out of memory");
    made->training = *training;
    *trainer = made;
    return RT_OK;
}

void rt_vocabulary_trainer_destroy(rt_vocabulary_trainer *trainer) {
    if (!trainer) return;
    rt_pair_queue_deinit(&trainer->queue);
    free(trainer->symbols);
    free(trainer->sorted);
    free(trainer->counts);
    rt_text_table_deinit(&trainer->pieces);
    rt_text_table_deinit(&trainer->words);
    rt_words_deinit(&trainer->scratch);
    free(trainer);
}

rt_status rt_vocabulary_trainer_add_text(rt_vocabulary_trainer *trainer, rt_text text) {
    RT_TRY(rt_normalise(&trainer->training.tokenizer.normaliser, text, &trainer->scratch));
    for (size_t i = 0; i < trainer->scratch.count; ++i) {
        ++trainer->report.words;
        if (trainer->scratch.items[i].characters > trainer->training.tokenizer.longest_word) {
            ++trainer->report.uncovered_words;
            continue;
        }
        size_t known = trainer->words.count;
        uint32_t word = rt_text_table_add(&trainer->words, rt_words_at(&trainer->scratch, i));
        if (word == RT_NO_TEXT || !rt_reserve(&trainer->counts, &trainer->count_capacity,
                                              trainer->words.count, sizeof *trainer->counts))
            return RT_OUT_OF_MEMORY;
        if (word == known) trainer->counts[word] = 0;
        ++trainer->counts[word];
    }
    return RT_OK;
}

/* For every 256th line or token. */
static void show_progress(const rt_vocabulary_trainer *trainer, bool is_reading, uint64_t count,
                          uint64_t done, uint64_t total) {
    const rt_vocabulary_training *training = &trainer->training;
    if (training->show_progress && count % 256 == 0)
        training->show_progress(training->progress_user, is_reading, done, total);
}

rt_status rt_vocabulary_trainer_add_file(rt_vocabulary_trainer *trainer, const char *path,
                                         rt_error *error) {
    rt_mapped_file file;
    RT_TRY(rt_file_map(path, &file, error));
    rt_line_reader reader = rt_lines_begin(file.data, file.size);
    rt_status status = RT_OK;
    rt_text line;
    while (status == RT_OK && rt_lines_next(&reader, &line)) {
        size_t bad = rt_utf8_find_error(line);
        if (bad < line.length) {
            status =
                rt_fail(error, RT_INVALID_DATA, "%s:%zu: not UTF-8: byte %zu of the line is 0x%02X",
                        path, reader.number, bad + 1, (unsigned char)line.bytes[bad]);
            break;
        }
        status = rt_vocabulary_trainer_add_text(trainer, line);
        if (status != RT_OK) rt_fail(error, status, "%s: %s", path, rt_status_text(status));
        show_progress(trainer, true, reader.number,
                      (uint64_t)(reader.next - (const char *)file.data), file.size);
    }
    rt_file_unmap(&file);
    return status;
}

rt_status rt_vocabulary_trainer_add_table(rt_vocabulary_trainer *trainer, const rt_table *table) {
    for (size_t i = 0; i < table->count; ++i) {
        RT_TRY(rt_vocabulary_trainer_add_text(trainer, table->rows[i].first));
        if (table->has_pairs)
            RT_TRY(rt_vocabulary_trainer_add_text(trainer, table->rows[i].second));
    }
    return RT_OK;
}

static int compare_texts(rt_text a, rt_text b) {
    return rt_trie_entry_compare(&(rt_trie_entry){.key = a}, &(rt_trie_entry){.key = b});
}

static int compare_words(const void *a, const void *b) {
    const counted_word *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return compare_texts(x->text, y->text);
}

static int compare_characters_by_count(const void *a, const void *b) {
    const counted_character *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return compare_texts(x->text, y->text);
}

static int compare_characters_by_text(const void *a, const void *b) {
    return compare_texts(((const counted_character *)a)->text,
                         ((const counted_character *)b)->text);
}

static rt_status sort_words(rt_vocabulary_trainer *trainer) {
    size_t count = trainer->words.count;
    trainer->sorted = calloc(count + 1, sizeof *trainer->sorted);
    if (!trainer->sorted) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; ++i)
        trainer->sorted[i] =
            (counted_word){.text = trainer->words.items[i], .count = trainer->counts[i]};
    qsort(trainer->sorted, count, sizeof *trainer->sorted, compare_words);
    trainer->sorted_count = trainer->report.different_words = count;
    return RT_OK;
}

/* Bytes of the code point at `offset` of a normalised word, which is well-formed. */
static rt_text character_at(rt_text word, size_t offset) {
    unsigned char first = (unsigned char)word.bytes[offset];
    return (rt_text){word.bytes + offset, (size_t)utf8proc_utf8class[first]};
}

/* Every character of the words with its count; `table` numbers them. */
static rt_status count_characters(const rt_vocabulary_trainer *trainer, rt_text_table *table,
                                  counted_character **characters) {
    size_t capacity = 0;
    for (size_t i = 0; i < trainer->sorted_count; ++i) {
        const counted_word *word = &trainer->sorted[i];
        for (size_t at = 0; at < word->text.length;) {
            rt_text text = character_at(word->text, at);
            size_t known = table->count;
            uint32_t number = rt_text_table_add(table, text);
            if (number == RT_NO_TEXT ||
                !rt_reserve(characters, &capacity, table->count, sizeof **characters))
                return RT_OUT_OF_MEMORY;
            counted_character *character = &(*characters)[number];
            if (number == known) *character = (counted_character){.text = table->items[number]};
            character->count += word->count;
            character->continues_words = character->continues_words || at;
            at += text.length;
        }
    }
    return RT_OK;
}

static uint32_t add_piece(rt_vocabulary_trainer *trainer, const char *before, rt_text text) {
    char *joined =
        rt_arena_format(&trainer->pieces.arena, "%s%.*s", before, (int)text.length, text.bytes);
    return joined ? rt_text_table_add(&trainer->pieces, rt_text_of(joined)) : RT_NO_TEXT;
}

static bool add_special_tokens(rt_vocabulary_trainer *trainer) {
    for (size_t i = 0; i < RT_SPECIAL_TOKEN_COUNT; ++i)
        if (rt_text_table_add(&trainer->pieces,
                              rt_text_of(trainer->training.tokenizer.special_tokens[i])) ==
            RT_NO_TEXT)
            return false;
    return true;
}

/* Special tokens, then the kept characters, which may begin a word, then those that continue one.
 */
static rt_status add_alphabet(rt_vocabulary_trainer *trainer, counted_character *characters,
                              size_t count) {
    bool is_done = add_special_tokens(trainer);
    qsort(characters, count, sizeof *characters, compare_characters_by_count);
    if (count > trainer->training.alphabet_limit) count = trainer->training.alphabet_limit;
    qsort(characters, count, sizeof *characters, compare_characters_by_text);
    trainer->report.characters = count;
    for (size_t i = 0; i < count && is_done; ++i)
        is_done = add_piece(trainer, "", characters[i].text) != RT_NO_TEXT;
    for (size_t i = 0; i < count && is_done; ++i)
        if (characters[i].continues_words)
            is_done = add_piece(trainer, "##", characters[i].text) != RT_NO_TEXT;
    return is_done ? RT_OK : RT_OUT_OF_MEMORY;
}

static rt_status make_alphabet(rt_vocabulary_trainer *trainer) {
    rt_text_table table = {0};
    counted_character *characters = NULL;
    rt_status status = count_characters(trainer, &table, &characters);
    if (status == RT_OK) status = add_alphabet(trainer, characters, table.count);
    free(characters);
    rt_text_table_deinit(&table);
    return status;
}

/* Writes the symbols of a word; returns how many, 0 where one of its characters was not kept. */
static uint32_t spell_word(const rt_text_table *pieces, rt_text text, uint32_t *symbols) {
    uint32_t length = 0;
    for (size_t at = 0; at < text.length;) {
        char piece[8] = "##";
        rt_text character = character_at(text, at);
        memcpy(piece + 2, character.bytes, character.length);
        rt_text continued = {piece, character.length + 2};
        symbols[length] = rt_text_table_find(pieces, at ? continued : character);
        if (symbols[length++] == RT_NO_TEXT) return 0;
        at += character.length;
    }
    return length;
}

static rt_status spell_words(rt_vocabulary_trainer *trainer) {
    size_t size = 0, used = 0, kept = 0;
    for (size_t i = 0; i < trainer->sorted_count; ++i) size += trainer->sorted[i].text.length;
    trainer->symbols = calloc(size + 1, sizeof *trainer->symbols);
    if (!trainer->symbols) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < trainer->sorted_count; ++i) {
        counted_word word = trainer->sorted[i];
        word.start = used;
        word.length = spell_word(&trainer->pieces, word.text, trainer->symbols + used);
        used += word.length;
        if (word.length)
            trainer->sorted[kept++] = word;
        else
            trainer->report.uncovered_words += word.count;
    }
    trainer->sorted_count = kept;
    return RT_OK;
}

/* Adds the word's count, or takes it away, for each pair of neighbours in it. */
static bool count_pairs(rt_vocabulary_trainer *trainer, const counted_word *word, int sign) {
    const uint32_t *symbols = trainer->symbols + word->start;
    for (uint32_t i = 0; i + 1 < word->length; ++i)
        if (!rt_pair_queue_add(&trainer->queue, symbols[i], symbols[i + 1],
                               sign * (int64_t)word->count))
            return false;
    return true;
}

static rt_status count_all_pairs(rt_vocabulary_trainer *trainer) {
    for (size_t w = 0; w < trainer->sorted_count; ++w) {
        const counted_word *word = &trainer->sorted[w];
        const uint32_t *symbols = trainer->symbols + word->start;
        if (!count_pairs(trainer, word, 1)) return RT_OUT_OF_MEMORY;
        for (uint32_t i = 0; i + 1 < word->length; ++i)
            if (!rt_pair_queue_add_word(&trainer->queue, symbols[i], symbols[i + 1], (uint32_t)w))
                return RT_OUT_OF_MEMORY;
    }
    return rt_pair_queue_order(&trainer->queue) ? RT_OK : RT_OUT_OF_MEMORY;
}

/* Replaces left right by `merged` in one word, from the left; pairs follow. */
static bool merge_in_word(rt_vocabulary_trainer *trainer, uint32_t w, uint32_t left, uint32_t right,
                          uint32_t merged) {
    counted_word *word = &trainer->sorted[w];
    uint32_t *symbols = trainer->symbols + word->start, length = 0;
    bool occurs = false;
    for (uint32_t i = 0; i + 1 < word->length && !occurs; ++i)
        occurs = symbols[i] == left && symbols[i + 1] == right;
    if (!occurs) return true;
    if (!count_pairs(trainer, word, -1)) return false;
    for (uint32_t i = 0; i < word->length; ++length) {
        bool is_pair = i + 1 < word->length && symbols[i] == left && symbols[i + 1] == right;
        symbols[length] = is_pair ? merged : symbols[i];
        i += is_pair ? 2 : 1;
    }
    word->length = length;
    if (!count_pairs(trainer, word, 1)) return false;
    for (uint32_t i = 0; i + 1 < length; ++i)
        if ((symbols[i] == merged || symbols[i + 1] == merged) &&
            !rt_pair_queue_add_word(&trainer->queue, symbols[i], symbols[i + 1], w))
            return false;
    return true;
}

static uint32_t add_merged_piece(rt_vocabulary_trainer *trainer, const rt_symbol_pair *pair) {
    rt_text left = trainer->pieces.items[pair->left], right = trainer->pieces.items[pair->right];
    char *joined = rt_arena_format(&trainer->pieces.arena, "%.*s%.*s", (int)left.length, left.bytes,
                                   (int)right.length - 2, right.bytes + 2);
    return joined ? rt_text_table_add(&trainer->pieces, rt_text_of(joined)) : RT_NO_TEXT;
}

/* Words that a merge touches are listed with the pair; the list may name words that have lost it
 * since, and grows for other pairs only, since a merged piece is longer than both its parts. */
static rt_status merge_pairs(rt_vocabulary_trainer *trainer) {
    while (trainer->pieces.count < trainer->training.size) {
        show_progress(trainer, false, trainer->pieces.count, trainer->pieces.count,
                      trainer->training.size);
        uint32_t found = rt_pair_queue_pop(&trainer->queue);
        if (found == RT_NO_PAIR) break;
        rt_symbol_pair pair = trainer->queue.pairs[found];
        if ((uint64_t)pair.count < trainer->training.least_count) break;
        uint32_t merged = add_merged_piece(trainer, &pair);
        if (merged == RT_NO_TEXT) return RT_OUT_OF_MEMORY;
        for (uint32_t at = pair.newest; at;) {
            rt_pair_occurrence occurrence = trainer->queue.occurrences[at - 1];
            if (!merge_in_word(trainer, occurrence.word, pair.left, pair.right, merged))
                return RT_OUT_OF_MEMORY;
            at = occurrence.before;
        }
    }
    return RT_OK;
}

static rt_status write_pieces(const rt_vocabulary_trainer *trainer, const char *path,
                              rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    for (size_t i = 0; i < trainer->pieces.count; ++i) {
        rt_writer_write(&writer, trainer->pieces.items[i].bytes, trainer->pieces.items[i].length);
        rt_writer_write(&writer, "\n", 1);
    }
    return rt_writer_commit(&writer, error);
}

/* Special tokens, then words, the most frequent first. Without pieces that continue a word the
 * tokenizer knows a word as a whole or not at all. */
static rt_status take_words(rt_vocabulary_trainer *trainer) {
    const rt_vocabulary_training *t = &trainer->training;
    if (!add_special_tokens(trainer)) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < trainer->sorted_count; ++i) {
        const counted_word *word = &trainer->sorted[i];
        bool is_wanted = !t->only || rt_text_table_find(t->only, word->text) != RT_NO_TEXT;
        bool fits = trainer->pieces.count < t->size && word->count >= t->least_count &&
                    word->text.length <= t->tokenizer.longest_word;
        if (!is_wanted || !fits)
            trainer->report.uncovered_words += word->count;
        else if (rt_text_table_add(&trainer->pieces, word->text) == RT_NO_TEXT)
            return RT_OUT_OF_MEMORY;
    }
    return RT_OK;
}

static rt_status train(rt_vocabulary_trainer *trainer) {
    RT_TRY(sort_words(trainer));
    if (trainer->training.is_of_words) return take_words(trainer);
    RT_TRY(make_alphabet(trainer));
    RT_TRY(spell_words(trainer));
    if (trainer->pieces.count > trainer->training.size) return RT_INVALID_ARGUMENT;
    RT_TRY(count_all_pairs(trainer));
    return merge_pairs(trainer);
}

rt_status rt_vocabulary_trainer_write(rt_vocabulary_trainer *trainer, const char *path,
                                      rt_vocabulary_report *report, rt_error *error) {
    if (!trainer->words.count)
        return rt_fail(error, RT_INVALID_DATA, "there are no words to make a vocabulary of");
    rt_status status = train(trainer);
    if (status == RT_INVALID_ARGUMENT)
        return rt_fail(error, status,
                       "a vocabulary of %zu tokens does not hold the special tokens and the %zu "
                       "characters of the text; it needs at least %zu",
                       trainer->training.size, trainer->report.characters, trainer->pieces.count);
    if (status != RT_OK) return rt_fail(error, status, "vocabulary: %s", rt_status_text(status));
    trainer->report.tokens = trainer->pieces.count;
    if (report) *report = trainer->report;
    return write_pieces(trainer, path, error);
}
