// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/word_tags.h"

#include "runtime/text/lines.h"
#include "runtime/text/text_table.h"

struct rt_word_tags {
    rt_text_table names;
    uint32_t *tags; /* of all words, text after text */
    rt_text *words; /* the same words, those of one tag side by side */
    size_t *starts; /* [tags + 1] of each tag in `words` */
    size_t *texts;  /* [sides * rows + 1] of each text in `tags` */
    size_t word_count, word_capacity, text_capacity;
    int sides;
};

typedef struct tag_reader {
    const char *path;
    const rt_table *table;
    rt_word_tags *tags;
    rt_word_list words; /* all, text after text */
    size_t line;
    rt_error *error;
} tag_reader;

static size_t count_words(rt_text text) {
    size_t count = 0;
    while (rt_text_next_word(&text).length) ++count;
    return count;
}

static rt_status add_text(tag_reader *r, rt_text text, rt_text tags) {
    rt_word_tags *t = r->tags;
    size_t words = count_words(text), tag_count = count_words(tags);
    if (words != tag_count)
        return rt_fail(
            r->error, RT_INVALID_DATA,
            "%s:%zu: there are %zu tags for %zu words: a tag is needed for each of '%.*s'", r->path,
            r->line, tag_count, words, (int)(text.length < 60 ? text.length : 60), text.bytes);
    for (size_t i = 0; i < words; ++i) {
        uint32_t tag = rt_text_table_add(&t->names, rt_text_next_word(&tags));
        if (tag == RT_NO_TEXT || !rt_word_list_add(&r->words, rt_text_next_word(&text)) ||
            !rt_reserve(&t->tags, &t->word_capacity, t->word_count + 1, sizeof *t->tags))
            return RT_OUT_OF_MEMORY;
        t->tags[t->word_count++] = tag;
    }
    return RT_OK;
}

/* The tags of one text, which are cut off from the line. */
static rt_text next_side(rt_text *line) {
    const char *tab = line->length ? memchr(line->bytes, '\t', line->length) : NULL;
    rt_text side = {line->bytes, tab ? (size_t)(tab - line->bytes) : line->length};
    *line = tab ? (rt_text){tab + 1, line->length - side.length - 1} : (rt_text){"", 0};
    return side;
}

static rt_status add_row(tag_reader *r, size_t row, rt_text line) {
    const rt_table_row *from = &r->table->rows[row];
    for (int side = 0; side < r->tags->sides; ++side) {
        r->tags->texts[row * (size_t)r->tags->sides + (size_t)side] = r->tags->word_count;
        rt_text tags = r->tags->sides == 2 ? next_side(&line) : line;
        RT_TRY(add_text(r, side ? from->second : from->first, tags));
    }
    return RT_OK;
}

/* The lines of the rows that the table has; it may lack some that could not be read. */
static rt_status read_lines(tag_reader *r, const rt_mapped_file *file) {
    rt_line_reader lines = rt_lines_begin(file->data, file->size);
    rt_text line;
    size_t row = 0;
    while (row < r->table->count && rt_lines_next(&lines, &line)) {
        r->line = lines.number;
        if ((size_t)r->table->rows[row].index + 1 == lines.number) RT_TRY(add_row(r, row++, line));
    }
    if (row < r->table->count)
        return rt_fail(
            r->error, RT_INVALID_DATA,
            "%s:%zu: the file ends before the tags of row %d; it needs a line for each row",
            r->path, lines.number, r->table->rows[row].index + 1);
    r->tags->texts[row * (size_t)r->tags->sides] = r->tags->word_count;
    return RT_OK;
}

/* Counting sort of the words by tag. */
static rt_status sort_words(tag_reader *r) {
    rt_word_tags *t = r->tags;
    t->starts = calloc(t->names.count + 2, sizeof *t->starts);
    t->words = calloc(t->word_count + 1, sizeof *t->words);
    if (!t->starts || !t->words) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < t->word_count; ++i) ++t->starts[t->tags[i] + 2];
    for (size_t tag = 2; tag <= t->names.count; ++tag) t->starts[tag] += t->starts[tag - 1];
    /* starts[tag + 1] is where the tag's next word goes; at the end it is where it ends. */
    for (size_t i = 0; i < t->word_count; ++i)
        t->words[t->starts[t->tags[i] + 1]++] = r->words.items[i];
    return RT_OK;
}

rt_status rt_word_tags_read(const char *path, const rt_table *table, rt_word_tags **tags,
                            rt_error *error) {
    rt_error own = {{0}};
    rt_mapped_file file = {0};
    *tags = NULL;
    RT_TRY(rt_file_map(path, &file, error));
    rt_word_tags *t = calloc(1, sizeof *t);
    tag_reader reader = {.path = path, .table = table, .tags = t, .error = &own};
    rt_status status = t ? RT_OK : RT_OUT_OF_MEMORY;
    if (t) {
        t->sides = table->has_pairs ? 2 : 1;
        t->texts = calloc(table->count * (size_t)t->sides + 1, sizeof *t->texts);
        if (!t->texts) status = RT_OUT_OF_MEMORY;
    }
    if (status == RT_OK) status = read_lines(&reader, &file);
    if (status == RT_OK) status = sort_words(&reader);
    rt_word_list_deinit(&reader.words);
    rt_file_unmap(&file);
    if (status == RT_OK) {
        *tags = t;
        return RT_OK;
    }
    rt_word_tags_destroy(t);
    return rt_fail(error, status, "%s", own.text[0] ? own.text : rt_status_text(status));
}

void rt_word_tags_destroy(rt_word_tags *tags) {
    if (!tags) return;
    rt_text_table_deinit(&tags->names);
    free(tags->tags);
    free(tags->words);
    free(tags->starts);
    free(tags->texts);
    free(tags);
}

size_t rt_word_tags_count(const rt_word_tags *tags) {
    return tags->names.count;
}

rt_text rt_word_tags_draw(const rt_word_tags *tags, rt_text_place place, size_t word,
                          rt_random *random) {
    size_t text = place.row * (size_t)tags->sides + (size_t)place.side;
    uint32_t tag = tags->tags[tags->texts[text] + word];
    size_t begin = tags->starts[tag], count = tags->starts[tag + 1] - begin;
    return tags->words[begin + (size_t)rt_random_below(random, count)];
}
