// SPDX-License-Identifier: Apache-2.0
#include "models/huggingface.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"

enum { MOST_MESSAGES = 10 }; /* of one kind; the rest is counted */

/* ---- files */

static bool has_ending(const char *path, const char *ending) {
    size_t length = strlen(path), size = strlen(ending);
    return length > size && strcmp(path + length - size, ending) == 0;
}

static const char *absolute(const char *path, rt_arena *arena) {
    char *real = realpath(path, NULL);
    const char *copy = rt_arena_copy_string(arena, real ? real : path);
    free(real);
    return copy;
}

/* The path of folder/name, or NULL where it is no file. */
static const char *find_file(const char *folder, const char *name, rt_arena *arena) {
    const char *path = rt_arena_format(arena, "%s/%s", folder, name);
    return path && rt_file_exists(path) ? absolute(path, arena) : NULL;
}

static rt_status missing_weights(const char *folder, rt_arena *arena, rt_error *error) {
    static const char *const others[] = {"pytorch_model.bin", "model.safetensors.index.json",
                                         "tf_model.h5"};
    for (size_t i = 0; i < RT_COUNT_OF(others); ++i) {
        if (!find_file(folder, others[i], arena)) continue;
        return rt_fail(error, RT_UNSUPPORTED,
                       "%s: weights are read from one model.safetensors; the folder has %s", folder,
                       others[i]);
    }
    return rt_fail(error, RT_NOT_FOUND, "%s: there is no model.safetensors in the folder", folder);
}

/* "teacher_config.json" beside "teacher.safetensors". */
static const char *find_own_config(const char *path, rt_arena *arena) {
    size_t stem = strlen(path) - strlen(".safetensors");
    const char *own = rt_arena_format(arena, "%.*s_config.json", (int)stem, path);
    return own && rt_file_exists(own) ? absolute(own, arena) : NULL;
}

/* The folder that the other files are looked for in. */
static const char *folder_of(const char *path, bool is_file, rt_arena *arena) {
    char *parent = is_file ? rt_path_folder(path) : NULL;
    const char *folder = is_file && parent ? rt_arena_copy_string(arena, parent) : path;
    free(parent);
    return folder;
}

rt_status rt_saved_model_find(const char *path, rt_arena *arena, rt_saved_model *model,
                              rt_error *error) {
    if (error) error->text[0] = 0;
    *model = (rt_saved_model){0};
    bool is_onnx = has_ending(path, ".onnx");
    bool is_file = is_onnx || has_ending(path, ".safetensors");
    const char *folder = folder_of(path, is_file, arena);
    if (!folder) return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    if (is_file && !rt_file_exists(path))
        return rt_fail(error, RT_NOT_FOUND, "%s: no such file", path);
    model->vocabulary = find_file(folder, "vocab.txt", arena);
    model->tokenizer_config = find_file(folder, "tokenizer_config.json", arena);
    if (is_onnx) return RT_OK;
    model->config = is_file ? find_own_config(path, arena) : NULL;
    if (!model->config) model->config = find_file(folder, "config.json", arena);
    if (!model->config)
        return rt_fail(error, RT_NOT_FOUND, "%s: there is no config.json in the folder", folder);
    model->weights =
        is_file ? absolute(path, arena) : find_file(folder, "model.safetensors", arena);
    return model->weights ? RT_OK : missing_weights(folder, arena, error);
}

/* ---- names */

typedef struct loader {
    rt_module *module;
    const rt_model_config *config;
    const rt_load_options *options;
    rt_diagnostics *diagnostics;
    rt_arena *arena;
    const char *path;
    rt_safetensors file;
    bool *is_used;         /* by tensor of the file */
    uint32_t file_index;   /* in the module */
    size_t missing, wrong; /* messages so far */
} loader;

/* Older files call a norm's weight gamma and its bias beta. */
static const char *older_norm_name(const char *name, rt_arena *arena) {
    const char *leaf = strrchr(name, '.');
    bool is_norm = leaf && strstr(name, "LayerNorm.");
    if (!is_norm) return NULL;
    const char *older = strcmp(leaf, ".weight") == 0 ? "gamma" : "beta";
    return rt_arena_format(arena, "%.*s.%s", (int)(leaf - name), name, older);
}

static const rt_safetensor *find_named(loader *l, const char *name) {
    const rt_safetensor *tensor = name ? rt_safetensors_find(&l->file, name) : NULL;
    if (tensor || !name) return tensor;
    const char *older = older_norm_name(name, l->arena);
    return older ? rt_safetensors_find(&l->file, older) : NULL;
}

static const rt_safetensor *find_tensor(loader *l, const rt_model_parameter *p) {
    const char *prefix = rt_family_facts_of(l->config->family)->prefix;
    size_t length = strlen(prefix);
    const rt_safetensor *tensor = find_named(l, p->name);
    if (tensor || p->is_head) return tensor;
    bool has_prefix = length && strncmp(p->name, prefix, length) == 0;
    return find_named(l, has_prefix ? p->name + length
                                    : rt_arena_format(l->arena, "%s%s", prefix, p->name));
}

/* ---- one parameter */

static const char *shape_text(const int64_t *dims, int rank, rt_arena *arena) {
    const char *text = "";
    for (int i = 0; i < rank && text; ++i)
        text = rt_arena_format(arena, "%s%s%lld", text, i ? "," : "", (long long)dims[i]);
    return text ? text : "";
}

static bool has_shape(const rt_safetensor *tensor, const rt_model_parameter *p) {
    if (tensor->rank != p->rank || !rt_dtype_is_float(tensor->dtype)) return false;
    for (int i = 0; i < p->rank; ++i) {
        if (tensor->dims[i] != p->dims[i]) return false;
    }
    return true;
}

static void say_missing(loader *l, const rt_model_parameter *p) {
    if (p->is_head && !l->options->needs_head) {
        rt_diagnose(l->diagnostics, RT_NOTE, l->options->location,
                    "'%s' is not in %s; it starts from random values", p->name, l->path);
    } else if (l->missing++ < MOST_MESSAGES) {
        rt_diagnose(l->diagnostics, RT_ERROR, l->options->location, "'%s' [%s] is not in %s%s",
                    p->name, shape_text(p->dims, p->rank, l->arena), l->path,
                    !p->is_head ? ""
                    : l->config->predicts_tokens
                        ? ", but a trained masked language model is needed here"
                        : ", but a trained classifier is needed here");
    }
}

static void say_wrong(loader *l, const rt_model_parameter *p, const rt_safetensor *tensor) {
    const char *found = shape_text(tensor->dims, tensor->rank, l->arena);
    const char *wanted = shape_text(p->dims, p->rank, l->arena);
    bool is_fresh = p->is_head && !l->options->needs_head && rt_dtype_is_float(tensor->dtype);
    if (is_fresh) {
        rt_diagnose(l->diagnostics, RT_NOTE, l->options->location,
                    "'%s' is [%s] in %s, but this task needs [%s]; it starts from random values",
                    p->name, found, l->path, wanted);
    } else if (l->wrong++ < MOST_MESSAGES) {
        rt_diagnose(l->diagnostics, RT_ERROR, l->options->location,
                    "'%s' is %s[%s] in %s, but must be f32[%s] (or f16, bf16, f64)", p->name,
                    rt_dtype_text(tensor->dtype), found, l->path, wanted);
    }
}

static void set_source(loader *l, rt_parameter parameter, const rt_safetensor *tensor) {
    rt_parameter_info *info = rt_module_edit_parameter(l->module, parameter);
    info->initial = RT_INITIAL_SOURCE;
    info->source = (rt_source){.file = l->file_index,
                               .offset = tensor->offset,
                               .size_bytes = tensor->size_bytes,
                               .dtype = tensor->dtype,
                               .transform = RT_TRANSFORM_NONE,
                               .tensor_name = rt_module_intern(l->module, tensor->name)};
}

static void load_parameter(loader *l, const rt_model_parameter *p) {
    const char *name = rt_arena_format(l->arena, "%s%s", l->options->parameter_prefix, p->name);
    rt_parameter parameter = name ? rt_module_find_parameter(l->module, name) : RT_NO_PARAMETER;
    const rt_safetensor *tensor = find_tensor(l, p);
    if (tensor) l->is_used[tensor - l->file.tensors] = true;
    if (!rt_parameter_is(parameter)) return; /* the graphs that were built do not use it */
    if (!tensor) {
        say_missing(l, p);
    } else if (!has_shape(tensor, p)) {
        say_wrong(l, p, tensor);
    } else {
        set_source(l, parameter, tensor);
    }
}

/* Tokens are predicted by the table of word embeddings; a file that holds the decoder once more
 * must hold the same. */
static void check_decoder(loader *l) {
    static const char *const decoders[] = {"cls.predictions.decoder.weight",
                                           "vocab_projector.weight", "lm_head.decoder.weight"};
    rt_model_parameter words = rt_model_describe_parameter(l->config, RT_MODULE_word_embeddings, -1,
                                                           RT_LEAF_WEIGHT, l->arena);
    const rt_safetensor *table = words.name ? find_tensor(l, &words) : NULL;
    bool is_read = l->config->predicts_tokens && (l->options->parts & RT_PART_HEAD);
    for (size_t i = 0; is_read && table && i < RT_COUNT_OF(decoders); ++i) {
        const rt_safetensor *decoder = rt_safetensors_find(&l->file, decoders[i]);
        if (!decoder) continue;
        bool is_same = decoder->size_bytes == table->size_bytes &&
                       memcmp(decoder->data, table->data, table->size_bytes) == 0;
        if (is_same) continue;
        rt_diagnose(l->diagnostics, RT_ERROR, l->options->location,
                    "'%s' differs from '%s' in %s; tokens are predicted by the table of word "
                    "embeddings alone",
                    decoder->name, table->name, l->path);
        ++l->wrong;
    }
}

/* ---- what is left over */

/* Heads of pretraining and buffers that are no weights. */
static bool is_known_extra(const char *name) {
    static const char *const starts[] = {"cls.",        "lm_head.",    "vocab_",
                                         "qa_outputs.", "classifier.", "pre_classifier."};
    static const char *const ends[] = {"position_ids", "token_type_ids"};
    for (size_t i = 0; i < RT_COUNT_OF(starts); ++i) {
        if (strncmp(name, starts[i], strlen(starts[i])) == 0) return true;
    }
    for (size_t i = 0; i < RT_COUNT_OF(ends); ++i) {
        if (has_ending(name, ends[i])) return true;
    }
    return strstr(name, "pooler.") != NULL;
}

/* Length of the name's part up to a layer's number: of "bert.encoder.layer.0." 21; 0 without. */
static size_t layer_length(const char *name) {
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t digits = strspn(dot + 1, "0123456789");
        if (digits && dot[1 + digits] == '.') return (size_t)(dot - name) + digits + 2;
    }
    return 0;
}

/* The maps of a distillation, which are looked for where one asks for them. */
static bool is_projection(const char *name) {
    return strncmp(name, "fit_", 4) == 0;
}

/* Stands in one of the model's layers, as what a method adds does. */
static bool is_in_layer(const rt_model_parameters *list, const char *name) {
    size_t length = layer_length(name);
    for (size_t i = 0; length && i < list->count; ++i)
        if (strncmp(list->items[i].name, name, length) == 0) return true;
    return false;
}

static void say_extra(loader *l, const rt_model_parameters *list) {
    size_t known = 0, unknown = 0, added = 0;
    const char *example = "", *addition = "";
    for (size_t i = 0; i < l->file.count; ++i) {
        const char *name = l->file.tensors[i].name;
        if (l->is_used[i] || is_projection(name)) continue;
        if (is_known_extra(name)) {
            if (!known++) example = name;
        } else if (is_in_layer(list, name)) {
            if (!added++) addition = name;
        } else if (unknown++ < MOST_MESSAGES) {
            rt_diagnose(l->diagnostics, RT_WARNING, l->options->location,
                        "'%s' in %s is not part of a %s model and is not used", name, l->path,
                        rt_family_facts_of(l->config->family)->model_type);
        }
    }
    if (unknown > MOST_MESSAGES)
        rt_diagnose(l->diagnostics, RT_WARNING, l->options->location,
                    "%zu more tensors in %s are not used", unknown - MOST_MESSAGES, l->path);
    if (added)
        rt_diagnose(l->diagnostics, RT_WARNING, l->options->location,
                    "%zu tensors in %s, such as '%s', are not part of a %s model; only a method "
                    "that adds them uses them",
                    added, l->path, addition, rt_family_facts_of(l->config->family)->model_type);
    if (known)
        rt_diagnose(l->diagnostics, RT_NOTE, l->options->location,
                    "%zu tensors in %s are for other uses of the model: '%s'%s", known, l->path,
                    example, known > 1 ? " …" : "");
}

static void say_more(loader *l, size_t count, const char *what) {
    if (count > MOST_MESSAGES)
        rt_diagnose(l->diagnostics, RT_ERROR, l->options->location, "%zu more tensors of %s %s",
                    count - MOST_MESSAGES, l->path, what);
}

rt_status rt_model_load_sources(rt_module *module, const rt_model_config *config, const char *path,
                                const rt_load_options *options, rt_diagnostics *diagnostics) {
    rt_arena arena = {0};
    loader l = {.module = module,
                .config = config,
                .options = options,
                .diagnostics = diagnostics,
                .arena = &arena,
                .path = path};
    rt_error error;
    rt_status status = rt_safetensors_open(path, &l.file, &error);
    if (status != RT_OK)
        return rt_diagnose_error(diagnostics, status, options->location, "%s", error.text);
    size_t errors = diagnostics->error_count;
    rt_model_parameters list;
    l.is_used = RT_NEW_ARRAY(&arena, bool, l.file.count);
    l.file_index = rt_module_add_file(module, path);
    bool has_memory = l.is_used && rt_model_list_parameters(config, options->parts, &arena, &list);
    for (size_t i = 0; has_memory && i < list.count; ++i) load_parameter(&l, &list.items[i]);
    if (has_memory) check_decoder(&l);
    if (has_memory) {
        say_more(&l, l.missing, "are missing");
        say_more(&l, l.wrong, "have another shape");
        if (!options->has_additions) say_extra(&l, &list);
    }
    rt_safetensors_close(&l.file);
    bool has_failed = rt_arena_failed(&arena);
    rt_arena_deinit(&arena);
    if (has_failed) return RT_OUT_OF_MEMORY;
    return diagnostics->error_count > errors ? RT_INVALID_DATA : RT_OK;
}

/* ---- what a method added */

static bool is_own(const rt_model_parameters *list, const char *name) {
    for (size_t i = 0; i < list->count; ++i)
        if (strcmp(list->items[i].name, name) == 0) return true;
    return false;
}

static void load_added(loader *l, rt_parameter parameter) {
    const rt_parameter_info *info = rt_module_parameter(l->module, parameter);
    const rt_safetensor *tensor = rt_safetensors_find(&l->file, info->name);
    rt_model_parameter wanted = {.name = info->name, .rank = info->type.rank};
    const rt_dim_table *dims = rt_module_dims(l->module);
    bool is_absent = !tensor && !l->options->needs_head;
    if (is_absent || info->type.rank > 2) return;
    for (int i = 0; i < info->type.rank; ++i)
        if (!rt_dim_is_constant(dims, info->type.dims[i], &wanted.dims[i])) return;
    if (!tensor)
        say_missing(l, &wanted);
    else if (has_shape(tensor, &wanted))
        set_source(l, parameter, tensor);
    else
        say_wrong(l, &wanted, tensor);
}

rt_status rt_model_load_added(rt_module *module, const rt_model_config *config, const char *path,
                              const rt_load_options *options, rt_diagnostics *diagnostics) {
    rt_arena arena = {0};
    loader l = {.module = module,
                .config = config,
                .options = options,
                .diagnostics = diagnostics,
                .arena = &arena,
                .path = path,
                .file_index = rt_module_add_file(module, path)};
    rt_error error;
    rt_model_parameters list;
    rt_status status = rt_safetensors_open(path, &l.file, &error);
    if (status != RT_OK)
        return rt_diagnose_error(diagnostics, status, options->location, "%s", error.text);
    if (!rt_model_list_parameters(config, RT_PART_HEAD, &arena, &list)) status = RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; status == RT_OK && i < rt_module_parameter_count(module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){i});
        if (info->kind == RT_PARAMETER_WEIGHT && info->initial != RT_INITIAL_SOURCE &&
            !is_own(&list, info->name))
            load_added(&l, (rt_parameter){i});
    }
    rt_safetensors_close(&l.file);
    rt_arena_deinit(&arena);
    return status == RT_OK && (l.wrong || l.missing) ? RT_INVALID_DATA : status;
}

/* ---- layers of a teacher */

typedef struct copier {
    rt_module *module;
    const rt_model_config *student, *teacher;
    const char *prefix;
    rt_location location;
    rt_arena *arena;
} copier;

/* A parameter's source cut to the first rows; false where the shapes do not allow it. */
static bool cut_source(const copier *c, const rt_parameter_info *from, const rt_model_parameter *to,
                       rt_source *source) {
    const rt_dim_table *dims = rt_module_dims(c->module);
    int64_t sizes[RT_MAX_RANK], count;
    if (from->type.rank != to->rank || !rt_type_is_static(dims, from->type, sizes, &count))
        return false;
    if (to->rank == 2 && sizes[1] != to->dims[1]) return false;
    *source = from->source;
    if (sizes[0] == to->dims[0]) return true;
    bool is_cut = to->module == RT_MODULE_position_embeddings && to->dims[0] < sizes[0] &&
                  from->source.transform == RT_TRANSFORM_NONE;
    source->size_bytes = source->size_bytes / (uint64_t)sizes[0] * (uint64_t)to->dims[0];
    return is_cut;
}

/* A classifier starts anew; a head that predicts tokens is the teacher's. */
static rt_model_parts head_parts(const copier *c) {
    bool is_shared = c->student->predicts_tokens && c->teacher->predicts_tokens;
    return is_shared ? RT_PART_HEAD : RT_PART_ENCODER;
}

static rt_status copy_parameter(const copier *c, const rt_model_parameter *to, int64_t layer) {
    rt_model_parts parts = head_parts(c);
    if (!rt_model_has_module(c->teacher, to->module, parts)) return RT_OK;
    const char *name = rt_model_parameter_name(c->teacher, to->module, layer, to->leaf, c->arena);
    name = name ? rt_arena_format(c->arena, "%s%s", c->prefix, name) : NULL;
    if (!name) return RT_OUT_OF_MEMORY;
    rt_parameter theirs = rt_module_find_parameter(c->module, name);
    rt_parameter ours = rt_module_find_parameter(c->module, to->name);
    if (!rt_parameter_is(theirs) || !rt_parameter_is(ours)) return RT_OK;
    const rt_parameter_info *from = rt_module_parameter(c->module, theirs);
    rt_source source = {0};
    if (!cut_source(c, from, to, &source))
        return rt_diagnose_error(rt_module_diagnostics(c->module), RT_INVALID_DATA, c->location,
                                 "'%s' is %s and cannot start '%s' [%s]", name,
                                 rt_type_text(rt_module_dims(c->module), from->type, c->arena),
                                 to->name, shape_text(to->dims, to->rank, c->arena));
    rt_parameter_info *info = rt_module_edit_parameter(c->module, ours);
    info->initial = from->initial;
    info->initial_value = from->initial_value;
    info->source = source;
    return RT_OK;
}

rt_status rt_model_copy_layers(rt_module *module, const rt_model_config *student,
                               const rt_model_config *teacher, const char *teacher_prefix,
                               const int64_t *layers, rt_location location) {
    rt_arena arena = {0};
    copier c = {.module = module,
                .student = student,
                .teacher = teacher,
                .prefix = teacher_prefix,
                .location = location,
                .arena = &arena};
    rt_model_parameters list;
    rt_status status = RT_OK;
    if (!rt_model_list_parameters(student, head_parts(&c), &arena, &list))
        status = RT_OUT_OF_MEMORY;
    for (size_t i = 0; status != RT_OUT_OF_MEMORY && i < list.count; ++i) {
        const rt_model_parameter *p = &list.items[i];
        rt_status result = copy_parameter(&c, p, p->layer < 0 ? -1 : layers[p->layer]);
        if (result != RT_OK) status = result;
    }
    rt_arena_deinit(&arena);
    return status;
}
