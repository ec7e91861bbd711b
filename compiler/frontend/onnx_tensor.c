// SPDX-License-Identifier: Apache-2.0
/* Element types and tensor values. A TensorProto holds its values either as raw little-endian bytes
 * or in one repeated field chosen by the type, packed, unpacked or both; packed floats are raw
 * bytes too, other packed numbers stay as they are until a program loads them or somebody asks. */
#include "compiler/frontend/onnx_tensor.h"

#include <string.h>

#include "compiler/frontend/onnx_wire.h"
#include "runtime/base/check.h"
#include "runtime/base/sizes.h"
#include "runtime/base/transform.h"

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
        if (!rt_read_varint(&at, end, &value)) return -1;
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
    if (found.typed_chunks == 1) {
        place_values(tensor, &found.typed);
        if (!fixed_size(found.typed.number)) tensor->storage = RT_ONNX_VARINTS;
        return RT_OK;
    }
    tensor->storage = RT_ONNX_FIELDS;
    tensor->offset = offset;
    tensor->size_bytes = size;
    return RT_OK;
}

static bool is_narrow(const rt_onnx_tensor *tensor) {
    return rt_onnx_type_bits(tensor->type) == 4;
}

rt_transform rt_onnx_tensor_packing(const rt_onnx_tensor *tensor) {
    RT_ASSERT(tensor->storage != RT_ONNX_FIELDS);
    if (tensor->storage == RT_ONNX_VARINTS)
        return is_narrow(tensor) ? RT_TRANSFORM_VARINT_HALVES : RT_TRANSFORM_VARINTS;
    return is_narrow(tensor) ? RT_TRANSFORM_HALVES : RT_TRANSFORM_NONE;
}

/* The elements in the bytes of one field; returns how many. Their number was counted before. */
static int64_t decode_field(const rt_onnx_tensor *tensor, rt_dtype dtype,
                            const rt_wire_field *field, uint8_t *values, int64_t most) {
    size_t fixed = fixed_size(field->number);
    rt_unpacking unpacking = {
        .transform = is_narrow(tensor) ? RT_TRANSFORM_VARINT_HALVES : RT_TRANSFORM_VARINTS,
        .dtype = dtype,
        .next = field->bytes,
        .end = field->bytes + field->size,
    };
    if (!fixed) return rt_unpack(&unpacking, values, most);
    int64_t count = (int64_t)(field->size / fixed);
    if (count > most) count = most;
    memcpy(values, field->bytes, (size_t)count * fixed);
    return count;
}

static void decode_fields(const rt_onnx_tensor *tensor, rt_dtype dtype, uint8_t *values) {
    const uint8_t *begin = tensor->file->data + tensor->offset;
    rt_wire_cursor cursor = {begin, begin + tensor->size_bytes, NULL};
    rt_wire_field field;
    int64_t index = 0;
    while (rt_wire_next(&cursor, &field)) {
        if (!is_value_field(field.number) || field.number == RAW_DATA) continue;
        int64_t count =
            decode_field(tensor, dtype, &field, values + (size_t)index * rt_dtype_bytes(dtype),
                         tensor->count - index);
        if (count > 0) index += count;
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
    rt_transform packing = rt_onnx_tensor_packing(tensor);
    if (packing != RT_TRANSFORM_NONE) {
        rt_unpacking unpacking = {packing, dtype, source, source + tensor->size_bytes};
        return rt_unpack(&unpacking, values, tensor->count) == tensor->count ? RT_OK
                                                                             : RT_INVALID_DATA;
    }
    if (dtype == RT_BOOL) {
        for (int64_t i = 0; i < tensor->count; ++i) ((uint8_t *)values)[i] = source[i] != 0;
    } else if (tensor->size_bytes) {
        memcpy(values, source, tensor->size_bytes);
    }
    return RT_OK;
}
