// SPDX-License-Identifier: Apache-2.0
#include "tools/inspect/method.h"

#include <string.h>

#include "compiler/training_program.h"
#include "passes/training/phases.h"
#include "tools/inspect/parts.h"

/* ---- layers of which everything is the same */

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_kept(const backward_part *a, const backward_part *b) {
    if (a->kept_count != b->kept_count) return false;
    for (size_t i = 0; i < a->kept_count; ++i)
        if (!same_text(a->kept[i].name, b->kept[i].name) ||
            !same_text(a->kept[i].type, b->kept[i].type) ||
            !same_text(a->kept[i].readers, b->kept[i].readers))
            return false;
    return true;
}

static bool same_figures(const backward_part *a, const backward_part *b) {
    return a->numbers == b->numbers && a->trained == b->trained && a->forward == b->forward &&
           a->backward == b->backward && a->kept_bytes == b->kept_bytes &&
           memcmp(a->kernels, b->kernels, sizeof a->kernels) == 0;
}

/* Whether `b` is the layer behind the row's last, and does the same. */
static bool continues(const method_row *row, const backward_part *b, const backward_part *full) {
    const backward_part *first = row->part;
    const char *dot = strrchr(first->name, '.');
    if (first->layer < 0 || b->layer != first->layer + (int64_t)row->parts ||
        strncmp(first->name, b->name, (size_t)(dot - first->name) + 1) != 0)
        return false;
    return same_figures(first, b) && same_kept(first, b) && !row->full == !full &&
           (!full || same_figures(row->full, full));
}

static rt_status make_rows(const backward *full, method_phase *phase, rt_arena *arena) {
    phase->rows = RT_NEW_ARRAY(arena, method_row, phase->own.part_count + 1);
    if (!phase->rows) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < phase->own.part_count; ++i) {
        const backward_part *part = &phase->own.parts[i];
        const backward_part *whole = backward_find_part(full, part->name);
        method_row *last = phase->row_count ? &phase->rows[phase->row_count - 1] : NULL;
        if (last && continues(last, part, whole)) {
            ++last->parts;
            last->name = part_range_name(last->part->name, part->layer, arena);
        } else {
            phase->rows[phase->row_count++] = (method_row){part->name, part, whole, 1};
        }
    }
    return rt_arena_failed(arena) ? RT_OUT_OF_MEMORY : RT_OK;
}

/* ---- the two programs */

/* Its diagnostics are those of the spec's own program, which were told. */
static rt_status find_full(const model_file *m, const rt_spec_options *changes, rt_arena *arena,
                           method_report *report, rt_error *error) {
    rt_diagnostics diagnostics = {0};
    const rt_program_options options = {.trains_all = true};
    rt_spec *spec = rt_spec_read(m->path, changes, &diagnostics);
    rt_module *module = spec ? rt_training_program(spec, &options, &diagnostics) : NULL;
    rt_status status =
        module ? backward_find(module, "step", report->batch, arena, &report->full, error)
               : rt_fail(error, RT_INVALID_DATA, "%s: does not train as a whole", m->path);
    rt_module_destroy(module);
    rt_spec_destroy(spec);
    rt_diagnostics_deinit(&diagnostics);
    return status;
}

rt_status method_report_make(const model_file *m, const rt_spec_options *changes, rt_arena *arena,
                             method_report *report, rt_error *error) {
    *report = (method_report){.batch = {.rows = m->batch_rows, .longest = m->most_tokens},
                              .phase_count = rt_phase_count(m->module)};
    report->phases = RT_NEW_ARRAY(arena, method_phase, report->phase_count);
    if (!report->phases) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(find_full(m, changes, arena, report, error));
    for (size_t i = 0; i < report->phase_count; ++i) {
        method_phase *phase = &report->phases[i];
        phase->graph = rt_phase_graph_name("step", i + 1, report->phase_count, arena);
        if (!phase->graph) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
        RT_TRY(backward_find(m->module, phase->graph, report->batch, arena, &phase->own, error));
        RT_TRY(make_rows(&report->full, phase, arena));
    }
    return RT_OK;
}

int64_t method_beside_frozen(const backward_memory *memory) {
    return memory->trained + memory->gradients + memory->state + memory->buffers;
}
