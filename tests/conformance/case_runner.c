// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/case_runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test.h"

enum { MAX_VALUES = 64, MAX_KNOWN_ELEMENTS = 64 };

/* The values of one data set. */
typedef struct data_set {
    rt_tensor *inputs[MAX_VALUES];
    rt_tensor *outputs[MAX_VALUES];
    size_t input_count, output_count;
} data_set;

static bool read_values(onnx_case *run, const conformance_case *c, int set, const char *kind,
                        rt_tensor **values, size_t *count) {
    for (*count = 0; *count < MAX_VALUES; ++*count) {
        char name[80];
        snprintf(name, sizeof name, "test_data_set_%d/%s_%zu.pb", set, kind, *count);
        const char *path = conformance_file(c, name);
        if (!path) return true;
        values[*count] = onnx_case_read_value(run, path, &run->arena);
        if (!values[*count]) return false;
    }
    return true;
}

static bool has_initializer(const rt_onnx_graph *graph, const char *name) {
    for (size_t i = 0; i < graph->initializer_count; ++i) {
        if (strcmp(graph->initializers[i].name, name) == 0) return true;
    }
    return false;
}

/* input_<n> belongs to the n-th input without an initialiser. */
static size_t value_index(const rt_onnx_graph *graph, const char *name) {
    size_t index = 0;
    for (size_t i = 0; i < graph->input_count; ++i) {
        if (strcmp(graph->inputs[i].name, name) == 0) return index;
        if (!has_initializer(graph, graph->inputs[i].name)) ++index;
    }
    return MAX_VALUES;
}

static bool find_inputs(const data_set *data, const rt_onnx_graph *graph, const onnx_case *run,
                        const rt_tensor **inputs) {
    for (size_t i = 0; i < rt_graph_input_count(run->graph); ++i) {
        rt_node node = rt_graph_definition(run->graph, rt_graph_input(run->graph, i));
        const char *name = rt_graph_attr(run->graph, node, RT_ATTR_input_name).text;
        size_t index = value_index(graph, name);
        if (index >= data->input_count) return false;
        inputs[i] = data->inputs[index];
    }
    return true;
}

static double relative_of(const conformance_case *c, const rt_tensor *want) {
    return want->dtype == RT_BF16 ? ldexp(1, -6) : c->relative;
}

static verdict compare(const conformance_case *c, const data_set *data, onnx_case *run,
                       rt_array **outputs) {
    if (rt_graph_output_count(run->graph) != data->output_count) return FAILED;
    for (size_t i = 0; i < data->output_count; ++i) {
        const rt_tensor *want = data->outputs[i];
        double relative = c->compares_values ? relative_of(c, want) : 0;
        double absolute = c->compares_values ? c->absolute : INFINITY;
        double excess = onnx_case_excess(outputs[i], want, NULL, relative, absolute);
        if (excess <= 0) continue;
        snprintf(run->text, sizeof run->text, "output %zu is off by %g too much", i, excess);
        return FAILED;
    }
    return PASSED;
}

static verdict run_set(const conformance_case *c, onnx_case *run, const data_set *data,
                       case_engine engine) {
    const rt_tensor *inputs[MAX_VALUES];
    rt_array *outputs[MAX_VALUES];
    if (!find_inputs(data, &run->source.model->graph, run, inputs)) {
        snprintf(run->text, sizeof run->text, "an input has no stored value");
        return FAILED;
    }
    verdict result = engine(run, inputs, outputs);
    return result == PASSED ? compare(c, data, run, outputs) : result;
}

/* Small inputs whose values shapes may depend on. */
static size_t known_inputs(const rt_onnx_graph *graph, const data_set *data,
                           rt_onnx_known_input *known) {
    size_t count = 0;
    for (size_t i = 0; i < graph->input_count && count < MAX_VALUES; ++i) {
        size_t index = value_index(graph, graph->inputs[i].name);
        if (has_initializer(graph, graph->inputs[i].name) || index >= data->input_count) continue;
        const rt_tensor *tensor = data->inputs[index];
        if (tensor->rank > 1 || tensor->count > MAX_KNOWN_ELEMENTS) continue;
        known[count++] = (rt_onnx_known_input){graph->inputs[i].name, tensor};
    }
    return count;
}

/* One data set; where the shapes depend on values, those are given when importing. */
static verdict run_case_set(const conformance_case *c, int set, case_engine engine, char *text,
                            size_t text_size) {
    char path[1400];
    onnx_case run;
    data_set data = {0};
    verdict result = UNSUPPORTED;
    snprintf(path, sizeof path, "%s", conformance_file(c, "model.onnx"));
    bool is_open = onnx_case_open(&run, path, &(rt_onnx_import_options){0});
    if (read_values(&run, c, set, "input", data.inputs, &data.input_count) &&
        read_values(&run, c, set, "output", data.outputs, &data.output_count)) {
        if (is_open) {
            result = run_set(c, &run, &data, engine);
        } else if (run.source.model) {
            rt_onnx_known_input known[MAX_VALUES];
            rt_onnx_import_options options = {.known_inputs = known};
            options.known_input_count = known_inputs(&run.source.model->graph, &data, known);
            onnx_case again;
            if (onnx_case_open(&again, path, &options)) result = run_set(c, &again, &data, engine);
            snprintf(run.text, sizeof run.text, "%s", again.text);
            onnx_case_close(&again);
        }
    }
    snprintf(text, text_size, "%s", run.text);
    onnx_case_close(&run);
    return result;
}

static verdict run_case(const conformance_case *c, case_engine engine, char *text,
                        size_t text_size) {
    verdict result = UNSUPPORTED;
    for (int set = 0;; ++set) {
        char name[40];
        snprintf(name, sizeof name, "test_data_set_%d/output_0.pb", set);
        if (!conformance_file(c, name)) return result;
        result = run_case_set(c, set, engine, text, text_size);
        if (result != PASSED) return result;
    }
}

/* ---- what is expected */

typedef struct expectation {
    size_t least[4]; /* cases that pass, by tier */
    char **names;
    bool *is_seen;
    size_t count;
} expectation;

static expectation read_expectation(const char *path) {
    expectation e = {.names = calloc(2048, sizeof *e.names), .is_seen = calloc(2048, 1)};
    FILE *file = fopen(path, "r");
    char line[1024];
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file)) {
        size_t tier, least;
        if (line[0] == '#' || line[0] == '\n') continue;
        if (sscanf(line, "tier %zu passes %zu", &tier, &least) == 2 && tier < 4) {
            e.least[tier] = least;
        } else if (e.count < 2048) {
            e.names[e.count++] = strndup(line, strcspn(line, "\t\n"));
        }
    }
    fclose(file);
    return e;
}

static bool is_listed(expectation *e, const char *name) {
    for (size_t i = 0; i < e->count; ++i) {
        if (strcmp(e->names[i], name) == 0) return e->is_seen[i] = true;
    }
    return false;
}

/* The case in a process of its own: a crash, or a minute without an end, is its alone. */
static verdict run_isolated(const conformance_case *c, case_engine engine, char *text,
                            size_t text_size) {
    int ends[2], status = 0;
    if (pipe(ends) != 0) return CRASHED;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        verdict result = run_case(c, engine, text, text_size);
        if (write(ends[1], text, strlen(text)) < 0) result = CRASHED;
        _exit((int)result);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used + 1 < text_size; used += (size_t)got) {
        got = read(ends[0], text + used, text_size - 1 - used);
        if (got < 0) break;
    }
    text[used] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    bool is_whole = WIFEXITED(status) && WEXITSTATUS(status) < CRASHED;
    return is_whole ? (verdict)WEXITSTATUS(status) : CRASHED;
}

static void report(size_t totals[4][VERDICT_COUNT]) {
    for (int tier = 1; tier < 4; ++tier) {
        printf("tier %d: %zu passed, %zu failed, %zu unsupported, %zu crashed\n", tier,
               totals[tier][PASSED], totals[tier][FAILED], totals[tier][UNSUPPORTED],
               totals[tier][CRASHED]);
    }
}

static void check_expectation(const expectation *e, size_t totals[4][VERDICT_COUNT]) {
    for (int tier = 1; tier < 4; ++tier) CU_ASSERT(totals[tier][PASSED] >= e->least[tier]);
    for (size_t i = 0; i < e->count; ++i) {
        if (!e->is_seen[i]) printf("%s: listed, but there is no such case\n", e->names[i]);
        CU_ASSERT(e->is_seen[i]);
    }
}

void run_operator_cases(case_engine engine, const char *expectation_path, bool is_isolated) {
    static const char *const words[] = {"passed", "failed", "unsupported", "crashed"};
    const char *verbose = getenv("RETORT_VERBOSE");
    size_t count, totals[4][VERDICT_COUNT] = {{0}};
    conformance_case *cases = conformance_load(&count);
    if (!cases) return;
    expectation expected = read_expectation(expectation_path);
    bool selects = verbose && strcmp(verbose, "1") != 0;
    for (size_t i = 0; i < count; ++i) {
        char text[1000] = "";
        if (selects && !strstr(cases[i].name, verbose)) continue;
        verdict result = is_isolated ? run_isolated(&cases[i], engine, text, sizeof text)
                                     : run_case(&cases[i], engine, text, sizeof text);
        totals[cases[i].tier][result]++;
        bool listed = is_listed(&expected, cases[i].name);
        bool is_wrong = cases[i].tier == 1 && listed == (result == PASSED);
        if (is_wrong || (verbose && result != PASSED)) {
            printf("%s (tier %d): %s%s: %s\n", cases[i].name, cases[i].tier, words[result],
                   listed ? ", listed" : "", text);
        }
        CU_ASSERT(!is_wrong);
    }
    report(totals);
    if (!selects) check_expectation(&expected, totals);
    for (size_t i = 0; i < expected.count; ++i) free(expected.names[i]);
    free(expected.names);
    free(expected.is_seen);
    free(cases);
}
