// SPDX-License-Identifier: Apache-2.0
/* Element types and tensor values. A TensorProto holds its values either as raw little-endian bytes
 * or in one repeated field chosen by the type, packed, unpacked or both; packed floats are raw
 * bytes too, everything else in a field is decoded when somebody asks for it. */
#include "compiler/frontend/onnx_tensor.h"

#include <string.h>

#include "compiler/frontend/onnx_wire.h"
#include "runtime/base/check.h"
#include "runtime/base/sizes.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensor values are used where they lie");

/* Fields of TensorProto that hold values. */
enum {
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11,
};

enum { RT_NONE = -1 };

typedef struct type_row {
    const char *text;
    int bits;
    int field;
    int dtype; /* rt_dtype or RT_NONE */
} type_row;

static const type_row type_rows[] = {
#define ONNX_TYPE(number, id, text, bits, field, dtype) [number] = {text, bits, field, RT_##dtype},
#include "compiler/frontend/onnx_types.def"
#undef ONNX_TYPE
};

static const type_row *row_of(int32_t type) {
    if (type <= 0 || (size_t)type >= RT_COUNT_OF(type_rows)) return NULL;
    return &type_rows[type];
}

const char *rt_onnx_type_text(int32_t type) {
    const type_row *row = row_of(type);
    return row ? row->text : "unknown type";
}

int rt_onnx_type_bits(int32_t type) {
    const type_row *row = row_of(type);
    return row ? row->bits : -1;
}

bool rt_onnx_type_dtype(int32_t type, rt_dtype *dtype) {
    const type_row *row = row_of(type);
    if (!row || row->dtype == RT_NONE) return false;
    *dtype = (rt_dtype)row->dtype;
    return true;
}

int32_t rt_onnx_type_of_dtype(rt_dtype dtype) {
    for (size_t i = 1; i < RT_COUNT_OF(type_rows); ++i) {
        if (type_rows[i].dtype == (int)dtype) return (int32_t)i;
    }
    return 0;
}

rt_status rt_onnx_count_elements(const int64_t *dims, int rank, const char *what, int64_t *count,
                                 rt_error *error) {
    int64_t product = 1;
    for (int i = 0; i < rank; ++i) {
        if (dims[i] < 0) {
            return rt_fail(error, RT_INVALID_DATA, "%s: dimension %d is %lld", what, i,
                           (long long)dims[i]);
        }
        if (!rt_int64_multiply(product, dims[i], &product) || product > INT64_C(1) << 56) {
            return rt_fail(error, RT_INVALID_DATA, "%s: its dimensions are too large", what);
        }
    }
    *count = product;
    return RT_OK;
}

uint64_t rt_onnx_tensor_raw_bytes(const rt_onnx_tensor *tensor) {
    uint64_t bits = (uint64_t)rt_onnx_type_bits(tensor->type), count = (uint64_t)tensor->count;
    /* Below a byte several elements share one and the last byte is padded. */
    return bits >= 8 ? count * (bits / 8) : count / 8 * bits + (count % 8 * bits + 7) / 8;
}

static bool is_value_field(uint32_t number) {
    return number == FLOAT_DATA || number == INT32_DATA || number == STRING_DATA ||
           number == INT64_DATA || number == RAW_DATA || number == DOUBLE_DATA ||
           number == UINT64_DATA;
}

/* Size of one packed element of a field; 0 where it is a varint. */
static size_t fixed_size(uint32_t number) {
    return number == FLOAT_DATA ? 4 : number == DOUBLE_DATA ? 8 : 0;
}

/* Number of elements in one occurrence of a typed field; -1 where it is malformed. */
static int64_t count_elements(const rt_wire_field *field) {
    size_t fixed = fixed_size(field->number);
    if (field->number == STRING_DATA) return field->type == RT_WIRE_BYTES ? 1 : -1;
    if (field->type != RT_WIRE_BYTES) {
        rt_wire_type alone = fixed == 4   ? RT_WIRE_FIXED32
                             : fixed == 8 ? RT_WIRE_FIXED64
                                          : RT_WIRE_VARINT;
        return field->type == alone ? 1 : -1;
    }
    if (fixed) return field->size % fixed ? -1 : (int64_t)(field->size / fixed);
    int64_t count = 0;
    const uint8_t *at = field->bytes, *end = at + field->size;
    for (uint64_t value; at < end; ++count) {
        if (!rt_wire_varint(&at, end, &value)) return -1;
    }
    return count;
}

/* What one pass over a TensorProto finds. */
typedef struct found_values {
    bool has_raw;
    rt_wire_field raw;
    int64_t typed_count; /* elements in the field of the tensor's type */
    int typed_chunks;
    rt_wire_field typed; /* the last chunk */
} found_values;

static rt_status find_values(const rt_onnx_tensor *tensor, uint64_t offset, uint64_t size,
                             const char *what, found_values *found, rt_error *error) {
    const type_row *row = row_of(tensor->type);
    rt_wire_cursor cursor = {tensor->file->data + offset, tensor->file->data + offset + size, NULL};
    rt_wire_field field;
    *found = (found_values){0};
    while (rt_wire_next(&cursor, &field)) {
        if (!is_value_field(field.number)) continue;
        if (field.number == RAW_DATA) {
            if (field.type != RT_WIRE_BYTES) {
                return rt_fail(error, RT_INVALID_DATA, "%s: raw_data holds no bytes", what);
            }
            found->has_raw = true;
            found->raw = field;
            continue;
        }
        int64_t count = count_elements(&field);
        if (count < 0) return rt_fail(error, RT_INVALID_DATA, "%s: malformed values", what);
        if (count == 0) continue;
        if ((int)field.number != row->field) {
            return rt_fail(error, RT_INVALID_DATA,
                           "%s: its values are in a field that does not belong to type %s", what,
                           row->text);
        }
        found->typed_count += count;
        found->typed_chunks++;
        found->typed = field;
    }
    if (cursor.problem) {
        return rt_fail(error, RT_INVALID_DATA, "%s: %s", what, cursor.problem);
    }
    return RT_OK;
}

static rt_status fail_size(const rt_onnx_tensor *tensor, const char *what, const char *unit,
                           uint64_t has, uint64_t needs, rt_error *error) {
    return rt_fail(
        error, RT_INVALID_DATA, "%s: holds %llu %s where its shape and type %s need %llu", what,
        (unsigned long long)has, unit, rt_onnx_type_text(tensor->type), (unsigned long long)needs);
}

static void place_values(rt_onnx_tensor *tensor, const rt_wire_field *field) {
    tensor->storage = RT_ONNX_VALUES;
    tensor->offset = (uint64_t)(field->bytes - tensor->file->data);
    tensor->size_bytes = field->size;
}

rt_status rt_onnx_tensor_locate(rt_onnx_tensor *tensor, uint64_t offset, uint64_t size,
                                const char *what, rt_error *error) {
    const type_row *row = row_of(tensor->type);
    RT_ASSERT(row);
    found_values found;
    RT_TRY(find_values(tensor, offset, size, what, &found, error));
    if (found.has_raw && (found.raw.size || !found.typed_chunks)) {
        if (!row->bits) {
            return rt_fail(error, RT_INVALID_DATA, "%s: strings cannot be in raw_data", what);
        }
        uint64_t needed = rt_onnx_tensor_raw_bytes(tensor);
        if (found.raw.size != needed) {
            return fail_size(tensor, what, "bytes", found.raw.size, needed, error);
        }
        place_values(tensor, &found.raw);
        return RT_OK;
    }
    /* How types without an rt_dtype are spread over a field is of no use here; 4-bit integers go
     * by twos. */
    uint64_t needed = row->bits == 4 ? rt_onnx_tensor_raw_bytes(tensor) : (uint64_t)tensor->count;
    if (row->dtype != RT_NONE && (uint64_t)found.typed_count != needed) {
        return fail_size(tensor, what, "values", (uint64_t)found.typed_count, needed, error);
    }
    if (found.typed_chunks == 1 && fixed_size(found.typed.number)) {
        place_values(tensor, &found.typed);
        return RT_OK;
    }
    tensor->storage = RT_ONNX_FIELDS;
    tensor->offset = offset;
    tensor->size_bytes = size;
    return RT_OK;
}

/* Element `index` from the bits of a typed field: 16-bit floats are stored as their bits, integers
 * wrap to the width of the type. */
static void store(rt_dtype dtype, uint64_t bits, uint8_t *values, int64_t index) {
    size_t size = rt_dtype_bytes(dtype);
    if (dtype == RT_BOOL) bits = bits != 0;
    memcpy(values + (size_t)index * size, &bits, size);
}

/* The 4-bit integers of one byte, the first in its low half. */
static void store_halves(const rt_onnx_tensor *tensor, uint8_t byte, uint8_t *values,
                         int64_t index) {
    for (int half = 0; half < 2 && index + half < tensor->count; ++half) {
        uint8_t bits = (uint8_t)(byte >> (4 * half) & 15);
        bool is_negative = tensor->type == RT_ONNX_INT4 && bits >= 8;
        values[index + half] = is_negative ? (uint8_t)(bits | 0xf0) : bits;
    }
}

/* Writes one entry of a field and returns the next index. */
static int64_t store_entry(const rt_onnx_tensor *tensor, rt_dtype dtype, uint64_t bits,
                           uint8_t *values, int64_t index) {
    if (rt_onnx_type_bits(tensor->type) == 4) {
        store_halves(tensor, (uint8_t)bits, values, index);
        return index + 2;
    }
    store(dtype, bits, values, index);
    return index + 1;
}

static void decode_fields(const rt_onnx_tensor *tensor, rt_dtype dtype, uint8_t *values) {
    const uint8_t *begin = tensor->file->data + tensor->offset;
    rt_wire_cursor cursor = {begin, begin + tensor->size_bytes, NULL};
    rt_wire_field field;
    int64_t index = 0;
    while (rt_wire_next(&cursor, &field)) {
        if (!is_value_field(field.number) || field.number == RAW_DATA) continue;
        size_t fixed = fixed_size(field.number);
        if (field.type != RT_WIRE_BYTES) {
            index = store_entry(tensor, dtype, field.value, values, index);
            continue;
        }
        const uint8_t *at = field.bytes, *end = at + field.size;
        while (at < end && index < tensor->count) {
            uint64_t bits = 0;
            if (fixed) {
                memcpy(&bits, at, fixed);
                at += fixed;
            } else if (!rt_wire_varint(&at, end, &bits)) {
                break;
            }
            index = store_entry(tensor, dtype, bits, values, index);
        }
    }
}

rt_status rt_onnx_tensor_values(const rt_onnx_tensor *tensor, void *values) {
    rt_dtype dtype;
    if (!rt_onnx_type_dtype(tensor->type, &dtype)) return RT_UNSUPPORTED;
    if (tensor->storage == RT_ONNX_FIELDS) {
        decode_fields(tensor, dtype, values);
        return RT_OK;
    }
    const uint8_t *source = tensor->file->data + tensor->offset;
    if (rt_onnx_type_bits(tensor->type) == 4) {
        for (int64_t i = 0; i < tensor->count; i += 2) {
            store_halves(tensor, source[i / 2], values, i);
        }
    } else if (dtype == RT_BOOL) {
        for (int64_t i = 0; i < tensor->count; ++i) ((uint8_t *)values)[i] = source[i] != 0;
    } else if (tensor->size_bytes) {
        memcpy(values, source, tensor->size_bytes);
    }
    return RT_OK;
}
