// SPDX-License-Identifier: Apache-2.0
/* Between the files of the parser: its state, and the smaller pieces of the grammar. */
#ifndef RETORT_IR_PARSE_IMPL_H
#define RETORT_IR_PARSE_IMPL_H

#include "ir/graph.h"
#include "ir/lexer.h"

/* Bounds on what a text may make us do; far above what any real module needs. */
enum {
    PARSE_MAX_ERRORS = 50,
    PARSE_MAX_TERMS = 16,              /* of a dimension, and symbols in a term */
    PARSE_MAX_NAMES = 4096,            /* symbols, files, graphs: looked up one after the other */
    PARSE_MAX_CONSTANT_BYTES = 1 << 26 /* of all constants */
};

typedef struct parser {
    rt_lexer lexer;
    rt_token token; /* the next one */
    rt_module *module;
    rt_diagnostics *diagnostics;
    const char *file;
    bool locates_nodes;
    size_t error_count;
    size_t constant_bytes;
    rt_arena scratch;
} parser;

void parse_advance(parser *p);

/* Diagnose at a token, or at the next one; return false. */
bool parse_fail_at(parser *p, const rt_token *token, const char *format, ...) RT_PRINTF(3, 4);
/* "expected <what>, not <the next token>"; where the token is bad, what is bad about it. */
bool parse_expected(parser *p, const char *what);

/* Take the next token where it is this one. */
bool parse_accept_sign(parser *p, char sign);
bool parse_accept_word(parser *p, const char *word);
bool parse_expect_sign(parser *p, char sign, const char *what);

/* Each takes one piece of the grammar (ir/README.md) or diagnoses and returns false. */
bool parse_text(parser *p, const char *what, const char **text); /* a string */
bool parse_unsigned(parser *p, const char *what, uint64_t *value);
bool parse_integer(parser *p, int64_t *value);
bool parse_double(parser *p, double *value);
bool parse_dtype(parser *p, rt_dtype *dtype);
bool parse_dim(parser *p, rt_dim *dim);
bool parse_type(parser *p, rt_type *type);
bool parse_symbol(parser *p, rt_dim *symbol);
bool parse_parameter_name(parser *p, rt_parameter *parameter);
/* at "file":line:column "name"; leaves *location alone where there is none. */
bool parse_location(parser *p, rt_location *location);
/* `type` is the type of the first result where it is written, else NULL. */
bool parse_attr(parser *p, rt_attr_kind kind, const rt_type *type, rt_attr *attr);

rt_location parse_place(const parser *p, const rt_token *token);

#endif
