// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "runtime/base/file.h"
#include "tools/run/run.h"
#include "tools/tensor_file.h"

/* "input_ids, attention_mask". */
static const char *list_names(const char *const *names, size_t count, rt_arena *arena) {
    const char *text = "";
    for (size_t i = 0; i < count && text; ++i)
        text = rt_arena_format(arena, "%s%s%s", text, i ? ", " : "", names[i]);
    return count && text ? text : "none";
}

/* Number of the input whose name stands in front of '='; -1 where that is no input. */
static int find_prefix(const char *argument, size_t length, const char *const *names,
                       size_t count) {
    for (size_t i = 0; i < count; ++i)
        if (strlen(names[i]) == length && strncmp(names[i], argument, length) == 0) return (int)i;
    return -1;
}

/* Which input an argument means, and its file. Those without a name go to the inputs in order. */
static rt_status find_input(const char *argument, const char *const *names, size_t count,
                            size_t *next, int *which, const char **path, run_inputs *inputs,
                            rt_error *error) {
    const char *equals = strchr(argument, '=');
    *path = argument;
    if (equals && equals > argument) {
        *which = find_prefix(argument, (size_t)(equals - argument), names, count);
        *path = equals + 1;
        if (*which >= 0) return RT_OK;
        *path = argument;
        if (!rt_file_exists(argument))
            return rt_fail(error, RT_NOT_FOUND, "there is no input '%.*s'; the inputs are: %s",
                           (int)(equals - argument), argument,
                           list_names(names, count, &inputs->arena));
    }
    if (*next >= count)
        return rt_fail(error, RT_INVALID_ARGUMENT, "%s: is one input too many; the inputs are: %s",
                       argument, list_names(names, count, &inputs->arena));
    *which = (int)(*next)++;
    return RT_OK;
}

rt_status run_inputs_read(const run_request *request, const char *const *names, size_t name_count,
                          run_inputs *inputs, rt_error *error) {
    size_t next = 0;
    inputs->tensors =
        RT_NEW_ARRAY(&inputs->arena, named_tensor, request->input_count + PADDED_PART_COUNT);
    if (!inputs->tensors) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < request->input_count; ++i) {
        named_tensor *input = &inputs->tensors[inputs->count];
        int which = 0;
        RT_TRY(find_input(request->inputs[i], names, name_count, &next, &which, &input->file,
                          inputs, error));
        input->name = rt_arena_copy_string(&inputs->arena, names[which]);
        if (!input->name) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
        if (find_named_tensor(inputs->tensors, inputs->count, input->name))
            return rt_fail(error, RT_INVALID_ARGUMENT, "%s: input '%s' is given twice", input->file,
                           input->name);
        RT_TRY(tensor_file_read(input->file, &inputs->arena, &input->tensor, error));
        ++inputs->count;
    }
    return RT_OK;
}
