// SPDX-License-Identifier: Apache-2.0
/* A trajectory's recipe.json as the spec that means the same. */
#ifndef RETORT_TOOLS_VERIFY_RECIPE_H
#define RETORT_TOOLS_VERIFY_RECIPE_H

#include "runtime/base/json.h"

#include "runtime/base/arena.h"
#include "runtime/base/status.h"

/* One term of the loss. */
typedef struct recipe_term {
    const char *name;       /* in the recipe */
    const char *outputs[2]; /* of the program, which add up to it; the second may be NULL */
    const char *kind;       /* of them in the spec */
    const char *keys;       /* more of their keys, as text */
    const char *layers;     /* the same of terms over layers; NULL where it is over logits */
    double weight;
} recipe_term;

typedef struct recipe {
    int64_t steps, micro_batches;
    bool is_mlm;         /* batches have masked positions */
    bool has_one_type;   /* whatever the batches say, every token is of type 0 */
    const json_t *rates; /* one a step */
    recipe_term terms[8];
    size_t term_count;
    bool counts_padding; /* batches are laid out with their padding */
    const char *answers; /* output that the evaluations are of */
    const char *spec;    /* YAML text; in the arena */
} recipe;

/* Reads what a spec can say; RT_UNSUPPORTED, with the key, where the recipe asks for more (which
 * skips the case). */
RT_MUST_CHECK rt_status recipe_read(const json_t *root, rt_arena *arena, recipe *r,
                                    rt_error *error);

#endif
