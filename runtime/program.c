// SPDX-License-Identifier: Apache-2.0
#include "runtime/program.h"

#include <string.h>

#include "runtime/base/dtype.h"
#include "runtime/base/sizes.h"

rt_status retort_program_check(const retort_program *program, rt_error *error) {
    if (!program)
        return rt_fail(error, RT_UNSUPPORTED,
                       "the program needs a newer runtime than version %d of the interface",
                       RETORT_ABI_VERSION);
    if (program->version < RETORT_ABI_OLDEST || program->version > RETORT_ABI_VERSION)
        return rt_fail(error, RT_UNSUPPORTED,
                       "the program has version %u of the interface, this runtime knows %d to %d",
                       program->version, RETORT_ABI_OLDEST, RETORT_ABI_VERSION);
    return RT_OK;
}

int retort_program_find_entry(const retort_program *program, const char *name) {
    for (uint32_t i = 0; i < program->entry_count; ++i)
        if (strcmp(program->entries[i].name, name) == 0) return (int)i;
    return RETORT_NOT_FOUND;
}

int retort_program_find_symbol(const retort_program *program, const char *name) {
    for (uint32_t i = 0; i < program->symbol_count; ++i)
        if (strcmp(program->symbols[i], name) == 0) return (int)i;
    return RETORT_NOT_FOUND;
}

int retort_program_find_parameter(const retort_program *program, const char *name) {
    for (uint32_t i = 0; i < program->parameter_count; ++i)
        if (strcmp(program->parameters[i].name, name) == 0) return (int)i;
    return RETORT_NOT_FOUND;
}

bool retort_entry_prepares(const retort_program *program, int entry, int *reader) {
    static const char prepare[] = "prepare";
    const char *name = program->entries[entry].name;
    size_t length = sizeof prepare - 1;
    *reader = RETORT_NOT_FOUND;
    if (strncmp(name, prepare, length) != 0) return false;
    if (name[length] == '.') *reader = retort_program_find_entry(program, name + length + 1);
    return name[length] == '\0' || name[length] == '.';
}

int retort_entry_find_buffer(const retort_entry *entry, retort_buffer_kind kind, const char *name) {
    for (uint32_t i = 0; i < entry->buffer_count; ++i)
        if (entry->buffers[i].kind == kind && strcmp(entry->buffers[i].name, name) == 0)
            return (int)i;
    return RETORT_NOT_FOUND;
}

rt_status retort_size_evaluate(retort_size size, const int64_t *symbols, int64_t *result) {
    int64_t sum = 0;
    for (uint32_t t = 0; t < size.term_count; ++t) {
        const retort_term *term = &size.terms[t];
        int64_t product = term->coefficient;
        for (uint32_t s = 0; s < term->symbol_count; ++s)
            if (!rt_int64_multiply(product, symbols[term->symbols[s]], &product))
                return RT_OUT_OF_RANGE;
        if (!rt_int64_add(sum, product, &sum)) return RT_OUT_OF_RANGE;
    }
    *result = sum;
    return sum < 0 ? RT_OUT_OF_RANGE : RT_OK;
}

/* Where the size is one symbol alone: its index, else -1. */
static int lone_symbol(retort_size size) {
    if (size.term_count != 1 || size.terms[0].coefficient != 1 || size.terms[0].symbol_count != 1)
        return -1;
    return (int)size.terms[0].symbols[0];
}

/* Where the size is symbol + constant (row_offsets have B + 1): the symbol, and the constant. */
static int shifted_symbol(retort_size size, int64_t *constant) {
    if (size.term_count != 2 || size.terms[0].coefficient != 1 || size.terms[0].symbol_count != 1 ||
        size.terms[1].symbol_count != 0)
        return -1;
    *constant = size.terms[1].coefficient;
    return (int)size.terms[0].symbols[0];
}

rt_status retort_shape_bind(const retort_program *program, const retort_shape *shape, int rank,
                            const int64_t *dims, int64_t *symbols, const char *what,
                            rt_error *error) {
    if ((uint32_t)rank != shape->rank)
        return rt_fail(error, RT_INVALID_ARGUMENT, "%s has rank %d, the program takes rank %u",
                       what, rank, shape->rank);
    for (int i = 0; i < rank; ++i) {
        int64_t constant = 0, expected;
        int symbol = lone_symbol(shape->dims[i]);
        if (symbol < 0) symbol = shifted_symbol(shape->dims[i], &constant);
        if (symbol >= 0 && symbols[symbol] < 0 && dims[i] >= constant) {
            symbols[symbol] = dims[i] - constant;
            continue;
        }
        if (retort_size_evaluate(shape->dims[i], symbols, &expected) == RT_OK &&
            expected == dims[i])
            continue;
        if (symbol >= 0 && symbols[symbol] >= 0)
            return rt_fail(
                error, RT_INVALID_ARGUMENT, "%s has %lld in dimension %d, but %s is already %lld",
                what, (long long)dims[i], i, program->symbols[symbol], (long long)symbols[symbol]);
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "%s has %lld in dimension %d, which does not fit", what, (long long)dims[i],
                       i);
    }
    return RT_OK;
}

int64_t retort_parameter_elements(const retort_parameter *parameter) {
    int64_t count = 1;
    for (uint32_t i = 0; i < parameter->rank; ++i) count *= parameter->dims[i];
    return count;
}

uint64_t retort_parameter_bytes(const retort_parameter *parameter) {
    return (uint64_t)retort_parameter_elements(parameter) *
           rt_dtype_bytes((rt_dtype)parameter->dtype);
}
