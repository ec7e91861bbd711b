// SPDX-License-Identifier: Apache-2.0
/* Rows decoded by a table: z = x table' + bias. */
#include <math.h>

#include "ir/eval_rules.h"

/* One row of z after the other, times a factor. */
typedef struct decoder {
    const rt_array *x, *table, *bias;
    double scale;
    double *z; /* [columns] of the row at hand */
    int64_t rows, columns, width;
} decoder;

static bool open_decoder(rt_eval *eval, size_t first, double scale, decoder *d) {
    *d = (decoder){.x = eval->operands[first],
                   .table = eval->operands[first + 1],
                   .bias = eval->operands[first + 2],
                   .scale = scale};
    d->rows = d->x->dims[0], d->width = d->x->dims[1], d->columns = d->table->dims[0];
    d->z = RT_NEW_ARRAY(eval->arena, double, (size_t)d->columns);
    return d->z != NULL;
}

static rt_status no_memory(rt_eval *eval) {
    return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory");
}

/* Fills z with row `row`; its log sum exp. */
static double decode_row(decoder *d, int64_t row) {
    const double *x = d->x->real + row * d->width;
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < d->columns; ++c) {
        double z = d->bias->real[c];
        for (int64_t i = 0; i < d->width; ++i) z += x[i] * d->table->real[c * d->width + i];
        d->z[c] = z * d->scale;
        largest = fmax(largest, d->z[c]);
    }
    for (int64_t c = 0; c < d->columns; ++c) sum += exp(d->z[c] - largest);
    return largest + log(sum);
}

/* Takes the gradient by element c of row `row` of z. */
static void add_gradient(rt_eval *eval, const decoder *d, int64_t row, int64_t c, double dz) {
    const double *x = d->x->real + row * d->width, *table = d->table->real + c * d->width;
    double *dx = eval->results[0].real + row * d->width;
    double *d_table = eval->results[1].real + c * d->width;
    for (int64_t i = 0; i < d->width; ++i) dx[i] += dz * table[i], d_table[i] += dz * x[i];
    eval->results[2].real[c] += dz;
}

rt_status eval_decode_scores(rt_eval *eval) {
    decoder d;
    if (!open_decoder(eval, 0, 1, &d)) return no_memory(eval);
    for (int64_t r = 0; r < d.rows; ++r) {
        int64_t label = eval->operands[3]->integer[r];
        double largest = -INFINITY;
        eval->results[0].real[r] = decode_row(&d, r);
        for (int64_t c = 0; c < d.columns; ++c) largest = fmax(largest, d.z[c]);
        eval->results[1].real[r] = label >= 0 && label < d.columns ? d.z[label] : 0;
        eval->results[2].real[r] = largest;
    }
    return RT_OK;
}

rt_status eval_decode_scores_gradient(rt_eval *eval) {
    const rt_array *d_sum = eval->operands[0], *d_own = eval->operands[1];
    const rt_array *labels = eval->operands[5], *sums = eval->operands[6];
    decoder d;
    if (!open_decoder(eval, 2, 1, &d)) return no_memory(eval);
    for (int64_t r = 0; r < d.rows; ++r) {
        decode_row(&d, r);
        for (int64_t c = 0; c < d.columns; ++c) {
            double own = labels->integer[r] == c ? d_own->real[r] : 0;
            add_gradient(eval, &d, r, c, d_sum->real[r] * exp(d.z[c] - sums->real[r]) + own);
        }
    }
    return RT_OK;
}

rt_status eval_decode_divergence(rt_eval *eval) {
    double scale = eval_attr(eval, RT_ATTR_decode_divergence_scale).real;
    decoder d, goal;
    if (!open_decoder(eval, 0, scale, &d) || !open_decoder(eval, 3, scale, &goal))
        return no_memory(eval);
    for (int64_t r = 0; r < d.rows; ++r) {
        double sum = decode_row(&d, r), goal_sum = decode_row(&goal, r), divergence = 0;
        for (int64_t c = 0; c < d.columns; ++c) {
            double log_goal = goal.z[c] - goal_sum;
            divergence += exp(log_goal) * (log_goal - (d.z[c] - sum));
        }
        eval->results[0].real[r] = divergence;
        eval->results[1].real[r] = sum;
        eval->results[2].real[r] = goal_sum;
    }
    return RT_OK;
}

rt_status eval_decode_divergence_gradient(rt_eval *eval) {
    double scale = eval_attr(eval, RT_ATTR_decode_divergence_gradient_scale).real;
    const rt_array *by = eval->operands[0], *sums = eval->operands[7], *goals = eval->operands[8];
    decoder d, goal;
    if (!open_decoder(eval, 1, scale, &d) || !open_decoder(eval, 4, scale, &goal))
        return no_memory(eval);
    for (int64_t r = 0; r < d.rows; ++r) {
        decode_row(&d, r);
        decode_row(&goal, r);
        for (int64_t c = 0; c < d.columns; ++c) {
            double excess = exp(d.z[c] - sums->real[r]) - exp(goal.z[c] - goals->real[r]);
            add_gradient(eval, &d, r, c, by->real[r] * scale * excess);
        }
    }
    return RT_OK;
}
