// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/test.h"

static char root[1024];

/* case, kind, tier, operators, opset, ir, check, rtol, atol, types, features, bytes, bytes */
enum { COLUMNS = 13 };

static void copy_text(char *target, size_t size, const char *text) {
    snprintf(target, size, "%s", text);
}

static bool parse_row(char *line, conformance_case *c) {
    char *columns[COLUMNS];
    int count = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; at && count < COLUMNS;) columns[count++] = strsep(&at, "\t");
    if (count != COLUMNS) return false;
    copy_text(c->name, sizeof c->name, columns[0]);
    copy_text(c->kind, sizeof c->kind, columns[1]);
    c->tier = atoi(columns[2]);
    copy_text(c->opset, sizeof c->opset, columns[4]);
    c->compares_values = strcmp(columns[6], "shape") != 0;
    c->relative = atof(columns[7]);
    c->absolute = atof(columns[8]);
    copy_text(c->types, sizeof c->types, columns[9]);
    copy_text(c->features, sizeof c->features, columns[10]);
    return c->tier > 0;
}

conformance_case *conformance_load(size_t *count) {
    *count = 0;
    const char *index = test_data("conformance/index.tsv");
    if (!index) {
        test_skip("no shared data");
        return NULL;
    }
    snprintf(root, sizeof root, "%.*s", (int)(strlen(index) - strlen("/index.tsv")), index);
    FILE *file = fopen(index, "r");
    size_t capacity = 4096;
    conformance_case *cases = calloc(capacity, sizeof *cases);
    char line[8192];
    if (!fgets(line, sizeof line, file)) line[0] = '\0'; /* the heading */
    while (*count < capacity && fgets(line, sizeof line, file)) {
        if (parse_row(line, &cases[*count])) ++*count;
    }
    fclose(file);
    return cases;
}

const char *conformance_file(const conformance_case *c, const char *file) {
    static char path[1400];
    snprintf(path, sizeof path, "%s/%s/%s/%s", root, c->kind, c->name, file);
    return access(path, R_OK) == 0 ? path : NULL;
}
