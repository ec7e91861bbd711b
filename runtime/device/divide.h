// SPDX-License-Identifier: Apache-2.0
/* Division where processors have none of this width: the compiler calls these in place of every
 * division, so that no library of a compiler's is needed. Quotients are cut towards 0; by 0 they
 * are 0. */
#ifndef RETORT_RUNTIME_DEVICE_DIVIDE_H
#define RETORT_RUNTIME_DEVICE_DIVIDE_H

#include <stdint.h>

uint64_t retort_device_divide_unsigned(uint64_t a, uint64_t b);
int64_t retort_device_divide(int64_t a, int64_t b);

#endif
