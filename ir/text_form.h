// SPDX-License-Identifier: Apache-2.0
/* What the printer and the parser of the text form agree on beyond the table of operators. */
#ifndef RETORT_IR_TEXT_FORM_H
#define RETORT_IR_TEXT_FORM_H

#include <string.h>

#include "ir/op.h"

/* Written without its name, directly after the operator: input "x", parameter @w, constant [1, 2].
 */
static inline bool rt_attr_is_positional(rt_attr_id attr) {
    rt_attr_kind kind = rt_attr_kind_of(attr);
    return kind == RT_ATTR_TEXT || kind == RT_ATTR_TENSOR || kind == RT_ATTR_PARAMETER;
}

/* By convention of ops.def, `dtype` and `shape` say what the first result is: left out where they
 * say what stands in its type anyway. */
static inline bool rt_attr_is_result_dtype(rt_attr_id attr) {
    return rt_attr_kind_of(attr) == RT_ATTR_DTYPE && strcmp(rt_attr_name(attr), "dtype") == 0;
}
static inline bool rt_attr_is_result_shape(rt_attr_id attr) {
    return rt_attr_kind_of(attr) == RT_ATTR_DIMS && strcmp(rt_attr_name(attr), "shape") == 0;
}

#endif
