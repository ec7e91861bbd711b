// SPDX-License-Identifier: Apache-2.0
/* Whether the parts of a job fit together: sizes, vocabularies, classes, a teacher's layers. */
#include <string.h>

#include "models/job_internal.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"

/* ---- vocabulary */

static bool files_equal(const char *a, const char *b) {
    rt_mapped_file x = {0}, y = {0};
    bool is_equal = rt_file_map(a, &x, NULL) == RT_OK && rt_file_map(b, &y, NULL) == RT_OK &&
                    x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
    rt_file_unmap(&x);
    rt_file_unmap(&y);
    return is_equal;
}

static void check_vocabulary(rt_job_reader *r, const rt_job_model *model, const char *who) {
    const rt_job *job = r->job;
    if (!model->has_config || !job->vocabulary) return;
    if (model->config.vocabulary_size < job->vocabulary_size) {
        rt_diagnose(r->diagnostics, RT_ERROR, model->location,
                    "%s has %lld word vectors, but %s has %lld tokens", who,
                    (long long)model->config.vocabulary_size, job->vocabulary,
                    (long long)job->vocabulary_size);
    } else if (model->files.vocabulary && strcmp(model->files.vocabulary, job->vocabulary) != 0 &&
               !files_equal(model->files.vocabulary, job->vocabulary)) {
        rt_diagnose(r->diagnostics, RT_ERROR, model->location,
                    "%s was trained with %s, which differs from %s; its token ids would mean other "
                    "words",
                    who, model->files.vocabulary, job->vocabulary);
    }
}

static void check_length(rt_job_reader *r, const rt_job_model *model, const char *who) {
    const rt_spec_value *length = rt_spec_get(r->spec, RT_SPEC_data_max_length);
    if (!model->has_config) return;
    bool is_student = model == &r->job->student;
    int64_t longest = is_student ? rt_job_longest_row(r->job, &model->config)
                                 : rt_model_config_longest_row(&model->config);
    const rt_spec_value *prompt = rt_spec_get(r->spec, RT_SPEC_method_prompt_tokens);
    if (is_student && prompt->is_present && longest < 3) {
        rt_diagnose(r->diagnostics, RT_ERROR, prompt->location,
                    "'prompt_tokens' is %lld, but the model has %lld positions, which leaves no "
                    "room for text",
                    (long long)prompt->integer,
                    (long long)rt_model_config_longest_row(&model->config));
        return;
    }
    bool is_asked = length->is_given || !r->options->may_lack_data;
    if (length->integer <= longest || !is_asked) return;
    rt_diagnose(r->diagnostics, RT_ERROR, length->location,
                "'max_length' is %lld, but %s has positions for %lld tokens",
                (long long)length->integer, who, (long long)longest);
}

/* ---- classes */

static int64_t find_label(const char *const *labels, int64_t count, const char *name) {
    for (int64_t i = 0; i < count; ++i) {
        if (strcmp(labels[i], name) == 0) return i;
    }
    return -1;
}

static const char *join_labels(rt_arena *arena, const char *const *labels, int64_t count) {
    const char *text = "";
    for (int64_t i = 0; i < count && i < 12 && text; ++i)
        text = rt_arena_format(arena, "%s%s%s", text, i ? ", " : "", labels[i]);
    return text ? text : "";
}

/* The teacher's class for each of the student's, by name; empty where the order is the same. */
static void match_classes(rt_job_reader *r, rt_job_model *teacher, const char *const *theirs) {
    rt_job *job = r->job;
    const char *order = "";
    bool is_same = true;
    for (int64_t i = 0; i < job->label_count; ++i) {
        int64_t index = find_label(theirs, job->label_count, job->labels[i]);
        if (index < 0) {
            rt_diagnose(r->diagnostics, RT_ERROR, teacher->location,
                        "the teacher has no class '%s'; its classes are %s, the task's %s",
                        job->labels[i], join_labels(r->arena, theirs, job->label_count),
                        join_labels(r->arena, job->labels, job->label_count));
            return;
        }
        is_same = is_same && index == i;
        order = rt_arena_format(r->arena, "%s%s%lld", order, i ? " " : "", (long long)index);
        if (!order) return;
    }
    if (!is_same) teacher->classes = order;
}

/* Of masked language models: what they predict, and what they are compared by. */
static void check_tokens(rt_job_reader *r, const rt_job_model *model) {
    const rt_job *job = r->job;
    const rt_model_config *student = &job->student.config, *teacher = &model->config;
    if (!job->student.has_config || !model->has_config || !job->reads_teacher_logits) return;
    if (!teacher->predicts_tokens)
        rt_diagnose(r->diagnostics, RT_ERROR, model->location,
                    "the teacher predicts no tokens; task.kind mlm needs one with the head of a "
                    "masked language model, such as %s",
                    rt_family_facts_of(teacher->family)->token_class);
    else if (teacher->vocabulary_size != student->vocabulary_size)
        rt_diagnose(
            r->diagnostics, RT_ERROR, model->location,
            "the teacher predicts one of %lld tokens, the model one of %lld; they must have "
            "one vocabulary",
            (long long)teacher->vocabulary_size, (long long)student->vocabulary_size);
}

static void check_classes(rt_job_reader *r, rt_job_model *teacher, const rt_spec_value *given) {
    const rt_job *job = r->job;
    int64_t count = teacher->config.label_count;
    if (!teacher->has_config || !job->label_count || !job->reads_teacher_logits) return;
    if (count == 0) {
        rt_diagnose(r->diagnostics, RT_ERROR, teacher->location,
                    "the teacher has no classifier; it must have been trained for the task");
    } else if (given->is_present && (int64_t)given->count != count) {
        rt_diagnose(r->diagnostics, RT_ERROR, given->location,
                    "'labels' names %zu classes, but the teacher has %lld", given->count,
                    (long long)count);
    } else if (count != job->label_count) {
        rt_diagnose(r->diagnostics, RT_ERROR, teacher->location,
                    "the teacher gives %lld number%s per row, but the task has %lld%s%s",
                    (long long)count, count == 1 ? "" : "s", (long long)job->label_count,
                    job->labels ? ": " : "",
                    job->labels ? join_labels(r->arena, job->labels, job->label_count) : "");
    } else if (job->labels && given->is_present) {
        match_classes(r, teacher, given->texts);
    } else if (job->labels && rt_job_has_named_labels(&teacher->config)) {
        match_classes(r, teacher, teacher->config.labels);
    }
}

/* ---- a teacher's layers */

static void check_layers_from(rt_job_reader *r) {
    const rt_spec_value *layers = rt_spec_get(r->spec, RT_SPEC_model_layers_from);
    const rt_model_config *student = &r->job->student.config, *teacher = &r->job->teacher.config;
    if (!layers->is_present || !r->job->student.has_config) return;
    if (!r->job->teacher.has_config) return;
    const struct {
        const char *name;
        int64_t ours, theirs;
    } sizes[] = {{"width", student->width, teacher->width},
                 {"heads", student->heads, teacher->heads},
                 {"ffn", student->inner_width, teacher->inner_width},
                 {"vocabulary_size", student->vocabulary_size, teacher->vocabulary_size},
                 {"activation", student->activation, teacher->activation}};
    for (size_t i = 0; i < RT_COUNT_OF(sizes); ++i) {
        if (sizes[i].ours == sizes[i].theirs) continue;
        rt_diagnose(r->diagnostics, RT_ERROR, layers->location,
                    "'%s' is %lld, but the teacher's, whose layers the model starts from, is %lld",
                    sizes[i].name, (long long)sizes[i].ours, (long long)sizes[i].theirs);
    }
    for (size_t i = 0; i < layers->count; ++i) {
        if (layers->integers[i] < teacher->layers) continue;
        rt_diagnose(r->diagnostics, RT_ERROR, layers->location,
                    "'layers_from' names layer %lld, but the teacher's are 0 to %lld",
                    (long long)layers->integers[i], (long long)teacher->layers - 1);
    }
}

/* Without a vocabulary that was asked for, its size was spoken of already. */
static void check_shape(rt_job_reader *r) {
    const rt_model_config *config = &r->job->student.config;
    rt_location location = rt_spec_section_location(r->spec, RT_SPEC_SECTION_model);
    bool is_known = config->vocabulary_size || r->options->may_lack_data;
    if (!r->job->student.has_config || !is_known) return;
    if (rt_model_config_check(config, location, r->diagnostics) != RT_OK)
        r->job->student.has_config = false;
}

static void check_teacher(rt_job_reader *r, rt_job_model *teacher, const rt_spec_value *labels) {
    check_vocabulary(r, teacher, "the teacher");
    check_length(r, teacher, "the teacher");
    if (r->job->is_mlm)
        check_tokens(r, teacher);
    else
        check_classes(r, teacher, labels);
}

void rt_job_check_fit(rt_job_reader *r) {
    rt_job *job = r->job;
    bool is_lstm = job->student.has_config && !rt_model_config_is_encoder(&job->student.config);
    if (is_lstm && job->has_key_mask)
        rt_diagnose(r->diagnostics, RT_ERROR, rt_spec_get(r->spec, RT_SPEC_data_padding)->location,
                    "'padding' is counted, but a bilstm runs over the words of a row alone");
    check_vocabulary(r, &job->student, "the model");
    check_length(r, &job->student, "the model");
    check_layers_from(r);
    check_shape(r);
    if (!job->has_teacher) return;
    check_teacher(r, &job->teacher, rt_spec_get(r->spec, RT_SPEC_teacher_labels));
    for (size_t i = 0; i < job->other_count; ++i)
        check_teacher(r, &job->others[i], rt_spec_item(r->spec, RT_SPEC_teacher_labels, i));
    if (job->other_count && !job->reads_teacher_logits)
        rt_diagnose(r->diagnostics, RT_ERROR, job->others[0].location,
                    "only soft and logit_mse terms read several teachers, and 'loss' has none; the "
                    "first alone gives states");
}
