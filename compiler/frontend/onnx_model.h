// SPDX-License-Identifier: Apache-2.0
/* An ONNX model as plain structs: what the reader gives, the importer reads and the writer writes.
 * Everything lives in one arena; strings are never NULL ("" where absent) unless said otherwise.
 * Terms and field meanings are those of the ONNX IR specification (onnx.ai, "IR.md"). */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_MODEL_H
#define RETORT_COMPILER_FRONTEND_ONNX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/dtype.h"

/* Element types: the numbers are the format's. */
typedef enum rt_onnx_type {
#define ONNX_TYPE(number, id, text, bits, field, dtype) RT_ONNX_##id = number,
#include "compiler/frontend/onnx_types.def"
#undef ONNX_TYPE
} rt_onnx_type;

/* "float", "int64" …; "type 99" where unknown (static text "unknown type"). */
const char *rt_onnx_type_text(int32_t type);
/* Bits of one element in raw data, 0 for strings, -1 where the number is unknown. */
int rt_onnx_type_bits(int32_t type);
/* False where Retort has no such element type (strings, complex, below 8 bits …). */
bool rt_onnx_type_dtype(int32_t type, rt_dtype *dtype);
int32_t rt_onnx_type_of_dtype(rt_dtype dtype);

/* A mapped file that holds tensor values: the model itself or its external data. */
typedef struct rt_onnx_file {
    const char *path;
    const uint8_t *data;
    uint64_t size;
} rt_onnx_file;

/* How the values lie in their file. */
typedef enum rt_onnx_storage {
    RT_ONNX_VALUES,  /* little-endian, row-major, one after the other; maybe unaligned */
    RT_ONNX_VARINTS, /* the same as numbers of seven bits to a byte (runtime/base/transform.h) */
    RT_ONNX_FIELDS, /* in several of the typed fields of the TensorProto at `offset`: read them with
                       rt_onnx_tensor_values */
} rt_onnx_storage;

/* A tensor whose values stay in their file. size_bytes agrees with dims and type (checked). */
typedef struct rt_onnx_tensor {
    const char *name;
    int32_t type; /* rt_onnx_type */
    int rank;
    const int64_t *dims;
    int64_t count; /* product of dims */
    rt_onnx_storage storage;
    const rt_onnx_file *file;
    uint64_t offset;     /* from the file's start, bytes */
    uint64_t size_bytes; /* of the values, or of the message with RT_ONNX_FIELDS */
} rt_onnx_tensor;

typedef struct rt_onnx_graph rt_onnx_graph;

/* Bytes that may hold anything; a NUL follows them. */
typedef struct rt_onnx_text {
    const char *bytes;
    size_t size;
} rt_onnx_text;

/* Which members of an attribute hold. The numbers are the format's. */
typedef enum rt_onnx_attribute_kind {
    RT_ONNX_ATTRIBUTE_NONE = 0, /* no value: only allowed with `reference` */
    RT_ONNX_ATTRIBUTE_FLOAT = 1,
    RT_ONNX_ATTRIBUTE_INT = 2,
    RT_ONNX_ATTRIBUTE_STRING = 3,
    RT_ONNX_ATTRIBUTE_TENSOR = 4,
    RT_ONNX_ATTRIBUTE_GRAPH = 5,
    RT_ONNX_ATTRIBUTE_FLOATS = 6,
    RT_ONNX_ATTRIBUTE_INTS = 7,
    RT_ONNX_ATTRIBUTE_STRINGS = 8,
    RT_ONNX_ATTRIBUTE_TENSORS = 9,
    RT_ONNX_ATTRIBUTE_GRAPHS = 10,
    RT_ONNX_ATTRIBUTE_SPARSE_TENSOR = 11, /* values are not read */
    RT_ONNX_ATTRIBUTE_SPARSE_TENSORS = 12,
    RT_ONNX_ATTRIBUTE_TYPE = 13, /* values are not read */
    RT_ONNX_ATTRIBUTE_TYPES = 14,
    RT_ONNX_ATTRIBUTE_KIND_COUNT
} rt_onnx_attribute_kind;

typedef struct rt_onnx_attribute {
    const char *name;
    const char *reference; /* in a function: the caller's attribute of this name; else "" */
    rt_onnx_attribute_kind kind;
    float real;
    int64_t integer;
    rt_onnx_text text;
    size_t count; /* of the array of this kind; 1 for a single tensor or graph */
    const float *reals;
    const int64_t *integers;
    const rt_onnx_text *texts;
    const rt_onnx_tensor *tensors;
    const rt_onnx_graph *graphs;
} rt_onnx_attribute;

typedef struct rt_onnx_node {
    const char *name;
    const char *op_type;
    const char *domain; /* "" is ai.onnx (the reader writes "ai.onnx" as "") */
    const char *overload;
    /* The modules that PyTorch's newer exporter says the node comes from, outermost first and the
     * operation last: "['', 'encoder', 'encoder.query', 'linear_1']"; "" where it says nothing.
     * Not written. */
    const char *scopes;
    const char *const *inputs; /* "" is an optional input left out */
    size_t input_count;
    const char *const *outputs; /* "" is an output nobody reads */
    size_t output_count;
    const rt_onnx_attribute *attributes;
    size_t attribute_count;
} rt_onnx_node;

typedef enum rt_onnx_value_kind {
    RT_ONNX_VALUE_UNTYPED, /* the file does not say */
    RT_ONNX_VALUE_TENSOR,
    RT_ONNX_VALUE_SEQUENCE,
    RT_ONNX_VALUE_MAP,
    RT_ONNX_VALUE_OPAQUE,
    RT_ONNX_VALUE_SPARSE_TENSOR,
    RT_ONNX_VALUE_OPTIONAL,
} rt_onnx_value_kind;

/* A dimension: a symbol where `symbol` is not "", a size where value >= 0, else unknown. */
typedef struct rt_onnx_dim {
    int64_t value;
    const char *symbol;
} rt_onnx_dim;

typedef struct rt_onnx_value {
    const char *name;
    rt_onnx_value_kind kind;
    int32_t type;   /* rt_onnx_type of a tensor's elements, 0 where not given */
    bool has_shape; /* false: not even the rank is known */
    int rank;
    const rt_onnx_dim *dims;
} rt_onnx_value;

struct rt_onnx_graph {
    const char *name;
    const rt_onnx_node *nodes; /* in topological order (checked) */
    size_t node_count;
    const rt_onnx_tensor *initializers;
    size_t initializer_count;
    size_t sparse_initializer_count; /* their values are not read */
    const rt_onnx_value *inputs;     /* IR version 3 lists initialisers here too */
    size_t input_count;
    const rt_onnx_value *outputs;
    size_t output_count;
    const rt_onnx_value *value_infos; /* types of inner values, hints only */
    size_t value_info_count;
};

typedef struct rt_onnx_opset {
    const char *domain; /* "" is ai.onnx */
    int64_t version;
} rt_onnx_opset;

/* A model-local function: a node of this domain, name and overload stands for its nodes. */
typedef struct rt_onnx_function {
    const char *name;
    const char *domain;
    const char *overload;
    const char *const *inputs;
    size_t input_count;
    const char *const *outputs;
    size_t output_count;
    const char *const *attribute_names; /* attributes without a default */
    size_t attribute_name_count;
    const rt_onnx_attribute *defaults; /* attributes with one */
    size_t default_count;
    const rt_onnx_node *nodes;
    size_t node_count;
    const rt_onnx_opset *opsets;
    size_t opset_count;
} rt_onnx_function;

typedef struct rt_onnx_model {
    int64_t ir_version;
    const char *producer; /* "pytorch 2.15.0"; for messages only */
    rt_onnx_graph graph;
    const rt_onnx_opset *opsets;
    size_t opset_count;
    const rt_onnx_function *functions;
    size_t function_count;
} rt_onnx_model;

#endif
