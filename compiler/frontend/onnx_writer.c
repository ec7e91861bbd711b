// SPDX-License-Identifier: Apache-2.0
/* The structs of onnx_model.h become protobuf-c messages that point at the same strings, arrays and
 * values; protobuf-c then emits them piece by piece into the file. */
#include "compiler/frontend/onnx_writer.h"

#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_tensor.h"
#include "onnx.pb-c.h"
#include "runtime/base/file.h"

typedef struct writing {
    rt_arena arena;
    rt_error *error;
} writing;

static rt_status fail_memory(writing *w) {
    return rt_fail(w->error, RT_OUT_OF_MEMORY, "out of memory");
}

/* An array of `count` pointers to messages of `size` bytes, for repeated message fields. */
static void **new_messages(writing *w, size_t count, size_t size) {
    void **pointers = RT_NEW_ARRAY(&w->arena, void *, count);
    char *messages = rt_arena_array(&w->arena, count, size);
    if (!pointers || !messages) return NULL;
    for (size_t i = 0; i < count; ++i) pointers[i] = messages + i * size;
    return pointers;
}

#define NEW_MESSAGES(w, target, type, count)                          \
    do {                                                              \
        (target) = (type **)new_messages((w), (count), sizeof(type)); \
        if (!(target)) return fail_memory(w);                         \
    } while (0)

static char *text(const char *value) {
    return value && value[0] ? (char *)value : NULL;
}

/* Names in lists must be there even where empty: they keep the place of what was left out. */
static rt_status make_names(writing *w, const char *const *names, size_t count, char ***result) {
    *result = RT_NEW_ARRAY(&w->arena, char *, count);
    if (!*result) return fail_memory(w);
    for (size_t i = 0; i < count; ++i) (*result)[i] = (char *)(names[i] ? names[i] : "");
    return RT_OK;
}

static rt_status make_tensor(writing *w, const rt_onnx_tensor *tensor, Onnx__TensorProto *message) {
    onnx__tensor_proto__init(message);
    message->name = text(tensor->name);
    message->n_dims = (size_t)tensor->rank;
    message->dims = (int64_t *)tensor->dims;
    message->has_data_type = true;
    message->data_type = tensor->type;
    message->has_raw_data = true;
    if (tensor->storage == RT_ONNX_VALUES) {
        message->raw_data.len = tensor->size_bytes;
        message->raw_data.data = (uint8_t *)tensor->file->data + tensor->offset;
        return RT_OK;
    }
    if (rt_onnx_type_bits(tensor->type) < 8) {
        return rt_fail(w->error, RT_UNSUPPORTED, "tensor '%s' of type %s cannot be written",
                       tensor->name, rt_onnx_type_text(tensor->type));
    }
    /* Values in typed fields are small in practice: decoded once. */
    message->raw_data.len = rt_onnx_tensor_raw_bytes(tensor);
    message->raw_data.data = rt_arena_allocate(&w->arena, message->raw_data.len);
    if (!message->raw_data.data) return fail_memory(w);
    if (rt_onnx_tensor_values(tensor, message->raw_data.data) == RT_OK) return RT_OK;
    return rt_fail(w->error, RT_UNSUPPORTED, "tensor '%s' of type %s cannot be written",
                   tensor->name, rt_onnx_type_text(tensor->type));
}

static rt_status make_tensors(writing *w, const rt_onnx_tensor *tensors, size_t count,
                              Onnx__TensorProto ***messages) {
    NEW_MESSAGES(w, *messages, Onnx__TensorProto, count);
    for (size_t i = 0; i < count; ++i) RT_TRY(make_tensor(w, &tensors[i], (*messages)[i]));
    return RT_OK;
}

static rt_status make_graph(writing *w, const rt_onnx_graph *graph, Onnx__GraphProto *message);

static rt_status make_graphs(writing *w, const rt_onnx_attribute *attribute,
                             Onnx__GraphProto ***messages) {
    NEW_MESSAGES(w, *messages, Onnx__GraphProto, attribute->count);
    for (size_t i = 0; i < attribute->count; ++i) {
        RT_TRY(make_graph(w, &attribute->graphs[i], (*messages)[i]));
    }
    return RT_OK;
}

static rt_status make_strings(writing *w, const rt_onnx_attribute *attribute,
                              Onnx__AttributeProto *message) {
    message->n_strings = attribute->count;
    message->strings = RT_NEW_ARRAY(&w->arena, ProtobufCBinaryData, attribute->count);
    if (!message->strings) return fail_memory(w);
    for (size_t i = 0; i < attribute->count; ++i) {
        message->strings[i].len = attribute->texts[i].size;
        message->strings[i].data = (uint8_t *)attribute->texts[i].bytes;
    }
    return RT_OK;
}

static rt_status make_attribute(writing *w, const rt_onnx_attribute *attribute,
                                Onnx__AttributeProto *message) {
    onnx__attribute_proto__init(message);
    message->name = text(attribute->name);
    message->ref_attr_name = text(attribute->reference);
    message->has_type = true;
    message->type = (int32_t)attribute->kind;
    if (message->ref_attr_name) return RT_OK;
    switch (attribute->kind) {
    case RT_ONNX_ATTRIBUTE_FLOAT:
        message->has_f = true;
        message->f = attribute->real;
        return RT_OK;
    case RT_ONNX_ATTRIBUTE_INT:
        message->has_i = true;
        message->i = attribute->integer;
        return RT_OK;
    case RT_ONNX_ATTRIBUTE_STRING:
        message->has_s = true;
        message->s.len = attribute->text.size;
        message->s.data = (uint8_t *)attribute->text.bytes;
        return RT_OK;
    case RT_ONNX_ATTRIBUTE_FLOATS:
        message->n_floats = attribute->count;
        message->floats = (float *)attribute->reals;
        return RT_OK;
    case RT_ONNX_ATTRIBUTE_INTS:
        message->n_ints = attribute->count;
        message->ints = (int64_t *)attribute->integers;
        return RT_OK;
    case RT_ONNX_ATTRIBUTE_STRINGS: return make_strings(w, attribute, message);
    case RT_ONNX_ATTRIBUTE_TENSOR: {
        Onnx__TensorProto **messages;
        RT_TRY(make_tensors(w, attribute->tensors, 1, &messages));
        message->t = messages[0];
        return RT_OK;
    }
    case RT_ONNX_ATTRIBUTE_TENSORS:
        message->n_tensors = attribute->count;
        return make_tensors(w, attribute->tensors, attribute->count, &message->tensors);
    case RT_ONNX_ATTRIBUTE_GRAPH: {
        Onnx__GraphProto **messages;
        RT_TRY(make_graphs(w, attribute, &messages));
        message->g = messages[0];
        return RT_OK;
    }
    case RT_ONNX_ATTRIBUTE_GRAPHS:
        message->n_graphs = attribute->count;
        return make_graphs(w, attribute, &message->graphs);
    default:
        return rt_fail(w->error, RT_UNSUPPORTED, "attribute '%s' of type %d cannot be written",
                       attribute->name, (int)attribute->kind);
    }
}

static rt_status make_attributes(writing *w, const rt_onnx_attribute *attributes, size_t count,
                                 Onnx__AttributeProto ***messages) {
    NEW_MESSAGES(w, *messages, Onnx__AttributeProto, count);
    for (size_t i = 0; i < count; ++i) {
        RT_TRY(make_attribute(w, &attributes[i], (*messages)[i]));
    }
    return RT_OK;
}

static rt_status make_nodes(writing *w, const rt_onnx_node *nodes, size_t count,
                            Onnx__NodeProto ***messages) {
    NEW_MESSAGES(w, *messages, Onnx__NodeProto, count);
    for (size_t i = 0; i < count; ++i) {
        Onnx__NodeProto *message = (*messages)[i];
        onnx__node_proto__init(message);
        message->name = text(nodes[i].name);
        message->op_type = text(nodes[i].op_type);
        message->domain = text(nodes[i].domain);
        message->overload = text(nodes[i].overload);
        message->n_input = nodes[i].input_count;
        message->n_output = nodes[i].output_count;
        message->n_attribute = nodes[i].attribute_count;
        RT_TRY(make_names(w, nodes[i].inputs, nodes[i].input_count, &message->input));
        RT_TRY(make_names(w, nodes[i].outputs, nodes[i].output_count, &message->output));
        RT_TRY(
            make_attributes(w, nodes[i].attributes, nodes[i].attribute_count, &message->attribute));
    }
    return RT_OK;
}

static rt_status make_shape(writing *w, const rt_onnx_value *value,
                            Onnx__TensorShapeProto *message) {
    onnx__tensor_shape_proto__init(message);
    message->n_dim = (size_t)value->rank;
    NEW_MESSAGES(w, message->dim, Onnx__TensorShapeProto__Dimension, message->n_dim);
    for (int i = 0; i < value->rank; ++i) {
        Onnx__TensorShapeProto__Dimension *dim = message->dim[i];
        onnx__tensor_shape_proto__dimension__init(dim);
        if (text(value->dims[i].symbol)) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim->dim_param = (char *)value->dims[i].symbol;
        } else if (value->dims[i].value >= 0) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = value->dims[i].value;
        }
    }
    return RT_OK;
}

static rt_status make_values(writing *w, const rt_onnx_value *values, size_t count,
                             Onnx__ValueInfoProto ***messages) {
    NEW_MESSAGES(w, *messages, Onnx__ValueInfoProto, count);
    for (size_t i = 0; i < count; ++i) {
        Onnx__ValueInfoProto *message = (*messages)[i];
        onnx__value_info_proto__init(message);
        message->name = text(values[i].name);
        if (values[i].kind != RT_ONNX_VALUE_TENSOR) continue;
        Onnx__TypeProto *type = RT_NEW(&w->arena, Onnx__TypeProto);
        Onnx__TypeProto__Tensor *tensor = RT_NEW(&w->arena, Onnx__TypeProto__Tensor);
        Onnx__TensorShapeProto *shape = RT_NEW(&w->arena, Onnx__TensorShapeProto);
        if (!type || !tensor || !shape) return fail_memory(w);
        onnx__type_proto__init(type);
        onnx__type_proto__tensor__init(tensor);
        message->type = type;
        type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        type->tensor_type = tensor;
        tensor->has_elem_type = true;
        tensor->elem_type = values[i].type;
        if (!values[i].has_shape) continue;
        tensor->shape = shape;
        RT_TRY(make_shape(w, &values[i], shape));
    }
    return RT_OK;
}

static rt_status make_graph(writing *w, const rt_onnx_graph *graph, Onnx__GraphProto *message) {
    onnx__graph_proto__init(message);
    message->name = text(graph->name);
    message->n_node = graph->node_count;
    message->n_initializer = graph->initializer_count;
    message->n_input = graph->input_count;
    message->n_output = graph->output_count;
    message->n_value_info = graph->value_info_count;
    RT_TRY(make_nodes(w, graph->nodes, graph->node_count, &message->node));
    RT_TRY(make_tensors(w, graph->initializers, graph->initializer_count, &message->initializer));
    RT_TRY(make_values(w, graph->inputs, graph->input_count, &message->input));
    RT_TRY(make_values(w, graph->outputs, graph->output_count, &message->output));
    return make_values(w, graph->value_infos, graph->value_info_count, &message->value_info);
}

static rt_status make_opsets(writing *w, const rt_onnx_opset *opsets, size_t count,
                             Onnx__OperatorSetIdProto ***messages) {
    NEW_MESSAGES(w, *messages, Onnx__OperatorSetIdProto, count);
    for (size_t i = 0; i < count; ++i) {
        Onnx__OperatorSetIdProto *message = (*messages)[i];
        onnx__operator_set_id_proto__init(message);
        message->domain = (char *)(opsets[i].domain ? opsets[i].domain : "");
        message->has_version = true;
        message->version = opsets[i].version;
    }
    return RT_OK;
}

static rt_status make_function(writing *w, const rt_onnx_function *function,
                               Onnx__FunctionProto *message) {
    onnx__function_proto__init(message);
    message->name = text(function->name);
    message->domain = text(function->domain);
    message->overload = text(function->overload);
    message->n_input = function->input_count;
    message->n_output = function->output_count;
    message->n_attribute = function->attribute_name_count;
    message->n_attribute_proto = function->default_count;
    message->n_node = function->node_count;
    message->n_opset_import = function->opset_count;
    RT_TRY(make_names(w, function->inputs, function->input_count, &message->input));
    RT_TRY(make_names(w, function->outputs, function->output_count, &message->output));
    RT_TRY(make_names(w, function->attribute_names, function->attribute_name_count,
                      &message->attribute));
    RT_TRY(
        make_attributes(w, function->defaults, function->default_count, &message->attribute_proto));
    RT_TRY(make_opsets(w, function->opsets, function->opset_count, &message->opset_import));
    return make_nodes(w, function->nodes, function->node_count, &message->node);
}

static rt_status make_model(writing *w, const rt_onnx_model *model, Onnx__ModelProto *message) {
    onnx__model_proto__init(message);
    message->has_ir_version = true;
    message->ir_version = model->ir_version;
    message->producer_name = model->producer ? text(model->producer) : (char *)"retort";
    message->graph = RT_NEW(&w->arena, Onnx__GraphProto);
    if (!message->graph) return fail_memory(w);
    message->n_opset_import = model->opset_count;
    RT_TRY(make_opsets(w, model->opsets, model->opset_count, &message->opset_import));
    message->n_functions = model->function_count;
    NEW_MESSAGES(w, message->functions, Onnx__FunctionProto, model->function_count);
    for (size_t i = 0; i < model->function_count; ++i) {
        RT_TRY(make_function(w, &model->functions[i], message->functions[i]));
    }
    return make_graph(w, &model->graph, message->graph);
}

/* protobuf-c's sink, writing to a file. */
typedef struct file_sink {
    ProtobufCBuffer base;
    rt_writer *writer;
} file_sink;

static void append_to_file(ProtobufCBuffer *buffer, size_t size, const uint8_t *bytes) {
    file_sink *sink = (file_sink *)buffer;
    rt_writer_write(sink->writer, bytes, size);
}

static rt_status stream_message(rt_writer *writer, const ProtobufCMessage *message,
                                rt_error *error) {
    if (protobuf_c_message_get_packed_size(message) > INT32_MAX) {
        return rt_fail(error, RT_UNSUPPORTED, "%s: would be larger than 2 GB, ONNX's limit",
                       writer->path);
    }
    file_sink sink = {.base = {append_to_file}, .writer = writer};
    protobuf_c_message_pack_to_buffer(message, &sink.base);
    return RT_OK;
}

static rt_status write_message(const char *path, const ProtobufCMessage *message, rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_status status = stream_message(&writer, message, error);
    if (status == RT_OK) return rt_writer_commit(&writer, error);
    rt_writer_abandon(&writer);
    return status;
}

rt_status rt_onnx_write(const char *path, const rt_onnx_model *model, rt_error *error) {
    writing w = {.error = error};
    Onnx__ModelProto message;
    rt_status status = make_model(&w, model, &message);
    if (status == RT_OK) {
        status = write_message(path, &message.base, error);
    } else {
        rt_fail_within(error, status, "%s", path);
    }
    rt_arena_deinit(&w.arena);
    return status;
}

rt_status rt_onnx_stream_tensor(rt_writer *writer, const rt_onnx_tensor *tensor, rt_error *error) {
    writing w = {.error = error};
    Onnx__TensorProto message;
    rt_status status = make_tensor(&w, tensor, &message);
    if (status == RT_OK) status = stream_message(writer, &message.base, error);
    rt_arena_deinit(&w.arena);
    return status;
}

rt_status rt_onnx_write_tensor(const char *path, const rt_onnx_tensor *tensor, rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_status status = rt_onnx_stream_tensor(&writer, tensor, error);
    if (status == RT_OK) return rt_writer_commit(&writer, error);
    rt_writer_abandon(&writer);
    return status;
}

rt_status rt_onnx_write_bytes(const rt_onnx_model *model, rt_arena *arena, const uint8_t **bytes,
                              size_t *size) {
    writing w = {0};
    Onnx__ModelProto message;
    rt_status status = make_model(&w, model, &message);
    if (status == RT_OK) {
        *size = protobuf_c_message_get_packed_size(&message.base);
        uint8_t *buffer = rt_arena_allocate(arena, *size);
        if (buffer) protobuf_c_message_pack(&message.base, buffer);
        *bytes = buffer;
        status = buffer ? RT_OK : RT_OUT_OF_MEMORY;
    }
    rt_arena_deinit(&w.arena);
    return status;
}

void rt_onnx_tensor_of_memory(rt_onnx_tensor *tensor, rt_onnx_file *file, const char *name,
                              rt_dtype dtype, const int64_t *dims, int rank, const void *values) {
    *tensor = (rt_onnx_tensor){.name = name,
                               .type = rt_onnx_type_of_dtype(dtype),
                               .rank = rank,
                               .dims = dims,
                               .count = 1,
                               .file = file};
    for (int i = 0; i < rank; ++i) tensor->count *= dims[i];
    tensor->size_bytes = (uint64_t)tensor->count * rt_dtype_bytes(dtype);
    *file = (rt_onnx_file){"", values, tensor->size_bytes};
}
