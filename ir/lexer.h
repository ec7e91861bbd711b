// SPDX-License-Identifier: Apache-2.0
/* Tokens of the text form. White space separates, ';' starts a comment that ends with its line. */
#ifndef RETORT_IR_LEXER_H
#define RETORT_IR_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"

typedef enum rt_token_kind {
    RT_TOKEN_END,
    RT_TOKEN_WORD,      /* letters, digits and _, not starting with a digit: matmul, f32, T, _ */
    RT_TOKEN_VALUE,     /* %name; name of letters, digits, _ and . */
    RT_TOKEN_PARAMETER, /* @name, or @"any text" */
    RT_TOKEN_STRING,    /* "any text" */
    RT_TOKEN_INTEGER,   /* decimal digits */
    RT_TOKEN_REAL,      /* digits with a point or an exponent */
    RT_TOKEN_SIGN,      /* one character of := ,{}[]()+-* */
    RT_TOKEN_BAD        /* `problem` says what is wrong */
} rt_token_kind;

typedef struct rt_token {
    rt_token_kind kind;
    uint32_t line, column; /* from 1; columns count bytes */
    const char *text;      /* of the name without % or @; of a string without quotes, not decoded */
    size_t length;
    bool is_quoted;
    bool starts_line; /* nothing but space stands before it on its line */
    uint64_t integer;
    double real; /* of INTEGER and REAL */
    const char *problem;
} rt_token;

typedef struct rt_lexer {
    const char *cursor, *end, *line_start;
    uint32_t line;
} rt_lexer;

/* `text` is lent until the last token is used. */
void rt_lexer_init(rt_lexer *lexer, const char *text, size_t length);
rt_token rt_lexer_next(rt_lexer *lexer);

bool rt_token_is_sign(const rt_token *token, char sign);
bool rt_token_is_word(const rt_token *token, const char *word);

/* The token's text with escapes resolved, in `arena`; NULL where there is no memory. Escapes are
 * \" \\ \n \t and \xHH; the lexer has checked them, and that none gives a NUL. */
const char *rt_token_decode(const rt_token *token, rt_arena *arena);

/* Whether a text can stand as a WORD, or as the name of a value or parameter, without quotes. */
bool rt_text_is_word(const char *text);
bool rt_text_is_name(const char *text);

#endif
