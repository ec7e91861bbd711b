// SPDX-License-Identifier: Apache-2.0
/* Polynomials in canonical form: terms sorted by their symbols (degree, then ids), no zero
 * coefficient, interned by a hash of the terms. The constant 0 is entry 0 with no terms. */
#include "ir/dim.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/sizes.h"

typedef struct polynomial {
    const rt_dim_term *terms;
    size_t count;
} polynomial;

struct rt_dim_table {
    rt_arena *arena;
    polynomial *dims;
    size_t count, capacity;
    uint32_t *buckets; /* open addressing; 0 is empty, else index + 1 */
    size_t bucket_count;
    const char **symbols;
    size_t symbol_count, symbol_capacity;
    unsigned overflow_count;
};

static int compare_monomials(const rt_dim_term *a, const rt_dim_term *b) {
    if (a->symbol_count != b->symbol_count) return a->symbol_count > b->symbol_count ? -1 : 1;
    for (uint32_t i = 0; i < a->symbol_count; ++i)
        if (a->symbols[i] != b->symbols[i]) return a->symbols[i] < b->symbols[i] ? -1 : 1;
    return 0;
}

static uint64_t hash_terms(const rt_dim_term *terms, size_t count) {
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < count; ++i) {
        hash = (hash ^ (uint64_t)terms[i].coefficient) * 1099511628211u;
        for (uint32_t s = 0; s < terms[i].symbol_count; ++s)
            hash = (hash ^ (terms[i].symbols[s] + 1)) * 1099511628211u;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool same_terms(const polynomial *p, const rt_dim_term *terms, size_t count) {
    if (p->count != count) return false;
    for (size_t i = 0; i < count; ++i)
        if (p->terms[i].coefficient != terms[i].coefficient ||
            compare_monomials(&p->terms[i], &terms[i]) != 0)
            return false;
    return true;
}

static bool grow_buckets(rt_dim_table *table) {
    size_t larger = table->bucket_count ? table->bucket_count * 2 : 64;
    uint32_t *buckets = RT_NEW_ARRAY(table->arena, uint32_t, larger);
    if (!buckets) return false;
    for (size_t d = 0; d < table->count; ++d) {
        size_t slot = hash_terms(table->dims[d].terms, table->dims[d].count) & (larger - 1);
        while (buckets[slot]) slot = (slot + 1) & (larger - 1);
        buckets[slot] = (uint32_t)d + 1;
    }
    table->buckets = buckets;
    table->bucket_count = larger;
    return true;
}

/* Interns canonical terms; where memory runs out the arena has failed and the answer is 0. */
static rt_dim intern(rt_dim_table *table, const rt_dim_term *terms, size_t count) {
    if (table->count * 2 >= table->bucket_count && !grow_buckets(table)) return (rt_dim){0};
    size_t slot = hash_terms(terms, count) & (table->bucket_count - 1);
    for (; table->buckets[slot]; slot = (slot + 1) & (table->bucket_count - 1)) {
        uint32_t index = table->buckets[slot] - 1;
        if (same_terms(&table->dims[index], terms, count)) return (rt_dim){index};
    }
    polynomial *dims =
        rt_arena_grow(table->arena, table->dims, &table->capacity, table->count + 1, sizeof *dims);
    rt_dim_term *copy = RT_NEW_ARRAY(table->arena, rt_dim_term, count);
    if (!dims || !copy) return (rt_dim){0};
    table->dims = dims;
    for (size_t i = 0; i < count; ++i) {
        copy[i] = terms[i];
        copy[i].symbols =
            rt_arena_copy(table->arena, terms[i].symbols, terms[i].symbol_count * sizeof(uint32_t));
        if (!copy[i].symbols) return (rt_dim){0};
    }
    dims[table->count] = (polynomial){copy, count};
    table->buckets[slot] = (uint32_t)table->count + 1;
    return (rt_dim){(uint32_t)table->count++};
}

rt_dim_table *rt_dim_table_create(rt_arena *arena) {
    rt_dim_table *table = RT_NEW(arena, rt_dim_table);
    if (!table) return NULL;
    table->arena = arena;
    rt_dim zero = intern(table, NULL, 0);
    RT_ASSERT(zero.index == 0);
    (void)zero;
    return rt_arena_failed(arena) ? NULL : table;
}

rt_dim rt_dim_constant(rt_dim_table *table, int64_t value) {
    rt_dim_term term = {value, 0, NULL};
    return intern(table, &term, value ? 1 : 0);
}

rt_dim rt_dim_symbol(rt_dim_table *table, const char *name) {
    uint32_t id = 0;
    while (id < table->symbol_count && strcmp(table->symbols[id], name) != 0) ++id;
    if (id == table->symbol_count) {
        const char **symbols = rt_arena_grow(table->arena, table->symbols, &table->symbol_capacity,
                                             table->symbol_count + 1, sizeof *symbols);
        const char *copy = rt_arena_copy_string(table->arena, name);
        if (!symbols || !copy) return (rt_dim){0};
        table->symbols = symbols;
        symbols[table->symbol_count++] = copy;
    }
    rt_dim_term term = {1, 1, &id};
    return intern(table, &term, 1);
}

/* Stands for what does not fit. Hostile input may ask for many: the last one then serves again. */
static rt_dim overflowed(rt_dim_table *table) {
    enum { MAX_OVERFLOWS = 64 };
    char name[32];
    if (table->overflow_count < MAX_OVERFLOWS) ++table->overflow_count;
    snprintf(name, sizeof name, "overflow#%u", table->overflow_count);
    return rt_dim_symbol(table, name);
}

/* a + sign * b: a merge of two sorted lists. */
static rt_dim combine(rt_dim_table *table, rt_dim a, rt_dim b, int64_t sign) {
    polynomial p = table->dims[a.index], q = table->dims[b.index];
    if (p.count + q.count > RT_MAX_DIM_TERMS) return overflowed(table);
    rt_dim_term *sum = RT_NEW_ARRAY(table->arena, rt_dim_term, p.count + q.count);
    if (!sum) return (rt_dim){0};
    size_t i = 0, j = 0, count = 0;
    while (i < p.count || j < q.count) {
        int order = i == p.count   ? 1
                    : j == q.count ? -1
                                   : compare_monomials(&p.terms[i], &q.terms[j]);
        rt_dim_term term = order <= 0 ? p.terms[i] : q.terms[j];
        int64_t added = 0;
        if (order >= 0 && !rt_int64_multiply(sign, q.terms[j].coefficient, &added))
            return overflowed(table);
        if (order > 0) term.coefficient = added;
        if (order == 0 && !rt_int64_add(term.coefficient, added, &term.coefficient))
            return overflowed(table);
        i += order <= 0;
        j += order >= 0;
        if (term.coefficient) sum[count++] = term;
    }
    return intern(table, sum, count);
}

rt_dim rt_dim_add(rt_dim_table *table, rt_dim a, rt_dim b) {
    return combine(table, a, b, 1);
}

rt_dim rt_dim_subtract(rt_dim_table *table, rt_dim a, rt_dim b) {
    return combine(table, a, b, -1);
}

/* The product of one term with a polynomial keeps its order, so it is canonical as it stands. */
static rt_dim multiply_term(rt_dim_table *table, polynomial p, rt_dim_term factor) {
    rt_dim_term *product = RT_NEW_ARRAY(table->arena, rt_dim_term, p.count);
    if (!product) return (rt_dim){0};
    for (size_t i = 0; i < p.count; ++i) {
        rt_dim_term term = p.terms[i];
        uint32_t count = term.symbol_count + factor.symbol_count;
        uint32_t *symbols = RT_NEW_ARRAY(table->arena, uint32_t, count);
        if (!symbols) return (rt_dim){0};
        if (count > RT_MAX_DIM_DEGREE ||
            !rt_int64_multiply(term.coefficient, factor.coefficient, &term.coefficient))
            return overflowed(table);
        for (uint32_t s = 0, x = 0, y = 0; s < count; ++s)
            symbols[s] = y == factor.symbol_count ||
                                 (x < term.symbol_count && term.symbols[x] <= factor.symbols[y])
                             ? term.symbols[x++]
                             : factor.symbols[y++];
        product[i] = (rt_dim_term){term.coefficient, count, symbols};
    }
    return intern(table, product, p.count);
}

rt_dim rt_dim_multiply(rt_dim_table *table, rt_dim a, rt_dim b) {
    polynomial q = table->dims[b.index];
    rt_dim sum = {0};
    if (table->dims[a.index].count * q.count > RT_MAX_DIM_TERMS) return overflowed(table);
    for (size_t i = 0; i < q.count; ++i) {
        /* The table may move while interning: read the factors again each time. */
        rt_dim part = multiply_term(table, table->dims[a.index], q.terms[i]);
        sum = rt_dim_add(table, sum, part);
    }
    return sum;
}

/* Removes the symbols of `divisor` from those of `term`: false where one is missing. */
static bool divide_symbols(const rt_dim_term *term, const rt_dim_term *divisor, uint32_t *rest) {
    uint32_t kept = 0, next = 0;
    for (uint32_t s = 0; s < term->symbol_count; ++s) {
        if (next < divisor->symbol_count && divisor->symbols[next] == term->symbols[s])
            ++next;
        else
            rest[kept++] = term->symbols[s];
    }
    return next == divisor->symbol_count;
}

bool rt_dim_divide(rt_dim_table *table, rt_dim a, rt_dim b, rt_dim *quotient) {
    polynomial p = table->dims[a.index], q = table->dims[b.index];
    if (a.index == b.index && q.count) {
        *quotient = rt_dim_constant(table, 1);
        return true;
    }
    if (q.count != 1) return false;
    rt_dim_term divisor = q.terms[0], *terms = RT_NEW_ARRAY(table->arena, rt_dim_term, p.count);
    if (!terms) return false;
    for (size_t i = 0; i < p.count; ++i) {
        rt_dim_term term = p.terms[i];
        if (divisor.coefficient == -1 && term.coefficient == INT64_MIN) return false;
        if (term.coefficient % divisor.coefficient || term.symbol_count < divisor.symbol_count)
            return false;
        uint32_t *rest = RT_NEW_ARRAY(table->arena, uint32_t, term.symbol_count);
        if (!rest || !divide_symbols(&term, &divisor, rest)) return false;
        terms[i] = (rt_dim_term){term.coefficient / divisor.coefficient,
                                 term.symbol_count - divisor.symbol_count, rest};
    }
    *quotient = intern(table, terms, p.count);
    return !rt_arena_failed(table->arena);
}

bool rt_dim_is_constant(const rt_dim_table *table, rt_dim dim, int64_t *value) {
    polynomial p = table->dims[dim.index];
    if (p.count > 1 || (p.count == 1 && p.terms[0].symbol_count)) return false;
    if (value) *value = p.count ? p.terms[0].coefficient : 0;
    return true;
}

bool rt_dim_is_symbol(const rt_dim_table *table, rt_dim dim, uint32_t *symbol) {
    polynomial p = table->dims[dim.index];
    if (p.count != 1 || p.terms[0].symbol_count != 1 || p.terms[0].coefficient != 1) return false;
    if (symbol) *symbol = p.terms[0].symbols[0];
    return true;
}

const rt_dim_term *rt_dim_terms(const rt_dim_table *table, rt_dim dim, size_t *count) {
    *count = table->dims[dim.index].count;
    return table->dims[dim.index].terms;
}

size_t rt_dim_symbol_count(const rt_dim_table *table) {
    return table->symbol_count;
}

const char *rt_dim_symbol_name(const rt_dim_table *table, uint32_t symbol) {
    return table->symbols[symbol];
}

bool rt_dim_evaluate(const rt_dim_table *table, rt_dim dim, const int64_t *values,
                     int64_t *result) {
    polynomial p = table->dims[dim.index];
    int64_t sum = 0;
    for (size_t i = 0; i < p.count; ++i) {
        int64_t product = p.terms[i].coefficient;
        for (uint32_t s = 0; s < p.terms[i].symbol_count; ++s)
            if (!rt_int64_multiply(product, values[p.terms[i].symbols[s]], &product)) return false;
        if (!rt_int64_add(sum, product, &sum)) return false;
    }
    *result = sum;
    return true;
}

const char *rt_dim_text(const rt_dim_table *table, rt_dim dim, rt_arena *arena) {
    polynomial p = table->dims[dim.index];
    const char *text = p.count ? "" : "0";
    for (size_t i = 0; text && i < p.count; ++i) {
        const rt_dim_term *term = &p.terms[i];
        int64_t coefficient = term->coefficient;
        const char *sign = coefficient < 0 ? "-" : i ? "+" : "";
        uint64_t size = coefficient < 0 ? 0 - (uint64_t)coefficient : (uint64_t)coefficient;
        bool has_number = size != 1 || !term->symbol_count;
        if (has_number)
            text = rt_arena_format(arena, "%s%s%llu", text, sign, (unsigned long long)size);
        else
            text = rt_arena_format(arena, "%s%s", text, sign);
        for (uint32_t s = 0; text && s < term->symbol_count; ++s)
            text = rt_arena_format(arena, "%s%s%s", text, s || has_number ? "*" : "",
                                   table->symbols[term->symbols[s]]);
    }
    return text ? text : "?";
}
