// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/dtype.h"
#include "runtime/program.h"
#include "runtime/train/batch_inputs.h"

/* Everything that the trainer, the evaluation or retort_batch_feed puts into inputs. */
static const char *const known_inputs[] = {
    "input_ids",     "position_ids", "token_type_ids",   "key_mask",         "token_examples",
    "row_offsets",   "example_ids",  "labels",           "loss_scale",       "learning_rate",
    "clip_norm",     "weight_decay", "bias_correction1", "bias_correction2", "masked_positions",
    "masked_labels", "masked_share", "token_share",
};

/* "bias_correction1.2" counts from the beginning of the second phase. */
static bool is_known(const char *name) {
    size_t length = strcspn(name, ".");
    for (size_t i = 0; i < RT_COUNT_OF(known_inputs); ++i)
        if (strlen(known_inputs[i]) == length && strncmp(known_inputs[i], name, length) == 0)
            return true;
    return false;
}

static rt_status check_inputs(const retort_program *program, int entry, rt_error *error) {
    if (entry < 0) return RT_OK;
    const retort_entry *e = &program->entries[entry];
    for (uint32_t i = 0; i < e->buffer_count; ++i)
        if (e->buffers[i].kind == RETORT_BUFFER_INPUT && !is_known(e->buffers[i].name))
            return rt_fail(error, RT_UNSUPPORTED,
                           "entry point '%s' takes the input '%s', which a training program cannot "
                           "give it",
                           e->name, e->buffers[i].name);
    return RT_OK;
}

static void find_terms(retort_runner *runner) {
    const retort_entry *e = &runner->program->entries[runner->step];
    for (uint32_t i = 0; i < e->buffer_count && runner->term_count < RETORT_MAX_TERMS; ++i) {
        const retort_buffer *b = &e->buffers[i];
        bool is_scalar =
            b->kind == RETORT_BUFFER_OUTPUT && b->shape.rank == 0 && b->shape.dtype == RT_F32;
        if (is_scalar && strcmp(b->name, "loss") != 0)
            runner->terms[runner->term_count++] = b->name;
    }
}

static retort_phase find_phase(const retort_program *program, size_t number) {
    char step[32], update[32];
    snprintf(step, sizeof step, "step.%zu", number);
    snprintf(update, sizeof update, "update.%zu", number);
    return (retort_phase){retort_program_find_entry(program, step),
                          retort_program_find_entry(program, update)};
}

static rt_status find_phases(retort_runner *runner, rt_error *error) {
    const retort_program *program = runner->program;
    runner->phases = calloc(program->entry_count + 1, sizeof *runner->phases);
    if (!runner->phases) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (;;) {
        retort_phase phase = find_phase(program, runner->phase_count + 1);
        if (phase.step < 0 || phase.update < 0) break;
        runner->phases[runner->phase_count++] = phase;
        RT_TRY(check_inputs(program, phase.step, error));
        RT_TRY(check_inputs(program, phase.update, error));
    }
    runner->phases[runner->phase_count++] = (retort_phase){runner->step, runner->update};
    return RT_OK;
}

void retort_runner_enter_phase(retort_runner *runner, uint64_t phase) {
    uint64_t last = runner->phase_count - 1;
    runner->step = runner->phases[phase < last ? phase : last].step;
    runner->update = runner->phases[phase < last ? phase : last].update;
}

rt_status retort_runner_init(const retort_program *program, retort_runner *runner,
                             rt_error *error) {
    *runner = (retort_runner){
        .program = program,
        .step = retort_program_find_entry(program, "step"),
        .update = retort_program_find_entry(program, "update"),
        .evaluate = retort_program_find_entry(program, "evaluate"),
        .predict = retort_program_find_entry(program, "predict"),
    };
    const int entries[] = {runner->step, runner->update, runner->evaluate, runner->predict};
    for (size_t i = 0; i < RT_COUNT_OF(entries); ++i)
        RT_TRY(check_inputs(program, entries[i], error));
    RT_TRY(find_phases(runner, error));
    if (runner->step >= 0) find_terms(runner);
    runner->symbols = calloc(program->symbol_count + 1, sizeof *runner->symbols);
    return runner->symbols ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}

void retort_runner_deinit(retort_runner *runner) {
    free(runner->symbols);
    free(runner->phases);
    *runner = (retort_runner){0};
}

bool retort_runner_can_train(const retort_runner *runner) {
    return runner->step >= 0 && runner->update >= 0;
}

void retort_runner_feed(retort_runner *runner, int entry, const rt_batch *batch) {
    retort_batch_symbols(runner->program, batch, runner->symbols);
    retort_batch_feed(runner->instance, entry, batch);
}

bool retort_runner_set(retort_runner *runner, int entry, const char *input, double value) {
    float *memory = retort_instance_input(runner->instance, entry, input);
    if (memory) *memory = (float)value;
    return memory != NULL;
}

rt_status retort_runner_run(retort_runner *runner, int entry, rt_error *error) {
    if (runner->profile) retort_profile_begin(runner->profile, entry);
    rt_status status = retort_instance_run(runner->instance, entry, runner->symbols, error);
    if (runner->profile) retort_profile_end(runner->profile);
    return status;
}

double retort_runner_get(const retort_runner *runner, int entry, const char *output) {
    const float *memory = retort_instance_output(runner->instance, entry, output);
    return memory ? (double)*memory : (double)NAN;
}

bool retort_runner_takes(const retort_program *program, int entry, const char *input) {
    return entry >= 0 &&
           retort_entry_find_buffer(&program->entries[entry], RETORT_BUFFER_INPUT, input) >= 0;
}

void retort_runner_clear_gradients(retort_runner *runner) {
    for (uint32_t i = 0; i < runner->program->parameter_count; ++i) {
        const retort_parameter *p = &runner->program->parameters[i];
        if (p->kind == RETORT_GRADIENT)
            memset(retort_instance_parameter(runner->instance, (int)i), 0,
                   (size_t)retort_parameter_bytes(p));
    }
}
