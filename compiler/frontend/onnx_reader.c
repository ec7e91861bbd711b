// SPDX-License-Identifier: Apache-2.0
/* Bytes to messages to structs, in three steps.
 *
 *   1. copy_message walks the mapped bytes along the schema and writes a skeleton: the same
 * messages without unknown fields and without tensor values. A tensor's raw_data becomes a locator,
 * 16 bytes that say where the TensorProto lies in the file. Lengths, nesting, wire types and
 *      strings are checked here.
 *   2. protobuf-c unpacks the skeleton into the source's arena, within a budget of memory.
 *   3. read_* turn the messages into the structs of onnx_model.h, sharing strings and arrays.
 *
 * protobuf-c alone would copy every value, keep unknown fields and recurse as deep as a file says.
 */
#include "compiler/frontend/onnx_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_check.h"
#include "compiler/frontend/onnx_tensor.h"
#include "compiler/frontend/onnx_wire.h"
#include "onnx.pb-c.h"
#include "runtime/base/check.h"
#include "runtime/base/sizes.h"
#include "runtime/base/transform.h"

enum {
    MAX_DEPTH = 64,
    TENSOR_SEGMENT_FIELD = 3,
    TENSOR_RAW_DATA_FIELD = 9,
    TENSOR_FIRST_DATA_FIELD = 4,
    TENSOR_LAST_DATA_FIELD = 11,
    TENSOR_NAME_FIELD = 8,
};

typedef struct locator {
    uint64_t offset;
    uint64_t size;
} locator;

typedef struct reading {
    rt_onnx_source *source;
    const rt_onnx_file *file;
    rt_error *error;
    uint8_t *skeleton;
    size_t skeleton_size, skeleton_capacity;
    size_t budget; /* bytes that unpacking may still take */
} reading;

/* --- 1. The skeleton ---------------------------------------------------------------------------
 */

static rt_status fail_at(reading *r, const uint8_t *at, const ProtobufCMessageDescriptor *type,
                         const char *problem) {
    return rt_fail(r->error, RT_INVALID_DATA,
                   "byte %zu: in %s: %s (is the file cut off or damaged?)",
                   (size_t)(at - r->file->data), type->short_name, problem);
}

static bool append(reading *r, const void *bytes, size_t size) {
    size_t needed = r->skeleton_size + size;
    if (needed > r->skeleton_capacity) {
        size_t capacity = r->skeleton_capacity ? r->skeleton_capacity * 2 : 4096;
        while (capacity < needed) capacity *= 2;
        uint8_t *larger = realloc(r->skeleton, capacity);
        if (!larger) return false;
        r->skeleton = larger;
        r->skeleton_capacity = capacity;
    }
    if (size) memcpy(r->skeleton + r->skeleton_size, bytes, size);
    r->skeleton_size += size;
    return true;
}

static bool append_varint(reading *r, uint64_t value) {
    uint8_t bytes[10];
    size_t size = 0;
    do {
        bytes[size++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    return append(r, bytes, size);
}

/* A length of fixed width, so that it can be filled in once the message is written. */
enum { LENGTH_BYTES = 5 };

static void patch_length(reading *r, size_t at, size_t length) {
    for (int i = 0; i < LENGTH_BYTES; ++i) {
        uint8_t more = i + 1 < LENGTH_BYTES ? 0x80 : 0;
        r->skeleton[at + (size_t)i] = (uint8_t)((length >> (7 * i) & 0x7f) | more);
    }
}

static bool append_field(reading *r, const rt_wire_field *field) {
    return append_varint(r, (uint64_t)field->number << 3 | (uint64_t)field->type) &&
           (field->type != RT_WIRE_BYTES || append_varint(r, field->size)) &&
           append(r, field->bytes, field->size);
}

static rt_wire_type wire_type_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return RT_WIRE_BYTES;
    case PROTOBUF_C_TYPE_FLOAT: return RT_WIRE_FIXED32;
    default: return RT_WIRE_VARINT; /* the schema has int32 and int64 besides */
    }
}

static bool is_well_packed(const rt_wire_field *field, ProtobufCType type) {
    if (type == PROTOBUF_C_TYPE_FLOAT) return field->size % sizeof(float) == 0;
    const uint8_t *at = field->bytes, *end = at + field->size;
    for (uint64_t value; at < end;) {
        if (!rt_read_varint(&at, end, &value)) return false;
    }
    return true;
}

/* NULL where the field may stand in the skeleton, else what is wrong with it. */
static const char *find_problem(const rt_wire_field *field, const ProtobufCFieldDescriptor *known) {
    rt_wire_type wanted = wire_type_of(known->type);
    if (field->type != wanted) {
        bool can_pack = known->label == PROTOBUF_C_LABEL_REPEATED && wanted != RT_WIRE_BYTES;
        if (!can_pack || field->type != RT_WIRE_BYTES) return "a field of the wrong wire type";
        if (!is_well_packed(field, known->type)) return "a malformed packed field";
    }
    if (known->type == PROTOBUF_C_TYPE_STRING && field->size &&
        memchr(field->bytes, 0, field->size)) {
        return "a string with a NUL in it";
    }
    return NULL;
}

static bool is_tensor_value_field(uint32_t number) {
    return number >= TENSOR_FIRST_DATA_FIELD && number <= TENSOR_LAST_DATA_FIELD &&
           number != TENSOR_NAME_FIELD;
}

static rt_status copy_message(reading *r, const ProtobufCMessageDescriptor *type,
                              const uint8_t *bytes, size_t size, int depth);

static rt_status copy_nested(reading *r, const ProtobufCMessageDescriptor *type,
                             const rt_wire_field *field, int depth) {
    static const uint8_t unknown_length[LENGTH_BYTES];
    if (!append_varint(r, (uint64_t)field->number << 3 | RT_WIRE_BYTES) ||
        !append(r, unknown_length, sizeof unknown_length)) {
        return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    }
    size_t begin = r->skeleton_size;
    RT_TRY(copy_message(r, type, field->bytes, field->size, depth));
    size_t length = r->skeleton_size - begin;
    if (length > INT32_MAX) {
        return rt_fail(r->error, RT_UNSUPPORTED, "more than 2 GB of graph without its weights");
    }
    patch_length(r, begin - LENGTH_BYTES, length);
    return RT_OK;
}

static rt_status append_locator(reading *r, const uint8_t *bytes, size_t size) {
    locator where = {(uint64_t)(bytes - r->file->data), size};
    rt_wire_field field = {.number = TENSOR_RAW_DATA_FIELD,
                           .type = RT_WIRE_BYTES,
                           .bytes = (const uint8_t *)&where,
                           .size = sizeof where};
    if (append_field(r, &field)) return RT_OK;
    return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
}

static rt_status copy_message(reading *r, const ProtobufCMessageDescriptor *type,
                              const uint8_t *bytes, size_t size, int depth) {
    if (depth > MAX_DEPTH) return fail_at(r, bytes, type, "messages nested more than 64 deep");
    bool is_tensor = type == &onnx__tensor_proto__descriptor;
    rt_wire_cursor cursor = {bytes, bytes + size, NULL};
    rt_wire_field field;
    uint32_t seen = 0; /* bit per singular message field: those may occur once */
    while (rt_wire_next(&cursor, &field)) {
        if (is_tensor && field.number == TENSOR_SEGMENT_FIELD) {
            return rt_fail(
                r->error, RT_UNSUPPORTED,
                "byte %zu: a tensor in segments, or a sequence or optional value where a "
                "tensor was expected",
                (size_t)(bytes - r->file->data));
        }
        if (is_tensor && is_tensor_value_field(field.number)) continue;
        const ProtobufCFieldDescriptor *known =
            protobuf_c_message_descriptor_get_field(type, field.number);
        if (!known) continue;
        const char *problem = find_problem(&field, known);
        if (problem) return fail_at(r, field.bytes, type, problem);
        if (known->type == PROTOBUF_C_TYPE_MESSAGE) {
            uint32_t bit = 1u << (known - type->fields);
            if (known->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit)) {
                return fail_at(r, field.bytes, type, "a field that may occur once occurs twice");
            }
            seen |= bit;
            RT_TRY(copy_nested(r, known->descriptor, &field, depth + 1));
        } else if (!append_field(r, &field)) {
            return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
        }
    }
    if (cursor.problem) return fail_at(r, cursor.next, type, cursor.problem);
    return is_tensor ? append_locator(r, bytes, size) : RT_OK;
}

/* --- 2. Unpacking ------------------------------------------------------------------------------
 */

static void *allocate_within_budget(void *data, size_t size) {
    reading *r = data;
    if (size > r->budget) return NULL;
    r->budget -= size;
    return rt_arena_allocate(&r->source->arena, size);
}

static void keep(void *data, void *pointer) {
    (void)data, (void)pointer; /* the arena goes as a whole */
}

static rt_status unpack(reading *r, const ProtobufCMessageDescriptor *type,
                        ProtobufCMessage **message) {
    RT_TRY(copy_message(r, type, r->file->data, r->file->size, 0));
    /* The smallest messages take some thirty times their bytes; real graphs a tenth of that. */
    size_t budget = (size_t)64 << 20;
    r->budget = budget + 32 * r->skeleton_size;
    ProtobufCAllocator allocator = {allocate_within_budget, keep, r};
    *message = protobuf_c_message_unpack(type, &allocator, r->skeleton_size,
                                         r->skeleton ? r->skeleton : (const uint8_t *)"");
    if (*message) return RT_OK;
    return rt_fail(r->error, RT_INVALID_DATA, "not an ONNX %s, or one that needs too much memory",
                   type->short_name);
}

/* --- 3. Structs --------------------------------------------------------------------------------
 */

static const char *text_or_empty(const char *text) {
    return text ? text : "";
}

static const char *read_domain(const char *domain) {
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

static rt_status fail_memory(reading *r) {
    return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
}

/* Allocates `count` structs of `type` into `array` or returns from the function. */
#define NEW_ARRAY(r, array, type, count)                            \
    do {                                                            \
        (array) = RT_NEW_ARRAY(&(r)->source->arena, type, (count)); \
        if (!(array)) return fail_memory(r);                        \
    } while (0)

static const char *find_entry(const Onnx__TensorProto *message, const char *key) {
    for (size_t i = 0; i < message->n_external_data; ++i) {
        if (strcmp(text_or_empty(message->external_data[i]->key), key) == 0) {
            return text_or_empty(message->external_data[i]->value);
        }
    }
    return NULL;
}

static bool parse_size(const char *text, uint64_t *value) {
    *value = 0;
    if (!text[0]) return false;
    for (; *text; ++text) {
        if (*text < '0' || *text > '9') return false;
        if (*value > (UINT64_MAX - 9) / 10) return false;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

static rt_status read_external(reading *r, const Onnx__TensorProto *message, const char *what,
                               rt_onnx_tensor *tensor) {
    const char *location = find_entry(message, "location");
    const char *offset_text = find_entry(message, "offset");
    const char *length_text = find_entry(message, "length");
    uint64_t offset = 0, needed = rt_onnx_tensor_raw_bytes(tensor), length = needed;
    if (!location) return rt_fail(r->error, RT_INVALID_DATA, "%s: no external location", what);
    if (rt_onnx_type_bits(tensor->type) == 0) {
        return rt_fail(r->error, RT_INVALID_DATA, "%s: strings cannot be external", what);
    }
    if ((offset_text && !parse_size(offset_text, &offset)) ||
        (length_text && !parse_size(length_text, &length))) {
        return rt_fail(r->error, RT_INVALID_DATA, "%s: external offset or length is no number",
                       what);
    }
    if (length != needed) {
        return rt_fail(r->error, RT_INVALID_DATA,
                       "%s: external length is %llu where its shape and type %s need %llu", what,
                       (unsigned long long)length, rt_onnx_type_text(tensor->type),
                       (unsigned long long)needed);
    }
    rt_status status = rt_onnx_files_open_external(
        &r->source->files, &r->source->arena, r->file->path, location, &tensor->file, r->error);
    if (status != RT_OK) return rt_fail_within(r->error, status, "%s", what);
    if (offset > tensor->file->size || needed > tensor->file->size - offset) {
        return rt_fail(
            r->error, RT_INVALID_DATA,
            "%s: bytes %llu to %llu are beyond the end of external data '%s' (%llu bytes)", what,
            (unsigned long long)offset, (unsigned long long)(offset + needed), location,
            (unsigned long long)tensor->file->size);
    }
    tensor->storage = RT_ONNX_VALUES;
    tensor->offset = offset;
    tensor->size_bytes = needed;
    return RT_OK;
}

/* `role` is "initialiser", "attribute" …; a tensor without a name goes by `fallback`. */
static rt_status read_tensor(reading *r, const Onnx__TensorProto *message, const char *role,
                             const char *fallback, rt_onnx_tensor *tensor) {
    const char *name = text_or_empty(message->name);
    char what[200];
    snprintf(what, sizeof what, "%s '%.150s'", role, name[0] ? name : fallback);
    *tensor = (rt_onnx_tensor){.name = name,
                               .type = message->data_type,
                               .rank = (int)message->n_dims,
                               .dims = message->dims,
                               .file = r->file};
    if (message->n_dims > INT16_MAX) {
        return rt_fail(r->error, RT_INVALID_DATA, "%s: %zu dimensions", what, message->n_dims);
    }
    if (rt_onnx_type_bits(tensor->type) < 0) {
        return rt_fail(r->error, RT_INVALID_DATA, "%s: unknown element type %d", what,
                       (int)tensor->type);
    }
    RT_TRY(rt_onnx_count_elements(tensor->dims, tensor->rank, what, &tensor->count, r->error));
    if (message->data_location == 1) return read_external(r, message, what, tensor);
    if (message->data_location != 0) {
        return rt_fail(r->error, RT_INVALID_DATA, "%s: unknown data location %d", what,
                       (int)message->data_location);
    }
    locator where;
    RT_ASSERT(message->raw_data.len == sizeof where);
    memcpy(&where, message->raw_data.data, sizeof where);
    return rt_onnx_tensor_locate(tensor, where.offset, where.size, what, r->error);
}

static rt_status read_tensors(reading *r, Onnx__TensorProto **messages, size_t count,
                              const char *role, const char *fallback,
                              const rt_onnx_tensor **tensors) {
    rt_onnx_tensor *array;
    NEW_ARRAY(r, array, rt_onnx_tensor, count);
    for (size_t i = 0; i < count; ++i) {
        RT_TRY(read_tensor(r, messages[i], role, fallback, &array[i]));
    }
    *tensors = array;
    return RT_OK;
}

static rt_status read_text(reading *r, const ProtobufCBinaryData *bytes, rt_onnx_text *text) {
    text->size = bytes->len;
    text->bytes = rt_arena_copy_text(&r->source->arena, (const char *)bytes->data, bytes->len);
    return text->bytes ? RT_OK : fail_memory(r);
}

static rt_status read_strings(reading *r, char **strings, size_t count,
                              const char *const **result) {
    const char **array;
    NEW_ARRAY(r, array, const char *, count);
    for (size_t i = 0; i < count; ++i) array[i] = text_or_empty(strings[i]);
    *result = array;
    return RT_OK;
}

static rt_status read_graph(reading *r, const Onnx__GraphProto *message, rt_onnx_graph *graph);

/* Files of IR version 1 do not say which member holds. */
static rt_onnx_attribute_kind infer_kind(const Onnx__AttributeProto *message) {
    if (message->has_f) return RT_ONNX_ATTRIBUTE_FLOAT;
    if (message->has_i) return RT_ONNX_ATTRIBUTE_INT;
    if (message->has_s) return RT_ONNX_ATTRIBUTE_STRING;
    if (message->t) return RT_ONNX_ATTRIBUTE_TENSOR;
    if (message->g) return RT_ONNX_ATTRIBUTE_GRAPH;
    if (message->n_floats) return RT_ONNX_ATTRIBUTE_FLOATS;
    if (message->n_ints) return RT_ONNX_ATTRIBUTE_INTS;
    if (message->n_strings) return RT_ONNX_ATTRIBUTE_STRINGS;
    if (message->n_tensors) return RT_ONNX_ATTRIBUTE_TENSORS;
    if (message->n_graphs) return RT_ONNX_ATTRIBUTE_GRAPHS;
    if (message->sparse_tensor) return RT_ONNX_ATTRIBUTE_SPARSE_TENSOR;
    if (message->tp) return RT_ONNX_ATTRIBUTE_TYPE;
    return RT_ONNX_ATTRIBUTE_NONE;
}

static rt_status read_graphs(reading *r, Onnx__GraphProto **messages, size_t count,
                             rt_onnx_attribute *attribute) {
    rt_onnx_graph *graphs;
    NEW_ARRAY(r, graphs, rt_onnx_graph, count);
    for (size_t i = 0; i < count; ++i) RT_TRY(read_graph(r, messages[i], &graphs[i]));
    attribute->graphs = graphs;
    attribute->count = count;
    return RT_OK;
}

static rt_status read_texts(reading *r, const Onnx__AttributeProto *message,
                            rt_onnx_attribute *attribute) {
    rt_onnx_text *texts;
    NEW_ARRAY(r, texts, rt_onnx_text, message->n_strings);
    for (size_t i = 0; i < message->n_strings; ++i) {
        RT_TRY(read_text(r, &message->strings[i], &texts[i]));
    }
    attribute->texts = texts;
    attribute->count = message->n_strings;
    return RT_OK;
}

static rt_status read_attribute_value(reading *r, Onnx__AttributeProto *message,
                                      rt_onnx_attribute *attribute) {
    switch (attribute->kind) {
    case RT_ONNX_ATTRIBUTE_FLOAT: attribute->real = message->f; return RT_OK;
    case RT_ONNX_ATTRIBUTE_INT: attribute->integer = message->i; return RT_OK;
    case RT_ONNX_ATTRIBUTE_STRING: return read_text(r, &message->s, &attribute->text);
    case RT_ONNX_ATTRIBUTE_TENSOR:
        attribute->count = 1;
        if (!message->t) return rt_fail(r->error, RT_INVALID_DATA, "its tensor is missing");
        return read_tensors(r, &message->t, 1, "tensor", attribute->name, &attribute->tensors);
    case RT_ONNX_ATTRIBUTE_TENSORS:
        attribute->count = message->n_tensors;
        return read_tensors(r, message->tensors, message->n_tensors, "tensor", attribute->name,
                            &attribute->tensors);
    case RT_ONNX_ATTRIBUTE_GRAPH:
        if (!message->g) return rt_fail(r->error, RT_INVALID_DATA, "its graph is missing");
        return read_graphs(r, &message->g, 1, attribute);
    case RT_ONNX_ATTRIBUTE_GRAPHS:
        return read_graphs(r, message->graphs, message->n_graphs, attribute);
    case RT_ONNX_ATTRIBUTE_FLOATS:
        attribute->reals = message->floats;
        attribute->count = message->n_floats;
        return RT_OK;
    case RT_ONNX_ATTRIBUTE_INTS:
        attribute->integers = message->ints;
        attribute->count = message->n_ints;
        return RT_OK;
    case RT_ONNX_ATTRIBUTE_STRINGS: return read_texts(r, message, attribute);
    default: return RT_OK; /* the kind alone is kept */
    }
}

static rt_status read_attribute(reading *r, Onnx__AttributeProto *message,
                                rt_onnx_attribute *attribute) {
    *attribute = (rt_onnx_attribute){.name = text_or_empty(message->name),
                                     .reference = text_or_empty(message->ref_attr_name),
                                     .text = {"", 0}};
    int32_t kind = message->type ? message->type : (int32_t)infer_kind(message);
    rt_status status;
    if (!attribute->name[0]) {
        status = rt_fail(r->error, RT_INVALID_DATA, "it has no name");
    } else if (kind < 0 || kind >= RT_ONNX_ATTRIBUTE_KIND_COUNT) {
        status = rt_fail(r->error, RT_INVALID_DATA, "unknown attribute type %d", (int)kind);
    } else {
        attribute->kind = (rt_onnx_attribute_kind)kind;
        if (attribute->reference[0]) return RT_OK;
        status = read_attribute_value(r, message, attribute);
    }
    if (status == RT_OK) return RT_OK;
    return rt_fail_within(r->error, status, "attribute '%s'", attribute->name);
}

static rt_status read_attributes(reading *r, Onnx__AttributeProto **messages, size_t count,
                                 const rt_onnx_attribute **attributes) {
    rt_onnx_attribute *array;
    NEW_ARRAY(r, array, rt_onnx_attribute, count);
    for (size_t i = 0; i < count; ++i) RT_TRY(read_attribute(r, messages[i], &array[i]));
    *attributes = array;
    return RT_OK;
}

static const char *find_scopes(const Onnx__NodeProto *message) {
    for (size_t i = 0; i < message->n_metadata_props; ++i) {
        const char *key = text_or_empty(message->metadata_props[i]->key);
        if (strcmp(key, "pkg.torch.onnx.name_scopes") == 0) {
            return text_or_empty(message->metadata_props[i]->value);
        }
    }
    return "";
}

static rt_status read_nodes(reading *r, Onnx__NodeProto **messages, size_t count,
                            const rt_onnx_node **nodes) {
    rt_onnx_node *array;
    NEW_ARRAY(r, array, rt_onnx_node, count);
    for (size_t i = 0; i < count; ++i) {
        const Onnx__NodeProto *message = messages[i];
        rt_onnx_node *node = &array[i];
        node->name = text_or_empty(message->name);
        node->op_type = text_or_empty(message->op_type);
        node->domain = read_domain(message->domain);
        node->overload = text_or_empty(message->overload);
        node->scopes = find_scopes(message);
        node->input_count = message->n_input;
        node->output_count = message->n_output;
        node->attribute_count = message->n_attribute;
        RT_TRY(read_strings(r, message->input, message->n_input, &node->inputs));
        RT_TRY(read_strings(r, message->output, message->n_output, &node->outputs));
        rt_status status =
            read_attributes(r, message->attribute, message->n_attribute, &node->attributes);
        if (status != RT_OK) {
            char what[RT_ONNX_NODE_TEXT];
            return rt_fail_within(r->error, status, "%s", rt_onnx_node_text(node, i, what));
        }
    }
    *nodes = array;
    return RT_OK;
}

static rt_status read_shape(reading *r, const Onnx__TensorShapeProto *message,
                            rt_onnx_value *value) {
    if (message->n_dim > INT16_MAX) {
        return rt_fail(r->error, RT_INVALID_DATA, "value '%s': %zu dimensions", value->name,
                       message->n_dim);
    }
    rt_onnx_dim *dims;
    NEW_ARRAY(r, dims, rt_onnx_dim, message->n_dim);
    for (size_t i = 0; i < message->n_dim; ++i) {
        const Onnx__TensorShapeProto__Dimension *dim = message->dim[i];
        dims[i] = (rt_onnx_dim){-1, ""};
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM) {
            dims[i].symbol = text_or_empty(dim->dim_param);
        } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
            dims[i].value = dim->dim_value;
            if (dim->dim_value < 0) {
                return rt_fail(r->error, RT_INVALID_DATA, "value '%s': dimension %zu is %lld",
                               value->name, i, (long long)dim->dim_value);
            }
        }
    }
    value->has_shape = true;
    value->rank = (int)message->n_dim;
    value->dims = dims;
    return RT_OK;
}

static rt_status read_values(reading *r, Onnx__ValueInfoProto **messages, size_t count,
                             const rt_onnx_value **values) {
    static const rt_onnx_value_kind kinds[] = {
        [ONNX__TYPE_PROTO__VALUE__NOT_SET] = RT_ONNX_VALUE_UNTYPED,
        [ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE] = RT_ONNX_VALUE_TENSOR,
        [ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE] = RT_ONNX_VALUE_SEQUENCE,
        [ONNX__TYPE_PROTO__VALUE_MAP_TYPE] = RT_ONNX_VALUE_MAP,
        [ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE] = RT_ONNX_VALUE_OPAQUE,
        [ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE] = RT_ONNX_VALUE_SPARSE_TENSOR,
        [ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE] = RT_ONNX_VALUE_OPTIONAL,
    };
    rt_onnx_value *array;
    NEW_ARRAY(r, array, rt_onnx_value, count);
    for (size_t i = 0; i < count; ++i) {
        const Onnx__TypeProto *type = messages[i]->type;
        array[i].name = text_or_empty(messages[i]->name);
        if (!type) continue;
        array[i].kind = kinds[type->value_case];
        if (array[i].kind != RT_ONNX_VALUE_TENSOR) continue;
        array[i].type = type->tensor_type->elem_type;
        if (type->tensor_type->shape) RT_TRY(read_shape(r, type->tensor_type->shape, &array[i]));
    }
    *values = array;
    return RT_OK;
}

static rt_status read_graph(reading *r, const Onnx__GraphProto *message, rt_onnx_graph *graph) {
    *graph = (rt_onnx_graph){.name = text_or_empty(message->name),
                             .node_count = message->n_node,
                             .initializer_count = message->n_initializer,
                             .sparse_initializer_count = message->n_sparse_initializer,
                             .input_count = message->n_input,
                             .output_count = message->n_output,
                             .value_info_count = message->n_value_info};
    RT_TRY(read_tensors(r, message->initializer, message->n_initializer, "initialiser", "",
                        &graph->initializers));
    RT_TRY(read_values(r, message->input, message->n_input, &graph->inputs));
    RT_TRY(read_values(r, message->output, message->n_output, &graph->outputs));
    RT_TRY(read_values(r, message->value_info, message->n_value_info, &graph->value_infos));
    return read_nodes(r, message->node, message->n_node, &graph->nodes);
}

static rt_status read_opsets(reading *r, Onnx__OperatorSetIdProto **messages, size_t count,
                             const rt_onnx_opset **opsets) {
    rt_onnx_opset *array;
    NEW_ARRAY(r, array, rt_onnx_opset, count);
    for (size_t i = 0; i < count; ++i) {
        array[i] = (rt_onnx_opset){read_domain(messages[i]->domain), messages[i]->version};
    }
    *opsets = array;
    return RT_OK;
}

static rt_status read_function(reading *r, const Onnx__FunctionProto *message,
                               rt_onnx_function *function) {
    *function = (rt_onnx_function){.name = text_or_empty(message->name),
                                   .domain = read_domain(message->domain),
                                   .overload = text_or_empty(message->overload),
                                   .input_count = message->n_input,
                                   .output_count = message->n_output,
                                   .attribute_name_count = message->n_attribute,
                                   .default_count = message->n_attribute_proto,
                                   .node_count = message->n_node,
                                   .opset_count = message->n_opset_import};
    RT_TRY(read_strings(r, message->input, message->n_input, &function->inputs));
    RT_TRY(read_strings(r, message->output, message->n_output, &function->outputs));
    RT_TRY(read_strings(r, message->attribute, message->n_attribute, &function->attribute_names));
    RT_TRY(read_attributes(r, message->attribute_proto, message->n_attribute_proto,
                           &function->defaults));
    RT_TRY(read_opsets(r, message->opset_import, message->n_opset_import, &function->opsets));
    return read_nodes(r, message->node, message->n_node, &function->nodes);
}

static rt_status read_model(reading *r, const Onnx__ModelProto *message) {
    rt_onnx_model *model;
    rt_onnx_function *functions;
    if (message->ir_version <= 0 || !message->graph) {
        return rt_fail(r->error, RT_INVALID_DATA, "not an ONNX model: it has no %s",
                       message->graph ? "ir_version" : "graph");
    }
    NEW_ARRAY(r, model, rt_onnx_model, 1);
    NEW_ARRAY(r, functions, rt_onnx_function, message->n_functions);
    model->ir_version = message->ir_version;
    model->producer =
        rt_arena_format(&r->source->arena, "%s %s", text_or_empty(message->producer_name),
                        text_or_empty(message->producer_version));
    if (!model->producer) return fail_memory(r);
    model->opset_count = message->n_opset_import;
    model->functions = functions;
    model->function_count = message->n_functions;
    RT_TRY(read_opsets(r, message->opset_import, message->n_opset_import, &model->opsets));
    RT_TRY(read_graph(r, message->graph, &model->graph));
    for (size_t i = 0; i < message->n_functions; ++i) {
        rt_status status = read_function(r, message->functions[i], &functions[i]);
        if (status != RT_OK) {
            return rt_fail_within(r->error, status, "function '%s'", functions[i].name);
        }
    }
    r->source->model = model;
    return rt_onnx_check(model, r->error);
}

/* --- Opening -----------------------------------------------------------------------------------
 */

static rt_status read_any(reading *r, bool is_model) {
    const ProtobufCMessageDescriptor *type =
        is_model ? &onnx__model_proto__descriptor : &onnx__tensor_proto__descriptor;
    ProtobufCMessage *message = NULL;
    RT_TRY(unpack(r, type, &message));
    if (is_model) return read_model(r, (const Onnx__ModelProto *)message);
    rt_onnx_tensor *tensor;
    NEW_ARRAY(r, tensor, rt_onnx_tensor, 1);
    RT_TRY(read_tensor(r, (const Onnx__TensorProto *)message, "tensor", "", tensor));
    r->source->tensor = tensor;
    return RT_OK;
}

static rt_status finish(reading *r, const char *path, rt_status status) {
    free(r->skeleton);
    if (status == RT_OK) return RT_OK;
    rt_onnx_close(r->source);
    return rt_fail_within(r->error, status, "%s", path);
}

static rt_status open_any(const char *path, bool is_model, rt_onnx_source *source,
                          rt_error *error) {
    *source = (rt_onnx_source){0};
    reading r = {.source = source, .error = error};
    rt_status status = rt_onnx_files_open(&source->files, &source->arena, path, &r.file, error);
    if (status != RT_OK) {
        rt_onnx_close(source);
        return status; /* names the path */
    }
    return finish(&r, path, read_any(&r, is_model));
}

static rt_status read_bytes(const void *bytes, size_t size, const char *path, bool is_model,
                            rt_onnx_source *source, rt_error *error) {
    *source = (rt_onnx_source){0};
    rt_onnx_file *file = RT_NEW(&source->arena, rt_onnx_file);
    if (!file) return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    *file = (rt_onnx_file){rt_arena_copy_string(&source->arena, path), bytes, size};
    reading r = {.source = source, .file = file, .error = error};
    return finish(&r, path, file->path ? read_any(&r, is_model) : fail_memory(&r));
}

rt_status rt_onnx_open(const char *path, rt_onnx_source *source, rt_error *error) {
    return open_any(path, true, source, error);
}

rt_status rt_onnx_open_tensor(const char *path, rt_onnx_source *source, rt_error *error) {
    return open_any(path, false, source, error);
}

rt_status rt_onnx_read(const void *bytes, size_t size, const char *path, rt_onnx_source *source,
                       rt_error *error) {
    return read_bytes(bytes, size, path, true, source, error);
}

rt_status rt_onnx_read_tensor(const void *bytes, size_t size, const char *path,
                              rt_onnx_source *source, rt_error *error) {
    return read_bytes(bytes, size, path, false, source, error);
}

void rt_onnx_close(rt_onnx_source *source) {
    rt_onnx_files_close(&source->files);
    rt_arena_deinit(&source->arena);
    *source = (rt_onnx_source){0};
}
