// SPDX-License-Identifier: Apache-2.0
#include "ir/lexer.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NUMBER_LENGTH = 400 }; /* the longest finite double in plain digits has 309 */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_word(char c) {
    return is_word_start(c) || is_digit(c);
}
static bool is_name(char c) {
    return is_word(c) || c == '.';
}

static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void rt_lexer_init(rt_lexer *lexer, const char *text, size_t length) {
    *lexer = (rt_lexer){.cursor = text, .end = text + length, .line_start = text, .line = 1};
}

/* True where the next token is the first of its line. */
static bool skip_space(rt_lexer *lexer) {
    bool starts_line = lexer->cursor == lexer->line_start;
    while (lexer->cursor < lexer->end) {
        char c = *lexer->cursor;
        if (c == ';') {
            while (lexer->cursor < lexer->end && *lexer->cursor != '\n') ++lexer->cursor;
        } else if (c == '\n') {
            lexer->line_start = ++lexer->cursor;
            ++lexer->line;
            starts_line = true;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            ++lexer->cursor;
        } else {
            return starts_line;
        }
    }
    return starts_line;
}

static void take_while(rt_lexer *lexer, rt_token *token, bool (*belongs)(char)) {
    token->text = lexer->cursor;
    while (lexer->cursor < lexer->end && belongs(*lexer->cursor)) ++lexer->cursor;
    token->length = (size_t)(lexer->cursor - token->text);
}

static void fail(rt_token *token, const char *problem) {
    token->kind = RT_TOKEN_BAD;
    token->problem = problem;
}

/* After a backslash; returns the bytes it takes, 0 where it is no escape. */
static size_t escape_length(const char *text, const char *end) {
    if (text == end) return 0;
    if (*text == '"' || *text == '\\' || *text == 'n' || *text == 't') return 1;
    if (*text != 'x' || end - text < 3) return 0;
    int high = hex_digit(text[1]), low = hex_digit(text[2]);
    return high < 0 || low < 0 || high + low == 0 ? 0 : 3;
}

/* From the opening quote on. */
static void take_string(rt_lexer *lexer, rt_token *token) {
    token->is_quoted = true;
    token->text = ++lexer->cursor;
    while (lexer->cursor < lexer->end) {
        char c = *lexer->cursor;
        if (c == '"') {
            token->length = (size_t)(lexer->cursor++ - token->text);
            return;
        }
        if (c == '\n') break;
        if (c == '\0') {
            fail(token, "a string cannot hold a NUL byte");
            ++lexer->cursor;
            return;
        }
        ++lexer->cursor;
        if (c != '\\') continue;
        size_t taken = escape_length(lexer->cursor, lexer->end);
        if (!taken) {
            fail(token,
                 "unknown escape in a string: \\\", \\\\, \\n, \\t and \\x01 to \\xff exist");
            return;
        }
        lexer->cursor += taken;
    }
    fail(token, "the string does not end on its line: '\"' is missing");
}

static void take_digits(rt_lexer *lexer) {
    while (lexer->cursor < lexer->end && is_digit(*lexer->cursor)) ++lexer->cursor;
}

/* digits [. digits] [e [+-] digits] */
static void take_number(rt_lexer *lexer, rt_token *token) {
    const char *start = lexer->cursor, *end = lexer->end;
    token->kind = RT_TOKEN_INTEGER;
    take_digits(lexer);
    if (lexer->cursor < end && *lexer->cursor == '.') {
        token->kind = RT_TOKEN_REAL;
        ++lexer->cursor;
        take_digits(lexer);
    }
    if (lexer->cursor < end && (*lexer->cursor == 'e' || *lexer->cursor == 'E')) {
        const char *exponent = lexer->cursor + 1;
        if (exponent < end && (*exponent == '+' || *exponent == '-')) ++exponent;
        token->kind = RT_TOKEN_REAL;
        lexer->cursor = exponent;
        take_digits(lexer);
        if (lexer->cursor == exponent) {
            fail(token, "a number's exponent has no digits");
            return;
        }
    }
    token->text = start;
    token->length = (size_t)(lexer->cursor - start);
    if (lexer->cursor < end && is_word(*lexer->cursor)) {
        fail(token, "a number runs into a letter");
        return;
    }
    if (token->length > MAX_NUMBER_LENGTH) {
        fail(token, "a number of more than 400 characters");
        return;
    }
    char digits[MAX_NUMBER_LENGTH + 1];
    memcpy(digits, start, token->length);
    digits[token->length] = '\0';
    token->real = strtod(digits, NULL);
    if (token->kind == RT_TOKEN_REAL) return;
    for (const char *digit = digits; *digit; ++digit) {
        if (__builtin_mul_overflow(token->integer, (uint64_t)10, &token->integer) ||
            __builtin_add_overflow(token->integer, (uint64_t)(*digit - '0'), &token->integer)) {
            fail(token, "an integer above 18446744073709551615; write a point to make it a real");
            return;
        }
    }
}

static void take_name(rt_lexer *lexer, rt_token *token) {
    bool is_value = *lexer->cursor++ == '%';
    token->kind = is_value ? RT_TOKEN_VALUE : RT_TOKEN_PARAMETER;
    if (!is_value && lexer->cursor < lexer->end && *lexer->cursor == '"') {
        take_string(lexer, token);
        return;
    }
    take_while(lexer, token, is_name);
    if (token->length) return;
    fail(token, is_value ? "'%' without a name" : "'@' without a name");
}

rt_token rt_lexer_next(rt_lexer *lexer) {
    bool starts_line = skip_space(lexer);
    rt_token token = {.kind = RT_TOKEN_END,
                      .starts_line = starts_line,
                      .line = lexer->line,
                      .column = (uint32_t)(lexer->cursor - lexer->line_start) + 1,
                      .text = lexer->cursor};
    if (lexer->cursor == lexer->end) return token;
    char c = *lexer->cursor;
    if (is_word_start(c)) {
        token.kind = RT_TOKEN_WORD;
        take_while(lexer, &token, is_word);
    } else if (is_digit(c)) {
        take_number(lexer, &token);
    } else if (c == '"') {
        token.kind = RT_TOKEN_STRING;
        take_string(lexer, &token);
    } else if (c == '%' || c == '@') {
        take_name(lexer, &token);
    } else {
        ++lexer->cursor;
        token.length = 1;
        token.kind = RT_TOKEN_SIGN;
        if (c == '\0' || !strchr(":=,{}[]()+-*", c)) {
            fail(&token, "a character that has no meaning here");
        }
    }
    return token;
}

bool rt_token_is_sign(const rt_token *token, char sign) {
    return token->kind == RT_TOKEN_SIGN && *token->text == sign;
}

bool rt_token_is_word(const rt_token *token, const char *word) {
    return token->kind == RT_TOKEN_WORD && strlen(word) == token->length &&
           memcmp(token->text, word, token->length) == 0;
}

const char *rt_token_decode(const rt_token *token, rt_arena *arena) {
    char *text = rt_arena_allocate(arena, token->length + 1);
    if (!text) return NULL;
    char *out = text;
    for (size_t i = 0; i < token->length; ++i) {
        char c = token->text[i];
        if (token->is_quoted && c == '\\') {
            c = token->text[++i];
            if (c == 'n') c = '\n';
            if (c == 't') c = '\t';
            if (c == 'x') {
                c = (char)(hex_digit(token->text[i + 1]) * 16 + hex_digit(token->text[i + 2]));
                i += 2;
            }
        }
        *out++ = c;
    }
    *out = '\0';
    return text;
}

bool rt_text_is_word(const char *text) {
    if (!is_word_start(*text)) return false;
    while (is_word(*text)) ++text;
    return *text == '\0';
}

bool rt_text_is_name(const char *text) {
    if (*text == '\0') return false;
    while (is_name(*text)) ++text;
    return *text == '\0';
}
