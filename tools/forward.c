// SPDX-License-Identifier: Apache-2.0
#include "tools/forward.h"

#include <string.h>

#include "passes/pass_manager.h"
#include "runtime/program.h"
#include "runtime/train/batch_inputs.h"
#include "runtime/train/console.h"
#include "tools/index_limit.h"

static rt_status fail_memory(rt_error *error) {
    return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}

/* ---- what the model takes and gives */

static const char *type_text(forward *f, rt_value value) {
    rt_module *module = f->model->module;
    rt_type type = rt_graph_type(f->model->graph, value);
    return rt_type_text(rt_module_dims(module), type, &f->model->arena);
}

static void describe_input(forward *f, const char *name) {
    rt_value value = rt_graph_find_input(f->model->graph, name);
    bool is_read = rt_value_is(value);
    f->inputs[f->input_count++] =
        (forward_value){.name = name,
                        .type = is_read ? type_text(f, value) : "not read",
                        .part = PADDED_PART_COUNT,
                        .limit = is_read ? index_limit(f->model->graph, value) : 0,
                        .is_optional = !is_read};
}

/* In the order of the file, with those that the graph turned out not to read. */
static void describe_onnx_inputs(forward *f) {
    const model_file *m = f->model;
    for (size_t i = 0; i < m->onnx_input_count; ++i) describe_input(f, m->onnx_inputs[i]);
}

static void describe_graph_inputs(forward *f) {
    const rt_graph *graph = f->model->graph;
    for (size_t i = 0; i < rt_graph_input_count(graph); ++i) {
        rt_value input = rt_graph_input(graph, i);
        rt_node node = rt_graph_definition(graph, input);
        describe_input(f, rt_graph_attr(graph, node, RT_ATTR_input_name).text);
    }
}

static void describe_graph_outputs(forward *f) {
    const rt_graph *graph = f->model->graph;
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        if (rt_parameter_is(output->parameter)) continue;
        f->outputs[f->output_count++] =
            (forward_value){.name = output->name,
                            .type = type_text(f, output->value),
                            .dtype = rt_graph_type(graph, output->value).dtype};
    }
}

static void describe_part(forward *f, const char *name, padded_part part, bool is_optional) {
    if (!name) return;
    f->inputs[f->input_count++] = (forward_value){
        .name = name, .type = "i64[rows,positions]", .part = part, .is_optional = is_optional};
}

/* A folder's users may leave out mask and types; those of a file give all in its order. */
static void describe_parts(forward *f) {
    const model_file *m = f->model;
    const char *const *names = m->arrays.inputs;
    bool is_file = m->kind == MODEL_ONNX;
    for (padded_part part = 0; !is_file && part < PADDED_PART_COUNT; ++part)
        describe_part(f, names[part], part, part != PADDED_IDS);
    for (size_t i = 0; i < m->onnx_input_count; ++i) {
        const char *name = m->onnx_inputs[i];
        padded_part part = 0;
        while (part < PADDED_PART_COUNT && !(names[part] && strcmp(names[part], name) == 0)) ++part;
        describe_part(f, name, part, part == PADDED_PART_COUNT);
    }
}

/* "f32[rows,positions,384]" or "f32[rows,2]". */
static const char *padded_type_text(forward *f, rt_dtype dtype, bool is_per_token,
                                    int64_t columns) {
    return rt_arena_format(&f->model->arena, "%s[rows,%s%lld]", rt_dtype_text(dtype),
                           is_per_token ? "positions," : "", (long long)columns);
}

static rt_status describe_packed(forward *f) {
    const model_arrays *arrays = &f->model->arrays;
    const rt_graph *graph = f->model->graph;
    rt_dim tokens = rt_module_symbol(f->model->module, "T");
    describe_parts(f);
    for (size_t i = 0; i < arrays->output_count; ++i) {
        const struct model_output *output = &arrays->outputs[i];
        rt_value value = rt_graph_find_output(graph, output->family_name);
        rt_type type = rt_graph_type(graph, value);
        bool is_per_token = rt_dim_equal(type.dims[0], tokens);
        int64_t columns = 0;
        if (!rt_dim_is_constant(rt_module_dims(f->model->module), type.dims[1], &columns))
            return RT_INTERNAL;
        f->outputs[f->output_count++] = (forward_value){
            .name = output->name,
            .type = padded_type_text(f, output->dtype, is_per_token, columns),
            .dtype = output->dtype,
            .family_name = output->family_name,
            .is_per_token = is_per_token,
        };
    }
    return RT_OK;
}

rt_status forward_open(model_file *model, forward *f, rt_error *error) {
    const rt_graph *graph = model->graph;
    *f = (forward){.model = model, .is_packed = model->has_config};
    size_t inputs = rt_graph_input_count(graph) + PADDED_PART_COUNT;
    size_t outputs = rt_graph_output_count(graph) + MODEL_MOST_OUTPUTS;
    inputs += model->onnx_input_count;
    f->inputs = RT_NEW_ARRAY(&model->arena, forward_value, inputs);
    f->outputs = RT_NEW_ARRAY(&model->arena, forward_value, outputs);
    if (!f->inputs || !f->outputs) return fail_memory(error);
    if (f->is_packed) return describe_packed(f);
    if (model->kind == MODEL_ONNX)
        describe_onnx_inputs(f);
    else
        describe_graph_inputs(f);
    describe_graph_outputs(f);
    rt_status status = slice_checks_collect(graph, &model->arena, &f->slices);
    return status == RT_OK ? RT_OK : fail_memory(error);
}

void forward_close(forward *f) {
    session_close(f->session);
    rt_arena_deinit(&f->arena);
    *f = (forward){0};
}

/* ---- compiling */

static rt_status run_passes(forward *f, const forward_options *options) {
    const dumps *wanted = options->dumps;
    rt_pass_manager *manager = rt_pass_manager_create(&f->model->diagnostics);
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = rt_pass_manager_add_pipeline(manager, "inference");
    manager->dump = dumps_print;
    if (status == RT_OK) status = rt_passes_choose_target(manager, NULL);
    if (status == RT_OK) status = rt_passes_choose_precision(manager, &options->precision);
    rt_optimizations_choose_passes(options->session.optimizations, manager);
    for (size_t i = 0; wanted && status == RT_OK && i < wanted->count; ++i)
        status = rt_pass_manager_mark(manager, manager->dumps_after, wanted->passes[i]);
    if (status == RT_OK) status = rt_pass_manager_run(manager, f->model->module);
    rt_pass_manager_destroy(manager);
    return status;
}

rt_status forward_compile(forward *f, const forward_options *options, rt_error *error) {
    model_file *m = f->model;
    const char *name = rt_arena_copy_string(&m->arena, rt_graph_name(m->graph));
    if (!name) return fail_memory(error);
    rt_status status = run_passes(f, options);
    m->graph = rt_module_find_graph(m->module, name);
    if (status != RT_OK) return rt_fail(error, status, "%s: %s", m->path, rt_status_text(status));
    RT_TRY(session_open(m->module, &options->session, &f->session, error));
    if (options->dumps && options->dumps->has_schedule)
        fputs(session_text(f->session, RETORT_TEXT_SCHEDULE), stdout);
    return session_entry(f->session, name, &f->entry, error);
}

/* ---- running */

size_t forward_known_inputs(const named_tensor *inputs, size_t count, rt_onnx_known_input *known) {
    enum { MOST_ELEMENTS = 64 };
    size_t known_count = 0;
    for (size_t i = 0; i < count; ++i) {
        const rt_tensor *tensor = &inputs[i].tensor;
        if (rt_dtype_is_integer(tensor->dtype) && tensor->rank <= 1 &&
            tensor->count <= MOST_ELEMENTS)
            known[known_count++] = (rt_onnx_known_input){inputs[i].name, tensor};
    }
    return known_count;
}

static rt_status run_entry(forward *f, rt_error *error) {
    double start = retort_clock();
    if (f->runner) return f->runner->run(f->runner->user, f, error);
    if (f->profile) retort_profile_begin(f->profile, f->entry);
    rt_status status =
        retort_instance_run(session_instance(f->session), f->entry, f->symbols, error);
    if (f->profile) retort_profile_end(f->profile);
    f->seconds = retort_clock() - start;
    return status;
}

static rt_status check_limit(const forward_value *input, const named_tensor *given,
                             rt_error *error) {
    const rt_tensor *tensor = &given->tensor;
    for (int64_t i = 0; input->limit && i < tensor->count; ++i) {
        int64_t value = rt_element_as_int64(tensor->dtype, tensor->data, (size_t)i);
        if (value >= -input->limit && value < input->limit) continue;
        return rt_fail(error, RT_INVALID_DATA,
                       "%s%sinput '%s': element %lld is %lld, and picks from %lld rows, from 0",
                       given->file ? given->file : "", given->file ? ": " : "", given->name,
                       (long long)i, (long long)value, (long long)input->limit);
    }
    return RT_OK;
}

static rt_status check_limits(const forward *f, const named_tensor *inputs, size_t count,
                              rt_error *error) {
    for (size_t i = 0; i < f->input_count; ++i) {
        const named_tensor *given = find_named_tensor(inputs, count, f->inputs[i].name);
        if (given) RT_TRY(check_limit(&f->inputs[i], given, error));
    }
    return RT_OK;
}

static rt_status run_as_written(forward *f, const named_tensor *inputs, size_t count,
                                rt_error *error) {
    RT_TRY(graph_run_bind(f->session, f->entry, inputs, count, f->symbols, error));
    const retort_program *program = session_program(f->session);
    RT_TRY(check_limits(f, inputs, count, error));
    RT_TRY(slice_checks_apply(&f->slices, program->symbols, f->symbols, program->symbol_count,
                              &f->arena, error));
    RT_TRY(graph_run_feed(f->session, f->entry, inputs, count, f->symbols, error));
    RT_TRY(run_entry(f, error));
    for (size_t i = 0; i < f->output_count; ++i)
        RT_TRY(graph_run_output(f->session, f->entry, i, f->symbols, &f->results[i]));
    return RT_OK;
}

/* ---- running packed */

static rt_status collect_parts(const forward *f, const named_tensor *inputs, size_t count,
                               padded_input *padded, rt_error *error) {
    rt_status status = RT_OK;
    for (size_t i = 0; i < f->input_count; ++i) {
        const forward_value *input = &f->inputs[i];
        if (input->part == PADDED_PART_COUNT) continue;
        padded->names[input->part] = input->name;
        const named_tensor *given = find_named_tensor(inputs, count, input->name);
        if (given) {
            padded->tensors[input->part] = &given->tensor;
            padded->files[input->part] = given->file;
        } else if (!input->is_optional) {
            status = rt_fail_also(error, status, RT_INVALID_ARGUMENT, "input '%s' (%s) is missing",
                                  input->name, input->type);
        }
    }
    for (size_t i = 0; i < f->output_count; ++i)
        padded->reads_first |=
            !f->outputs[i].is_per_token && f->model->config.pooling != RT_POOLING_MEAN;
    return status;
}

/* An output as its users have it, all zeros yet. */
static rt_status make_result(forward *f, size_t index, const padded_rows *padded, rt_error *error) {
    const forward_value *output = &f->outputs[index];
    const retort_entry *entry = &session_program(f->session)->entries[f->entry];
    int buffer = retort_entry_find_buffer(entry, RETORT_BUFFER_OUTPUT, output->family_name);
    int64_t columns = 0;
    if (buffer < 0) return rt_fail(error, RT_INTERNAL, "no output '%s'", output->family_name);
    RT_TRY(retort_size_evaluate(entry->buffers[buffer].shape.dims[1], f->symbols, &columns));
    rt_tensor tensor = {.dtype = output->dtype, .dims = {padded->rows}};
    if (output->is_per_token) tensor.dims[++tensor.rank] = padded->width;
    tensor.dims[++tensor.rank] = columns;
    ++tensor.rank;
    tensor.count = padded->rows * (output->is_per_token ? padded->width : 1) * columns;
    tensor.data = rt_arena_array(&f->arena, (size_t)tensor.count + 1, rt_dtype_bytes(tensor.dtype));
    if (!tensor.data) return fail_memory(error);
    f->results[index] = (named_tensor){.name = output->name, .tensor = tensor};
    return RT_OK;
}

/* Copies `columns` values of the program to element `at` of the result, in its type. */
static void put(const float *from, int64_t columns, rt_tensor *to, int64_t at) {
    void *values = (void *)(uintptr_t)to->data;
    if (to->dtype == RT_F32)
        memcpy((float *)values + at, from, (size_t)columns * sizeof *from);
    else
        for (int64_t i = 0; i < columns; ++i)
            rt_element_set_double(to->dtype, values, (size_t)(at + i), from[i]);
}

static void unpack(forward *f, size_t index, const padded_rows *padded, const rt_batch *batch) {
    const forward_value *output = &f->outputs[index];
    rt_tensor *result = &f->results[index].tensor;
    int64_t columns = result->dims[result->rank - 1];
    const float *from =
        retort_instance_output(session_instance(f->session), f->entry, output->family_name);
    for (int32_t row = 0; row < batch->rows; ++row) {
        int64_t padded_row = batch->row_indexes[row];
        if (!output->is_per_token) {
            put(from + row * columns, columns, result, padded_row * columns);
            continue;
        }
        int64_t token = batch->row_offsets[row];
        for (int64_t i = padded_row * padded->width; i < (padded_row + 1) * padded->width; ++i)
            if (padded->mask[i]) put(from + token++ * columns, columns, result, i * columns);
    }
}

rt_status forward_run_batch(forward *f, const rt_batch *batch, rt_error *error) {
    uint32_t symbols = session_program(f->session)->symbol_count;
    if (!f->symbols) f->symbols = RT_NEW_ARRAY(&f->arena, int64_t, symbols + 1);
    if (!f->symbols) return fail_memory(error);
    retort_batch_symbols(session_program(f->session), batch, f->symbols);
    RT_TRY(session_reserve(f->session, f->symbols, error));
    retort_batch_feed(session_instance(f->session), f->entry, batch);
    return run_entry(f, error);
}

const float *forward_batch_output(const forward *f, const char *family_name) {
    return retort_instance_output(session_instance(f->session), f->entry, family_name);
}

static rt_status run_packed(forward *f, const named_tensor *inputs, size_t count, rt_error *error) {
    padded_input input = {0};
    padded_rows padded;
    rt_batch batch = {0};
    RT_TRY(collect_parts(f, inputs, count, &input, error));
    RT_TRY(padded_input_read(&input, &f->model->config, &f->arena, &padded, error));
    for (size_t i = 0; i < f->output_count; ++i) RT_TRY(make_result(f, i, &padded, error));
    f->tokens = padded_rows_tokens(&padded);
    f->seconds = 0;
    if (!f->tokens) return RT_OK;
    RT_TRY(padded_rows_pack(&padded, &batch, error));
    rt_status status = forward_run_batch(f, &batch, error);
    for (size_t i = 0; status == RT_OK && i < f->output_count; ++i) unpack(f, i, &padded, &batch);
    rt_batch_destroy(&batch);
    return status;
}

rt_status forward_run(forward *f, const named_tensor *inputs, size_t count, rt_error *error) {
    uint32_t symbols = session_program(f->session)->symbol_count;
    rt_arena_deinit(&f->arena);
    f->results = RT_NEW_ARRAY(&f->arena, named_tensor, f->output_count + 1);
    f->symbols = RT_NEW_ARRAY(&f->arena, int64_t, symbols + 1);
    if (!f->results || !f->symbols) return fail_memory(error);
    return f->is_packed ? run_packed(f, inputs, count, error)
                        : run_as_written(f, inputs, count, error);
}
