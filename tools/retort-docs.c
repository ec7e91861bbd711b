// SPDX-License-Identifier: Apache-2.0
/* retort-docs: writes docs/spec.md to standard output, from the table of keys and the examples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/spec_document.h"
#include "runtime/base/file.h"

enum { MOST_EXAMPLES = 64 };

static int fail(const char *text) {
    fprintf(stderr, "error: %s\n", text);
    return 1;
}

/* An example is named from the project's root: "models/zoo/freeze.yaml". */
static const char *read_example(const char *root, const char *path, rt_arena *arena) {
    char *joined = rt_path_join(root, path);
    rt_mapped_file file = {0};
    rt_error error = {"out of memory"};
    const char *text = NULL;
    if (joined && rt_file_map(joined, &file, &error) == RT_OK)
        text = rt_arena_copy_text(arena, (const char *)file.data, file.size);
    if (!text) fail(error.text);
    rt_file_unmap(&file);
    free(joined);
    return text;
}

int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || argc - 2 > MOST_EXAMPLES) {
        fprintf(stderr, "usage: retort-docs ROOT [EXAMPLE]...\n"
                        "Writes docs/spec.md of the project in ROOT, with the example specs.\n");
        return argc < 2 ? 2 : 0;
    }
    rt_arena arena = {0};
    rt_spec_example examples[MOST_EXAMPLES];
    size_t count = 0;
    for (int i = 2; i < argc; ++i) {
        const char *text = read_example(argv[1], argv[i], &arena);
        if (!text) return 1;
        examples[count++] = (rt_spec_example){argv[i], text};
    }
    const char *document = rt_spec_document(examples, count, &arena);
    if (!document) return fail("out of memory");
    int status = fputs(document, stdout) < 0 || fflush(stdout) != 0 ? fail("cannot write") : 0;
    rt_arena_deinit(&arena);
    return status;
}
