// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/tables.h"

#include <string.h>

LLVMValueRef rt_table_word(rt_lower_state *s, uint64_t value) {
    return LLVMConstInt(s->e.i32, value, false);
}

LLVMValueRef rt_table_wide(rt_lower_state *s, uint64_t value) {
    return LLVMConstInt(s->e.i64, value, false);
}

LLVMValueRef rt_table_struct(rt_lower_state *s, LLVMValueRef *fields, unsigned count) {
    return LLVMConstStructInContext(s->e.context, fields, count, false);
}

LLVMValueRef rt_table_array(rt_lower_state *s, LLVMValueRef *elements, size_t count,
                            const char *name) {
    if (!count) return LLVMConstNull(s->e.pointer);
    LLVMValueRef array = LLVMConstArray2(LLVMTypeOf(elements[0]), elements, count);
    return rt_emit_global(&s->e, array, name);
}

LLVMValueRef rt_table_text(rt_lower_state *s, const char *string) {
    if (!string) return LLVMConstNull(s->e.pointer);
    LLVMValueRef bytes = LLVMConstStringInContext2(s->e.context, string, strlen(string), false);
    return rt_emit_global(&s->e, bytes, "text");
}

LLVMValueRef *rt_table_room(rt_lower_state *s, size_t count) {
    return RT_NEW_ARRAY(s->arena, LLVMValueRef, count + 1);
}

/* ---- sizes */

static LLVMValueRef make_term(rt_lower_state *s, const rt_dim_term *term) {
    LLVMValueRef *symbols = rt_table_room(s, term->symbol_count);
    if (!symbols) return NULL;
    for (uint32_t i = 0; i < term->symbol_count; ++i)
        symbols[i] = rt_table_word(s, term->symbols[i]);
    LLVMValueRef fields[] = {rt_table_wide(s, (uint64_t)term->coefficient),
                             rt_table_word(s, term->symbol_count),
                             rt_table_array(s, symbols, term->symbol_count, "symbols")};
    return rt_table_struct(s, fields, 3);
}

LLVMValueRef rt_table_size(rt_lower_state *s, rt_dim dim) {
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(rt_module_dims(s->lowering->module), dim, &count);
    LLVMValueRef *grown = rt_arena_grow(s->arena, s->size_terms, &s->size_room,
                                        (size_t)dim.index + 1, sizeof *s->size_terms);
    LLVMValueRef none[] = {rt_table_word(s, 0), LLVMConstNull(s->e.pointer)};
    if (!grown) return rt_table_struct(s, none, 2);
    s->size_terms = grown;
    if (!s->size_terms[dim.index]) {
        LLVMValueRef *values = rt_table_room(s, count);
        for (size_t i = 0; values && i < count; ++i) values[i] = make_term(s, &terms[i]);
        if (rt_arena_failed(s->arena)) return rt_table_struct(s, none, 2);
        s->size_terms[dim.index] = rt_table_array(s, values, count, "terms");
    }
    LLVMValueRef fields[] = {rt_table_word(s, count), s->size_terms[dim.index]};
    return rt_table_struct(s, fields, 2);
}

rt_dim rt_dim_upper_bound(rt_dim_table *dims, rt_dim a, rt_dim b) {
    size_t a_count, b_count;
    const rt_dim_term *x = rt_dim_terms(dims, a, &a_count), *y = rt_dim_terms(dims, b, &b_count);
    rt_dim sum = a;
    for (size_t i = 0; i < b_count; ++i) {
        int64_t present = 0;
        for (size_t k = 0; k < a_count; ++k)
            if (x[k].symbol_count == y[i].symbol_count &&
                !memcmp(x[k].symbols, y[i].symbols, x[k].symbol_count * sizeof *x[k].symbols))
                present = x[k].coefficient;
        if (y[i].coefficient <= present) continue;
        rt_dim more = rt_dim_constant(dims, y[i].coefficient - present);
        for (uint32_t k = 0; k < y[i].symbol_count; ++k)
            more = rt_dim_multiply(dims, more,
                                   rt_dim_symbol(dims, rt_dim_symbol_name(dims, y[i].symbols[k])));
        sum = rt_dim_add(dims, sum, more);
    }
    return sum;
}
