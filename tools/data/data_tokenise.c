// SPDX-License-Identifier: Apache-2.0
/* `retort data tokenise`: what a model reads of a file. */
#include <stdio.h>

#include "runtime/text/tokens_print.h"
#include "tools/data/data.h"
#include "tools/data/input.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort data tokenise FILE --vocabulary VOCAB [OPTION]...\n"
    "Prints the tokens of each row as a model reads them, one row a line.\n"
    "\n"
    "  --vocabulary F    WordPiece vocabulary; tokenizer_config.json beside it is followed\n"
    "  --ids             numbers in place of pieces\n"
    "  --max-length N    most tokens of a row; longer ones are cut\n"
    "  --cased           keep case and accents, whatever tokenizer_config.json "
    "says\n" DATA_INPUT_HELP;

int data_tokenise(int argc, char **argv) {
    arguments a = {.command = "data tokenise", .usage = usage, .argc = argc, .argv = argv};
    data_input input = {0};
    const char *path = NULL, *vocabulary_path = NULL;
    size_t count = 0;
    bool as_ids = false, is_cased = false;
    int64_t max_length = 0;
    while (arguments_next(&a)) {
        if (data_input_option(&a, &input)) continue;
        if (arguments_text(&a, "--vocabulary", &vocabulary_path)) continue;
        if (arguments_flag(&a, "--ids", &as_ids)) continue;
        if (arguments_flag(&a, "--cased", &is_cased)) continue;
        if (arguments_integer(&a, "--max-length", 5, 1 << 20, &max_length)) continue;
        arguments_operand(&a, &path, 1, &count);
    }
    if (a.exit_code >= 0) return a.exit_code;
    if (!count) return arguments_usage(&a, "which file?");
    if (!vocabulary_path) return arguments_usage(&a, "--vocabulary is needed");

    rt_vocabulary *vocabulary;
    rt_tokenizer *tokenizer;
    rt_table table = {0};
    rt_error error;
    int exit_code = 1;
    if (data_tokenizer_open(vocabulary_path, is_cased, &vocabulary, &tokenizer) &&
        data_input_read(&input, path, &table)) {
        rt_tokens_format format = {.max_length = (size_t)max_length, .as_ids = as_ids};
        rt_status status = rt_tokens_print(stdout, &table, tokenizer, &format, &error);
        exit_code = status == RT_OK ? 0 : tell_error(&error);
    }
    rt_table_close(&table);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
    return exit_code;
}
