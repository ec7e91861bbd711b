// SPDX-License-Identifier: Apache-2.0
/* The weights of a model: those inside its library, or the file that belongs to it. */
#ifndef RETORT_RUNTIME_DEVICE_WEIGHTS_H
#define RETORT_RUNTIME_DEVICE_WEIGHTS_H

#include "runtime/device/model.h"
#include "runtime/device/tables.h"

/* The head of a weights file; little-endian. */
typedef struct retort_weights_head {
    uint8_t magic[8]; /* "RTWEIGHT" */
    uint32_t version, reserved;
    uint8_t build[16];
    uint64_t size_bytes, checksum; /* of what follows the head */
    uint8_t zeros[16];
} retort_weights_head;

enum { RETORT_WEIGHTS_VERSION = 1 };

_Static_assert(sizeof(retort_weights_head) == 64, "what follows is aligned as the head is");

/* Where the first weight lies, into *first: in the library, which takes `file` NULL, or behind the
 * head of the file. The checksum is compared where `is_trusted` is 0. */
retort_model_status retort_device_find_weights(const retort_device_model *tables, const void *file,
                                               size_t file_bytes, uint32_t is_trusted,
                                               const uint8_t **first);

#endif
