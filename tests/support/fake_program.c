// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_program.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/checksum.h"
#include "runtime/base/dtype.h"
#include "runtime/base/file.h"
#include "runtime/base/philox.h"

enum { B, T, S, SYMBOLS };
enum { STEP, UPDATE, EVALUATE, PREDICT, ENTRIES };
enum { EMBEDDING, MATRIX, BIAS, TRAINED, SCALE = TRAINED, BALLAST, WEIGHTS };
enum { GRADIENTS = WEIGHTS, FIRST = GRADIENTS + TRAINED, SECOND = FIRST + TRAINED };
enum { PARAMETERS = SECOND + TRAINED };

/* Buffers of the entries over rows, in this order in each: evaluate and predict use the first. */
enum { IDS, OFFSETS, EXAMPLES, LABELS, LOSS_SCALE, LOGITS, LOSS, TERM, HIDDEN, SLOPE, EXTRA };
enum { RATE, CORRECTION1, CORRECTION2, CLIP, NORM, UPDATE_BUFFERS };

static struct {
    fake_options options;
    retort_term terms[8];
    retort_parameter parameters[PARAMETERS];
    retort_file file;
    retort_buffer buffers[ENTRIES][EXTRA + 1];
    retort_entry entries[ENTRIES];
    retort_program program;
    int64_t width, classes, answers;
} fake;

static const uint32_t b_alone[] = {B}, t_alone[] = {T};
static const char *const symbol_names[SYMBOLS] = {"B", "T", "S"};
static const retort_node step_nodes[] = {{"bag.forward", "row", {0, NULL}, {0, NULL}},
                                         {"bag.loss", "row", {0, NULL}, {0, NULL}},
                                         {"gradient of bag", "row", {0, NULL}, {0, NULL}}};
static const retort_node update_nodes[] = {{"adamw", "update", {0, NULL}, {0, NULL}}};

/* ---- kernels */

static void call(const retort_context *context, uint32_t node, retort_kernel kernel,
                 int64_t count) {
    if (context->trace) context->trace(context, node, 0);
    context->run(context, kernel, context->buffers, context->symbols, count, 1);
    if (context->trace) context->trace(context, node, 1);
}

static float dropout_factor(const retort_context *context, int32_t example, int64_t column) {
    double rate = fake.options.dropout;
    const uint32_t counter[4] = {(uint32_t)context->step, (uint32_t)example, (uint32_t)column, 0};
    const uint32_t key[2] = {(uint32_t)context->seed, (uint32_t)(context->seed >> 32)};
    bool is_dropped = rt_philox(counter, key).word[0] < rate * 4294967296.0;
    return is_dropped ? 0 : (float)(1 / (1 - rate));
}

/* Rows [begin, end): hidden and logits; in training with dropout. */
static void forward_rows(const retort_context *context, void *const *buffers, int64_t begin,
                         int64_t end, bool is_training) {
    const int32_t *ids = buffers[IDS], *offsets = buffers[OFFSETS], *examples = buffers[EXAMPLES];
    const float *table = context->parameters[EMBEDDING], *scale = context->parameters[SCALE];
    const float *matrix = context->parameters[MATRIX], *bias = context->parameters[BIAS];
    float *hidden = buffers[HIDDEN], *logits = buffers[LOGITS];
    for (int64_t b = begin; b < end; ++b) {
        float *h = hidden + b * fake.width;
        for (int64_t j = 0; j < fake.width; ++j) {
            double sum = 0;
            for (int32_t t = offsets[b]; t < offsets[b + 1]; ++t)
                sum += (double)table[ids[t] * fake.width + j];
            h[j] = scale[j] * (float)(sum / (offsets[b + 1] - offsets[b]));
            if (is_training) h[j] *= dropout_factor(context, examples[b], j);
        }
        for (int64_t c = 0; c < fake.classes; ++c) {
            double sum = (double)bias[c];
            for (int64_t j = 0; j < fake.width; ++j)
                sum += (double)(h[j] * matrix[c * fake.width + j]);
            logits[b * fake.classes + c] = (float)sum;
        }
    }
}

static void forward_training(const retort_context *context, void *const *buffers,
                             const int64_t *sizes, int64_t begin, int64_t end, uint32_t worker) {
    (void)sizes, (void)worker;
    forward_rows(context, buffers, begin, end, true);
}

static void forward_plain(const retort_context *context, void *const *buffers, const int64_t *sizes,
                          int64_t begin, int64_t end, uint32_t worker) {
    (void)sizes, (void)worker;
    forward_rows(context, buffers, begin, end, false);
}

/* The loss of row b; d loss / d logits into `slope` where it is not NULL. */
static double row_loss(const float *logits, const void *labels, int64_t b, float *slope) {
    const float *row = logits + b * fake.classes;
    if (fake.options.is_regression) {
        double error = (double)row[0] - (double)((const float *)labels)[b];
        if (slope) slope[0] = (float)(2 * error);
        return error * error;
    }
    int32_t label = ((const int32_t *)labels)[b];
    double largest = (double)row[0], sum = 0;
    for (int64_t c = 1; c < fake.classes; ++c) largest = fmax(largest, (double)row[c]);
    for (int64_t c = 0; c < fake.classes; ++c) sum += exp((double)row[c] - largest);
    for (int64_t c = 0; slope && c < fake.classes; ++c)
        slope[c] = (float)(exp((double)row[c] - largest) / sum - (c == label));
    return log(sum) + largest - (double)row[label];
}

/* One worker: a sum over all rows. */
static void mean_loss(const retort_context *context, void *const *buffers, const int64_t *symbols,
                      int64_t begin, int64_t end, uint32_t worker) {
    (void)begin, (void)end, (void)worker, (void)context;
    double sum = 0;
    float *slope = buffers[SLOPE];
    for (int64_t b = 0; b < symbols[B]; ++b)
        sum +=
            row_loss(buffers[LOGITS], buffers[LABELS], b, slope ? slope + b * fake.classes : NULL);
    *(float *)buffers[LOSS] = (float)(sum / (double)symbols[B]);
}

/* Columns [begin, end) of all gradients: each number has one writer. */
static void backward_columns(const retort_context *context, void *const *buffers,
                             const int64_t *symbols, int64_t begin, int64_t end, uint32_t worker) {
    (void)worker;
    const int32_t *ids = buffers[IDS], *offsets = buffers[OFFSETS], *examples = buffers[EXAMPLES];
    const float *hidden = buffers[HIDDEN], *slope = buffers[SLOPE];
    const float *matrix = context->parameters[MATRIX], *scale = context->parameters[SCALE];
    float *table = context->parameters[GRADIENTS + EMBEDDING];
    float *matrix_gradient = context->parameters[GRADIENTS + MATRIX];
    float weight = *(const float *)buffers[LOSS_SCALE] / (float)symbols[B];
    for (int64_t b = 0; b < symbols[B]; ++b)
        for (int64_t j = begin; j < end; ++j) {
            float back = 0;
            for (int64_t c = 0; c < fake.classes; ++c) {
                float s = slope[b * fake.classes + c] * weight;
                matrix_gradient[c * fake.width + j] += s * hidden[b * fake.width + j];
                back += s * matrix[c * fake.width + j];
            }
            back *= scale[j] * dropout_factor(context, examples[b], j);
            for (int32_t t = offsets[b]; t < offsets[b + 1]; ++t)
                table[ids[t] * fake.width + j] += back / (float)(offsets[b + 1] - offsets[b]);
        }
    float *bias = context->parameters[GRADIENTS + BIAS];
    for (int64_t b = 0; begin == 0 && b < symbols[B]; ++b)
        for (int64_t c = 0; c < fake.classes; ++c) bias[c] += slope[b * fake.classes + c] * weight;
}

static int64_t elements(const retort_parameter *p) {
    int64_t count = 1;
    for (uint32_t i = 0; i < p->rank; ++i) count *= p->dims[i];
    return count;
}

/* Weights [begin, end) of the trained ones. */
static void update_weights(const retort_context *context, void *const *buffers,
                           const int64_t *sizes, int64_t begin, int64_t end, uint32_t worker) {
    (void)sizes, (void)worker;
    float rate = *(float *)buffers[RATE], c1 = *(float *)buffers[CORRECTION1];
    float c2 = *(float *)buffers[CORRECTION2];
    double most = fake.options.has_adjustable_clipping ? (double)*(float *)buffers[CLIP] : 1;
    float clip = (float)fmin(1, most / ((double)*(float *)buffers[NORM] + 1e-6));
    if (most == 0) clip = 1;
    for (int64_t i = begin; i < end; ++i) {
        float *weight = context->parameters[i], *m = context->parameters[FIRST + i];
        float *v = context->parameters[SECOND + i];
        const float *gradient = context->parameters[GRADIENTS + i];
        float decay = fake.parameters[i].rank >= 2 ? 0.01f : 0;
        for (int64_t k = 0, count = elements(&fake.parameters[i]); k < count; ++k) {
            float g = gradient[k] * clip;
            m[k] = 0.9f * m[k] + 0.1f * g;
            v[k] = 0.999f * v[k] + 0.001f * g * g;
            weight[k] -= rate * decay * weight[k];
            weight[k] -= rate / c1 * m[k] / (sqrtf(v[k]) / sqrtf(c2) + 1e-8f);
        }
    }
}

/* ---- entry points */

static void run_step(const retort_context *context) {
    int64_t rows = context->symbols[B], tokens = context->symbols[T];
    if (fake.options.delay_us) usleep(fake.options.delay_us);
    if ((int64_t)context->step == fake.options.signal_at) raise(fake.options.signal);
    for (int i = 0; !fake.options.has_accumulation && i < TRAINED; ++i)
        memset(context->parameters[GRADIENTS + i], 0,
               (size_t)elements(&fake.parameters[i]) * sizeof(float));
    memset(context->buffers[EXTRA], 1, (size_t)(tokens * fake.options.bytes_per_token));
    call(context, 0, forward_training, rows);
    call(context, 1, mean_loss, 1);
    call(context, 2, backward_columns, fake.width);
    float *loss = context->buffers[LOSS];
    if ((int64_t)context->step == fake.options.bad_loss_at) *loss = NAN;
    *(float *)context->buffers[TERM] = *loss / 2;
}

static void run_update(const retort_context *context) {
    double sum = 0;
    for (int i = 0; i < TRAINED; ++i) {
        const float *gradient = context->parameters[GRADIENTS + i];
        for (int64_t k = 0, count = elements(&fake.parameters[i]); k < count; ++k)
            sum += (double)gradient[k] * (double)gradient[k];
    }
    *(float *)context->buffers[NORM] = (float)sqrt(sum);
    call(context, 0, update_weights, TRAINED);
}

static void run_evaluate(const retort_context *context) {
    if (fake.answers++ == fake.options.signal_at_answer) raise(fake.options.signal);
    call(context, 0, forward_plain, context->symbols[B]);
    call(context, 1, mean_loss, 1);
}

static void run_predict(const retort_context *context) {
    call(context, 0, forward_plain, context->symbols[B]);
}

/* ---- tables */

static retort_size constant(int slot, int64_t value) {
    fake.terms[slot] = (retort_term){value, 0, NULL};
    return (retort_size){value != 0, &fake.terms[slot]};
}

static retort_size multiple(int slot, int64_t value, const uint32_t *symbol) {
    fake.terms[slot] = (retort_term){value, 1, symbol};
    return (retort_size){value != 0, &fake.terms[slot]};
}

static void set_parameter(int index, const char *name, int64_t rows, int64_t columns,
                          retort_initial initial, double value) {
    fake.parameters[index] = (retort_parameter){.name = name,
                                                .dtype = RT_F32,
                                                .rank = columns ? 2 : 1,
                                                .dims = {rows, columns},
                                                .kind = RETORT_WEIGHT,
                                                .of = UINT32_MAX,
                                                .is_trainable = index < TRAINED,
                                                .initial = initial,
                                                .initial_value = value};
}

static void set_derived(int first, retort_parameter_kind kind, const char *const *names) {
    for (int i = 0; i < TRAINED; ++i) {
        retort_parameter *p = &fake.parameters[first + i];
        *p = fake.parameters[i];
        p->name = names[i];
        p->kind = kind;
        p->of = (uint32_t)i;
        p->initial = RETORT_INITIAL_ZEROS;
        p->is_trainable = 0;
    }
}

static void set_source(retort_parameter *p, const char *path, int64_t count) {
    rt_mapped_file file;
    fake.file.path = path;
    p->initial = RETORT_INITIAL_SOURCE;
    p->source_name = "scale";
    p->source_dtype = RT_F32;
    p->size_bytes = (uint64_t)count * sizeof(float);
    if (rt_file_map(path, &file, NULL) != RT_OK) return;
    p->checksum = rt_checksum(file.data, (size_t)p->size_bytes);
    rt_file_unmap(&file);
}

static void set_parameters(void) {
    static const char *const gradients[] = {
        "gradient:embedding.weight", "gradient:classifier.weight", "gradient:classifier.bias"};
    static const char *const first[] = {"adam_m:embedding.weight", "adam_m:classifier.weight",
                                        "adam_m:classifier.bias"};
    static const char *const second[] = {"adam_v:embedding.weight", "adam_v:classifier.weight",
                                         "adam_v:classifier.bias"};
    const fake_options *o = &fake.options;
    set_parameter(EMBEDDING, "embedding.weight", o->vocabulary, o->width, RETORT_INITIAL_NORMAL,
                  0.1);
    set_parameter(MATRIX, "classifier.weight", fake.classes, o->width, RETORT_INITIAL_NORMAL, 0.1);
    set_parameter(BIAS, "classifier.bias", fake.classes, 0, RETORT_INITIAL_ZEROS, 0);
    set_parameter(SCALE, "scale.weight", o->width, 0, RETORT_INITIAL_CONSTANT, 1);
    set_parameter(BALLAST, "teacher/ballast.weight", o->ballast, 0, RETORT_INITIAL_CONSTANT, 1);
    if (o->source) set_source(&fake.parameters[SCALE], o->source, o->width);
    if (o->has_ballast_source) set_source(&fake.parameters[BALLAST], o->source, o->ballast);
    set_derived(GRADIENTS, RETORT_GRADIENT, gradients);
    set_derived(FIRST, RETORT_STATE, first);
    set_derived(SECOND, RETORT_STATE, second);
}

static void set_buffer(int entry, int index, const char *name, retort_buffer_kind kind,
                       rt_dtype dtype) {
    fake.buffers[entry][index] =
        (retort_buffer){.name = name, .kind = kind, .shape.dtype = dtype, .last = 3};
}

static void shape_buffer(int entry, int index, retort_size bytes, uint32_t rank, retort_size rows,
                         retort_size columns) {
    retort_buffer *buffer = &fake.buffers[entry][index];
    buffer->size_bytes = bytes;
    buffer->shape.rank = rank;
    buffer->shape.dims[0] = rows;
    buffer->shape.dims[1] = columns;
}

/* Rows and tokens in elements and in bytes; the terms live in fake.terms. */
static void set_row_entry(int entry) {
    static retort_term offsets_bytes[2], offsets_count[2];
    offsets_bytes[0] = (retort_term){4, 1, b_alone}, offsets_bytes[1] = (retort_term){4, 0, NULL};
    offsets_count[0] = (retort_term){1, 1, b_alone}, offsets_count[1] = (retort_term){1, 0, NULL};
    retort_size none = {0, NULL}, one = constant(0, 4), rows = multiple(1, 4, b_alone);
    retort_size tokens = multiple(2, 4, t_alone), classes = constant(6, fake.classes);
    static retort_term row_count[1], token_count[1];
    row_count[0] = (retort_term){1, 1, b_alone}, token_count[0] = (retort_term){1, 1, t_alone};
    retort_size by_row = {1, row_count}, by_token = {1, token_count};
    rt_dtype label = fake.options.is_regression ? RT_F32 : RT_I32;
    set_buffer(entry, IDS, "input_ids", RETORT_BUFFER_INPUT, RT_I32);
    shape_buffer(entry, IDS, tokens, 1, by_token, none);
    set_buffer(entry, OFFSETS, "row_offsets", RETORT_BUFFER_INPUT, RT_I32);
    shape_buffer(entry, OFFSETS, (retort_size){2, offsets_bytes}, 1,
                 (retort_size){2, offsets_count}, none);
    set_buffer(entry, EXAMPLES, "example_ids", RETORT_BUFFER_INPUT, RT_I32);
    shape_buffer(entry, EXAMPLES, rows, 1, by_row, none);
    set_buffer(entry, LABELS, entry == PREDICT ? NULL : "labels",
               entry == PREDICT ? RETORT_BUFFER_LOCAL : RETORT_BUFFER_INPUT, label);
    shape_buffer(entry, LABELS, rows, 1, by_row, none);
    bool is_step = entry == STEP;
    set_buffer(entry, LOSS_SCALE, is_step ? "loss_scale" : NULL,
               is_step ? RETORT_BUFFER_INPUT : RETORT_BUFFER_LOCAL, RT_F32);
    shape_buffer(entry, LOSS_SCALE, one, 0, none, none);
    set_buffer(entry, LOGITS, "logits", RETORT_BUFFER_OUTPUT, RT_F32);
    shape_buffer(entry, LOGITS, multiple(3, 4 * fake.classes, b_alone), 2, by_row, classes);
    set_buffer(entry, LOSS, entry == PREDICT ? NULL : "loss",
               entry == PREDICT ? RETORT_BUFFER_LOCAL : RETORT_BUFFER_OUTPUT, RT_F32);
    shape_buffer(entry, LOSS, one, 0, none, none);
    set_buffer(entry, TERM, is_step ? "half" : NULL,
               is_step ? RETORT_BUFFER_OUTPUT : RETORT_BUFFER_LOCAL, RT_F32);
    shape_buffer(entry, TERM, one, 0, none, none);
    set_buffer(entry, HIDDEN, NULL, RETORT_BUFFER_LOCAL, RT_F32);
    shape_buffer(entry, HIDDEN, multiple(4, 4 * fake.width, b_alone), 0, none, none);
    set_buffer(entry, SLOPE, NULL, RETORT_BUFFER_LOCAL, RT_F32);
    shape_buffer(entry, SLOPE, fake.buffers[entry][LOGITS].size_bytes, 0, none, none);
    set_buffer(entry, EXTRA, NULL, RETORT_BUFFER_LOCAL, RT_U8);
    shape_buffer(entry, EXTRA,
                 is_step && fake.options.bytes_per_token
                     ? multiple(5, fake.options.bytes_per_token, t_alone)
                     : none,
                 0, none, none);
}

static void set_update_entry(void) {
    static const char *const names[] = {"learning_rate", "bias_correction1", "bias_correction2",
                                        "clip_norm", "gradient_norm"};
    for (int i = 0; i < UPDATE_BUFFERS; ++i) {
        set_buffer(UPDATE, i, names[i], i == NORM ? RETORT_BUFFER_OUTPUT : RETORT_BUFFER_INPUT,
                   RT_F32);
        shape_buffer(UPDATE, i, constant(0, 4), 0, (retort_size){0, NULL}, (retort_size){0, NULL});
    }
    if (fake.options.has_adjustable_clipping) return;
    fake.buffers[UPDATE][CLIP].name = NULL;
    fake.buffers[UPDATE][CLIP].kind = RETORT_BUFFER_LOCAL;
}

static void set_entry(int entry, const char *name, void (*function)(const retort_context *)) {
    bool is_update = entry == UPDATE;
    fake.entries[entry] = (retort_entry){
        .name = name,
        .function = function,
        .buffer_count = is_update ? (uint32_t)UPDATE_BUFFERS : (uint32_t)EXTRA + 1,
        .node_count = is_update ? 1 : 3,
        .buffers = fake.buffers[entry],
        .nodes = is_update ? update_nodes : step_nodes,
        .scratch_bytes = constant(7, 64),
    };
}

fake_options fake_options_default(void) {
    return (fake_options){.vocabulary = 64,
                          .width = 8,
                          .classes = 2,
                          .bad_loss_at = -1,
                          .signal_at = -1,
                          .signal_at_answer = -1,
                          .settings = "{}"};
}

const retort_program *fake_program(const fake_options *options) {
    memset(&fake, 0, sizeof fake);
    fake.options = *options;
    fake.width = options->width;
    fake.classes = options->is_regression ? 1 : options->classes;
    set_parameters();
    set_row_entry(STEP);
    set_row_entry(EVALUATE);
    set_row_entry(PREDICT);
    set_update_entry();
    set_entry(STEP, "step", run_step);
    set_entry(UPDATE, "update", run_update);
    set_entry(EVALUATE, "evaluate", run_evaluate);
    set_entry(PREDICT, "predict", run_predict);
    fake.program = (retort_program){
        .version = RETORT_ABI_VERSION,
        .symbol_count = SYMBOLS,
        .parameter_count = PARAMETERS,
        .file_count = options->source != NULL,
        .entry_count = ENTRIES,
        .name = "bag",
        .cpu = "generic",
        .features = "",
        .symbols = symbol_names,
        .parameters = fake.parameters,
        .files = &fake.file,
        .entries = fake.entries,
        .settings = options->settings,
    };
    return &fake.program;
}
