// SPDX-License-Identifier: Apache-2.0
#include "tools/graph_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/program.h"

const named_tensor *find_named_tensor(const named_tensor *tensors, size_t count, const char *name) {
    for (size_t i = 0; i < count; ++i)
        if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
    return NULL;
}

/* ---- shapes as text */

/* "batch", "4", "batch + 1", "2*batch*sequence"; cut where it does not fit. */
static size_t print_size(const retort_program *program, retort_size size, char *text,
                         size_t capacity) {
    size_t used = 0;
    if (!size.term_count) used += (size_t)snprintf(text, capacity, "0");
    for (uint32_t t = 0; t < size.term_count && used < capacity; ++t) {
        const retort_term *term = &size.terms[t];
        const char *sign = t ? " + " : "";
        bool has_number = term->coefficient != 1 || !term->symbol_count;
        used += (size_t)snprintf(text + used, capacity - used, "%s", sign);
        if (has_number && used < capacity)
            used += (size_t)snprintf(text + used, capacity - used, "%" PRId64, term->coefficient);
        for (uint32_t i = 0; i < term->symbol_count && used < capacity; ++i)
            used +=
                (size_t)snprintf(text + used, capacity - used, "%s%s", has_number || i ? "*" : "",
                                 program->symbols[term->symbols[i]]);
    }
    return used < capacity ? used : capacity - 1;
}

/* "i64[batch,sequence]". */
static void print_shape(const retort_program *program, const retort_shape *shape, char *text,
                        size_t capacity) {
    size_t used = (size_t)snprintf(text, capacity, "%s[", rt_dtype_text((rt_dtype)shape->dtype));
    for (uint32_t i = 0; i < shape->rank && used + 2 < capacity; ++i) {
        if (i) text[used++] = ',';
        used += print_size(program, shape->dims[i], text + used, capacity - used - 1);
    }
    if (used + 1 < capacity) snprintf(text + used, capacity - used, "]");
}

static void print_tensor_shape(const rt_tensor *tensor, char *text, size_t capacity) {
    size_t used = (size_t)snprintf(text, capacity, "%s[", rt_dtype_text(tensor->dtype));
    for (int i = 0; i < tensor->rank && used < capacity; ++i)
        used += (size_t)snprintf(text + used, capacity - used, "%s%" PRId64, i ? "," : "",
                                 tensor->dims[i]);
    if (used < capacity) snprintf(text + used, capacity - used, "]");
}

/* ---- binding */

static bool is_whole(rt_dtype dtype) {
    return rt_dtype_is_integer(dtype) || dtype == RT_BOOL;
}

/* "x.npy: " in front of an error about what a file holds. */
static const char *file_of(const named_tensor *input) {
    return input->file ? input->file : "";
}

static const char *colon_of(const named_tensor *input) {
    return input->file ? ": " : "";
}

static rt_status fail_shape(const retort_program *program, const retort_buffer *buffer,
                            const named_tensor *input, rt_error *error) {
    char want[256], got[256];
    print_shape(program, &buffer->shape, want, sizeof want);
    print_tensor_shape(&input->tensor, got, sizeof got);
    return rt_fail_within(error, RT_INVALID_ARGUMENT, "%s%sinput '%s' takes %s, here is %s",
                          file_of(input), colon_of(input), buffer->name, want, got);
}

static rt_status fail_missing(const retort_program *program, const retort_buffer *buffer,
                              rt_status so_far, rt_error *error) {
    char want[256];
    print_shape(program, &buffer->shape, want, sizeof want);
    return rt_fail_also(error, so_far, RT_INVALID_ARGUMENT, "input '%s' (%s) is missing",
                        buffer->name, want);
}

static rt_status check_given(const retort_program *program, const retort_entry *entry,
                             const named_tensor *inputs, size_t count, rt_error *error) {
    rt_status status = RT_OK;
    for (uint32_t i = 0; i < entry->buffer_count; ++i) {
        const retort_buffer *buffer = &entry->buffers[i];
        if (buffer->kind == RETORT_BUFFER_INPUT && !find_named_tensor(inputs, count, buffer->name))
            status = fail_missing(program, buffer, status, error);
    }
    return status;
}

/* Binds what it can and ignores what does not fit (yet), or reports it. A size such as B*S may
 * stand in front of the input that binds B and S. */
static rt_status bind_inputs(const retort_program *program, const retort_entry *entry,
                             const named_tensor *inputs, size_t count, int64_t *symbols,
                             bool reports, rt_error *error) {
    for (uint32_t i = 0; i < entry->buffer_count; ++i) {
        const retort_buffer *buffer = &entry->buffers[i];
        if (buffer->kind != RETORT_BUFFER_INPUT) continue;
        const named_tensor *input = find_named_tensor(inputs, count, buffer->name);
        const rt_tensor *tensor = &input->tensor;
        rt_dtype dtype = (rt_dtype)buffer->shape.dtype;
        rt_error why = {""};
        rt_status status = retort_shape_bind(program, &buffer->shape, tensor->rank, tensor->dims,
                                             symbols, buffer->name, &why);
        bool is_type_right = dtype == tensor->dtype || (is_whole(dtype) && is_whole(tensor->dtype));
        if (!reports) continue;
        if (error) *error = why;
        if (status != RT_OK) return fail_shape(program, buffer, input, error);
        if (!is_type_right) {
            rt_fail(error, RT_INVALID_ARGUMENT, "its values have another type");
            return fail_shape(program, buffer, input, error);
        }
    }
    return RT_OK;
}

rt_status graph_run_bind(const session *s, int entry, const named_tensor *inputs, size_t count,
                         int64_t *symbols, rt_error *error) {
    const retort_program *program = session_program(s);
    const retort_entry *e = &program->entries[entry];
    for (uint32_t i = 0; i < program->symbol_count; ++i) symbols[i] = -1;
    RT_TRY(check_given(program, e, inputs, count, error));
    RT_TRY(bind_inputs(program, e, inputs, count, symbols, false, error));
    RT_TRY(bind_inputs(program, e, inputs, count, symbols, true, error));
    for (uint32_t i = 0; i < program->symbol_count; ++i)
        if (symbols[i] < 0) symbols[i] = 0;
    return RT_OK;
}

/* ---- feeding */

static rt_status convert(const named_tensor *input, rt_dtype dtype, void *to, rt_error *error) {
    const rt_tensor *from = &input->tensor;
    for (int64_t i = 0; i < from->count; ++i) {
        int64_t value = rt_element_as_int64(from->dtype, from->data, (size_t)i);
        rt_element_set_int64(dtype, to, (size_t)i, value);
        bool is_same = rt_element_as_int64(dtype, to, (size_t)i) == value;
        /* Beyond int64 the same bits mean another number. */
        bool is_huge = value < 0 && (from->dtype == RT_U64) != (dtype == RT_U64);
        if (!is_same || is_huge)
            return rt_fail(
                error, RT_INVALID_DATA,
                "%s%sinput '%s': element %" PRId64 " is %" PRId64 ", which does not fit into %s",
                file_of(input), colon_of(input), input->name, i, value, rt_dtype_text(dtype));
    }
    return RT_OK;
}

rt_status graph_run_feed(session *s, int entry, const named_tensor *inputs, size_t count,
                         const int64_t *symbols, rt_error *error) {
    const retort_entry *e = &session_program(s)->entries[entry];
    RT_TRY(session_reserve(s, symbols, error));
    for (uint32_t i = 0; i < e->buffer_count; ++i) {
        const retort_buffer *buffer = &e->buffers[i];
        if (buffer->kind != RETORT_BUFFER_INPUT) continue;
        const named_tensor *input = find_named_tensor(inputs, count, buffer->name);
        const rt_tensor *tensor = &input->tensor;
        void *to = retort_instance_buffer(session_instance(s), entry, (int)i);
        if (tensor->dtype == (rt_dtype)buffer->shape.dtype) {
            if (tensor->count) memcpy(to, tensor->data, rt_tensor_bytes(tensor));
        } else {
            RT_TRY(convert(input, (rt_dtype)buffer->shape.dtype, to, error));
        }
    }
    return RT_OK;
}

/* ---- outputs */

rt_status graph_run_output(const session *s, int entry, size_t index, const int64_t *symbols,
                           named_tensor *output) {
    const retort_entry *e = &session_program(s)->entries[entry];
    uint32_t i = 0;
    while (i < e->buffer_count && (e->buffers[i].kind != RETORT_BUFFER_OUTPUT || index-- > 0)) ++i;
    if (i == e->buffer_count) return RT_NOT_FOUND;
    const retort_buffer *buffer = &e->buffers[i];
    rt_tensor tensor = {.dtype = (rt_dtype)buffer->shape.dtype,
                        .rank = (int)buffer->shape.rank,
                        .count = 1,
                        .data = retort_instance_buffer(session_instance(s), entry, (int)i)};
    for (int k = 0; k < tensor.rank; ++k) {
        RT_TRY(retort_size_evaluate(buffer->shape.dims[k], symbols, &tensor.dims[k]));
        tensor.count *= tensor.dims[k];
    }
    *output = (named_tensor){.name = buffer->name, .tensor = tensor};
    return RT_OK;
}
