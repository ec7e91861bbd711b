// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/program.h"
#include "runtime/train/checkpoint_internal.h"

/* ---- checksums */

/* Reads "<16 hex digits>  <name>\n" at *text and moves behind it; false at the end and for anything
 * else. `name` is lent and not terminated. */
static bool next_checksum(rt_text *text, uint64_t *checksum, rt_text *name) {
    char digits[17] = {0};
    if (text->length < 20 || text->bytes[16] != ' ' || text->bytes[17] != ' ') return false;
    memcpy(digits, text->bytes, 16);
    const char *end = memchr(text->bytes, '\n', text->length);
    if (!end || strspn(digits, "0123456789abcdef") != 16) return false;
    *checksum = strtoull(digits, NULL, 16);
    *name = (rt_text){text->bytes + 18, (size_t)(end - text->bytes) - 18};
    text->length -= (size_t)(end + 1 - text->bytes);
    text->bytes = end + 1;
    return true;
}

static rt_status check_file(const char *folder, rt_text name, uint64_t expected, rt_error *error) {
    char plain[256];
    if (name.length >= sizeof plain || memchr(name.bytes, '/', name.length))
        return rt_fail(error, RT_INVALID_DATA, "%s/%s: damaged: a name that cannot be", folder,
                       RETORT_CHECKSUMS_FILE);
    memcpy(plain, name.bytes, name.length);
    plain[name.length] = '\0';
    char *path = rt_path_join(folder, plain);
    uint64_t checksum = 0;
    if (!path) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = RT_OK;
    if (!rt_file_exists(path))
        status = rt_fail(error, RT_INVALID_DATA, "%s: missing, but the checkpoint had it", path);
    if (status == RT_OK) status = retort_file_checksum(path, &checksum, error);
    if (status == RT_OK && checksum != expected)
        status =
            rt_fail(error, RT_INVALID_DATA,
                    "%s: damaged: its checksum is %016" PRIx64 ", but %016" PRIx64 " was written",
                    path, checksum, expected);
    free(path);
    return status;
}

/* All files are as they were written, and none of those that matter is left out. */
static rt_status check_files(const char *folder, const char *path, rt_error *error) {
    static const char *const needed[] = {RETORT_MODEL_FILE, RETORT_TRAINER_FILE};
    bool is_there[RT_COUNT_OF(needed)] = {false};
    rt_mapped_file file;
    rt_text name;
    uint64_t checksum;
    RT_TRY(rt_file_map(path, &file, error));
    rt_text text = {(const char *)file.data, file.size};
    rt_status status = RT_OK;
    while (status == RT_OK && next_checksum(&text, &checksum, &name)) {
        for (size_t i = 0; i < RT_COUNT_OF(needed); ++i)
            is_there[i] = is_there[i] || rt_text_equals(name, rt_text_of(needed[i]));
        status = check_file(folder, name, checksum, error);
    }
    bool is_whole = text.length == 0;
    for (size_t i = 0; i < RT_COUNT_OF(needed); ++i) is_whole = is_whole && is_there[i];
    if (status == RT_OK && !is_whole)
        status =
            rt_fail(error, RT_INVALID_DATA, "%s: damaged: not a whole list of checksums", path);
    rt_file_unmap(&file);
    return status;
}

/* ---- trainer.json */

static uint64_t get_COUNT(rt_json_fields *fields, const char *key) {
    int64_t value = rt_json_integer(fields, key);
    if (value < 0) rt_json_refuse(fields, key, "must not be below 0");
    return (uint64_t)value;
}

static double get_REAL(rt_json_fields *fields, const char *key) {
    return rt_json_number_or(fields, key, 0);
}

static bool get_FLAG(rt_json_fields *fields, const char *key) {
    return rt_json_boolean(fields, key);
}

static rt_status read_state(const json_t *trainer, const char *path, retort_train_state *state,
                            rt_error *error) {
    rt_json_fields fields = {.object = trainer, .where = path, .error = error};
    int64_t format = rt_json_integer(&fields, "format");
    if (fields.status == RT_OK && format != RETORT_CHECKPOINT_FORMAT)
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: format %" PRId64 ", but this program knows format %d", path, format,
                       RETORT_CHECKPOINT_FORMAT);
    fields.object = rt_json_object(&fields, "state");
    fields.prefix = "state.";
    if (fields.status != RT_OK) return fields.status;
#define GET(name, kind) state->name = get_##kind(&fields, #name);
    RETORT_STATE_FIELDS(GET)
#undef GET
    const json_t *terms = rt_json_array(&fields, "window_terms");
    for (size_t i = 0; terms && i < RETORT_MAX_TERMS; ++i)
        state->window_terms[i] = json_number_value(json_array_get(terms, i));
    const char *checksum = rt_json_string(&fields, "data_checksum");
    state->data_checksum = checksum ? strtoull(checksum, NULL, 16) : 0;
    return fields.status;
}

/* ---- opening */

static rt_status open_saved(retort_checkpoint *checkpoint, const char *checksums, rt_error *error) {
    RT_TRY(check_files(checkpoint->folder, checksums, error));
    char *path = rt_path_join(checkpoint->folder, RETORT_TRAINER_FILE);
    if (!path) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = rt_json_read(path, &checkpoint->trainer, error);
    if (status == RT_OK) status = read_state(checkpoint->trainer, path, &checkpoint->state, error);
    checkpoint->is_saved = status == RT_OK;
    free(path);
    return status;
}

static rt_status open_tensors(const char *folder, const char *name, bool is_required,
                              rt_safetensors *file, rt_error *error) {
    char *path = rt_path_join(folder, name);
    if (!path) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = RT_OK;
    if (is_required || rt_file_exists(path)) status = rt_safetensors_open(path, file, error);
    free(path);
    return status;
}

static rt_status open_parts(retort_checkpoint *checkpoint, rt_error *error) {
    const char *folder = checkpoint->folder;
    char *checksums = rt_path_join(folder, RETORT_CHECKSUMS_FILE);
    if (!checksums) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = RT_OK;
    if (!rt_folder_exists(folder))
        status = rt_fail(error, RT_NOT_FOUND, "%s: no such folder", folder);
    else if (rt_file_exists(checksums))
        status = open_saved(checkpoint, checksums, error);
    free(checksums);
    RT_TRY(status);
    RT_TRY(open_tensors(folder, RETORT_MODEL_FILE, true, &checkpoint->model, error));
    return open_tensors(folder, RETORT_OPTIMIZER_FILE, false, &checkpoint->optimizer, error);
}

rt_status retort_checkpoint_open(const char *folder, retort_checkpoint *checkpoint,
                                 rt_error *error) {
    *checkpoint = (retort_checkpoint){.folder = strdup(folder)};
    if (!checkpoint->folder) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = open_parts(checkpoint, error);
    if (status != RT_OK) retort_checkpoint_close(checkpoint);
    return status;
}

void retort_checkpoint_close(retort_checkpoint *checkpoint) {
    rt_safetensors_close(&checkpoint->model);
    rt_safetensors_close(&checkpoint->optimizer);
    json_decref(checkpoint->trainer);
    free(checkpoint->folder);
    *checkpoint = (retort_checkpoint){0};
}

/* ---- loading */

static const rt_safetensors *file_of(const retort_checkpoint *checkpoint,
                                     const retort_parameter *parameter) {
    if (retort_checkpoint_holds(parameter)) return &checkpoint->model;
    return parameter->kind == RETORT_STATE ? &checkpoint->optimizer : NULL;
}

bool retort_checkpoint_gives(const retort_parameter *parameter, void *argument) {
    const rt_safetensors *file = file_of(argument, parameter);
    return file && file->by_name && rt_safetensors_find(file, parameter->name);
}

const char *retort_shape_text(int rank, const int64_t *dims, char text[128]) {
    int used = snprintf(text, 128, "[");
    for (int i = 0; i < rank && used < 100; ++i)
        used += snprintf(text + used, 128 - (size_t)used, "%s%" PRId64, i ? ", " : "", dims[i]);
    snprintf(text + used, 128 - (size_t)used, "]");
    return text;
}

void retort_copy_values(const retort_parameter *p, void *memory, const rt_safetensor *tensor,
                        const rt_mapped_file *file) {
    size_t width = rt_dtype_bytes(tensor->dtype);
    for (size_t begin = 0; begin < tensor->size_bytes; begin += RT_FILE_PIECE) {
        size_t left = tensor->size_bytes - begin,
               size = left < RT_FILE_PIECE ? left : RT_FILE_PIECE;
        if (tensor->dtype == (rt_dtype)p->dtype)
            memcpy((uint8_t *)memory + begin, (const uint8_t *)tensor->data + begin, size);
        else
            for (size_t i = begin / width; i < (begin + size) / width; ++i)
                rt_element_set_double((rt_dtype)p->dtype, memory, i,
                                      rt_element_as_double(tensor->dtype, tensor->data, i));
        rt_file_discard(file, (size_t)tensor->offset + begin, size);
    }
}

/* The tensor of a parameter, of its shape. */
static rt_status find_tensor(const retort_checkpoint *checkpoint, const retort_parameter *p,
                             const rt_safetensor **found_tensor, rt_error *error) {
    const rt_safetensors *file = file_of(checkpoint, p);
    const char *name = p->kind == RETORT_STATE ? RETORT_OPTIMIZER_FILE : RETORT_MODEL_FILE;
    const rt_safetensor *tensor = file->by_name ? rt_safetensors_find(file, p->name) : NULL;
    char wanted[128], found[128];
    if (!tensor)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s/%s: has no tensor '%s'; it belongs to another model or method",
                       checkpoint->folder, name, p->name);
    if (tensor->rank != (int)p->rank ||
        memcmp(tensor->dims, p->dims, p->rank * sizeof *p->dims) != 0)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s/%s: tensor '%s' has shape %s, but this program's model needs %s",
                       checkpoint->folder, name, p->name,
                       retort_shape_text(tensor->rank, tensor->dims, found),
                       retort_shape_text((int)p->rank, p->dims, wanted));
    *found_tensor = tensor;
    return RT_OK;
}

rt_status retort_checkpoint_give(const retort_parameter *parameter, void *memory, void *argument,
                                 rt_error *error) {
    const rt_safetensor *tensor;
    RT_TRY(find_tensor(argument, parameter, &tensor, error));
    retort_copy_values(parameter, memory, tensor, &file_of(argument, parameter)->file);
    return RT_OK;
}

rt_status retort_checkpoint_load(const retort_checkpoint *checkpoint, retort_instance *instance,
                                 bool needs_state, rt_error *error) {
    const retort_program *program = retort_instance_program(instance);
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        const rt_safetensor *tensor;
        if (!file_of(checkpoint, p) || (p->kind == RETORT_STATE && !needs_state)) continue;
        RT_TRY(find_tensor(checkpoint, p, &tensor, error));
        void *memory = retort_instance_parameter(instance, (int)i);
        if (memory) retort_copy_values(p, memory, tensor, &file_of(checkpoint, p)->file);
    }
    retort_instance_weights_changed(instance);
    return RT_OK;
}
