// SPDX-License-Identifier: Apache-2.0
/* Terms of a training loss over logits, and their text, as option "terms" of the pass distil has
 * it: "0.9*soft(4)+0.1*hard", "logit_mse(mean)". In parentheses stand, separated by blanks, a
 * temperature and a reduction. */
#ifndef RETORT_PASSES_TRAINING_LOSS_TERMS_H
#define RETORT_PASSES_TRAINING_LOSS_TERMS_H

#include "ir/builder.h"

typedef enum rt_loss_kind {
    RT_LOSS_HARD,      /* cross-entropy with labels; for a regression squared error */
    RT_LOSS_SOFT,      /* T^2 KL(teacher || student) at temperature T */
    RT_LOSS_LOGIT_MSE, /* squared difference of the logits */
    RT_LOSS_KIND_COUNT
} rt_loss_kind;

typedef struct rt_loss_term {
    rt_loss_kind kind;
    double weight;
    double temperature;         /* of RT_LOSS_SOFT */
    bool averages_over_classes; /* "mean"; else "batchmean": sum over classes, mean over rows */
} rt_loss_term;

enum { RT_MAX_LOSS_TERMS = 16 };

const char *rt_loss_kind_text(rt_loss_kind kind); /* "logit_mse" */

/* Reads at most RT_MAX_LOSS_TERMS terms; RT_INVALID_ARGUMENT with the reason. */
RT_MUST_CHECK rt_status rt_loss_terms_parse(const char *text, rt_loss_term *terms, size_t *count,
                                            rt_error *error);

/* Builds one term, unweighted, a scalar f32[]. `student` and `teacher` are logits f32[B,C];
 * `labels` i32[B], or f32[B] for a regression (C is 1). What the kind does not read may be
 * RT_NO_VALUE. */
rt_value rt_build_loss_term(rt_builder *b, const rt_loss_term *term, rt_value student,
                            rt_value teacher, rt_value labels);

#endif
