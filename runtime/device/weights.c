// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/weights.h"

#include "runtime/base/checksum.h"
#include "runtime/device/layout.h"

static int is_equal(const uint8_t *a, const uint8_t *b, size_t count) {
    uint8_t difference = 0;
    for (size_t i = 0; i < count; ++i) difference |= a[i] ^ b[i];
    return !difference;
}

/* Whether the head says that what follows is the weights of this build. */
static int is_own(const retort_device_model *tables, const retort_weights_head *head) {
    static const uint8_t magic[8] = {'R', 'T', 'W', 'E', 'I', 'G', 'H', 'T'};
    const uint32_t version = RETORT_WEIGHTS_VERSION;
    return is_equal(head->magic, magic, sizeof magic) && head->version == version &&
           is_equal(head->build, tables->build, sizeof head->build) &&
           head->size_bytes == tables->weights_bytes && head->checksum == tables->checksum;
}

retort_model_status retort_device_find_weights(const retort_device_model *tables, const void *file,
                                               size_t file_bytes, uint32_t is_trusted,
                                               const uint8_t **first) {
    const retort_weights_head *head = file;
    if (tables->weights && file) return RETORT_MODEL_INVALID_ARGUMENT;
    *first = tables->weights;
    if (*first) return RETORT_MODEL_OK; /* part of the program, as its code is */
    if (!file) return RETORT_MODEL_INVALID_ARGUMENT;
    if ((uintptr_t)file % RETORT_DEVICE_ALIGNMENT) return RETORT_MODEL_UNALIGNED;
    if (file_bytes < sizeof *head || !is_own(tables, head)) return RETORT_MODEL_FOREIGN_WEIGHTS;
    *first = (const uint8_t *)file + sizeof *head;
    if (file_bytes - sizeof *head != tables->weights_bytes) return RETORT_MODEL_DAMAGED_WEIGHTS;
    if (!is_trusted && rt_checksum(*first, (size_t)tables->weights_bytes) != tables->checksum)
        return RETORT_MODEL_DAMAGED_WEIGHTS;
    return RETORT_MODEL_OK;
}
