// SPDX-License-Identifier: Apache-2.0
/* The smaller pieces of the grammar: numbers, dimensions, types, attributes, locations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/parse_impl.h"
#include "runtime/base/sizes.h"

void parse_advance(parser *p) {
    p->token = rt_lexer_next(&p->lexer);
}

rt_location parse_place(const parser *p, const rt_token *token) {
    return (rt_location){.file = p->file, .line = token->line, .column = token->column};
}

bool parse_fail_at(parser *p, const rt_token *token, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ++p->error_count;
    rt_diagnose(p->diagnostics, RT_ERROR, parse_place(p, token), "%s", text);
    return false;
}

bool parse_expected(parser *p, const char *what) {
    const rt_token *token = &p->token;
    if (token->kind == RT_TOKEN_BAD) return parse_fail_at(p, token, "%s", token->problem);
    if (token->kind == RT_TOKEN_END) {
        return parse_fail_at(p, token, "expected %s, but the text ends here", what);
    }
    const char *mark = token->kind == RT_TOKEN_VALUE       ? "%"
                       : token->kind == RT_TOKEN_PARAMETER ? "@"
                                                           : "";
    int shown = token->length < 60 ? (int)token->length : 60;
    return parse_fail_at(p, token, "expected %s, not '%s%.*s'", what, mark, shown, token->text);
}

bool parse_accept_sign(parser *p, char sign) {
    if (!rt_token_is_sign(&p->token, sign)) return false;
    parse_advance(p);
    return true;
}

bool parse_accept_word(parser *p, const char *word) {
    if (!rt_token_is_word(&p->token, word)) return false;
    parse_advance(p);
    return true;
}

bool parse_expect_sign(parser *p, char sign, const char *what) {
    return parse_accept_sign(p, sign) || parse_expected(p, what);
}

bool parse_text(parser *p, const char *what, const char **text) {
    if (p->token.kind != RT_TOKEN_STRING) return parse_expected(p, what);
    const char *decoded = rt_token_decode(&p->token, &p->scratch);
    if (!decoded) return false;
    *text = rt_module_intern(p->module, decoded);
    parse_advance(p);
    return true;
}

bool parse_unsigned(parser *p, const char *what, uint64_t *value) {
    if (p->token.kind != RT_TOKEN_INTEGER) return parse_expected(p, what);
    *value = p->token.integer;
    parse_advance(p);
    return true;
}

/* `magnitude` with its sign, or a diagnostic at `token`. */
static bool signed_integer(parser *p, const rt_token *token, bool is_negative, uint64_t magnitude,
                           int64_t *value) {
    uint64_t limit = (uint64_t)INT64_MAX + (is_negative ? 1 : 0);
    if (magnitude > limit) return parse_fail_at(p, token, "the integer does not fit in 64 bits");
    *value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool parse_integer(parser *p, int64_t *value) {
    rt_token first = p->token;
    bool is_negative = parse_accept_sign(p, '-');
    uint64_t magnitude;
    return parse_unsigned(p, "an integer", &magnitude) &&
           signed_integer(p, &first, is_negative, magnitude, value);
}

/* ---- floats: 1, -2.5e-3, inf, nan, nan(bits) */

static bool parse_nan(parser *p, rt_dtype dtype, void *element) {
    rt_token first = p->token;
    if (!parse_accept_sign(p, '(')) {
        rt_element_set_double(dtype, element, 0, (double)NAN);
        return true;
    }
    uint64_t bits;
    size_t bytes = rt_dtype_bytes(dtype);
    if (!parse_unsigned(p, "the bits of a NaN", &bits)) return false;
    if (!parse_expect_sign(p, ')', "')' after the bits of a NaN")) return false;
    memcpy(element, &bits, bytes);
    if ((bytes < 8 && bits >> (8 * bytes)) || !isnan(rt_element_as_double(dtype, element, 0))) {
        return parse_fail_at(p, &first, "these are not the bits of a NaN of type %s",
                             rt_dtype_text(dtype));
    }
    return true;
}

/* One element of a floating type, written to `element`. */
static bool parse_float(parser *p, rt_dtype dtype, void *element) {
    bool is_negative = parse_accept_sign(p, '-');
    double value;
    if (!is_negative && parse_accept_word(p, "nan")) return parse_nan(p, dtype, element);
    if (parse_accept_word(p, "inf")) {
        value = (double)INFINITY;
    } else if (p->token.kind == RT_TOKEN_REAL || p->token.kind == RT_TOKEN_INTEGER) {
        value = p->token.real;
        parse_advance(p);
    } else {
        return parse_expected(p, "a number");
    }
    rt_element_set_double(dtype, element, 0, is_negative ? -value : value);
    return true;
}

bool parse_double(parser *p, double *value) {
    return parse_float(p, RT_F64, value);
}

/* ---- dimensions and types */

bool parse_dtype(parser *p, rt_dtype *dtype) {
    if (p->token.kind == RT_TOKEN_WORD &&
        rt_dtype_from_text(p->token.text, p->token.length, dtype)) {
        parse_advance(p);
        return true;
    }
    return parse_expected(p, "an element type such as f32 or i64");
}

bool parse_symbol(parser *p, rt_dim *symbol) {
    rt_token token = p->token;
    if (token.kind != RT_TOKEN_WORD && token.kind != RT_TOKEN_STRING) {
        return parse_expected(p, "the name of a dimension");
    }
    const char *name = rt_token_decode(&token, &p->scratch);
    if (!name) return false;
    if (rt_dim_symbol_count(rt_module_dims(p->module)) >= PARSE_MAX_NAMES) {
        return parse_fail_at(p, &token, "more than %d symbols", PARSE_MAX_NAMES);
    }
    *symbol = rt_module_symbol(p->module, name);
    parse_advance(p);
    return true;
}

/* 3, T, 2*B*S: the coefficient's size, kept apart until its sign is known, and symbols. */
static bool parse_product(parser *p, bool is_negative, rt_dim *product) {
    rt_dim_table *dims = rt_module_dims(p->module);
    rt_token first = p->token;
    uint64_t magnitude = 1;
    rt_dim symbols = rt_dim_constant(dims, 1);
    int factors = 0;
    do {
        if (factors++ == PARSE_MAX_TERMS) {
            return parse_fail_at(p, &first, "more than %d factors in a dimension", PARSE_MAX_TERMS);
        }
        if (p->token.kind == RT_TOKEN_INTEGER) {
            if (__builtin_mul_overflow(magnitude, p->token.integer, &magnitude)) {
                return parse_fail_at(p, &first, "the dimension does not fit in 64 bits");
            }
            parse_advance(p);
        } else {
            rt_dim symbol;
            if (!parse_symbol(p, &symbol)) return false;
            symbols = rt_dim_multiply(dims, symbols, symbol);
        }
    } while (parse_accept_sign(p, '*'));
    int64_t coefficient = 0;
    if (!signed_integer(p, &first, is_negative, magnitude, &coefficient)) return false;
    *product = rt_dim_multiply(dims, rt_dim_constant(dims, coefficient), symbols);
    return true;
}

static bool addition_fits(const parser *p, rt_dim a, rt_dim b) {
    size_t a_count, b_count;
    const rt_dim_table *dims = rt_module_dims(p->module);
    const rt_dim_term *x = rt_dim_terms(dims, a, &a_count), *y = rt_dim_terms(dims, b, &b_count);
    for (size_t i = 0; i < a_count; ++i) {
        for (size_t k = 0; k < b_count; ++k) {
            int64_t sum;
            if (!rt_int64_add(x[i].coefficient, y[k].coefficient, &sum)) return false;
        }
    }
    return true;
}

bool parse_dim(parser *p, rt_dim *dim) {
    rt_dim_table *dims = rt_module_dims(p->module);
    rt_token first = p->token;
    bool is_negative = parse_accept_sign(p, '-');
    if (!parse_product(p, is_negative, dim)) return false;
    for (int terms = 1;; ++terms) {
        is_negative = rt_token_is_sign(&p->token, '-');
        if (!is_negative && !rt_token_is_sign(&p->token, '+')) return true;
        if (terms == PARSE_MAX_TERMS) {
            return parse_fail_at(p, &first, "more than %d terms in a dimension", PARSE_MAX_TERMS);
        }
        parse_advance(p);
        rt_dim term;
        if (!parse_product(p, is_negative, &term)) return false;
        if (!addition_fits(p, *dim, term)) {
            return parse_fail_at(p, &first, "the dimension does not fit in 64 bits");
        }
        *dim = rt_dim_add(dims, *dim, term);
    }
}

/* After '[': dimensions up to ']'. */
static bool parse_dims(parser *p, rt_dim *dims, uint32_t *count) {
    *count = 0;
    if (parse_accept_sign(p, ']')) return true;
    do {
        if (*count == RT_MAX_RANK) {
            return parse_fail_at(p, &p->token, "more than %d dimensions", RT_MAX_RANK);
        }
        if (!parse_dim(p, &dims[(*count)++])) return false;
    } while (parse_accept_sign(p, ','));
    return parse_expect_sign(p, ']', "',' or ']' after a dimension");
}

bool parse_type(parser *p, rt_type *type) {
    rt_token first = p->token;
    rt_dtype dtype;
    rt_dim dims[RT_MAX_RANK];
    uint32_t rank;
    if (!parse_dtype(p, &dtype)) return false;
    if (!parse_expect_sign(p, '[', "'[' and the shape after the element type")) return false;
    if (!parse_dims(p, dims, &rank)) return false;
    *type = rt_type_make(dtype, (int)rank, dims);
    for (uint32_t i = 0; i < rank; ++i) {
        int64_t size;
        if (rt_dim_is_constant(rt_module_dims(p->module), dims[i], &size) && size < 0) {
            return parse_fail_at(p, &first, "dimension %u of a type is negative: %lld", i,
                                 (long long)size);
        }
    }
    return true;
}

/* ---- tensors: [1, 2.5] or one element that stands for all */

static bool parse_integer_element(parser *p, rt_dtype dtype, void *element) {
    rt_token first = p->token;
    bool is_negative = parse_accept_sign(p, '-');
    uint64_t magnitude, bits = 8 * (uint64_t)rt_dtype_bytes(dtype);
    if (!parse_unsigned(p, "an integer", &magnitude)) return false;
    uint64_t most = UINT64_MAX >> (64 - bits);
    if (rt_dtype_is_signed(dtype)) {
        most = (most >> 1) + (is_negative ? 1 : 0);
    } else if (is_negative) {
        most = 0;
    }
    if (magnitude > most) {
        return parse_fail_at(p, &first, "the number is out of range for %s", rt_dtype_text(dtype));
    }
    rt_element_set_int64(dtype, element, 0, (int64_t)(is_negative ? 0 - magnitude : magnitude));
    return true;
}

static bool parse_element(parser *p, rt_dtype dtype, void *element) {
    if (rt_dtype_is_float(dtype)) return parse_float(p, dtype, element);
    if (dtype != RT_BOOL) return parse_integer_element(p, dtype, element);
    bool is_true = parse_accept_word(p, "true");
    if (!is_true && !parse_accept_word(p, "false")) return parse_expected(p, "true or false");
    rt_element_set_int64(dtype, element, 0, is_true);
    return true;
}

static bool parse_elements(parser *p, rt_tensor *tensor, unsigned char *data) {
    size_t bytes = rt_dtype_bytes(tensor->dtype);
    rt_token first = p->token;
    if (!parse_accept_sign(p, '[')) {
        if (!parse_element(p, tensor->dtype, data)) return false;
        for (int64_t i = 1; i < tensor->count; ++i) memcpy(data + (size_t)i * bytes, data, bytes);
        return true;
    }
    int64_t count = 0;
    if (!rt_token_is_sign(&p->token, ']')) {
        do {
            unsigned char spare[8];
            unsigned char *element = count < tensor->count ? data + (size_t)count * bytes : spare;
            if (!parse_element(p, tensor->dtype, element)) return false;
            ++count;
        } while (parse_accept_sign(p, ','));
    }
    if (!parse_expect_sign(p, ']', "',' or ']' after an element")) return false;
    if (count == tensor->count) return true;
    return parse_fail_at(p, &first, "%lld elements for a type of %lld", (long long)count,
                         (long long)tensor->count);
}

static bool parse_tensor(parser *p, const rt_type *type, rt_attr *attr) {
    rt_arena *arena = rt_module_arena(p->module);
    if (!type) return parse_fail_at(p, &p->token, "a constant needs its type: %%1: f32[2] = ...");
    rt_tensor *tensor = RT_NEW(arena, rt_tensor);
    if (!tensor) return false;
    tensor->dtype = type->dtype;
    tensor->rank = type->rank;
    const rt_dim_table *dims = rt_module_dims(p->module);
    size_t bytes;
    if (!rt_type_is_static(dims, *type, tensor->dims, &tensor->count)) {
        return parse_fail_at(p, &p->token, "a constant's type needs constant dimensions");
    }
    if (!rt_size_multiply((size_t)tensor->count, rt_dtype_bytes(type->dtype), &bytes) ||
        bytes > PARSE_MAX_CONSTANT_BYTES - p->constant_bytes) {
        return parse_fail_at(p, &p->token, "constants of more than %d bytes; use a parameter",
                             PARSE_MAX_CONSTANT_BYTES);
    }
    p->constant_bytes += bytes;
    /* One element is written even where the type has none. */
    unsigned char *data = rt_arena_allocate(arena, bytes < 8 ? 8 : bytes);
    if (!data || !parse_elements(p, tensor, data)) return false;
    tensor->data = data;
    attr->tensor = tensor;
    return true;
}

/* ---- attributes */

static bool parse_bool(parser *p, rt_attr *attr) {
    attr->integer = parse_accept_word(p, "true");
    return attr->integer || parse_accept_word(p, "false") || parse_expected(p, "true or false");
}

static bool parse_ints(parser *p, rt_attr *attr) {
    enum { MAX_INTS = 64 };
    int64_t ints[MAX_INTS];
    if (!parse_expect_sign(p, '[', "'[' and integers")) return false;
    attr->count = 0;
    if (!rt_token_is_sign(&p->token, ']')) {
        do {
            if (attr->count == MAX_INTS) {
                return parse_fail_at(p, &p->token, "more than %d integers", MAX_INTS);
            }
            if (!parse_integer(p, &ints[attr->count++])) return false;
        } while (parse_accept_sign(p, ','));
    }
    if (!parse_expect_sign(p, ']', "',' or ']' after an integer")) return false;
    attr->ints = rt_arena_copy(rt_module_arena(p->module), ints, attr->count * sizeof *ints);
    return attr->ints;
}

static bool parse_dim_list(parser *p, rt_attr *attr) {
    rt_dim dims[RT_MAX_RANK];
    if (!parse_expect_sign(p, '[', "'[' and dimensions")) return false;
    if (!parse_dims(p, dims, &attr->count)) return false;
    attr->dims = rt_arena_copy(rt_module_arena(p->module), dims, attr->count * sizeof *dims);
    return attr->dims;
}

bool parse_parameter_name(parser *p, rt_parameter *parameter) {
    rt_token token = p->token;
    if (token.kind != RT_TOKEN_PARAMETER) return parse_expected(p, "a parameter such as @weight");
    const char *name = rt_token_decode(&token, &p->scratch);
    if (!name) return false;
    *parameter = rt_module_find_parameter(p->module, name);
    if (!rt_parameter_is(*parameter)) {
        return parse_fail_at(p, &token, "parameter '%s' is not declared above", name);
    }
    parse_advance(p);
    return true;
}

bool parse_attr(parser *p, rt_attr_kind kind, const rt_type *type, rt_attr *attr) {
    switch (kind) {
    case RT_ATTR_BOOL: return parse_bool(p, attr);
    case RT_ATTR_INT: return parse_integer(p, &attr->integer);
    case RT_ATTR_FLOAT: return parse_double(p, &attr->real);
    case RT_ATTR_DTYPE: return parse_dtype(p, &attr->dtype);
    case RT_ATTR_DIM: return parse_dim(p, &attr->dim);
    case RT_ATTR_INTS: return parse_ints(p, attr);
    case RT_ATTR_DIMS: return parse_dim_list(p, attr);
    case RT_ATTR_TEXT: return parse_text(p, "a string", &attr->text);
    case RT_ATTR_TENSOR: return parse_tensor(p, type, attr);
    case RT_ATTR_PARAMETER: return parse_parameter_name(p, &attr->parameter);
    }
    return false;
}

/* ---- locations */

static bool parse_place_number(parser *p, const char *what, uint32_t *number) {
    rt_token token = p->token;
    uint64_t value;
    if (!parse_unsigned(p, what, &value)) return false;
    if (value > UINT32_MAX) return parse_fail_at(p, &token, "%s is too large", what);
    *number = (uint32_t)value;
    return true;
}

bool parse_location(parser *p, rt_location *location) {
    if (!parse_accept_word(p, "at")) return true;
    *location = (rt_location){0};
    const char *text = NULL;
    bool has_text = p->token.kind == RT_TOKEN_STRING;
    if (has_text && !parse_text(p, "a string", &text)) return false;
    if (!parse_accept_sign(p, ':')) {
        location->name = text;
        return has_text || parse_expected(p, "a file, ':' and a line, or a name after 'at'");
    }
    location->file = text;
    if (!parse_place_number(p, "a line number", &location->line)) return false;
    if (parse_accept_sign(p, ':') && !parse_place_number(p, "a column number", &location->column)) {
        return false;
    }
    if (p->token.kind != RT_TOKEN_STRING) return true;
    return parse_text(p, "a name", &location->name);
}
