// SPDX-License-Identifier: Apache-2.0
/* A method's backward pass as JSON: "method" is a list of its phases, one but for gradual
 * unfreezing, each with every part by itself; "full" is the same program trained as a whole. */
#include "runtime/base/json.h"
#include "tools/inspect/method.h"

static void put_kept(rt_json_writer *json, const backward_part *part) {
    rt_json_begin_array(json, "kept");
    for (size_t i = 0; i < part->kept_count; ++i) {
        const kept_value *value = &part->kept[i];
        rt_json_begin_object(json, NULL);
        rt_json_put_string(json, "value", value->name);
        rt_json_put_string(json, "type", value->type);
        rt_json_put_integer(json, "bytes", value->bytes);
        rt_json_put_string(json, "for", value->readers);
        rt_json_end(json);
    }
    rt_json_end(json);
}

static void put_figures(rt_json_writer *json, const backward_part *part) {
    rt_json_put_integer(json, "parameters", part->numbers);
    rt_json_put_integer(json, "trained", part->trained);
    rt_json_put_double(json, "forward_operations", part->forward);
    rt_json_put_double(json, "backward_operations", part->backward);
    rt_json_begin_object(json, "backward_kernels");
    for (int k = 0; k < BACKWARD_KIND_COUNT; ++k)
        rt_json_put_integer(json, backward_kind_text((backward_kind)k), (int64_t)part->kernels[k]);
    rt_json_end(json);
    rt_json_put_integer(json, "kept_bytes", part->kept_bytes);
}

static void put_memory(rt_json_writer *json, const backward_memory *memory) {
    rt_json_begin_object(json, "memory_bytes");
    rt_json_put_integer(json, "frozen", memory->frozen);
    rt_json_put_integer(json, "trained", memory->trained);
    rt_json_put_integer(json, "gradients", memory->gradients);
    rt_json_put_integer(json, "state", memory->state);
    rt_json_put_integer(json, "buffers", memory->buffers);
    rt_json_put_integer(json, "beside_frozen", method_beside_frozen(memory));
    rt_json_end(json);
}

static void put_program(rt_json_writer *json, const char *key, const char *graph,
                        const backward *b) {
    rt_json_begin_object(json, key);
    rt_json_put_string(json, "graph", graph);
    put_figures(json, &b->total);
    put_memory(json, &b->memory);
    rt_json_begin_array(json, "parts");
    for (size_t i = 0; i < b->part_count; ++i) {
        rt_json_begin_object(json, NULL);
        rt_json_put_string(json, "name", b->parts[i].name);
        put_figures(json, &b->parts[i]);
        put_kept(json, &b->parts[i]);
        rt_json_end(json);
    }
    rt_json_end(json);
    rt_json_end(json);
}

rt_status method_report_print_json(const method_report *report, rt_error *error) {
    rt_writer out;
    RT_TRY(rt_writer_open(&out, "-", error));
    rt_json_writer json = {.out = &out, .is_pretty = true};
    rt_json_begin_object(&json, NULL);
    rt_json_begin_object(&json, "batch");
    rt_json_put_integer(&json, "rows", report->batch.rows);
    rt_json_put_integer(&json, "tokens", report->batch.rows * report->batch.longest);
    rt_json_end(&json);
    rt_json_begin_array(&json, "method");
    for (size_t i = 0; i < report->phase_count; ++i)
        put_program(&json, NULL, report->phases[i].graph, &report->phases[i].own);
    rt_json_end(&json);
    put_program(&json, "full", "step", &report->full);
    rt_json_end(&json);
    return rt_writer_commit(&out, error);
}
