// SPDX-License-Identifier: Apache-2.0
/* `retort data vocabulary`: text to a WordPiece vocabulary. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/file.h"
#include "runtime/base/word_vectors.h"
#include "runtime/text/tokenizer_config.h"
#include "runtime/text/vocabulary_trainer.h"
#include "tools/data/data.h"
#include "tools/data/input.h"
#include "tools/progress.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort data vocabulary FILE... -o vocab.txt [--size N] [OPTION]...\n"
    "Makes a WordPiece vocabulary of the texts in FILE...: the most frequent pieces of words.\n"
    "The result depends on the texts and the options alone.\n"
    "\n"
    "  -o, --output F    where the vocabulary is written\n"
    "  --size N          tokens wanted, special ones included (default 8000)\n"
    "  --words           whole words, the most frequent, and no pieces: other words are [UNK]\n"
    "  --vectors F       but words that F has a vector for (a word and its numbers a line)\n"
    "  --cased           keep case and accents; tokenizer_config.json beside the vocabulary says\n"
    "                    so to its readers\n"
    "  --alphabet N      most different characters (default 1000)\n"
    "  --least-count N   join pieces that meet, or take words that stand, at least so often\n"
    "                    (default 2)\n" DATA_INPUT_HELP;

enum { MOST_FILES = 4096 };

typedef struct request {
    data_input input;
    const char *files[MOST_FILES];
    size_t file_count;
    const char *output;
    const char *vectors;
    rt_text_table only; /* words of the vectors */
    bool is_cased;
    rt_vocabulary_training training;
    progress progress;
    bool is_reading;
} request;

static void show_progress(void *user, bool is_reading, uint64_t done, uint64_t total) {
    request *r = user;
    if (is_reading != r->is_reading) {
        progress_end(&r->progress);
        r->progress = progress_begin("joining pieces", "tokens");
        r->is_reading = is_reading;
    }
    progress_show(&r->progress, done, total);
}

static rt_status add_file(const request *r, rt_vocabulary_trainer *trainer, const char *path,
                          rt_error *error) {
    if (data_input_is_text(&r->input, path))
        return rt_vocabulary_trainer_add_file(trainer, path, error);
    rt_table table;
    rt_status status = RT_INVALID_DATA;
    if (error) error->text[0] = 0; /* told by data_input_read */
    if (data_input_read(&r->input, path, &table)) {
        status = rt_vocabulary_trainer_add_table(trainer, &table);
        if (status != RT_OK) rt_fail(error, status, "%s: %s", path, rt_status_text(status));
    }
    rt_table_close(&table);
    return status;
}

/* Readers of the vocabulary follow tokenizer_config.json beside it, and without one take it as
 * uncased: so a cased one needs the file, and a file that says otherwise must not be there. */
static rt_status settle_config(const request *r, bool writes, rt_error *error) {
    const rt_normaliser *wanted = &r->training.tokenizer.normaliser;
    rt_tokenizer_options found;
    RT_TRY(rt_tokenizer_options_beside(r->output, &found, NULL, error));
    if (found.normaliser.is_lower_case == wanted->is_lower_case &&
        found.normaliser.is_stripping_accents == wanted->is_stripping_accents)
        return RT_OK;
    char *folder = rt_path_folder(r->output);
    char *path = folder ? rt_path_join(folder, "tokenizer_config.json") : NULL;
    rt_status status = RT_OK;
    if (!path)
        status = rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    else if (rt_file_exists(path))
        status = rt_fail(error, RT_INVALID_ARGUMENT,
                         "%s: says that text is %s, the vocabulary wanted is not: write it to a "
                         "folder of its own",
                         path, found.normaliser.is_lower_case ? "uncased" : "cased");
    else if (writes)
        status = rt_tokenizer_config_write(path, &r->training.tokenizer, 0, error);
    free(path);
    free(folder);
    return status;
}

/* The words that have a vector. */
static rt_status read_vectors(request *r, rt_error *error) {
    rt_word_vectors reader;
    const char *word;
    size_t length;
    RT_TRY(rt_word_vectors_open(r->vectors, &reader, error));
    float *values = calloc(reader.width, sizeof *values);
    rt_status status = values ? RT_OK : RT_OUT_OF_MEMORY;
    while (status == RT_OK && rt_word_vectors_next(&reader, &word, &length, values, error))
        if (rt_text_table_add(&r->only, (rt_text){word, length}) == RT_NO_TEXT)
            status = RT_OUT_OF_MEMORY;
    free(values);
    if (status != RT_OK) rt_fail(error, status, "%s: out of memory", r->vectors);
    rt_status read = rt_word_vectors_close(&reader);
    r->training.only = &r->only;
    return status == RT_OK ? read : status;
}

static rt_status make_vocabulary(request *r, rt_vocabulary_report *report, rt_error *error) {
    rt_vocabulary_trainer *trainer;
    RT_TRY(settle_config(r, false, error));
    RT_TRY(rt_vocabulary_trainer_create(&r->training, &trainer, error));
    r->progress = progress_begin("reading", "bytes");
    r->is_reading = true;
    rt_status status = RT_OK;
    for (size_t i = 0; status == RT_OK && i < r->file_count; ++i)
        status = add_file(r, trainer, r->files[i], error);
    if (status == RT_OK) status = rt_vocabulary_trainer_write(trainer, r->output, report, error);
    progress_end(&r->progress);
    rt_vocabulary_trainer_destroy(trainer);
    return status == RT_OK ? settle_config(r, true, error) : status;
}

static void read_arguments(arguments *a, request *r) {
    int64_t size = 8000, alphabet = 1000, least_count = 2;
    bool is_of_words = false;
    while (arguments_next(a)) {
        if (data_input_option(a, &r->input)) continue;
        if (arguments_text(a, "-o", &r->output)) continue;
        if (arguments_text(a, "--output", &r->output)) continue;
        if (arguments_integer(a, "--size", 6, 1 << 24, &size)) continue;
        if (arguments_integer(a, "--alphabet", 1, 1 << 20, &alphabet)) continue;
        if (arguments_integer(a, "--least-count", 1, 1 << 30, &least_count)) continue;
        if (arguments_flag(a, "--cased", &r->is_cased)) continue;
        if (arguments_flag(a, "--words", &is_of_words)) continue;
        if (arguments_text(a, "--vectors", &r->vectors)) continue;
        arguments_operand(a, r->files, MOST_FILES, &r->file_count);
    }
    r->training = rt_vocabulary_training_default((size_t)size);
    r->training.alphabet_limit = (size_t)alphabet;
    r->training.least_count = (uint64_t)least_count;
    r->training.is_of_words = is_of_words;
    if (r->is_cased) r->training.tokenizer = rt_tokenizer_options_cased();
    r->training.show_progress = show_progress;
    r->training.progress_user = r;
}

int data_vocabulary(int argc, char **argv) {
    arguments a = {.command = "data vocabulary", .usage = usage, .argc = argc, .argv = argv};
    request r = {0};
    read_arguments(&a, &r);
    if (a.exit_code >= 0) return a.exit_code;
    if (!r.file_count) return arguments_usage(&a, "of which texts?");
    if (!r.output) return arguments_usage(&a, "-o is needed: where the vocabulary is written");

    if (r.vectors && !r.training.is_of_words)
        return arguments_usage(&a, "--vectors needs --words: pieces of words have no vectors");

    rt_vocabulary_report report = {0};
    rt_error error;
    rt_status status = r.vectors ? read_vectors(&r, &error) : RT_OK;
    if (status == RT_OK) status = make_vocabulary(&r, &report, &error);
    rt_text_table_deinit(&r.only);
    if (status != RT_OK) return tell_error(&error);
    double share = report.words ? 100 * (double)report.uncovered_words / (double)report.words : 0;
    printf("%s: %zu tokens from %llu words (%zu different), ", r.output, report.tokens,
           (unsigned long long)report.words, report.different_words);
    if (!r.training.is_of_words) printf("%zu characters, ", report.characters);
    printf("%.3f %% of the words not covered\n", share);
    if (report.tokens < r.training.size)
        printf("The text has no more %s that occur %llu times: %zu tokens were wanted.\n",
               r.training.is_of_words ? "words" : "pieces",
               (unsigned long long)r.training.least_count, r.training.size);
    return 0;
}
