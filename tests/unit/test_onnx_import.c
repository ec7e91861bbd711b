// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "compiler/frontend/onnx_writer.h"
#include "ir/print.h"
#include "tests/support/test.h"

/* A model put together by a test, and what became of it. */
typedef struct fixture {
    rt_arena arena;
    rt_onnx_node nodes[16];
    rt_onnx_value inputs[8], outputs[4];
    rt_onnx_tensor tensors[8];
    rt_onnx_file files[8];
    rt_onnx_function functions[4];
    rt_onnx_opset opsets[3];
    rt_onnx_model model;
    rt_onnx_import_options options;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    const char *text; /* all diagnostics */
} fixture;

static fixture begin(int64_t opset) {
    fixture f = {.opsets = {{"", opset}}};
    f.model.ir_version = 8;
    f.model.opset_count = 1;
    return f;
}

/* "a,b,,c" to four names. */
static const char *const *split(fixture *f, const char *names, size_t *count) {
    const char **list = RT_NEW_ARRAY(&f->arena, const char *, 16);
    for (*count = 0; names && *names; ++*count) {
        size_t length = strcspn(names, ",");
        list[*count] = rt_arena_copy_text(&f->arena, names, length);
        names += length + (names[length] == ',');
    }
    return list;
}

static rt_onnx_node make_node(fixture *f, const char *op, const char *inputs, const char *outputs) {
    rt_onnx_node node = {.name = "", .op_type = op, .domain = "", .overload = ""};
    node.inputs = split(f, inputs, &node.input_count);
    node.outputs = split(f, outputs, &node.output_count);
    return node;
}

static rt_onnx_node *add_node(fixture *f, const char *op, const char *inputs, const char *outputs) {
    rt_onnx_node *node = &f->nodes[f->model.graph.node_count++];
    *node = make_node(f, op, inputs, outputs);
    return node;
}

static void add_int(fixture *f, rt_onnx_node *node, const char *name, int64_t value) {
    rt_onnx_attribute *attributes = RT_NEW_ARRAY(&f->arena, rt_onnx_attribute, 8);
    if (node->attribute_count) {
        memcpy(attributes, node->attributes, node->attribute_count * sizeof *attributes);
    }
    attributes[node->attribute_count++] = (rt_onnx_attribute){
        .name = name, .reference = "", .kind = RT_ONNX_ATTRIBUTE_INT, .integer = value};
    node->attributes = attributes;
}

/* "batch,3,?": a symbol, a size, neither. */
static rt_onnx_value make_value(fixture *f, const char *name, int32_t type, const char *shape) {
    rt_onnx_dim *dims = RT_NEW_ARRAY(&f->arena, rt_onnx_dim, 16);
    size_t rank;
    const char *const *parts = split(f, shape, &rank);
    for (size_t i = 0; i < rank; ++i) {
        long long size;
        dims[i] = (rt_onnx_dim){-1, ""};
        int used = 0;
        if (sscanf(parts[i], "%lld%n", &size, &used) == 1 && !parts[i][used]) {
            dims[i].value = size;
        } else if (strcmp(parts[i], "?") != 0) {
            dims[i].symbol = parts[i];
        }
    }
    return (rt_onnx_value){name, RT_ONNX_VALUE_TENSOR, type, true, (int)rank, dims};
}

static void add_input(fixture *f, const char *name, int32_t type, const char *shape) {
    f->inputs[f->model.graph.input_count++] = make_value(f, name, type, shape);
}

static void add_output(fixture *f, const char *name) {
    f->outputs[f->model.graph.output_count++] = make_value(f, name, RT_ONNX_FLOAT, "");
}

static void add_tensor(fixture *f, const char *name, rt_dtype dtype, int rank, const int64_t *dims,
                       const void *values) {
    size_t index = f->model.graph.initializer_count++;
    rt_onnx_tensor_of_memory(&f->tensors[index], &f->files[index], name, dtype, dims, rank, values);
    f->files[index].path = "w.onnx";
}

static void add_ints(fixture *f, const char *name, int64_t count, const int64_t *values) {
    int64_t *dims = RT_NEW(&f->arena, int64_t);
    *dims = count;
    add_tensor(f, name, RT_I64, 1, dims, values);
}

static void import(fixture *f) {
    rt_onnx_graph *graph = &f->model.graph;
    graph->name = "g";
    graph->nodes = f->nodes;
    graph->inputs = f->inputs;
    graph->outputs = f->outputs;
    graph->initializers = f->tensors;
    f->model.opsets = f->opsets;
    if (!f->model.functions) f->model.functions = f->functions;
    f->module = rt_module_create(&f->diagnostics);
    f->graph = rt_onnx_import(&f->model, "m.onnx", &f->options, f->module);
    f->text = rt_diagnostics_text(&f->diagnostics, &f->arena);
    CU_ASSERT_EQUAL(f->graph == NULL, rt_diagnostics_failed(&f->diagnostics));
}

static void end(fixture *f) {
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static void expect_imported(fixture *f) {
    import(f);
    if (!f->graph) printf("%s\n", f->text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->graph);
}

static void expect_refused(fixture *f, const char *wanted) {
    import(f);
    CU_ASSERT_PTR_NULL(f->graph);
    if (!strstr(f->text, wanted)) printf("got: %s\n", f->text);
    CU_ASSERT_PTR_NOT_NULL(strstr(f->text, wanted));
    end(f);
}

static void expect_output(fixture *f, const char *name, const char *type) {
    rt_value value = rt_graph_find_output(f->graph, name);
    CU_ASSERT_FATAL(rt_value_is(value));
    const char *got =
        rt_type_text(rt_module_dims(f->module), rt_graph_type(f->graph, value), &f->arena);
    if (strcmp(got, type) != 0) printf("got %s, not %s\n", got, type);
    CU_ASSERT_STRING_EQUAL(got, type);
}

/* ---- shapes */

/* x.view(batch, sequence, 2, -1).transpose(1, 2), as PyTorch exports it. */
static void test_shape_arithmetic(void) {
    static const int64_t zero[] = {0}, one[] = {1}, two[] = {2}, open[] = {-1};
    static const int64_t scalar[] = {0};
    fixture f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "batch,sequence,6");
    add_ints(&f, "zero", 1, zero);
    add_ints(&f, "two", 1, two);
    add_ints(&f, "open", 1, open);
    add_tensor(&f, "first", RT_I64, 0, NULL, scalar);
    add_tensor(&f, "second", RT_I64, 0, NULL, one);
    add_node(&f, "Shape", "x", "shape");
    add_node(&f, "Gather", "shape,first", "b");
    add_node(&f, "Gather", "shape,second", "s");
    add_node(&f, "Unsqueeze", "b,zero", "b1");
    add_node(&f, "Unsqueeze", "s,zero", "s1");
    add_int(&f, add_node(&f, "Concat", "b1,s1,two,open", "to"), "axis", 0);
    add_node(&f, "Reshape", "x,to", "y");
    add_node(&f, "Mul", "b,s", "tokens");
    add_node(&f, "Range", "first,tokens,second", "r");
    add_node(&f, "ConstantOfShape", "to2", "c");
    add_node(&f, "Expand", "c,to3", "z");
    /* The last two read shapes made below: order the nodes. */
    rt_onnx_node fill = f.nodes[9], expand = f.nodes[10];
    add_int(&f, &f.nodes[9], "axis", 0);
    f.nodes[9] = make_node(&f, "Concat", "b1,s1", "to2");
    add_int(&f, &f.nodes[9], "axis", 0);
    f.nodes[10] = fill;
    f.model.graph.node_count = 11;
    add_int(&f, add_node(&f, "Concat", "two,b1,s1", "to3"), "axis", 0);
    f.nodes[f.model.graph.node_count++] = expand;
    add_output(&f, "y");
    add_output(&f, "r");
    add_output(&f, "z");
    expect_imported(&f);
    expect_output(&f, "y", "f32[batch,sequence,2,3]");
    expect_output(&f, "r", "i64[batch*sequence]");
    expect_output(&f, "z", "f32[2,batch,sequence]");
    end(&f);
}

/* A slice up to a size of the input; one of all but the last element; one from the end. */
static void test_slices(void) {
    static const int64_t zero[] = {0}, one[] = {1}, last[] = {-1}, far[] = {INT64_MAX};
    fixture f = begin(13);
    add_input(&f, "x", RT_ONNX_FLOAT, "batch,sequence");
    add_input(&f, "table", RT_ONNX_FLOAT, "512,4");
    add_ints(&f, "zero", 1, zero);
    add_ints(&f, "one", 1, one);
    add_ints(&f, "last", 1, last);
    add_ints(&f, "far", 1, far);
    add_node(&f, "Shape", "x", "shape");
    add_node(&f, "Slice", "shape,one,far", "s");
    add_node(&f, "Slice", "table,zero,s,zero", "rows");
    add_node(&f, "Slice", "x,zero,last,one", "short");
    add_node(&f, "Slice", "x,last,far,one", "end");
    add_output(&f, "rows");
    add_output(&f, "short");
    add_output(&f, "end");
    expect_imported(&f);
    expect_output(&f, "rows", "f32[sequence,4]");
    expect_output(&f, "short", "f32[batch,sequence-1]");
    expect_output(&f, "end", "f32[batch,1]");
    end(&f);
}

static void test_axis_names(void) {
    fixture f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "batch size,2nd,?");
    add_node(&f, "Relu", "x", "y");
    add_output(&f, "y");
    expect_imported(&f);
    expect_output(&f, "y", "f32[batch_size,d_2nd,x_2]");
    end(&f);
}

/* Exporters name an axis after what it is made of. */
static void test_axis_expressions(void) {
    fixture f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "b,past + s,2");
    add_input(&f, "y", RT_ONNX_FLOAT, "b,past,2");
    add_input(&f, "z", RT_ONNX_FLOAT, "b,s,2");
    add_input(&f, "u", RT_ONNX_FLOAT, "2*s - 1,max(s;3),s +,99999999999*s,seq-len");
    add_int(&f, add_node(&f, "Concat", "y,z", "yz"), "axis", 1);
    add_node(&f, "Add", "x,yz", "sum");
    add_node(&f, "Relu", "u", "v");
    add_output(&f, "sum");
    add_output(&f, "v");
    expect_imported(&f);
    expect_output(&f, "sum", "f32[b,past+s,2]");
    expect_output(&f, "v", "f32[2*s-1,max_s_3_,s__,d_99999999999_s,seq_len]");
    end(&f);
}

/* A shape that is an input: refused, with what to do; accepted where its value is given. */
static void test_known_inputs(void) {
    static const int64_t shape[] = {2, 6};
    const rt_tensor tensor = {.dtype = RT_I64, .rank = 1, .dims = {2}, .count = 2, .data = shape};
    const rt_onnx_known_input known = {"shape", &tensor};
    for (int pass = 0; pass < 2; ++pass) {
        fixture f = begin(17);
        add_input(&f, "x", RT_ONNX_FLOAT, "3,4");
        add_input(&f, "shape", RT_ONNX_INT64, "2");
        add_node(&f, "Reshape", "x,shape", "y");
        add_output(&f, "y");
        if (pass == 0) {
            expect_refused(&f, "m.onnx: error: 'y': Reshape: its result's shape depends on the "
                               "values of 'shape'");
            continue;
        }
        f.options = (rt_onnx_import_options){.known_inputs = &known, .known_input_count = 1};
        expect_imported(&f);
        expect_output(&f, "y", "f32[2,6]");
        CU_ASSERT_EQUAL(rt_graph_input_count(f.graph), 1);
        end(&f);
    }
}

/* ---- weights */

static void test_weights(void) {
    static float matrix[64 * 64], bias[4] = {1, 2, 3, 4}, single[1] = {1e-12f};
    static const int64_t square[] = {64, 64}, four[] = {4}, one[] = {1};
    static uint8_t mask[300 * 300];
    static const int64_t wide[] = {300, 300};
    fixture f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "b,64");
    add_tensor(&f, "layer.weight", RT_F32, 2, square, matrix);
    add_tensor(&f, "vector", RT_F32, 1, four, bias);
    add_tensor(&f, "epsilon", RT_F32, 1, one, single);
    add_tensor(&f, "head.bias", RT_F32, 1, one, single);
    add_tensor(&f, "mask", RT_BOOL, 2, wide, mask);
    add_tensor(&f, "unused", RT_F32, 1, four, bias);
    add_node(&f, "MatMul", "x,layer.weight", "p");
    add_node(&f, "Add", "p,epsilon", "q");
    add_node(&f, "Add", "q,head.bias", "y");
    add_node(&f, "Identity", "vector", "v");
    add_node(&f, "Not", "mask", "m");
    add_output(&f, "y");
    add_output(&f, "v");
    add_output(&f, "m");
    f.options.parameter_prefix = "teacher.";
    expect_imported(&f);
    CU_ASSERT_EQUAL(rt_module_parameter_count(f.module), 4);
    rt_parameter weight = rt_module_find_parameter(f.module, "teacher.layer.weight");
    CU_ASSERT_FATAL(rt_parameter_is(weight));
    const rt_parameter_info *info = rt_module_parameter(f.module, weight);
    CU_ASSERT_EQUAL(info->initial, RT_INITIAL_SOURCE);
    CU_ASSERT_EQUAL(info->source.size_bytes, sizeof matrix);
    CU_ASSERT_STRING_EQUAL(rt_module_file_path(f.module, info->source.file), "w.onnx");
    CU_ASSERT(info->is_trainable && info->is_decayed);
    CU_ASSERT(rt_parameter_is(rt_module_find_parameter(f.module, "teacher.head.bias")));
    CU_ASSERT(!rt_parameter_is(rt_module_find_parameter(f.module, "teacher.epsilon")));
    rt_parameter table = rt_module_find_parameter(f.module, "teacher.mask");
    CU_ASSERT_FATAL(rt_parameter_is(table));
    CU_ASSERT(!rt_module_parameter(f.module, table)->is_trainable);
    end(&f);
}

/* The layer behind a weight that the exporter renamed: by its bias, by scopes, by the node's path.
 */
static void test_recovered_names(void) {
    static float matrix[8], bias[4];
    static const int64_t two_by_four[] = {2, 4}, four[] = {4};
    static const struct {
        const char *weight, *scopes, *path, *bias, *wanted;
    } cases[] = {
        {"onnx::MatMul_7", "", "/a/MatMul", "x.query.bias", "x.query.weight"},
        {"val_7", "['', 'x', 'x.value', 'linear_2']", "node_1", NULL, "x.value.weight"},
        {"val_7", "['', 'linear1', 'linear']", "node_1", NULL, "linear1.weight"},
        {"val_7", "['', 'x', 'x.value', 'matmul']", "node_1", NULL, "val_7"},
        {"val_7", "", "/enc/layer.0/key/MatMul", NULL, "enc.layer.0.key.weight"},
        {"val_7", "", "/MatMul", "offset", "val_7"},
        {"x.kernel", "", "/enc/key/MatMul", "x.query.bias", "x.kernel"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        fixture f = begin(17);
        add_input(&f, "x", RT_ONNX_FLOAT, "n,2");
        add_tensor(&f, cases[i].weight, RT_F32, 2, two_by_four, matrix);
        const char *inputs = rt_arena_format(&f.arena, "x,%s", cases[i].weight);
        rt_onnx_node *product = add_node(&f, "MatMul", inputs, "p");
        product->name = cases[i].path;
        product->scopes = cases[i].scopes;
        add_output(&f, cases[i].bias ? "y" : "p");
        if (cases[i].bias) {
            add_tensor(&f, cases[i].bias, RT_F32, 1, four, bias);
            add_node(&f, "Add", rt_arena_format(&f.arena, "%s,p", cases[i].bias), "y");
        }
        expect_imported(&f);
        rt_parameter weight = rt_module_find_parameter(f.module, cases[i].wanted);
        if (!rt_parameter_is(weight)) printf("no parameter %s\n", cases[i].wanted);
        CU_ASSERT_FATAL(rt_parameter_is(weight));
        bool is_renamed = strcmp(cases[i].wanted, cases[i].weight) != 0;
        const rt_parameter_info *info = rt_module_parameter(f.module, weight);
        CU_ASSERT_EQUAL(info->source.transform == RT_TRANSFORM_TRANSPOSE, is_renamed);
        expect_output(&f, cases[i].bias ? "y" : "p", "f32[n,4]");
        end(&f);
    }
}

/* Two biases of equal values share their bytes in the file, not the parameter. */
static void test_shared_vectors(void) {
    static float bias[2], table[4];
    static const int64_t two[] = {2}, square[] = {2, 2};
    fixture f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "n,2");
    add_tensor(&f, "a.bias", RT_F32, 1, two, bias);
    add_tensor(&f, "a.table", RT_F32, 2, square, table);
    add_node(&f, "Identity", "a.bias", "b.bias");
    add_node(&f, "Identity", "a.table", "b.table");
    add_node(&f, "Identity", "x", "c.value");
    add_node(&f, "Add", "c.value,a.bias", "p");
    add_node(&f, "Add", "p,b.bias", "q");
    add_node(&f, "MatMul", "q,a.table", "r");
    add_node(&f, "MatMul", "r,b.table", "y");
    add_output(&f, "y");
    expect_imported(&f);
    CU_ASSERT_EQUAL(rt_module_parameter_count(f.module), 3);
    rt_parameter own = rt_module_find_parameter(f.module, "b.bias");
    CU_ASSERT_FATAL(rt_parameter_is(own));
    CU_ASSERT_EQUAL(rt_module_parameter(f.module, own)->source.size_bytes, sizeof bias);
    CU_ASSERT(!rt_parameter_is(rt_module_find_parameter(f.module, "b.table")));
    end(&f);
}

/* A decoder that repeats the embedding table transposed is the table. */
static void test_tied_table(void) {
    static float table[64 * 32], decoder[32 * 64];
    static const int64_t rows[] = {64, 32}, turned[] = {32, 64};
    for (int i = 0; i < 64; ++i) {
        for (int j = 0; j < 32; ++j) {
            table[i * 32 + j] = (float)(i * 100 + j);
            decoder[j * 64 + i] = (float)(i * 100 + j);
        }
    }
    for (int changed = 0; changed < 2; ++changed) {
        fixture f = begin(17);
        if (changed) decoder[77] += 1;
        add_input(&f, "ids", RT_ONNX_INT64, "n");
        add_tensor(&f, "embedding.weight", RT_F32, 2, rows, table);
        add_tensor(&f, "onnx::MatMul_9", RT_F32, 2, turned, decoder);
        add_node(&f, "Gather", "embedding.weight,ids", "h");
        add_node(&f, "MatMul", "h,onnx::MatMul_9", "y")->name = "/decoder/MatMul";
        add_output(&f, "y");
        expect_imported(&f);
        expect_output(&f, "y", "f32[n,64]");
        CU_ASSERT_EQUAL(rt_module_parameter_count(f.module), changed ? 2 : 1);
        rt_parameter own = rt_module_find_parameter(f.module, "decoder.weight");
        CU_ASSERT_EQUAL(rt_parameter_is(own), changed == 1);
        if (changed) {
            const rt_parameter_info *info = rt_module_parameter(f.module, own);
            CU_ASSERT_EQUAL(info->source.transform, RT_TRANSFORM_TRANSPOSE);
            CU_ASSERT(rt_dim_equal(info->type.dims[0], rt_module_constant_dim(f.module, 64)));
        }
        end(&f);
    }
}

/* ---- functions and branches */

static rt_onnx_function make_function(fixture *f, const char *name, const rt_onnx_node *nodes,
                                      size_t count, int64_t opset) {
    rt_onnx_opset *opsets = RT_NEW_ARRAY(&f->arena, rt_onnx_opset, 2);
    opsets[0] = (rt_onnx_opset){"", opset};
    opsets[1] = (rt_onnx_opset){"my", 1};
    rt_onnx_function function = {.name = name,
                                 .domain = "my",
                                 .overload = "",
                                 .nodes = nodes,
                                 .node_count = count,
                                 .opsets = opsets,
                                 .opset_count = 2};
    function.inputs = split(f, "a", &function.input_count);
    function.outputs = split(f, "r", &function.output_count);
    return function;
}

static rt_onnx_node *add_call(fixture *f, const char *name, const char *input, const char *output) {
    rt_onnx_node *node = add_node(f, name, input, output);
    node->domain = "my";
    return node;
}

/* A function's attribute comes from its caller, else from the function's default. */
static void test_functions(void) {
    fixture f = begin(17);
    rt_onnx_node body = make_node(&f, "Transpose", "a", "r");
    static const int64_t swapped[] = {1, 0, 2}, kept[] = {0, 2, 1};
    rt_onnx_attribute reference = {
        .name = "perm", .reference = "order", .kind = RT_ONNX_ATTRIBUTE_INTS};
    rt_onnx_attribute given = {.name = "order",
                               .reference = "",
                               .kind = RT_ONNX_ATTRIBUTE_INTS,
                               .integers = swapped,
                               .count = 3};
    rt_onnx_attribute fallback = given;
    fallback.integers = kept;
    body.attributes = &reference;
    body.attribute_count = 1;
    f.functions[0] = make_function(&f, "Turn", &body, 1, 17);
    f.functions[0].defaults = &fallback;
    f.functions[0].default_count = 1;
    f.model.function_count = 1;
    add_input(&f, "x", RT_ONNX_FLOAT, "2,3,4");
    rt_onnx_node *call = add_call(&f, "Turn", "x", "y");
    call->attributes = &given;
    call->attribute_count = 1;
    add_call(&f, "Turn", "x", "z");
    add_output(&f, "y");
    add_output(&f, "z");
    expect_imported(&f);
    expect_output(&f, "y", "f32[3,2,4]");
    expect_output(&f, "z", "f32[2,4,3]");
    end(&f);
}

static void test_function_without_end(void) {
    fixture f = begin(17);
    rt_onnx_node body = make_node(&f, "Again", "a", "r");
    body.domain = "my";
    f.functions[0] = make_function(&f, "Again", &body, 1, 17);
    f.model.function_count = 1;
    add_input(&f, "x", RT_ONNX_FLOAT, "2");
    add_call(&f, "Again", "x", "y");
    add_output(&f, "y");
    expect_refused(&f, "functions call each other more than 64 deep");
}

/* 2 to the 60 nodes. */
static void test_function_that_multiplies(void) {
    enum { LEVELS = 60 };
    static rt_onnx_function functions[LEVELS];
    static rt_onnx_node bodies[LEVELS][2];
    fixture f = begin(17);
    for (int i = 0; i < LEVELS; ++i) {
        const char *next = rt_arena_format(&f.arena, "F%d", i + 1);
        bodies[i][0] = make_node(&f, i + 1 < LEVELS ? next : "Relu", "a", "m");
        bodies[i][1] = make_node(&f, i + 1 < LEVELS ? next : "Relu", "m", "r");
        bodies[i][0].domain = bodies[i][1].domain = i + 1 < LEVELS ? "my" : "";
        const char *name = rt_arena_format(&f.arena, "F%d", i);
        functions[i] = make_function(&f, name, bodies[i], 2, 17);
    }
    add_input(&f, "x", RT_ONNX_FLOAT, "2");
    add_call(&f, "F0", "x", "y");
    add_output(&f, "y");
    f.model.function_count = LEVELS;
    f.model.functions = functions;
    expect_refused(&f, "expand to more than");
}

/* ---- what is refused */

static void test_missing_operators(void) {
    fixture f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "2");
    add_node(&f, "Frobnicate", "x", "a")->name = "first";
    add_node(&f, "Relu", "a", "b");
    add_node(&f, "Frobnicate", "b", "c");
    add_node(&f, "Swish", "c", "d");
    add_node(&f, "Thing", "d", "y")->domain = "org.example";
    add_output(&f, "y");
    import(&f);
    CU_ASSERT_PTR_NULL(f.graph);
    CU_ASSERT_EQUAL(f.diagnostics.error_count, 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "m.onnx: error: node 'first' (Frobnicate) and 1 others: "
                                          "operator Frobnicate of ai.onnx is not supported"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(f.text, "Swish is supported from operator set 24 on; the model uses 17"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "operator Thing of org.example is not supported"));
    end(&f);
}

static void test_refusals(void) {
    fixture f = begin(99);
    add_input(&f, "x", RT_ONNX_FLOAT, "2");
    expect_refused(&f, "uses operator set 99 of ai.onnx; 11 to 28 are understood");

    f = begin(17);
    add_input(&f, "x", RT_ONNX_STRING, "2");
    expect_refused(&f, "m.onnx: error: 'x': the element type of this input is not supported");

    f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "2");
    f.inputs[0].kind = RT_ONNX_VALUE_SEQUENCE;
    expect_refused(&f, "'x': this input is not a tensor");

    f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "2");
    f.inputs[0].has_shape = false;
    expect_refused(&f, "does not say how many dimensions");

    f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "1,1,1,1,1,1,1,1,1");
    expect_refused(&f, "more than 8 dimensions");

    f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "2,3");
    add_input(&f, "y", RT_ONNX_FLOAT, "2,4");
    add_node(&f, "Add", "x,y", "z")->name = "/block/Add";
    add_output(&f, "z");
    expect_refused(&f, "m.onnx: error: '/block/Add': add: shapes f32[2,3] and f32[2,4] do not");

    f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "2,3");
    add_int(&f, add_node(&f, "Softmax", "x", "z"), "axis", 7);
    add_output(&f, "z");
    expect_refused(&f, "'z': Softmax: axis 7 is out of range for 2 dimensions");

    f = begin(17);
    add_input(&f, "x", RT_ONNX_FLOAT, "2,3");
    add_node(&f, "MatMul", "x", "z");
    add_output(&f, "z");
    expect_refused(&f, "'z': MatMul: input 1 is missing");
}

/* The stored inputs of the fuzzer are sound models: each imports. */
static void test_corpus(void) {
    static const char *const names[] = {"heads", "mask",      "norm",       "einsum",  "index",
                                        "lstm",  "attention", "attention4", "matmul",  "quantize",
                                        "loss",  "split",     "if",         "function"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char path[PATH_MAX];
        rt_onnx_source source;
        rt_diagnostics diagnostics = {0};
        rt_arena arena = {0};
        snprintf(path, sizeof path, "%s/%s.onnx", RETORT_CORPUS, names[i]);
        CU_ASSERT_EQUAL_FATAL(rt_onnx_open(path, &source, NULL), RT_OK);
        rt_module *module = rt_module_create(&diagnostics);
        rt_onnx_import_options options = {0};
        rt_graph *graph = rt_onnx_import(source.model, path, &options, module);
        if (!graph) printf("%s\n", rt_diagnostics_text(&diagnostics, &arena));
        CU_ASSERT_PTR_NOT_NULL(graph);
        rt_module_destroy(module);
        rt_diagnostics_deinit(&diagnostics);
        rt_arena_deinit(&arena);
        rt_onnx_close(&source);
    }
}

TEST_MAIN("onnx_import", TEST(test_shape_arithmetic), TEST(test_slices), TEST(test_axis_names),
          TEST(test_axis_expressions), TEST(test_known_inputs), TEST(test_weights),
          TEST(test_recovered_names), TEST(test_shared_vectors), TEST(test_tied_table),
          TEST(test_functions), TEST(test_function_without_end),
          TEST(test_function_that_multiplies), TEST(test_missing_operators), TEST(test_refusals),
          TEST(test_corpus))
