// SPDX-License-Identifier: Apache-2.0
/* `retort convert`: one form of a model to another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_export.h"
#include "runtime/base/file.h"
#include "runtime/text/labels.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/graph_dot.h"
#include "tools/model_file.h"
#include "tools/model_text.h"
#include "tools/tell.h"

static const char usage[] =
    "usage: retort convert IN OUT [OPTION]...\n"
    "Writes a model in another form. IN is an ONNX file, a Hugging Face folder (or its\n"
    ".safetensors file) or a graph in text form (.rtir). OUT says by its name what is written:\n"
    "\n"
    "  FILE.onnx      ONNX, operator set 17, rows padded under attention_mask; vocab.txt,\n"
    "                 tokenizer_config.json and labels.txt go beside it where IN has them\n"
    "  FILE.rtir      the graph in text form; weights stay where they are\n"
    "  FILE.dot       the graph for Graphviz\n"
    "  a folder       config.json, model.safetensors, vocab.txt, as transformers reads them\n"
    "\n"
    "  --vocabulary F   the vocabulary of IN, where it is not in the folder of IN\n"
    "  --labels F       names of the classes, one per line, in the order of the model's logits\n";

typedef struct request {
    const char *paths[2]; /* in, out */
    const char *vocabulary, *labels;
    model_file model;
    rt_error error;
} request;

/* ---- classes and vocabulary */

/* Names of classes: given, or of the file beside an ONNX model. */
static rt_status take_labels(request *r) {
    model_file *m = &r->model;
    const char *path = r->labels ? r->labels : m->labels;
    rt_labels labels = {0};
    if (!path || !m->has_config || !m->config.label_count) return RT_OK;
    RT_TRY(rt_labels_read(path, &labels, &r->error));
    rt_status status = RT_OK;
    if ((int64_t)labels.count != m->config.label_count)
        status = rt_fail(&r->error, RT_INVALID_DATA,
                         "%s: has %zu names; the model tells %lld classes apart", path,
                         labels.count, (long long)m->config.label_count);
    const char **names = RT_NEW_ARRAY(&m->arena, const char *, labels.count);
    for (size_t i = 0; status == RT_OK && i < labels.count; ++i) {
        if (names) names[i] = rt_arena_copy_string(&m->arena, labels.names[i]);
    }
    rt_labels_deinit(&labels);
    m->config.labels = names;
    return status;
}

static rt_status take_vocabulary(request *r) {
    rt_mapped_file file;
    if (!r->vocabulary) return RT_OK;
    RT_TRY(rt_file_map(r->vocabulary, &file, &r->error));
    rt_file_unmap(&file);
    r->model.files.vocabulary = r->vocabulary;
    return RT_OK;
}

/* ---- what goes beside an ONNX file */

/* Places `bytes` as a file beside the output; a file there with other content is not replaced, for
 * it belongs to another model. */
static rt_status place_bytes(request *r, const char *name, const void *bytes, size_t size) {
    char *folder = rt_path_folder(r->paths[1]), *path = folder ? rt_path_join(folder, name) : NULL;
    rt_mapped_file there = {0};
    rt_status status = path ? RT_OK : rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    if (status == RT_OK && rt_file_exists(path)) {
        status = rt_file_map(path, &there, &r->error);
        if (status == RT_OK && (there.size != size || memcmp(there.data, bytes, size) != 0))
            status = rt_fail(&r->error, RT_INVALID_ARGUMENT,
                             "%s: belongs to another model; write to a folder of its own", path);
    } else if (status == RT_OK) {
        status = rt_file_replace(path, bytes, size, &r->error);
    }
    rt_file_unmap(&there);
    free(path);
    free(folder);
    return status;
}

static rt_status place_copy(request *r, const char *name, const char *from) {
    rt_mapped_file file;
    if (!from) return RT_OK;
    RT_TRY(rt_file_map(from, &file, &r->error));
    rt_status status = place_bytes(r, name, file.data, file.size);
    rt_file_unmap(&file);
    return status;
}

static rt_status place_labels(request *r) {
    const rt_model_config *config = &r->model.config;
    const char *text = "";
    if (!config->labels) return RT_OK;
    for (int64_t i = 0; i < config->label_count && text; ++i)
        text = rt_arena_format(&r->model.arena, "%s%s\n", text, config->labels[i]);
    if (!text) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    return place_bytes(r, "labels.txt", text, strlen(text));
}

/* ---- the forms */

static rt_status need_family(request *r, const char *form) {
    const model_file *m = &r->model;
    if (m->has_config) return RT_OK;
    return rt_fail(&r->error, RT_UNSUPPORTED,
                   "%s: only models of a known family are written as %s: %s", m->path, form,
                   m->mismatch ? m->mismatch : "the text names none");
}

static rt_status write_onnx(request *r) {
    model_file *m = &r->model;
    RT_TRY(need_family(r, "ONNX"));
    RT_TRY(place_copy(r, "vocab.txt", m->files.vocabulary));
    RT_TRY(place_copy(r, "tokenizer_config.json", m->files.tokenizer_config));
    RT_TRY(place_labels(r));
    return rt_onnx_export(m->module, &m->config, m->parts, r->paths[1], &r->error);
}

static rt_status write_folder(request *r) {
    model_file *m = &r->model;
    if (rt_file_exists(r->paths[1]))
        return rt_fail(&r->error, RT_INVALID_ARGUMENT,
                       "%s: is a file; the output is FILE.onnx, FILE.rtir, FILE.dot or a folder",
                       r->paths[1]);
    RT_TRY(need_family(r, "a Hugging Face folder"));
    return rt_model_save(m->module, &m->config, m->parts, &m->files, r->paths[1], &r->error);
}

static rt_status write_text(request *r, const char *text) {
    if (!text) return rt_fail(&r->error, RT_OUT_OF_MEMORY, "out of memory");
    return rt_file_replace(r->paths[1], text, strlen(text), &r->error);
}

static rt_status write_model(request *r) {
    model_file *m = &r->model;
    const char *out = r->paths[1];
    RT_TRY(take_labels(r));
    RT_TRY(take_vocabulary(r));
    if (has_path_ending(out, ".onnx")) return write_onnx(r);
    if (has_path_ending(out, ".rtir")) return write_text(r, model_text(m));
    if (has_path_ending(out, ".dot")) return write_text(r, graph_dot_text(m->graph, &m->arena));
    return write_folder(r);
}

int command_convert(int argc, char **argv) {
    arguments a = {.command = "convert", .usage = usage, .argc = argc, .argv = argv};
    request r = {0};
    size_t count = 0;
    while (arguments_next(&a)) {
        if (arguments_text(&a, "--vocabulary", &r.vocabulary)) continue;
        if (arguments_text(&a, "--labels", &r.labels)) continue;
        arguments_operand(&a, r.paths, 2, &count);
    }
    if (a.exit_code >= 0) return a.exit_code;
    if (count < 2) return arguments_usage(&a, count ? "to what?" : "which model?");
    if (!model_file_open(r.paths[0], &r.model)) return 1;
    rt_status status = write_model(&r);
    model_file_close(&r.model);
    return status == RT_OK ? 0 : tell_error(&r.error);
}
