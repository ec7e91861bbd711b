// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/plan.h"

#include "runtime/base/words.h"
#include "runtime/program.h"

enum { BATCH_ARRAYS_PER_TOKEN = 5, BATCH_ARRAYS_PER_ROW = 5, BATCH_ARRAYS_PER_MASKED = 2 };

static uint64_t batch_bytes(const rt_batch_limits *limits) {
    return ((uint64_t)limits->tokens * BATCH_ARRAYS_PER_TOKEN +
            (uint64_t)limits->rows * BATCH_ARRAYS_PER_ROW +
            (uint64_t)limits->masked * BATCH_ARRAYS_PER_MASKED) *
           sizeof(int32_t);
}

/* A batcher's order of the rows and what it sorts them by. */
static uint64_t order_bytes(const rt_dataset *rows) {
    enum { BYTES_PER_ROW = 28 };
    return (uint64_t)rows->count * BYTES_PER_ROW;
}

retort_plan retort_plan_of(const retort_instance *instance, const retort_trainer *trainer,
                           const retort_evaluator *evaluator, uint64_t loaded_bytes) {
    retort_memory memory = retort_instance_memory(instance);
    retort_plan plan = {
        .loaded = loaded_bytes,
        .weights = memory.weights,
        .gradients = memory.gradients,
        .state = memory.state,
        .buffers = memory.buffers,
        .scratch = memory.scratch,
        .derived = memory.derived,
        .preparing = memory.preparing,
    };
    if (trainer) plan.batches += order_bytes(trainer->parts.rows) + batch_bytes(&trainer->limits);
    if (evaluator)
        plan.batches += order_bytes(evaluator->rows) + batch_bytes(&evaluator->limits) +
                        retort_evaluator_bytes(evaluator);
    return plan;
}

uint64_t retort_plan_total(const retort_plan *plan) {
    uint64_t running = plan->buffers + plan->scratch;
    return plan->loaded + plan->batches + plan->weights + plan->derived + plan->gradients +
           plan->state + (running > plan->preparing ? running : plan->preparing);
}

static void print_limits(const char *what, const rt_batch_limits *limits, FILE *stream) {
    rt_arena arena = {0};
    fprintf(stream, "%-28s %12s rows, %s tokens, longest row %zu\n", what,
            rt_words_count((int64_t)limits->rows, &arena),
            rt_words_count((int64_t)limits->tokens, &arena), limits->longest);
    rt_arena_deinit(&arena);
}

void retort_plan_print(const retort_plan *plan, const retort_trainer *trainer,
                       const retort_evaluator *evaluator, FILE *stream) {
    const struct {
        const char *what;
        uint64_t bytes;
    } lines[] = {{"weights", plan->weights},         {"derived from weights", plan->derived},
                 {"gradients", plan->gradients},     {"optimiser state", plan->state},
                 {"buffers", plan->buffers},         {"scratch of the threads", plan->scratch},
                 {"batches", plan->batches},         {"program, vocabulary, rows", plan->loaded},
                 {"in all", retort_plan_total(plan)}};
    rt_arena arena = {0};
    if (trainer) print_limits("largest batch of training", &trainer->limits, stream);
    if (evaluator) print_limits("largest batch of evaluation", &evaluator->limits, stream);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; ++i)
        fprintf(stream, "%-28s %12s\n", lines[i].what, rt_words_bytes(lines[i].bytes, &arena));
    rt_arena_deinit(&arena);
}

retort_parameter_counts retort_count_parameters(const retort_program *program) {
    retort_parameter_counts counts = {0};
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        uint64_t elements = (uint64_t)retort_parameter_elements(p);
        if (p->kind != RETORT_WEIGHT) continue;
        if (!retort_checkpoint_holds(p)) {
            counts.teacher += elements;
            continue;
        }
        counts.all += elements;
        if (p->is_trainable) counts.trainable += elements;
    }
    return counts;
}
