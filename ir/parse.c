// SPDX-License-Identifier: Apache-2.0
/* Recursive descent over one token of look-ahead; nothing in the grammar nests without bound.
 *
 * After an error the parser goes on at the next statement, so that one run reports all errors. The
 * results of a statement that failed are kept as broken: what uses them stays silent. */
#include "ir/parse.h"

#include <string.h>

#include "ir/infer.h"
#include "ir/parse_impl.h"
#include "ir/text_form.h"
#include "ir/verify.h"

/* Names of values of one graph: open addressing by interned name. */
typedef struct name_entry {
    const char *name; /* interned; NULL is empty */
    rt_value value;   /* RT_NO_VALUE where the definition failed */
    uint32_t line;
} name_entry;

typedef struct graph_parser {
    parser *p;
    rt_graph *graph;
    rt_arena arena;
    name_entry *names;
    size_t name_count, name_capacity;
} graph_parser;

enum { MAX_RESULTS = 8 };

typedef struct node_parser {
    graph_parser *g;
    rt_token place;
    rt_token result_names[MAX_RESULTS];
    rt_type result_types[MAX_RESULTS];
    bool has_type[MAX_RESULTS];
    size_t result_count;
    rt_op op;
    rt_value *operands;
    size_t operand_count, operand_capacity;
    bool is_broken; /* an operand's definition failed */
    rt_attr *attrs; /* of the operator; is_given beside */
    bool *is_given;
    rt_location location;
} node_parser;

/* ---- names of values */

static size_t name_slot(const graph_parser *g, const char *name) {
    size_t slot = ((uintptr_t)name >> 4) * 0x9E3779B97F4A7C15u >> 20;
    for (slot &= g->name_capacity - 1; g->names[slot].name && g->names[slot].name != name;) {
        slot = (slot + 1) & (g->name_capacity - 1);
    }
    return slot;
}

static bool grow_names(graph_parser *g) {
    name_entry *old = g->names;
    size_t old_capacity = g->name_capacity;
    size_t capacity = old_capacity ? old_capacity * 2 : 64;
    name_entry *names = RT_NEW_ARRAY(&g->arena, name_entry, capacity);
    if (!names) return false;
    g->names = names;
    g->name_capacity = capacity;
    for (size_t i = 0; i < old_capacity; ++i) {
        if (old[i].name) names[name_slot(g, old[i].name)] = old[i];
    }
    return true;
}

static bool define_name(graph_parser *g, const rt_token *token, rt_value value) {
    if (g->name_count * 2 >= g->name_capacity && !grow_names(g)) return false;
    const char *name = rt_module_intern_text(g->p->module, token->text, token->length);
    name_entry *entry = &g->names[name_slot(g, name)];
    if (entry->name) {
        return parse_fail_at(g->p, token, "%%%s is defined twice, first in line %u", name,
                             entry->line);
    }
    *entry = (name_entry){name, value, token->line};
    ++g->name_count;
    return true;
}

/* The value of a %name; *is_broken where its definition failed. */
static bool parse_value(graph_parser *g, rt_value *value, bool *is_broken) {
    parser *p = g->p;
    rt_token token = p->token;
    if (token.kind != RT_TOKEN_VALUE) return parse_expected(p, "a value such as %1");
    const char *name = rt_module_intern_text(p->module, token.text, token.length);
    const name_entry *entry = g->name_capacity ? &g->names[name_slot(g, name)] : NULL;
    if (!entry || !entry->name) {
        return parse_fail_at(p, &token, "%%%s is not defined above", name);
    }
    *value = entry->value;
    if (!rt_value_is(entry->value)) *is_broken = true;
    parse_advance(p);
    return true;
}

/* ---- nodes */

static bool parse_results(node_parser *n) {
    parser *p = n->g->p;
    do {
        size_t i = n->result_count;
        if (i == MAX_RESULTS) return parse_fail_at(p, &p->token, "more than 8 results");
        if (p->token.kind != RT_TOKEN_VALUE) return parse_expected(p, "a result such as %1");
        n->result_names[i] = p->token;
        n->result_count++;
        parse_advance(p);
        n->has_type[i] = parse_accept_sign(p, ':');
        if (n->has_type[i] && !parse_type(p, &n->result_types[i])) return false;
    } while (parse_accept_sign(p, ','));
    return parse_expect_sign(p, '=', "'=' after the results");
}

static bool parse_operator(node_parser *n) {
    parser *p = n->g->p;
    rt_token token = p->token;
    if (token.kind != RT_TOKEN_WORD) return parse_expected(p, "an operator");
    int shown = token.length < 60 ? (int)token.length : 60;
    if (!rt_op_from_text(token.text, token.length, &n->op)) {
        return parse_fail_at(p, &token, "there is no operator '%.*s'", shown, token.text);
    }
    if (n->result_count != (size_t)rt_op_result_count(n->op)) {
        return parse_fail_at(p, &token, "%s has %d results, not %zu", rt_op_text(n->op),
                             rt_op_result_count(n->op), n->result_count);
    }
    parse_advance(p);
    size_t count = (size_t)rt_op_attr_count(n->op);
    n->attrs = RT_NEW_ARRAY(&p->scratch, rt_attr, count);
    n->is_given = RT_NEW_ARRAY(&p->scratch, bool, count);
    if (!n->attrs || !n->is_given) return false;
    for (size_t i = 0; i < count; ++i) {
        n->attrs[i] = rt_attr_default((rt_attr_id)(rt_op_first_attr(n->op) + i));
    }
    return true;
}

static bool parse_attr_at(node_parser *n, int index) {
    rt_attr_id id = (rt_attr_id)(rt_op_first_attr(n->op) + index);
    const rt_type *type = n->has_type[0] ? &n->result_types[0] : NULL;
    n->is_given[index] = true;
    return parse_attr(n->g->p, rt_attr_kind_of(id), type, &n->attrs[index]);
}

static bool parse_positional_attrs(node_parser *n) {
    for (int i = 0; i < rt_op_attr_count(n->op); ++i) {
        if (!rt_attr_is_positional((rt_attr_id)(rt_op_first_attr(n->op) + i))) continue;
        if (!parse_attr_at(n, i)) return false;
    }
    return true;
}

static bool parse_operands(node_parser *n) {
    parser *p = n->g->p;
    size_t most = (size_t)rt_op_most_operands(n->op);
    if (most == 0) return true; /* the value that may follow begins the next statement */
    if (p->token.kind != RT_TOKEN_VALUE && !rt_token_is_word(&p->token, "_")) return true;
    do {
        if (n->operand_count == most) {
            return parse_fail_at(p, &p->token, "%s takes at most %zu operands", rt_op_text(n->op),
                                 most);
        }
        rt_value *operands = rt_arena_grow(&p->scratch, n->operands, &n->operand_capacity,
                                           n->operand_count + 1, sizeof *operands);
        if (!operands) return false;
        n->operands = operands;
        rt_value *operand = &operands[n->operand_count++];
        *operand = RT_NO_VALUE;
        if (!parse_accept_word(p, "_") && !parse_value(n->g, operand, &n->is_broken)) return false;
    } while (parse_accept_sign(p, ','));
    return true;
}

static bool parse_named_attr(node_parser *n) {
    parser *p = n->g->p;
    rt_token name = p->token;
    if (name.kind != RT_TOKEN_WORD) return parse_expected(p, "the name of an attribute");
    for (int i = 0; i < rt_op_attr_count(n->op); ++i) {
        rt_attr_id id = (rt_attr_id)(rt_op_first_attr(n->op) + i);
        if (!rt_token_is_word(&name, rt_attr_name(id))) continue;
        if (n->is_given[i]) {
            return parse_fail_at(p, &name, "attribute '%s' is given twice", rt_attr_name(id));
        }
        parse_advance(p);
        return parse_expect_sign(p, '=', "'=' after the attribute's name") && parse_attr_at(n, i);
    }
    int shown = name.length < 60 ? (int)name.length : 60;
    return parse_fail_at(p, &name, "%s has no attribute '%.*s'", rt_op_text(n->op), shown,
                         name.text);
}

static bool parse_named_attrs(node_parser *n) {
    parser *p = n->g->p;
    if (!parse_accept_sign(p, '{')) return true;
    do {
        if (!parse_named_attr(n)) return false;
    } while (parse_accept_sign(p, ','));
    return parse_expect_sign(p, '}', "',' or '}' after an attribute");
}

static bool has_default(rt_attr_kind kind) {
    return kind == RT_ATTR_BOOL || kind == RT_ATTR_INT || kind == RT_ATTR_FLOAT ||
           kind == RT_ATTR_DTYPE;
}

/* Attributes that the result's type says, and those that may not be left out. */
static bool complete_attrs(node_parser *n) {
    parser *p = n->g->p;
    for (int i = 0; i < rt_op_attr_count(n->op); ++i) {
        rt_attr_id id = (rt_attr_id)(rt_op_first_attr(n->op) + i);
        if (n->is_given[i]) continue;
        const rt_type *type = n->has_type[0] ? &n->result_types[0] : NULL;
        if (rt_attr_is_result_dtype(id) && type) {
            n->attrs[i].dtype = type->dtype;
        } else if (rt_attr_is_result_shape(id) && type) {
            n->attrs[i].dims = type->dims;
            n->attrs[i].count = (uint32_t)type->rank;
        } else if (rt_attr_is_result_shape(id) || rt_attr_is_result_dtype(id)) {
            return parse_fail_at(p, &n->place, "%s needs the type of its result: %%1: f32[2] = ...",
                                 rt_op_text(n->op));
        } else if (!has_default(rt_attr_kind_of(id))) {
            return parse_fail_at(p, &n->place, "%s needs the attribute '%s'", rt_op_text(n->op),
                                 rt_attr_name(id));
        }
    }
    return true;
}

/* Infers the results' types and holds them against those written. */
static bool check_types(node_parser *n) {
    parser *p = n->g->p;
    rt_type *operands = RT_NEW_ARRAY(&p->scratch, rt_type, n->operand_count);
    bool *is_present = RT_NEW_ARRAY(&p->scratch, bool, n->operand_count);
    rt_type results[MAX_RESULTS] = {{.rank = 0}};
    if (!operands || !is_present) return false;
    for (size_t i = 0; i < n->operand_count; ++i) {
        is_present[i] = rt_value_is(n->operands[i]);
        if (is_present[i]) operands[i] = rt_graph_type(n->g->graph, n->operands[i]);
    }
    rt_infer infer = {.module = p->module,
                      .op = n->op,
                      .operand_count = n->operand_count,
                      .operands = operands,
                      .is_present = is_present,
                      .attrs = n->attrs,
                      .results = results,
                      .location = parse_place(p, &n->place)};
    if (!rt_infer_node(&infer)) {
        ++p->error_count;
        return false;
    }
    for (size_t i = 0; i < n->result_count; ++i) {
        if (!n->has_type[i]) n->result_types[i] = results[i];
        if (rt_type_equal(n->result_types[i], results[i])) continue;
        const rt_dim_table *dims = rt_module_dims(p->module);
        return parse_fail_at(p, &n->result_names[i], "%s gives %s here, not %s", rt_op_text(n->op),
                             rt_type_text(dims, results[i], &p->scratch),
                             rt_type_text(dims, n->result_types[i], &p->scratch));
    }
    return true;
}

static bool parse_node_body(node_parser *n) {
    parser *p = n->g->p;
    if (!parse_results(n)) return false;
    n->place = p->token;
    if (!parse_operator(n) || !parse_positional_attrs(n) || !parse_operands(n) ||
        !parse_named_attrs(n) || !parse_location(p, &n->location) || !complete_attrs(n)) {
        return false;
    }
    return n->is_broken || check_types(n);
}

static bool parse_node(graph_parser *g) {
    node_parser n = {.g = g};
    bool is_good = parse_node_body(&n);
    rt_node node = RT_NO_NODE;
    if (is_good && !n.is_broken) {
        bool has_location = n.location.file || n.location.line || n.location.name;
        if (g->p->locates_nodes && !has_location) n.location = parse_place(g->p, &n.place);
        node = rt_graph_append(g->graph, n.op, n.operands, n.operand_count, n.attrs, n.result_types,
                               n.location);
        is_good = rt_node_is(node);
    }
    for (size_t i = 0; i < n.result_count; ++i) {
        rt_value value = rt_graph_result(g->graph, node, rt_node_is(node) ? (int)i : 0);
        if (!define_name(g, &n.result_names[i], value)) is_good = false;
    }
    return is_good;
}

/* ---- graphs */

static bool parse_graph_output(graph_parser *g) {
    parser *p = g->p;
    const char *name = NULL;
    rt_parameter parameter = RT_NO_PARAMETER;
    rt_value value;
    bool is_broken = false;
    if (parse_accept_word(p, "output")) {
        if (!parse_text(p, "the output's name in quotes", &name)) return false;
    } else {
        parse_advance(p);
        if (!parse_parameter_name(p, &parameter)) return false;
    }
    if (!parse_expect_sign(p, '=', "'=' and a value")) return false;
    if (!parse_value(g, &value, &is_broken)) return false;
    if (is_broken) return true;
    if (name) {
        rt_graph_add_output(g->graph, name, value);
    } else {
        rt_graph_add_assign(g->graph, parameter, value);
    }
    return true;
}

static bool at_statement(const parser *p) {
    return p->token.kind == RT_TOKEN_VALUE || rt_token_is_word(&p->token, "output") ||
           rt_token_is_word(&p->token, "assign") || rt_token_is_sign(&p->token, '}');
}

static bool at_declaration(const parser *p) {
    return rt_token_is_word(&p->token, "symbols") || rt_token_is_word(&p->token, "file") ||
           rt_token_is_word(&p->token, "parameter") || rt_token_is_word(&p->token, "graph");
}

/* From a statement that began in `line` on to a later line that begins with what `is_start` knows.
 */
static void recover(parser *p, uint32_t line, bool (*is_start)(const parser *)) {
    while (p->token.kind != RT_TOKEN_END &&
           !(p->token.line > line && p->token.starts_line && is_start(p))) {
        parse_advance(p);
    }
}

static bool may_go_on(const parser *p) {
    return p->error_count < PARSE_MAX_ERRORS && !rt_arena_failed(&p->scratch) &&
           !rt_arena_failed(rt_module_arena(p->module));
}

static bool parse_statement(graph_parser *g) {
    parser *p = g->p;
    if (p->token.kind == RT_TOKEN_VALUE) return parse_node(g);
    if (at_statement(p)) return parse_graph_output(g);
    return parse_expected(p, "a node '%1: ... = ...', 'output', 'assign' or '}'");
}

static void parse_graph_body(graph_parser *g) {
    parser *p = g->p;
    while (may_go_on(p) && !parse_accept_sign(p, '}')) {
        if (p->token.kind == RT_TOKEN_END) {
            parse_expected(p, "'}' at the end of the graph");
            return;
        }
        uint32_t line = p->token.line;
        if (!parse_statement(g)) recover(p, line, at_statement);
    }
}

static bool parse_graph(parser *p) {
    rt_token token = p->token;
    if (token.kind != RT_TOKEN_PARAMETER) return parse_expected(p, "the graph's name: @step");
    const char *name = rt_token_decode(&token, &p->scratch);
    if (!name) return false;
    if (rt_module_find_graph(p->module, name)) {
        return parse_fail_at(p, &token, "graph '%s' is defined twice", name);
    }
    if (rt_module_graph_count(p->module) >= PARSE_MAX_NAMES) {
        return parse_fail_at(p, &token, "more than %d graphs", PARSE_MAX_NAMES);
    }
    parse_advance(p);
    if (!parse_expect_sign(p, '{', "'{' after the graph's name")) return false;
    graph_parser g = {.p = p, .graph = rt_module_add_graph(p->module, name)};
    if (g.graph) parse_graph_body(&g);
    rt_arena_deinit(&g.arena);
    return true;
}

/* ---- parameters */

static bool parse_source(parser *p, rt_parameter_info *info) {
    rt_source *source = &info->source;
    const char *path;
    rt_token token = p->token;
    info->initial = RT_INITIAL_SOURCE;
    if (!parse_text(p, "a file in quotes", &path)) return false;
    source->file = rt_module_add_file(p->module, path);
    if (rt_module_file_count(p->module) > PARSE_MAX_NAMES) {
        return parse_fail_at(p, &token, "more than %d files", PARSE_MAX_NAMES);
    }
    if (!parse_accept_word(p, "offset")) return parse_expected(p, "'offset' after the file");
    if (!parse_unsigned(p, "an offset in bytes", &source->offset)) return false;
    if (!parse_accept_word(p, "bytes")) return parse_expected(p, "'bytes' after the offset");
    if (!parse_unsigned(p, "a number of bytes", &source->size_bytes)) return false;
    if (!parse_dtype(p, &source->dtype)) return false;
    for (int i = RT_TRANSFORM_NONE + 1; i < RT_TRANSFORM_COUNT; ++i)
        if (parse_accept_word(p, rt_transform_text((rt_transform)i)))
            source->transform = (rt_transform)i;
    if (!parse_accept_word(p, "tensor")) return true;
    return parse_text(p, "the tensor's name in quotes", &source->tensor_name);
}

static bool parse_initial(parser *p, rt_parameter_info *info) {
    if (parse_accept_word(p, "constant")) {
        info->initial = RT_INITIAL_CONSTANT;
    } else if (parse_accept_word(p, "normal")) {
        info->initial = RT_INITIAL_NORMAL;
    } else if (parse_accept_word(p, "uniform")) {
        info->initial = RT_INITIAL_UNIFORM;
    } else {
        return parse_expected(p, "constant(..), normal(..) or uniform(..)");
    }
    return parse_expect_sign(p, '(', "'(' and a number") && parse_double(p, &info->initial_value) &&
           parse_expect_sign(p, ')', "')'");
}

static bool parse_fact(parser *p, rt_parameter_info *info) {
    bool is_gradient = rt_token_is_word(&p->token, "gradient");
    if (is_gradient || rt_token_is_word(&p->token, "state")) {
        info->kind = is_gradient ? RT_PARAMETER_GRADIENT : RT_PARAMETER_STATE;
        parse_advance(p);
        return !parse_accept_word(p, "of") || parse_parameter_name(p, &info->of);
    }
    if (parse_accept_word(p, "initial")) {
        return parse_expect_sign(p, '=', "'=' after 'initial'") && parse_initial(p, info);
    }
    if (parse_accept_word(p, "source")) {
        return parse_expect_sign(p, '=', "'=' after 'source'") && parse_source(p, info);
    }
    if (parse_accept_word(p, "derived")) {
        info->kind = RT_PARAMETER_DERIVED;
        return true;
    }
    bool *flag = NULL;
    if (rt_token_is_word(&p->token, "trainable")) flag = &info->is_trainable;
    if (rt_token_is_word(&p->token, "decayed")) flag = &info->is_decayed;
    if (flag) {
        parse_advance(p);
        return *flag = true;
    }
    return parse_expected(p, "trainable, decayed, gradient, state, derived, initial or source");
}

static bool parse_facts(parser *p, rt_parameter_info *info) {
    if (!parse_accept_sign(p, '{')) return true;
    do {
        if (!parse_fact(p, info)) return false;
    } while (parse_accept_sign(p, ','));
    return parse_expect_sign(p, '}', "',' or '}'");
}

static bool parse_parameter(parser *p) {
    rt_parameter_info info = {.of = RT_NO_PARAMETER};
    rt_token token = p->token;
    if (token.kind != RT_TOKEN_PARAMETER) return parse_expected(p, "a name such as @weight");
    info.name = rt_token_decode(&token, &p->scratch);
    if (!info.name) return false;
    if (rt_parameter_is(rt_module_find_parameter(p->module, info.name))) {
        return parse_fail_at(p, &token, "parameter '%s' is defined twice", info.name);
    }
    parse_advance(p);
    if (!parse_expect_sign(p, ':', "':' and the parameter's type")) return false;
    if (!parse_type(p, &info.type) || !parse_facts(p, &info) ||
        !parse_location(p, &info.location)) {
        return false;
    }
    return rt_parameter_is(rt_module_add_parameter(p->module, &info));
}

/* ---- modules */

static bool parse_symbols(parser *p) {
    do {
        rt_dim symbol;
        if (!parse_symbol(p, &symbol)) return false;
    } while (parse_accept_sign(p, ','));
    return true;
}

static bool parse_file(parser *p) {
    const char *path;
    rt_token token = p->token;
    if (!parse_text(p, "a path in quotes", &path)) return false;
    rt_module_add_file(p->module, path);
    return rt_module_file_count(p->module) <= PARSE_MAX_NAMES ||
           parse_fail_at(p, &token, "more than %d files", PARSE_MAX_NAMES);
}

static bool parse_declaration(parser *p) {
    if (parse_accept_word(p, "symbols")) return parse_symbols(p);
    if (parse_accept_word(p, "file")) return parse_file(p);
    if (parse_accept_word(p, "parameter")) return parse_parameter(p);
    if (parse_accept_word(p, "graph")) return parse_graph(p);
    return parse_expected(p, "'symbols', 'file', 'parameter' or 'graph'");
}

static rt_module *parse_all(parser *p, const char *text, size_t length) {
    size_t errors_before = p->diagnostics->error_count;
    p->module = rt_module_create(p->diagnostics);
    if (!p->module) return NULL;
    rt_lexer_init(&p->lexer, text, length);
    parse_advance(p);
    while (p->token.kind != RT_TOKEN_END && may_go_on(p)) {
        uint32_t line = p->token.line;
        if (!parse_declaration(p)) recover(p, line, at_declaration);
    }
    bool is_good = may_go_on(p) && p->diagnostics->error_count == errors_before;
    if (!is_good && p->diagnostics->error_count == errors_before) {
        rt_diagnose(p->diagnostics, RT_ERROR, (rt_location){.file = p->file}, "out of memory");
    }
    is_good = is_good && rt_verify_module(p->module, RT_FORM_TYPED, p->diagnostics) == RT_OK;
    if (!is_good) {
        rt_module_destroy(p->module);
        p->module = NULL;
    }
    rt_arena_deinit(&p->scratch);
    return p->module;
}

rt_module *rt_parse_module(const char *text, size_t length, const char *file,
                           rt_diagnostics *diagnostics) {
    parser p = {.file = file, .diagnostics = diagnostics};
    return parse_all(&p, text, length);
}

rt_module *rt_parse_module_with_places(const char *text, size_t length, const char *file,
                                       rt_diagnostics *diagnostics) {
    parser p = {.file = file, .diagnostics = diagnostics, .locates_nodes = true};
    return parse_all(&p, text, length);
}
