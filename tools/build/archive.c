// SPDX-License-Identifier: Apache-2.0
#include "tools/build/archive.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"

enum { HEAD_BYTES = 60, MAGIC_BYTES = 8 };

static void write_head(rt_writer *w, const char *name, size_t size) {
    rt_writer_print(w, "%-16.16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "644", size);
}

static void write_big_endian(rt_writer *w, size_t value) {
    const unsigned char bytes[] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                   (unsigned char)(value >> 8), (unsigned char)value};
    rt_writer_write(w, bytes, sizeof bytes);
}

static void write_little_endian(rt_writer *w, size_t value) {
    const unsigned char bytes[] = {(unsigned char)value, (unsigned char)(value >> 8),
                                   (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
    rt_writer_write(w, bytes, sizeof bytes);
}

static void pad(rt_writer *w, size_t count) {
    while (count--) rt_writer_write(w, "", 1);
}

static size_t up(size_t size, size_t step) {
    return (size + step - 1) / step * step;
}

static size_t names_size(const archive_object *o, bool is_apple) {
    size_t size = 0;
    for (size_t i = 0; i < o->symbol_count; ++i) size += strlen(o->symbols[i]) + 1 + is_apple;
    return size;
}

/* Member "/": count, offsets of the member that defines each symbol, names; big-endian. */
static void write_gnu_index(rt_writer *w, const archive_object *o) {
    size_t names = names_size(o, false), size = up(4 + 4 * o->symbol_count + names, 2);
    write_head(w, "/", size);
    write_big_endian(w, o->symbol_count);
    for (size_t i = 0; i < o->symbol_count; ++i)
        write_big_endian(w, MAGIC_BYTES + HEAD_BYTES + size);
    for (size_t i = 0; i < o->symbol_count; ++i)
        rt_writer_write(w, o->symbols[i], strlen(o->symbols[i]) + 1);
    pad(w, size - 4 - 4 * o->symbol_count - names);
}

/* BSD's archives have long names behind the heads: so many bytes that what follows begins at
 * multiples of 8, as Apple's linker wants it. */
enum { INDEX_NAME_BYTES = 12, OBJECT_NAME_BYTES = 20 };

/* Member "__.SYMDEF": size of the pairs, pairs of name and member, size of the names, names; in the
 * byte order of the machine. */
static void write_bsd_index(rt_writer *w, const archive_object *o) {
    size_t names = names_size(o, true), room = up(names, 8);
    size_t size = 8 + 8 * o->symbol_count + room;
    write_head(w, "#1/12", INDEX_NAME_BYTES + size);
    rt_writer_write(w, "__.SYMDEF\0\0", INDEX_NAME_BYTES);
    write_little_endian(w, 8 * o->symbol_count);
    for (size_t i = 0, at = 0; i < o->symbol_count; ++i) {
        write_little_endian(w, at);
        write_little_endian(w, MAGIC_BYTES + HEAD_BYTES + INDEX_NAME_BYTES + size);
        at += strlen(o->symbols[i]) + 2;
    }
    write_little_endian(w, room);
    for (size_t i = 0; i < o->symbol_count; ++i) {
        rt_writer_write(w, "_", 1);
        rt_writer_write(w, o->symbols[i], strlen(o->symbols[i]) + 1);
    }
    pad(w, room - names);
}

static void write_gnu_object(rt_writer *w, const archive_object *o) {
    char name[17];
    snprintf(name, sizeof name, "%.13s.o/", o->name);
    write_head(w, name, o->size);
    rt_writer_write(w, o->bytes, o->size);
    pad(w, o->size % 2);
}

static void write_bsd_object(rt_writer *w, const archive_object *o) {
    char name[OBJECT_NAME_BYTES + 1] = {0};
    snprintf(name, sizeof name, "%.17s.o", o->name);
    size_t size = up(o->size, 8);
    write_head(w, "#1/20", OBJECT_NAME_BYTES + size);
    rt_writer_write(w, name, OBJECT_NAME_BYTES);
    rt_writer_write(w, o->bytes, o->size);
    pad(w, size - o->size);
}

rt_status archive_write(const char *path, const archive_object *o, bool is_apple, rt_error *error) {
    rt_writer w;
    RT_TRY(rt_writer_open(&w, path, error));
    rt_writer_write(&w, "!<arch>\n", MAGIC_BYTES);
    if (is_apple) {
        write_bsd_index(&w, o);
        write_bsd_object(&w, o);
    } else {
        write_gnu_index(&w, o);
        write_gnu_object(&w, o);
    }
    return rt_writer_commit(&w, error);
}
