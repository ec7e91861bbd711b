// SPDX-License-Identifier: Apache-2.0
/* `retort data augment`: more rows to distil on, from the rows of a set. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/words.h"
#include "runtime/text/augment_words.h"
#include "runtime/text/tasks.h"
#include "tools/arguments.h"
#include "tools/data/augment_replace.h"
#include "tools/data/data.h"
#include "tools/data/input.h"
#include "tools/progress.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort data augment FILE -o OUT.tsv [--method bilstm|tinybert] [OPTION]...\n"
    "Writes each row of FILE, and rows made of it by changing words, with its label. What equals "
    "a\n"
    "row that stands there already is dropped. The same seed gives the same rows.\n"
    "\n"
    "  -o, --output F      where the rows are written, tab-separated\n"
    "  --method bilstm     words become [MASK], or others of their part of speech; n-grams "
    "(default)\n"
    "  --method tinybert   words become others that fit, by a language model or word vectors\n"
    "  --n-iter N          rounds over each row (default 20; tinybert: by --format 10, 20 or 30)\n"
    "  --seed N            of all draws (default 1)\n"
    "  --without-rows      leave out the rows of FILE themselves\n"
    "\n"
    "bilstm: words are what stands between blanks; of a pair the first text is changed, the "
    "second,\n"
    "and both, in each round.\n"
    "  --p-mask P          probability that a word becomes [MASK] (default 0.1)\n"
    "  --p-pos P           that it becomes another one with its tag (default 0.1; needs --tags)\n"
    "  --p-ngram P         that only some words side by side are kept (default 0.25)\n"
    "  --longest-ngram N   at most so many (default 5)\n"
    "  --tags F            a line for each row: a tag for each word, blanks between them, a tab\n"
    "                      between the texts of a pair; without it no word becomes another one\n"
    "\n"
    "tinybert: words of letters are changed that are no stop words.\n"
    "  --model FOLDER      a masked language model: what it expects in a word's place, of words "
    "that\n"
    "                      are one token\n"
    "  --vectors F         word vectors as text, a word and its numbers in each line: the nearest\n"
    "                      words, of all others\n"
    "  --p-replace P       probability that a word is replaced (default 0.4)\n"
    "  --candidates N      words to draw from, for each word (default 15)\n"
    "  --most-vectors N    read so many words of the vectors (default 100000)\n"
    "\n" DATA_INPUT_HELP;

typedef struct request {
    data_input input;
    const char *path, *output, *method, *tags_path;
    int64_t rounds, seed, longest_ngram;
    double part; /* below 0: not given */
    bool drops_rows;
    rt_word_changes changes;
    replace_options replace;
    progress progress;
} request;

static bool is_method(const request *r, const char *name) {
    return strcmp(r->method, name) == 0;
}

/* Rounds of the published runs of TinyBERT, by task; 20 elsewhere. */
static int64_t usual_rounds(const request *r) {
    static const struct {
        const char *task;
        int64_t rounds;
    } published[] = {{"cola", 30}, {"mnli", 10}, {"mrpc", 30},
                     {"qqp", 10},  {"rte", 30},  {"sts-b", 30}};
    const rt_task *task = r->input.format ? rt_task_find(r->input.format) : NULL;
    for (size_t i = 0; task && is_method(r, "tinybert") && i < sizeof published / sizeof *published;
         ++i)
        if (strcmp(task->name, published[i].task) == 0) return published[i].rounds;
    return 20;
}

static void read_arguments(arguments *a, request *r) {
    size_t count = 0;
    while (arguments_next(a)) {
        if (data_input_option(a, &r->input)) continue;
        if (arguments_text(a, "-o", &r->output)) continue;
        if (arguments_text(a, "--output", &r->output)) continue;
        if (arguments_text(a, "--method", &r->method)) continue;
        if (arguments_integer(a, "--n-iter", 1, 1 << 20, &r->rounds)) continue;
        if (arguments_integer(a, "--seed", 0, INT64_MAX, &r->seed)) continue;
        if (arguments_flag(a, "--without-rows", &r->drops_rows)) continue;
        if (arguments_real(a, "--p-mask", 0, 1, &r->changes.mask)) continue;
        if (arguments_real(a, "--p-pos", 0, 1, &r->part)) continue;
        if (arguments_real(a, "--p-ngram", 0, 1, &r->changes.ngram)) continue;
        if (arguments_integer(a, "--longest-ngram", 1, 1 << 20, &r->longest_ngram)) continue;
        if (arguments_text(a, "--tags", &r->tags_path)) continue;
        if (arguments_text(a, "--model", &r->replace.model)) continue;
        if (arguments_text(a, "--vectors", &r->replace.vectors)) continue;
        if (arguments_real(a, "--p-replace", 0, 1, &r->replace.share)) continue;
        if (arguments_integer(a, "--candidates", 1, 1000, &r->replace.candidates)) continue;
        if (arguments_integer(a, "--most-vectors", 2, 1 << 28, &r->replace.most_vectors)) continue;
        arguments_operand(a, &r->path, 1, &count);
    }
}

/* What does not go together; the exit status, or -1. */
static int check(arguments *a, request *r) {
    if (a->exit_code >= 0) return a->exit_code;
    if (!r->path) return arguments_usage(a, "of which file?");
    if (!r->output) return arguments_usage(a, "-o is needed: where the rows are written");
    if (!is_method(r, "bilstm") && !is_method(r, "tinybert"))
        return arguments_usage(a, "--method is bilstm or tinybert, not '%s'", r->method);
    if (is_method(r, "tinybert"))
        return r->replace.vectors || r->replace.model
                   ? -1
                   : arguments_usage(a, "--method tinybert needs --model or --vectors: where words "
                                        "that fit are taken from");
    if (r->part > 0 && !r->tags_path)
        return arguments_usage(a, "--p-pos needs --tags: which part of speech each word is");
    if (r->changes.mask + (r->tags_path ? r->changes.part : 0) > 1)
        return arguments_usage(a, "--p-mask and --p-pos are more than 1 together");
    return -1;
}

static void show_progress(void *user, uint64_t done, uint64_t total) {
    progress_show(user, done, total);
}

static int report(const request *r, const rt_augment_report *done) {
    rt_arena arena = {0};
    size_t kept = r->drops_rows ? 0 : done->rows;
    printf("%s: %s rows, %s of them new, from %s rows of %s\n", r->output,
           rt_words_count((int64_t)(kept + done->written), &arena),
           rt_words_count((int64_t)done->written, &arena),
           rt_words_count((int64_t)done->rows, &arena), r->path);
    printf("tried %s changes: %s duplicates dropped", rt_words_count((int64_t)done->tried, &arena),
           rt_words_count((int64_t)done->duplicates, &arena));
    if (done->discarded)
        printf(", %s without a word of their own",
               rt_words_count((int64_t)done->discarded, &arena));
    putchar('\n');
    rt_arena_deinit(&arena);
    return 0;
}

static int augment(request *r, const rt_table *table, const rt_table_layout *layout,
                   const rt_perturber *perturber) {
    rt_augmentation augmentation = {.perturber = perturber,
                                    .rounds = (size_t)(r->rounds ? r->rounds : usual_rounds(r)),
                                    .changes_both = is_method(r, "bilstm"),
                                    .drops_rows = r->drops_rows,
                                    .seed = (uint64_t)r->seed,
                                    .show_progress = show_progress,
                                    .progress_user = &r->progress};
    rt_augment_report done;
    rt_writer writer;
    rt_error error;
    if (rt_writer_open(&writer, r->output, &error) != RT_OK) return tell_error(&error);
    r->progress = progress_begin("augmenting", "rows");
    rt_status status = rt_augment_rows(table, layout, &augmentation, &writer, &done, &error);
    progress_end(&r->progress);
    if (status == RT_OK)
        status = rt_writer_commit(&writer, &error);
    else
        rt_writer_abandon(&writer);
    return status == RT_OK ? report(r, &done) : tell_error(&error);
}

static int augment_by_words(request *r, const rt_table *table, const rt_table_layout *layout) {
    rt_word_tags *tags = NULL;
    rt_error error;
    if (r->tags_path && rt_word_tags_read(r->tags_path, table, &tags, &error) != RT_OK)
        return tell_error(&error);
    r->changes.tags = tags;
    rt_perturber perturber = rt_word_perturber(&r->changes);
    int exit_code = augment(r, table, layout, &perturber);
    rt_word_tags_destroy(tags);
    return exit_code;
}

static int augment_by_replacing(request *r, const rt_table *table, const rt_table_layout *layout) {
    replacing words;
    int exit_code = 1;
    if (replacing_open(&r->replace, table, &words)) {
        rt_perturber perturber = rt_replacer_perturber(words.replacer);
        exit_code = augment(r, table, layout, &perturber);
    }
    replacing_close(&words);
    return exit_code;
}

int data_augment(int argc, char **argv) {
    arguments a = {.command = "data augment", .usage = usage, .argc = argc, .argv = argv};
    request r = {.method = "bilstm",
                 .seed = 1,
                 .longest_ngram = 5,
                 .part = -1,
                 .changes = {.mask = 0.1, .part = 0.1, .ngram = 0.25},
                 .replace = {.most_vectors = 100000, .candidates = 15, .share = 0.4}};
    read_arguments(&a, &r);
    if (r.part >= 0) r.changes.part = r.part;
    r.changes.longest_ngram = (size_t)r.longest_ngram;
    int exit_code = check(&a, &r);
    if (exit_code >= 0) return exit_code;

    rt_table table;
    rt_table_layout layout;
    exit_code = 1;
    if (data_input_read_layout(&r.input, r.path, &table, &layout))
        exit_code = is_method(&r, "bilstm") ? augment_by_words(&r, &table, &layout)
                                            : augment_by_replacing(&r, &table, &layout);
    rt_table_close(&table);
    return exit_code;
}
