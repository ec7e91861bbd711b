// SPDX-License-Identifier: Apache-2.0
/* A method's backward pass as tables for people. */
#include <stdio.h>
#include <string.h>

#include "tools/inspect/method.h"

enum { NUMBER_SIZE = 24, LEAST_NAME = 20 };

/* "0.51"; "-" where training everything has none of it. */
static const char *ratio_text(double own, double full, char text[NUMBER_SIZE]) {
    if (full <= 0) return "-";
    snprintf(text, NUMBER_SIZE, "%.2f", own / full);
    return text;
}

/* "1,234,567" */
static const char *count_text(int64_t count, char text[NUMBER_SIZE]) {
    char digits[NUMBER_SIZE];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)count), at = 0;
    for (size_t i = 0; i < length; ++i) {
        if (i && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

/* Kinds that neither program has need no column. */
static bool has_kind(const method_report *r, int kind) {
    for (size_t i = 0; i < r->phase_count; ++i)
        if (r->phases[i].own.total.kernels[kind]) return true;
    return r->full.total.kernels[kind];
}

static size_t name_width(const method_phase *r) {
    size_t width = LEAST_NAME;
    for (size_t i = 0; i < r->row_count; ++i)
        if (strlen(r->rows[i].name) > width) width = strlen(r->rows[i].name);
    return width;
}

static void print_head(const method_report *r, const method_phase *phase, int width) {
    if (r->phase_count > 1)
        printf("\nPhase %td of %zu (%s)", phase - r->phases + 1, r->phase_count, phase->graph);
    printf("\nTraining: a batch of %lld rows of %lld tokens. Of layers in {}, each one's figures; "
           "million operations\nof products per token; kernels of the backward pass; "
           "\"of full\": the share of training everything.\n",
           (long long)r->batch.rows, (long long)r->batch.longest);
    printf("%-*s %12s %12s %8s %8s %7s", width, "part", "parameters", "trained", "forward",
           "backward", "of full");
    for (int k = 0; k < BACKWARD_KIND_COUNT; ++k)
        if (has_kind(r, k)) printf(" %*s", k == BACKWARD_ATTENTION ? 9 : 5, backward_kind_text(k));
    printf(" %9s %7s\n", "kept MB", "of full");
}

static void print_row(const method_report *r, int width, const char *name,
                      const backward_part *part, const backward_part *full) {
    static const backward_part none;
    double tokens = (double)(r->batch.rows * r->batch.longest);
    char numbers[NUMBER_SIZE], trained[NUMBER_SIZE], work[NUMBER_SIZE], kept[NUMBER_SIZE];
    if (!full) full = &none;
    printf("%-*s %12s %12s %8.2f %8.2f %7s", width, name, count_text(part->numbers, numbers),
           count_text(part->trained, trained), part->forward / tokens / 1e6,
           part->backward / tokens / 1e6, ratio_text(part->backward, full->backward, work));
    for (int k = 0; k < BACKWARD_KIND_COUNT; ++k)
        if (has_kind(r, k)) printf(" %*zu", k == BACKWARD_ATTENTION ? 9 : 5, part->kernels[k]);
    printf(" %9.2f %7s\n", (double)part->kept_bytes / 1e6,
           ratio_text((double)part->kept_bytes, (double)full->kept_bytes, kept));
}

/* The largest first; those that together are below a fiftieth of all are one line. */
static void print_kept_values(const backward_part *part) {
    int64_t left = part->kept_bytes;
    size_t k = 0;
    for (; k < part->kept_count && left * 50 > part->kept_bytes; ++k) {
        const kept_value *value = &part->kept[k];
        printf("  %8.3f MB  %-12s %-44s %s\n", (double)value->bytes / 1e6, value->type, value->name,
               value->readers);
        left -= value->bytes;
    }
    if (k < part->kept_count)
        printf("  %8.3f MB  %zu smaller ones\n", (double)left / 1e6, part->kept_count - k);
}

static void print_kept(const method_phase *r) {
    bool has_any = false;
    for (size_t i = 0; i < r->row_count; ++i) {
        const backward_part *part = r->rows[i].part;
        if (part->kept_bytes * 2000 < r->own.total.kept_bytes) continue;
        if (!has_any) puts("\nKept for the backward pass, and what reads it there");
        has_any = true;
        printf("%s\n", r->rows[i].name);
        print_kept_values(part);
    }
    if (!has_any) puts("\nNothing is kept for the backward pass");
}

static void print_memory(const method_report *r, const method_phase *phase) {
    const backward_memory *own = &phase->own.memory, *full = &r->full.memory;
    const struct {
        const char *text;
        int64_t own, full;
    } lines[] = {
        {"weights that do not train", own->frozen, full->frozen},
        {"weights that train", own->trained, full->trained},
        {"gradients", own->gradients, full->gradients},
        {"state of the optimiser", own->state, full->state},
        {"values of a step", own->buffers, full->buffers},
        {"beside what is frozen", method_beside_frozen(own), method_beside_frozen(full)},
    };
    printf("\n%-26s %10s %10s %7s\n", "memory, MB", "method", "full", "ratio");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i) {
        char ratio[NUMBER_SIZE];
        printf("%-26s %10.1f %10.1f %7s\n", lines[i].text, (double)lines[i].own / 1e6,
               (double)lines[i].full / 1e6,
               ratio_text((double)lines[i].own, (double)lines[i].full, ratio));
    }
}

static void print_phase(const method_report *r, const method_phase *phase) {
    int width = (int)name_width(phase);
    print_head(r, phase, width);
    for (size_t i = 0; i < phase->row_count; ++i)
        print_row(r, width, phase->rows[i].name, phase->rows[i].part, phase->rows[i].full);
    print_row(r, width, "all", &phase->own.total, &r->full.total);
    print_kept(phase);
    print_memory(r, phase);
}

void method_report_print(const method_report *report) {
    for (size_t i = 0; i < report->phase_count; ++i) print_phase(report, &report->phases[i]);
}
