// SPDX-License-Identifier: Apache-2.0
/* Running an entry point of a session on arrays as they are: names, sizes bound to symbols, memory.
 */
#ifndef RETORT_TOOLS_GRAPH_RUN_H
#define RETORT_TOOLS_GRAPH_RUN_H

#include "ir/tensor.h"
#include "tools/session.h"

typedef struct named_tensor {
    const char *name;
    rt_tensor tensor;
    const char *file; /* it was read from, in front of errors; or NULL */
} named_tensor;

/* The one of that name, or NULL. */
const named_tensor *find_named_tensor(const named_tensor *tensors, size_t count, const char *name);

/* Gives the program's symbols their values from the shapes of the inputs, into
 * symbols[symbol_count]; symbols that no input has get 0. Every input of the entry must be there,
 * of its rank, its sizes and a type that can become its own; tensors of other names are passed
 * over. The error tells what is expected. */
RT_MUST_CHECK rt_status graph_run_bind(const session *s, int entry, const named_tensor *inputs,
                                       size_t count, int64_t *symbols, rt_error *error);

/* Reserves memory and copies the inputs in. Integers of another width are converted where every
 * value fits; other types must be equal. */
RT_MUST_CHECK rt_status graph_run_feed(session *s, int entry, const named_tensor *inputs,
                                       size_t count, const int64_t *symbols, rt_error *error);

/* Output `index` of the entry, in the graph's order, as a tensor that lends the instance's memory;
 * RT_NOT_FOUND behind the last. */
RT_MUST_CHECK rt_status graph_run_output(const session *s, int entry, size_t index,
                                         const int64_t *symbols, named_tensor *output);

#endif
