// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/base/checksum.h"
#include "runtime/program.h"
#include "runtime/text/tokenizer_config.h"
#include "runtime/train/checkpoint_internal.h"

#define SET(name) RETORT_SETTING_##name
#define TEACHER_PREFIX "teacher/"

bool retort_checkpoint_holds(const retort_parameter *parameter) {
    return parameter->kind == RETORT_WEIGHT &&
           strncmp(parameter->name, TEACHER_PREFIX, strlen(TEACHER_PREFIX)) != 0;
}

uint64_t retort_checkpoint_bytes(const retort_program *program) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        if (retort_checkpoint_holds(p) || p->kind == RETORT_STATE)
            bytes += retort_parameter_bytes(p);
    }
    return bytes;
}

rt_status retort_file_checksum(const char *path, uint64_t *checksum, rt_error *error) {
    rt_mapped_file file;
    RT_TRY(rt_file_map(path, &file, error));
    rt_checksum_state state;
    rt_checksum_begin(&state);
    for (size_t begin = 0; begin < file.size; begin += RT_FILE_PIECE) {
        size_t size = file.size - begin < RT_FILE_PIECE ? file.size - begin : RT_FILE_PIECE;
        rt_checksum_add(&state, file.data + begin, size);
        rt_file_discard(&file, begin, size);
    }
    rt_file_unmap(&file);
    *checksum = rt_checksum_end(&state);
    return RT_OK;
}

/* ---- one folder being written */

typedef struct folder_writer {
    const retort_checkpoint_source *source;
    const char *folder; /* the temporary one */
    rt_error *error;
    char *path; /* of the file at hand */
} folder_writer;

/* The path of a file in the folder; lent until the next call. */
static const char *path_of(folder_writer *w, const char *name) {
    free(w->path);
    w->path = rt_path_join(w->folder, name);
    return w->path;
}

#define NEED_PATH(w, name)                                                                    \
    do {                                                                                      \
        if (!path_of(w, name)) return rt_fail((w)->error, RT_OUT_OF_MEMORY, "out of memory"); \
    } while (0)

static bool is_state(const retort_parameter *parameter) {
    return parameter->kind == RETORT_STATE;
}

/* Values of what the instance does not keep, one at a time. */
typedef struct unkept {
    const retort_instance *instance;
    uint32_t *parameters; /* by tensor */
    void *values;         /* of the largest */
} unkept;

static rt_status read_unkept(void *argument, size_t tensor, const void **bytes, rt_error *error) {
    unkept *u = argument;
    *bytes = u->values;
    return retort_instance_read(u->instance, (int)u->parameters[tensor], u->values, error);
}

static rt_status write_tensors(folder_writer *w, const char *name,
                               bool (*is_part)(const retort_parameter *parameter)) {
    static const char *const metadata[] = {"format", "pt"}; /* transformers asks for it */
    const retort_program *program = retort_instance_program(w->source->instance);
    rt_safetensor *tensors = calloc(program->parameter_count + 1, sizeof *tensors);
    unkept u = {.instance = w->source->instance,
                .parameters = calloc(program->parameter_count + 1, sizeof *u.parameters)};
    size_t count = 0, most = 0;
    for (uint32_t i = 0; tensors && u.parameters && i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        if (!is_part(p)) continue;
        rt_safetensor *t = &tensors[count];
        *t = (rt_safetensor){.name = p->name,
                             .dtype = (rt_dtype)p->dtype,
                             .rank = (int)p->rank,
                             .data = retort_instance_parameter(w->source->instance, (int)i),
                             .size_bytes = retort_parameter_bytes(p)};
        memcpy(t->dims, p->dims, sizeof t->dims);
        if (!t->data && t->size_bytes > most) most = (size_t)t->size_bytes;
        u.parameters[count++] = i;
    }
    if (most) u.values = malloc(most);
    rt_safetensors_job job = {NULL, tensors, count, metadata, 1, read_unkept, &u};
    rt_status status = RT_OK;
    if (!tensors || !u.parameters || (most && !u.values) || (count && !path_of(w, name)))
        status = rt_fail(w->error, RT_OUT_OF_MEMORY, "out of memory");
    job.path = w->path;
    if (status == RT_OK && count) status = rt_safetensors_write_job(&job, w->error);
    free(u.values);
    free(u.parameters);
    free(tensors);
    return status;
}

/* ---- files of the compiler */

/* Whether config.json names the classes as the data does. */
static bool names_classes(const json_t *config, const rt_labels *labels) {
    const json_t *names = json_object_get(config, "id2label");
    bool is_same = json_object_size(names) == labels->count;
    for (size_t c = 0; is_same && c < labels->count; ++c) {
        char number[24];
        snprintf(number, sizeof number, "%zu", c);
        const char *name = json_string_value(json_object_get(names, number));
        is_same = name && strcmp(name, labels->names[c]) == 0;
    }
    return is_same;
}

static void name_classes(json_t *config, const rt_labels *labels) {
    json_t *names = json_object(), *numbers = json_object();
    for (size_t c = 0; c < labels->count; ++c) {
        char number[24];
        snprintf(number, sizeof number, "%zu", c);
        json_object_set_new(names, number, json_string(labels->names[c]));
        json_object_set_new(numbers, labels->names[c], json_integer((json_int_t)c));
    }
    json_object_set_new(config, "id2label", names);
    json_object_set_new(config, "label2id", numbers);
}

/* config.json with the classes of the data, which the compiler may not have known. */
static rt_status write_config(folder_writer *w, const char *text) {
    const rt_labels *labels = &w->source->data->labels;
    json_t *config;
    rt_writer writer;
    RT_TRY(rt_json_parse("config.json", text, strlen(text), &config, w->error));
    bool is_right = !labels->count || !json_is_object(config) || names_classes(config, labels);
    rt_status status = RT_OK;
    if (is_right) {
        status = rt_file_replace(w->path, text, strlen(text), w->error);
    } else {
        name_classes(config, labels);
        status = rt_writer_open(&writer, w->path, w->error);
        rt_json_writer json = {.out = &writer, .is_pretty = true};
        if (status == RT_OK) {
            rt_json_put_value(&json, NULL, config);
            status = rt_writer_commit(&writer, w->error);
        }
    }
    json_decref(config);
    return status;
}

static rt_status write_model_files(folder_writer *w) {
    json_t *files = json_object_get(w->source->settings->program, "checkpoint"), *value;
    const char *name;
    json_object_foreach(files, name, value) {
        const char *text = json_string_value(value);
        if (!text || strchr(name, '/') || *name == '.') continue;
        NEED_PATH(w, name);
        RT_TRY(strcmp(name, "config.json") == 0
                   ? write_config(w, text)
                   : rt_file_replace(w->path, text, strlen(text), w->error));
    }
    return RT_OK;
}

static rt_status write_tokenizer(folder_writer *w) {
    const rt_vocabulary *vocabulary = w->source->data->vocabulary;
    const retort_settings *settings = w->source->settings;
    if (!vocabulary) return RT_OK;
    NEED_PATH(w, "vocab.txt");
    RT_TRY(rt_vocabulary_write(vocabulary, w->path, w->error));
    NEED_PATH(w, "tokenizer_config.json");
    size_t length = (size_t)retort_settings_get(settings, SET(data_max_length))->integer;
    return rt_tokenizer_config_write(w->path, rt_tokenizer_options_of(w->source->data->tokenizer),
                                     length, w->error);
}

/* ---- trainer.json */

static void put_COUNT(rt_json_writer *json, const char *key, uint64_t value) {
    rt_json_put_integer(json, key, (int64_t)value);
}

static void put_REAL(rt_json_writer *json, const char *key, double value) {
    rt_json_put_double(json, key, value);
}

static void put_FLAG(rt_json_writer *json, const char *key, bool value) {
    rt_json_put_boolean(json, key, value);
}

static void write_state(const retort_train_state *state, rt_json_writer *json) {
    char checksum[20];
    rt_json_begin_object(json, "state");
#define PUT(name, kind) put_##kind(json, #name, state->name);
    RETORT_STATE_FIELDS(PUT)
#undef PUT
    rt_json_begin_array(json, "window_terms");
    for (size_t i = 0; i < RETORT_MAX_TERMS; ++i)
        rt_json_put_double(json, NULL, state->window_terms[i]);
    rt_json_end(json);
    snprintf(checksum, sizeof checksum, "%016" PRIx64, state->data_checksum);
    rt_json_put_string(json, "data_checksum", checksum);
    rt_json_end(json);
}

static rt_status write_trainer(folder_writer *w) {
    rt_writer writer;
    const rt_labels *labels = &w->source->data->labels;
    NEED_PATH(w, RETORT_TRAINER_FILE);
    RT_TRY(rt_writer_open(&writer, w->path, w->error));
    rt_json_writer json = {.out = &writer, .is_pretty = true};
    rt_json_begin_object(&json, NULL);
    rt_json_put_integer(&json, "format", RETORT_CHECKPOINT_FORMAT);
    rt_json_put_string(&json, "program", retort_instance_program(w->source->instance)->name);
    rt_json_put_string(&json, "goal", w->source->data->goal.name);
    write_state(w->source->state, &json);
    rt_json_begin_array(&json, "labels");
    for (size_t i = 0; i < labels->count; ++i) rt_json_put_string(&json, NULL, labels->names[i]);
    rt_json_end(&json);
    retort_settings_write(w->source->settings, "settings", &json);
    rt_json_end(&json);
    return rt_writer_commit(&writer, w->error);
}

/* ---- the whole */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a folder in alphabetical order; the caller frees each and the array. */
static rt_status list_files(const char *folder, char ***names, size_t *count, rt_error *error) {
    DIR *stream = opendir(folder);
    size_t capacity = 0;
    bool is_complete = true;
    *names = NULL;
    *count = 0;
    if (!stream) return rt_fail(error, RT_IO, "%s: %s", folder, strerror(errno));
    for (struct dirent *entry; is_complete && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        is_complete = rt_reserve(names, &capacity, *count + 1, sizeof **names) &&
                      ((*names)[*count] = strdup(entry->d_name));
        if (is_complete) ++*count;
    }
    closedir(stream);
    if (*count) qsort(*names, *count, sizeof **names, compare_names);
    return is_complete ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}

static void free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; ++i) free(names[i]);
    free(names);
}

static rt_status write_checksums(folder_writer *w) {
    char **names;
    size_t count;
    rt_writer writer = {0};
    rt_status status = list_files(w->folder, &names, &count, w->error);
    if (status == RT_OK && !path_of(w, RETORT_CHECKSUMS_FILE)) status = RT_OUT_OF_MEMORY;
    if (status == RT_OK) status = rt_writer_open(&writer, w->path, w->error);
    for (size_t i = 0; status == RT_OK && i < count; ++i) {
        uint64_t checksum;
        const char *path = path_of(w, names[i]);
        status = path ? retort_file_checksum(path, &checksum, w->error) : RT_OUT_OF_MEMORY;
        if (status == RT_OK) rt_writer_print(&writer, "%016" PRIx64 "  %s\n", checksum, names[i]);
    }
    if (status == RT_OK)
        status = rt_writer_commit(&writer, w->error);
    else
        rt_writer_abandon(&writer);
    free_names(names, count);
    return status;
}

static rt_status write_files(folder_writer *w) {
    RT_TRY(write_tensors(w, RETORT_MODEL_FILE, retort_checkpoint_holds));
    RT_TRY(write_tensors(w, RETORT_OPTIMIZER_FILE, is_state));
    RT_TRY(write_model_files(w));
    RT_TRY(write_tokenizer(w));
    RT_TRY(write_trainer(w));
    return write_checksums(w);
}

/* "<folder>.new", empty; the caller frees. What an earlier process left there goes. */
static rt_status begin_folder(const char *folder, char **temporary, rt_error *error) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') --length;
    *temporary = malloc(length + 5);
    if (!*temporary) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    memcpy(*temporary, folder, length);
    strcpy(*temporary + length, ".new");
    RT_TRY(rt_folder_delete(*temporary, error));
    return rt_folder_create(*temporary, error);
}

/* Puts the folder into its place, or removes it. */
static rt_status end_folder(rt_status status, char *temporary, const char *folder,
                            rt_error *error) {
    if (status == RT_OK) status = rt_folder_replace(temporary, folder, error);
    if (status != RT_OK && temporary) (void)rt_folder_delete(temporary, NULL);
    free(temporary);
    return status;
}

rt_status retort_checkpoint_write(const retort_checkpoint_source *source, const char *folder,
                                  rt_error *error) {
    char *temporary = NULL;
    rt_status status = begin_folder(folder, &temporary, error);
    folder_writer writer = {.source = source, .folder = temporary, .error = error};
    if (status == RT_OK) status = write_files(&writer);
    free(writer.path);
    return end_folder(status, temporary, folder, error);
}

/* ---- copying */

/* The large files; texts are copied, since people edit them. */
static bool is_tensor_file(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && strcmp(dot, ".safetensors") == 0;
}

static rt_status copy_file(const char *from, const char *to, rt_error *error) {
    rt_mapped_file file;
    rt_writer writer;
    if (is_tensor_file(from) && link(from, to) == 0) return RT_OK;
    RT_TRY(rt_file_map(from, &file, error));
    rt_status status = rt_writer_open(&writer, to, error);
    if (status == RT_OK) {
        rt_writer_write(&writer, file.data, file.size);
        status = rt_writer_commit(&writer, error);
    }
    rt_file_unmap(&file);
    return status;
}

static rt_status copy_files(const char *from, const char *to, rt_error *error) {
    char **names;
    size_t count;
    rt_status status = list_files(from, &names, &count, error);
    for (size_t i = 0; status == RT_OK && i < count; ++i) {
        char *source = rt_path_join(from, names[i]), *target = rt_path_join(to, names[i]);
        status = source && target ? copy_file(source, target, error) : RT_OUT_OF_MEMORY;
        free(source);
        free(target);
    }
    free_names(names, count);
    return status;
}

rt_status retort_checkpoint_copy(const char *from, const char *to, rt_error *error) {
    char *temporary = NULL;
    rt_status status = begin_folder(to, &temporary, error);
    if (status == RT_OK) status = copy_files(from, temporary, error);
    return end_folder(status, temporary, to, error);
}
