// SPDX-License-Identifier: Apache-2.0
/* Terms of a training loss, and their text, as option "terms" of the pass distil has it:
 * "0.9*soft(4)+0.1*hard", "logit_mse(mean)", "mse(states h.1:h.2 h.2:h.4 fit=fit_dense)".
 *
 * Some kinds compare logits, others intermediate values of the two models, which their graphs give
 * as outputs; which, the term says in pairs STUDENT:TEACHER over which it sums. In parentheses
 * stand, separated by blanks:
 *   4                 temperature (soft, soft_cross_entropy)
 *   mean, batchmean   reduction (all but hard, cosine and kl)
 *   masked            of the masked tokens alone, not of all (soft, soft_cross_entropy)
 *   states            each pair is two outputs [T,H], compared token by token
 *   first             the same of each row's first token alone
 *   scores            each side is QUERY*KEY, two outputs [T,heads*d]: compared are, in each row
 *                     and head, the products of its queries and keys, scaled by 1/sqrt(d)
 *   A:B               a pair
 *   fit=NAME          the student's side goes through the linear map NAME.weight, NAME.bias, which
 *                     trains; map=NAME without bias (states, first)
 *   heads=12          (scores)
 *   all               padding counts, where there is any; without it real tokens alone do
 *   as=NAME           the term's output; by default its kind */
#ifndef RETORT_PASSES_TRAINING_LOSS_TERMS_H
#define RETORT_PASSES_TRAINING_LOSS_TERMS_H

#include "ir/builder.h"

typedef enum rt_loss_kind {
    RT_LOSS_HARD,               /* cross-entropy with labels; for a regression squared error */
    RT_LOSS_SOFT,               /* T^2 KL(teacher || student) at temperature T */
    RT_LOSS_SOFT_CROSS_ENTROPY, /* -sum p_teacher log p_student at temperature T */
    RT_LOSS_LOGIT_MSE,          /* squared difference of the logits */
    RT_LOSS_MSE,                /* squared difference of states or scores */
    RT_LOSS_COSINE,             /* 1 - cosine of states */
    RT_LOSS_NORMALISED_MSE,     /* squared difference of states of length 1 */
    RT_LOSS_KL,                 /* KL(softmax of the teacher's scores || of the student's) */
    RT_LOSS_KIND_COUNT
} rt_loss_kind;

/* What a term compares. */
typedef enum rt_loss_form {
    RT_FORM_LOGITS,
    RT_FORM_STATES,
    RT_FORM_FIRST,
    RT_FORM_SCORES
} rt_loss_form;

typedef struct rt_loss_term {
    rt_loss_kind kind;
    double weight;
    double temperature;         /* of soft kinds */
    bool averages_over_columns; /* "mean"; else "batchmean": sum over classes or width, mean over
                                   rows or tokens */
    bool is_of_masked;          /* over logits: of the masked tokens, of which there may be none */
    rt_loss_form form;
    const char **pairs; /* "STUDENT:TEACHER" */
    size_t pair_count;
    const char *projection; /* name of the linear map, or NULL */
    bool projection_has_bias;
    int64_t heads; /* of RT_FORM_SCORES */
    bool counts_padding;
    const char *name; /* of the output */
} rt_loss_term;

enum { RT_MAX_LOSS_TERMS = 16 };

const char *rt_loss_kind_text(rt_loss_kind kind); /* "logit_mse" */
/* Whether it reads the models' logits. */
bool rt_loss_reads_logits(const rt_loss_term *term);

/* Reads at most RT_MAX_LOSS_TERMS terms, whose texts are in `arena`; RT_INVALID_ARGUMENT with the
 * reason. */
RT_MUST_CHECK rt_status rt_loss_terms_parse(const char *text, rt_arena *arena, rt_loss_term *terms,
                                            size_t *count, rt_error *error);

/* Builds one term over logits, unweighted, a scalar f32[]: a mean over their rows, 0 where a term
 * of masked tokens has none. `student` and `teacher` are logits f32[B,C]; `labels` i32[B], or
 * f32[B] for a regression (C is 1). What the kind does not read may be RT_NO_VALUE. */
rt_value rt_build_loss_term(rt_builder *b, const rt_loss_term *term, rt_value student,
                            rt_value teacher, rt_value labels);

/* The share of rows whose largest logit is their label's, f32[]; 0 where there are no rows. */
rt_value rt_build_accuracy(rt_builder *b, rt_value logits, rt_value labels);

#endif
