// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/console.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/words.h"

double retort_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void retort_console_init(retort_console *console, FILE *results, FILE *notes, bool is_quiet) {
    *console = (retort_console){
        .results = results,
        .notes = notes,
        .is_terminal = isatty(fileno(notes)) == 1,
        .is_quiet = is_quiet,
        .drawn = -1e9,
        .shown_from = retort_clock(),
    };
}

void retort_console_break(retort_console *console) {
    if (console->has_line) fputs("\r\033[K", console->notes);
    console->has_line = false;
    fflush(console->notes);
}

static void print_line(retort_console *console, const char *before, const char *format,
                       va_list arguments) {
    retort_console_break(console);
    fputs(before, console->notes);
    vfprintf(console->notes, format, arguments);
    fputc('\n', console->notes);
    fflush(console->notes);
}

void retort_console_note(retort_console *console, const char *format, ...) {
    va_list arguments;
    if (console->is_quiet) return;
    va_start(arguments, format);
    print_line(console, "", format, arguments);
    va_end(arguments);
}

void retort_console_warn(retort_console *console, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line(console, "warning: ", format, arguments);
    va_end(arguments);
}

static int terminal_width(FILE *stream) {
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
    return 80;
}

/* "epoch 1.35/3  loss 0.2134  12,345 tokens/s  4:32 left", or what of it is known. */
static void describe(const retort_progress *p, char *text, size_t size) {
    rt_arena arena = {0};
    int used = snprintf(text, size, "epoch %.2f/%.3g", p->epoch, p->epochs);
    size_t length = used > 0 ? (size_t)used : 0;
    if (p->update > 0 && length < size)
        length += (size_t)snprintf(text + length, size - length, "  loss %.4f  %s tokens/s",
                                   p->loss, rt_words_count((int64_t)p->tokens_per_s, &arena));
    if (p->doing && length < size)
        snprintf(text + length, size - length, "  %s", p->doing);
    else if (p->seconds_left >= 0 && length < size)
        snprintf(text + length, size - length, "  %s left",
                 rt_words_duration(p->seconds_left, &arena));
    rt_arena_deinit(&arena);
}

static void draw_bar(retort_console *console, const retort_progress *p) {
    enum { LEAST_WIDTH = 90, BAR = 20 };
    char facts[200], line[400];
    describe(p, facts, sizeof facts);
    double share = p->updates ? (double)p->update / (double)p->updates : 1;
    int width = terminal_width(console->notes) - 1, filled = (int)(share * BAR);
    const char *const bar = "====================>                    ";
    const char *const shown = bar + BAR - filled; /* its first BAR bytes */
    snprintf(line, sizeof line, "%3.0f%%  %" PRIu64 "/%" PRIu64 "  %s", share * 100, p->update,
             p->updates, facts);
    fputs("\r\033[K", console->notes);
    if (width >= LEAST_WIDTH) {
        fprintf(console->notes, "[%.*s] ", BAR, shown);
        width -= BAR + 3;
    }
    fprintf(console->notes, "%.*s", width, line);
    console->has_line = true;
    fflush(console->notes);
}

/* Where lines scroll away into a log: often at first, then ever more seldom. */
static double line_interval(double elapsed) {
    return elapsed < 60 ? 10 : elapsed < 600 ? 30 : 60;
}

void retort_console_progress(retort_console *console, const retort_progress *progress) {
    double now = retort_clock();
    double interval = console->is_terminal ? 0.1 : line_interval(now - console->shown_from);
    if (console->is_quiet) return;
    if (!console->is_terminal && console->drawn < 0) console->drawn = now;
    if (now - console->drawn < interval) return;
    console->drawn = now;
    if (console->is_terminal) {
        draw_bar(console, progress);
        return;
    }
    char facts[200];
    describe(progress, facts, sizeof facts);
    fprintf(console->notes, "update %" PRIu64 "/%" PRIu64 "  %s\n", progress->update,
            progress->updates, facts);
    fflush(console->notes);
}
