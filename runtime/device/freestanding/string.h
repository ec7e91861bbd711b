// SPDX-License-Identifier: Apache-2.0
/* All of <string.h> that there is where there is no C library: what every compiler may call, as
 * builtins, which become instructions where the target has them. */
#ifndef RETORT_RUNTIME_DEVICE_FREESTANDING_STRING_H
#define RETORT_RUNTIME_DEVICE_FREESTANDING_STRING_H

#include <stddef.h>

#define memcpy __builtin_memcpy
#define memmove __builtin_memmove
#define memset __builtin_memset

#endif
