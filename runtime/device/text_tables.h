// SPDX-License-Identifier: Apache-2.0
/* The block of bytes that a tokenizer reads: made by the compiler (compiler/device/text_block.h)
 * from a vocabulary, read in place. It begins with retort_text_tables, aligned to 8 bytes; a
 * "place" is an offset in bytes from there, aligned to 4; everything is little-endian.
 *
 * What is cut to the vocabulary: a character that no token can contain makes its word [UNK]
 * whatever it is, so only what decides where words begin and end is kept of it. */
#ifndef RETORT_RUNTIME_DEVICE_TEXT_TABLES_H
#define RETORT_RUNTIME_DEVICE_TEXT_TABLES_H

#include <stdint.h>

enum {
    RETORT_TEXT_VERSION = 1,
    RETORT_TEXT_LONGEST_WORD = 100, /* code points; a longer one is [UNK] */
    RETORT_TEXT_MAX_LITERALS = 6
};

/* Of a class of code points. The first three are about text as it is read, ACCENT and the combining
 * class about what decomposition leaves, PUNCTUATION about what ends up in words. */
enum {
    RETORT_TEXT_DROPPED = 1 << 0,
    RETORT_TEXT_SPACE = 1 << 1,
    RETORT_TEXT_ALONE = 1 << 2,       /* an ideograph that is set apart */
    RETORT_TEXT_ACCENT = 1 << 3,      /* is stripped */
    RETORT_TEXT_PUNCTUATION = 1 << 4, /* a word of its own */
    RETORT_TEXT_CASED = 1 << 5,       /* what decides about a final sigma */
    RETORT_TEXT_IGNORABLE = 1 << 6,
    RETORT_TEXT_DECOMPOSES = 1 << 7 /* stands in `pairs` */
};

/* Flags of a block. */
enum {
    RETORT_TEXT_LOWERS = 1 << 0,
    RETORT_TEXT_LOWERS_SIGMA = 1 << 1, /* by its neighbours: classes tell them apart */
    RETORT_TEXT_COMPOSES = 1 << 2      /* words are in composed form (NFC) */
};

typedef struct retort_text_class {
    int32_t lower; /* to be added for lower case */
    uint32_t flags, combining;
} retort_text_class;

/* Whole numbers of `width` bytes each, 0 to 4; without any they are all 0. */
typedef struct retort_text_numbers {
    uint32_t place, width;
} retort_text_numbers;

/* Canonical decompositions in ascending order of points: of each the first point, which may
 * decompose further, and the second, or 0. */
typedef struct retort_text_pairs {
    uint32_t count;
    retort_text_numbers points, firsts, seconds;
    /* Which of them compose again, in ascending order of (first, second). */
    uint32_t composition_count;
    retort_text_numbers compositions;
} retort_text_pairs;

/* Text that is recognised before anything else, such as "[MASK]". */
typedef struct retort_text_literal {
    int32_t id;
    uint32_t place, bytes;
} retort_text_literal;

/* The tokens as a tree of bytes in level order, root first ("LOUDS": Jacobson, "Space-efficient
 * static trees and graphs", 1989): siblings stand together in ascending order, and groups of
 * siblings in the order of their parents. So where groups end and who has children lead from a node
 * to its children, and back; in about half the bytes of a double array. A node is 5 bits in one of
 * these blocks of 32 nodes, the lowest bit first, and a byte of `labels`. */
typedef struct retort_text_nodes {
    uint32_t last;        /* the last of its siblings */
    uint32_t parents;     /* has children */
    uint32_t tokens;      /* a token ends here */
    uint32_t first_child; /* the first child of the block's first parent; node_count where none
                             follows */
    uint32_t tokens_before;
} retort_text_nodes;

typedef struct retort_text_trie {
    uint32_t node_count;
    uint32_t labels; /* place of a byte per node: the last of the string that it stands for */
    uint32_t blocks, block_count;
    uint32_t token_count;
    retort_text_numbers ids;
    uint32_t
        continuations; /* the node of "##", which is always there: how tokens within a word begin */
} retort_text_trie;

typedef struct retort_text_tables {
    uint32_t version, bytes; /* of the whole block */
    uint32_t flags;
    int32_t pad, unknown, class_token, separator; /* ids */
    uint32_t vocabulary_size;
    uint32_t literal_count, literals;
    uint32_t literal_begins[8]; /* bit b: a literal begins with byte b */
    uint32_t classes;
    /* Class of each ASCII character, a byte; and of stretches of code points, ascending from 0x80:
     * the first point times 256, plus the class. */
    uint32_t ascii, stretches, stretch_count;
    retort_text_pairs pairs;
    retort_text_trie trie;
} retort_text_tables;

/* What stands at a place. */
static inline const void *retort_text_at(const retort_text_tables *tables, uint32_t place) {
    return (const uint8_t *)tables + place;
}

static inline uint32_t retort_text_number(const retort_text_tables *tables,
                                          const retort_text_numbers *numbers, uint32_t index) {
    const uint8_t *bytes = (const uint8_t *)tables + numbers->place + index * numbers->width;
    uint32_t number = 0;
    for (uint32_t i = numbers->width; i-- > 0;) number = number << 8 | bytes[i];
    return number;
}

#endif
