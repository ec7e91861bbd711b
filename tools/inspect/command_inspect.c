// SPDX-License-Identifier: Apache-2.0
/* `retort inspect`: what is in a model. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/graph_dot.h"
#include "tools/inspect/inspect.h"
#include "tools/inspect/method.h"
#include "tools/model_text.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort inspect MODEL|SPEC [OPTION] [KEY=VALUE]...\n"
    "Tells what is in a model (an ONNX file, a Hugging Face folder or .safetensors file, a graph "
    "in\n"
    "text form: .rtir), or in the training program that a spec (.yaml) asks for.\n"
    "\n"
    "  (no option)    a summary: family, sizes, parameters, work per token, inputs and outputs; "
    "of\n"
    "                 a spec also what its method leaves of the backward pass, layer by layer:\n"
    "                 what trains, which kernels run, what is kept for them and why, and the "
    "share\n"
    "                 of training everything\n"
    "  --json         the same of a spec's method as JSON\n"
    "  --graph        the graph in text form, as it is compiled\n"
    "  --dot          the graph for Graphviz: retort inspect MODEL --dot | dot -Tsvg >graph.svg\n"
    "  --parameters   every parameter: name, shape, whether it trains, where its values are\n"
    "  --trainable    the parameters that train, and their share\n"
    "  --fusion       which nodes share a kernel, and why each value between two kernels goes\n"
    "                 through memory\n"
    "  KEY=VALUE      a key of the spec with another value: method.kind=head\n";

enum { MAX_OVERRIDES = 256 };

typedef enum view {
    VIEW_SUMMARY,
    VIEW_JSON,
    VIEW_GRAPH,
    VIEW_DOT,
    VIEW_PARAMETERS,
    VIEW_TRAINABLE,
    VIEW_FUSION
} view;

static int print_text(const char *text) {
    if (text) return fputs(text, stdout) < 0;
    fputs("error: out of memory\n", stderr);
    return 1;
}

/* What the method of a spec leaves to do. */
static int show_method(model_file *m, const rt_spec_options *changes, bool as_json) {
    method_report report;
    rt_error error = {{0}};
    if (m->kind != MODEL_SPEC) {
        fprintf(stderr, "%s: error: --json is for specs: a model alone has no method\n", m->path);
        return 1;
    }
    rt_status status = method_report_make(m, changes, &m->arena, &report, &error);
    if (status == RT_OK && as_json) status = method_report_print_json(&report, &error);
    if (status != RT_OK) return tell_error(&error);
    if (!as_json) method_report_print(&report);
    return 0;
}

static int show(model_file *m, view which, const rt_spec_options *changes) {
    int exit_code = 0;
    switch (which) {
    case VIEW_SUMMARY:
        inspect_summary(m);
        if (m->kind == MODEL_SPEC) exit_code = show_method(m, changes, false);
        break;
    case VIEW_JSON: exit_code = show_method(m, changes, true); break;
    case VIEW_GRAPH: exit_code = print_text(model_text(m)); break;
    case VIEW_DOT: exit_code = print_text(graph_dot_text(m->graph, &m->arena)); break;
    case VIEW_PARAMETERS: inspect_parameters(m); break;
    case VIEW_TRAINABLE: inspect_trainable(m); break;
    case VIEW_FUSION: exit_code = inspect_fusion(m); break;
    }
    if (fflush(stdout) == 0) return exit_code;
    fputs("error: standard output cannot be written\n", stderr);
    return 1;
}

/* "training.epochs=1", where no file is called so. */
static bool is_override(const char *argument) {
    return *argument != '-' && strchr(argument, '=') && !rt_file_exists(argument);
}

int command_inspect(int argc, char **argv) {
    static const char *const options[] = {
        [VIEW_JSON] = "--json",
        [VIEW_GRAPH] = "--graph",
        [VIEW_DOT] = "--dot",
        [VIEW_PARAMETERS] = "--parameters",
        [VIEW_TRAINABLE] = "--trainable",
        [VIEW_FUSION] = "--fusion",
    };
    arguments a = {.command = "inspect", .usage = usage, .argc = argc, .argv = argv};
    const char *path = NULL, *overrides[MAX_OVERRIDES];
    size_t count = 0, override_count = 0;
    view which = VIEW_SUMMARY;
    while (arguments_next(&a)) {
        bool is_view = false;
        for (int i = VIEW_JSON; i <= VIEW_FUSION && !is_view; ++i) {
            arguments_flag(&a, options[i], &is_view);
            if (is_view && which != VIEW_SUMMARY)
                arguments_usage(&a, "one view at a time: %s or %s", options[which], options[i]);
            if (is_view) which = (view)i;
        }
        if (is_view) continue;
        if (is_override(argv[a.index]) && override_count < MAX_OVERRIDES)
            overrides[override_count++] = argv[a.index];
        else
            arguments_operand(&a, &path, 1, &count);
    }
    if (a.exit_code >= 0) return a.exit_code;
    if (!count) return arguments_usage(&a, "which model?");
    model_file m;
    if (!model_file_open_with(path, overrides, override_count, &m)) return 1;
    const rt_spec_options changes = {.overrides = overrides, .override_count = override_count};
    int exit_code = show(&m, which, &changes);
    model_file_close(&m);
    return exit_code;
}
