// SPDX-License-Identifier: Apache-2.0
/* `retort inspect`: what is in a model. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/graph_dot.h"
#include "tools/inspect/inspect.h"
#include "tools/model_text.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort inspect MODEL|SPEC [OPTION] [KEY=VALUE]...\n"
    "Tells what is in a model (an ONNX file, a Hugging Face folder or .safetensors file, a graph "
    "in\n"
    "text form: .rtir), or in the training program that a spec (.yaml) asks for.\n"
    "\n"
    "  (no option)    a summary: family, sizes, parameters, work per token, inputs and outputs\n"
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

static int show(model_file *m, view which) {
    int exit_code = 0;
    switch (which) {
    case VIEW_SUMMARY: inspect_summary(m); break;
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
        [VIEW_GRAPH] = "--graph",           [VIEW_DOT] = "--dot",
        [VIEW_PARAMETERS] = "--parameters", [VIEW_TRAINABLE] = "--trainable",
        [VIEW_FUSION] = "--fusion",
    };
    arguments a = {.command = "inspect", .usage = usage, .argc = argc, .argv = argv};
    const char *path = NULL, *overrides[MAX_OVERRIDES];
    size_t count = 0, override_count = 0;
    view which = VIEW_SUMMARY;
    while (arguments_next(&a)) {
        bool is_view = false;
        for (int i = VIEW_GRAPH; i <= VIEW_FUSION && !is_view; ++i) {
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
    int exit_code = show(&m, which);
    model_file_close(&m);
    return exit_code;
}
