// SPDX-License-Identifier: Apache-2.0
/* What the rows of a batch are taught: several teachers as one, and rows without a label. */
#ifndef RETORT_PASSES_TRAINING_TEACHING_H
#define RETORT_PASSES_TRAINING_TEACHING_H

#include "passes/training/loss_terms.h"

/* Logits f32[B,C] of which a term sees what it is to see of several teachers: of soft terms the
 * mean of their probabilities at the term's temperature (with one teacher, its logits), else the
 * mean of their logits. */
rt_value rt_build_joint_logits(rt_builder *b, const rt_loss_term *term, const rt_value *teachers,
                               size_t count);

/* Labels in which rows without one (a class below 0, a score that is no number) have the class that
 * the teachers together find the most probable, or their mean score. */
rt_value rt_build_taught_labels(rt_builder *b, rt_value labels, const rt_value *teachers,
                                size_t count);

/* A hard term, unweighted, over the rows that have a label: the mean over them, 0 without any. */
rt_value rt_build_labelled_loss(rt_builder *b, const rt_loss_term *term, rt_value student,
                                rt_value labels);

#endif
