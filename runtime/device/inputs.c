// SPDX-License-Identifier: Apache-2.0
/* What is filled in and checked of inputs before anything is computed. */
#include <string.h>

#include "runtime/device/state.h"

uint32_t retort_device_offsets_input(const retort_device_model *tables) {
    uint32_t i = 0;
    while (i < tables->input_count && tables->inputs[i].check != RETORT_CHECK_OFFSETS) ++i;
    return i;
}

retort_model_status retort_device_check_offsets(const retort_device_input *input,
                                                const void *offsets, int64_t rows, int64_t tokens,
                                                int64_t *longest) {
    int64_t begin = retort_device_element(offsets, input->element_bytes, 0);
    *longest = 0;
    if (begin != 0) return RETORT_MODEL_INVALID_ARGUMENT;
    for (int64_t r = 1; r <= rows; ++r) {
        int64_t end = retort_device_element(offsets, input->element_bytes, r);
        if (end <= begin || end > tokens) return RETORT_MODEL_INVALID_ARGUMENT;
        if (end - begin > *longest) *longest = end - begin;
        begin = end;
    }
    if (begin != tokens) return RETORT_MODEL_INVALID_ARGUMENT;
    return *longest > input->limit ? RETORT_MODEL_TOO_LARGE : RETORT_MODEL_OK;
}

static retort_model_status check_elements(const retort_model *model, uint32_t index) {
    const retort_device_input *input = &model->tables->inputs[index];
    const retort_size *size = &model->tables->buffers[index].bytes;
    int64_t bytes = (int64_t)retort_device_size(size, model->symbols);
    int64_t least = input->check == RETORT_CHECK_INDEX ? -input->limit : 0;
    for (int64_t i = 0; i < bytes / (int64_t)input->element_bytes; ++i) {
        int64_t value = retort_device_element(model->buffers[index], input->element_bytes, i);
        if (value < least || value >= input->limit) return RETORT_MODEL_INVALID_ID;
    }
    return RETORT_MODEL_OK;
}

retort_model_status retort_device_check_inputs(retort_model *model) {
    const retort_device_model *tables = model->tables;
    retort_model_status status = RETORT_MODEL_OK;
    for (uint32_t i = 0; i < tables->input_count && status == RETORT_MODEL_OK; ++i) {
        const retort_device_input *input = &tables->inputs[i];
        int64_t longest;
        if (input->check == RETORT_CHECK_BELOW || input->check == RETORT_CHECK_INDEX)
            status = check_elements(model, i);
        if (input->check == RETORT_CHECK_OFFSETS)
            status =
                retort_device_check_offsets(input, model->buffers[i], model->symbols[tables->rows],
                                            model->symbols[tables->tokens], &longest);
    }
    return status;
}

static void set_element(void *values, uint32_t bytes, int64_t index, int64_t value) {
    if (bytes == 8)
        ((int64_t *)values)[index] = value;
    else
        ((int32_t *)values)[index] = (int32_t)value;
}

/* For each token its place in its row, or its row. */
static void fill_tokens(const retort_model *model, uint32_t index, int has_rows) {
    const retort_device_model *tables = model->tables;
    uint32_t bytes = tables->inputs[index].element_bytes;
    uint32_t borders = retort_device_offsets_input(tables);
    uint32_t border_bytes = tables->inputs[borders].element_bytes;
    const void *offsets = model->buffers[borders];
    int64_t tokens = model->symbols[tables->tokens], row = 0, place = 0;
    for (int64_t t = 0; t < tokens; ++t) {
        while (row + 1 < model->symbols[tables->rows] &&
               retort_device_element(offsets, border_bytes, row + 1) <= t)
            ++row, place = 0;
        set_element(model->buffers[index], bytes, t, has_rows ? row : place++);
    }
}

int32_t retort_device_fill_input(retort_model *model, uint32_t index) {
    const retort_device_model *tables = model->tables;
    const retort_device_input *input = &tables->inputs[index];
    uint64_t bytes = retort_device_size(&tables->buffers[index].bytes, model->symbols);
    switch (input->fill) {
    case RETORT_FILL_ZEROS: memset(model->buffers[index], 0, (size_t)bytes); return 1;
    case RETORT_FILL_ONE_ROW:
        if (model->symbols[tables->rows] != 1) return 0;
        set_element(model->buffers[index], input->element_bytes, 0, 0);
        set_element(model->buffers[index], input->element_bytes, 1, model->symbols[tables->tokens]);
        return 1;
    case RETORT_FILL_POSITIONS: fill_tokens(model, index, 0); return 1;
    case RETORT_FILL_ROWS: fill_tokens(model, index, 1); return 1;
    default: return 0;
    }
}
