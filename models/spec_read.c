// SPDX-License-Identifier: Apache-2.0
/* From YAML to the tree of values: sections, keys, overrides, defaults. */
#include <stdlib.h>
#include <string.h>

#include "models/spec_internal.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"

enum { LARGEST_SPEC = 1 << 20 };

/* ---- YAML */

static void diagnose_yaml(const rt_spec_reader *reader, const yaml_parser_t *parser,
                          const char *text, size_t length) {
    rt_location location = {.file = reader->file};
    bool is_alias = false;
    if (parser->error == YAML_READER_ERROR) {
        for (size_t i = 0; i < parser->problem_offset && i < length; ++i)
            location.line += text[i] == '\n';
        ++location.line;
    } else {
        const yaml_mark_t *mark = &parser->problem_mark;
        location.line = (uint32_t)mark->line + 1;
        location.column = (uint32_t)mark->column + 1;
        is_alias = parser->context && strstr(parser->context, "alias");
    }
    if (!reader->has_marks) location.line = location.column = 0;
    rt_diagnose(reader->diagnostics, RT_ERROR, location, "not YAML: %s%s%s%s",
                parser->context ? parser->context : "", parser->context ? ", " : "",
                parser->problem ? parser->problem : "out of memory",
                is_alias ? "; a text that begins with * needs quotes" : "");
}

bool rt_spec_load_yaml(const rt_spec_reader *reader, const char *text, size_t length,
                       yaml_document_t *document) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return false;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    bool is_loaded = yaml_parser_load(&parser, document) != 0;
    if (!is_loaded) diagnose_yaml(reader, &parser, text, length);
    yaml_document_t second;
    if (is_loaded && yaml_document_get_root_node(document)) {
        bool is_whole = yaml_parser_load(&parser, &second) != 0;
        if (!is_whole) {
            diagnose_yaml(reader, &parser, text, length);
        } else if (yaml_document_get_root_node(&second)) {
            const yaml_node_t *root = yaml_document_get_root_node(&second);
            rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, root),
                        "a second document begins here; a spec is one document");
            is_whole = false;
        }
        if (is_whole || second.nodes.start) yaml_document_delete(&second);
        if (!is_whole) {
            yaml_document_delete(document);
            is_loaded = false;
        }
    }
    yaml_parser_delete(&parser);
    return is_loaded;
}

/* ---- maps */

static const char *key_text(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

/* The earlier pair of the map with the same key, or NULL. */
static const yaml_node_t *find_earlier(const rt_spec_reader *reader, const yaml_node_t *map,
                                       const yaml_node_pair_t *pair) {
    const char *name = key_text(yaml_document_get_node(reader->document, pair->key));
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; ++p) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, p->key);
        if (key->type == YAML_SCALAR_NODE && strcmp(key_text(key), name) == 0) return key;
    }
    return NULL;
}

/* Diagnoses a key that is no text or stands in the map already. */
static bool check_pair(const rt_spec_reader *reader, const yaml_node_t *map,
                       const yaml_node_pair_t *pair) {
    const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
    if (key->type != YAML_SCALAR_NODE) {
        rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, key),
                    "a key must be a name");
        return false;
    }
    const yaml_node_t *earlier = find_earlier(reader, map, pair);
    if (!earlier) return true;
    rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, key),
                "'%s' is given twice, first at line %zu", key_text(key),
                earlier->start_mark.line + 1);
    return false;
}

static bool find_key(const rt_spec_reader *reader, rt_spec_section section, const char *name,
                     rt_location location, rt_spec_key *key) {
    if (rt_spec_find_key(section, name, key)) return true;
    rt_diagnose(reader->diagnostics, RT_ERROR, location, "unknown key '%s' in '%s'%s", name,
                rt_spec_section_name(section),
                rt_spec_suggest_key(section, name, &reader->spec->arena));
    return false;
}

/* `values` is indexed from the section's first key on. */
static void read_map(const rt_spec_reader *reader, const yaml_node_t *map, rt_spec_section section,
                     rt_spec_value *values) {
    if (map->type != YAML_MAPPING_NODE) {
        rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, map),
                    "'%s' must be a map of keys to values", rt_spec_section_name(section));
        return;
    }
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; ++pair) {
        rt_spec_key key;
        const yaml_node_t *name = yaml_document_get_node(reader->document, pair->key);
        if (!check_pair(reader, map, pair) ||
            !find_key(reader, section, key_text(name), rt_spec_node_location(reader, name), &key))
            continue;
        yaml_node_t *node = yaml_document_get_node(reader->document, pair->value);
        rt_spec_read_value(reader, node, key, &values[key - rt_spec_first_key(section)]);
    }
}

static rt_spec_value *add_item(rt_spec *spec, rt_spec_section section, rt_location location) {
    rt_spec_part *part = &spec->parts[section];
    rt_spec_item_values *items = rt_arena_grow(&spec->arena, part->items, &part->item_capacity,
                                               part->item_count + 1, sizeof *items);
    size_t count = (size_t)rt_spec_section_key_count(section);
    rt_spec_value *values = items ? RT_NEW_ARRAY(&spec->arena, rt_spec_value, count) : NULL;
    if (!values) return NULL;
    part->items = items;
    items[part->item_count++] = (rt_spec_item_values){location, values};
    return values;
}

static void read_list(const rt_spec_reader *reader, const yaml_node_t *list,
                      rt_spec_section section) {
    if (list->type != YAML_SEQUENCE_NODE) {
        rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, list),
                    "'%s' must be a list of maps, each begun by '- '",
                    rt_spec_section_name(section));
        return;
    }
    for (const yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; ++item) {
        const yaml_node_t *node = yaml_document_get_node(reader->document, *item);
        rt_spec_value *values =
            add_item(reader->spec, section, rt_spec_node_location(reader, node));
        if (values) read_map(reader, node, section, values);
    }
}

/* One map, or a list of maps, of which the first stands for the section. */
static void read_maps(const rt_spec_reader *reader, const yaml_node_t *node,
                      rt_spec_section section) {
    rt_spec_value *own = reader->spec->values + rt_spec_first_key(section);
    if (node->type != YAML_SEQUENCE_NODE) {
        read_map(reader, node, section, own);
        return;
    }
    const yaml_node_item_t *first = node->data.sequence.items.start;
    if (first == node->data.sequence.items.top)
        rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, node),
                    "'%s' must be a map, or a list of at least one", rt_spec_section_name(section));
    for (const yaml_node_item_t *item = first; item < node->data.sequence.items.top; ++item) {
        const yaml_node_t *map = yaml_document_get_node(reader->document, *item);
        rt_spec_value *values =
            item == first ? own
                          : add_item(reader->spec, section, rt_spec_node_location(reader, map));
        if (values) read_map(reader, map, section, values);
    }
}

static void read_root(const rt_spec_reader *reader, const yaml_node_t *root) {
    rt_spec *spec = reader->spec;
    if (root->type != YAML_MAPPING_NODE) {
        rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, root),
                    "a spec must be a map of sections: task, data, model …");
        return;
    }
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; ++pair) {
        if (!check_pair(reader, root, pair)) continue;
        const yaml_node_t *name = yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *node = yaml_document_get_node(reader->document, pair->value);
        rt_spec_section section;
        if (!rt_spec_find_section(key_text(name), &section)) {
            rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, name),
                        "unknown section '%s'%s", key_text(name),
                        rt_spec_suggest_section(key_text(name), &spec->arena));
            continue;
        }
        spec->parts[section].is_given = true;
        spec->parts[section].location = rt_spec_node_location(reader, name);
        if (rt_spec_section_is_list(section))
            read_list(reader, node, section);
        else if (rt_spec_section_may_repeat(section))
            read_maps(reader, node, section);
        else
            read_map(reader, node, section, spec->values + rt_spec_first_key(section));
    }
}

/* ---- overrides and defaults */

/* Finds what "section.key" or "section.index.key" names; NULL after a diagnostic. */
static rt_spec_value *find_override(const rt_spec_reader *reader, const char *path,
                                    rt_spec_key *key) {
    rt_spec *spec = reader->spec;
    rt_location location = {.file = reader->file};
    const char *dot = strchr(path, '.'), *name = strrchr(path, '.');
    const char *first = rt_arena_copy_text(&spec->arena, path, dot ? (size_t)(dot - path) : 0);
    rt_spec_section section;
    if (!dot || !first) {
        rt_diagnose(reader->diagnostics, RT_ERROR, location,
                    "'%s' must be a section and a key, such as training.seed=2", path);
        return NULL;
    }
    if (!rt_spec_find_section(first, &section)) {
        rt_diagnose(reader->diagnostics, RT_ERROR, location, "unknown section '%s'%s", first,
                    rt_spec_suggest_section(first, &spec->arena));
        return NULL;
    }
    if (!find_key(reader, section, name + 1, location, key)) return NULL;
    spec->parts[section].is_given = true;
    bool repeats = rt_spec_section_may_repeat(section);
    if (!rt_spec_section_is_list(section) && (!repeats || dot == name)) {
        if (dot == name) return &spec->values[*key];
        rt_diagnose(reader->diagnostics, RT_ERROR, location, "'%s' has no parts; write %s.%s",
                    first, first, name + 1);
        return NULL;
    }
    char *end;
    unsigned long index = strtoul(dot + 1, &end, 10);
    size_t count = spec->parts[section].item_count + repeats;
    if (end == dot + 1 || end != name || index >= count) {
        rt_diagnose(reader->diagnostics, RT_ERROR, location,
                    "'%s': write %s.N.%s, with N from 0 and below the %zu items of the spec", path,
                    first, name + 1, count);
        return NULL;
    }
    if (repeats && index-- == 0) return &spec->values[*key];
    return &spec->parts[section].items[index].values[*key - rt_spec_first_key(section)];
}

static bool read_text_as(rt_spec_reader *reader, const char *text, rt_spec_key key,
                         rt_spec_value *value) {
    yaml_document_t document;
    if (!rt_spec_load_yaml(reader, text, strlen(text), &document)) return false;
    reader->document = &document;
    yaml_node_t *root = yaml_document_get_root_node(&document);
    bool is_read = root && rt_spec_read_value(reader, root, key, value);
    if (!root) {
        const rt_spec_row *row = rt_spec_row_of(key);
        rt_diagnose(reader->diagnostics, RT_ERROR, (rt_location){.file = reader->file},
                    "'%s.%s' must be %s, not empty", rt_spec_section_name(row->section), row->name,
                    rt_spec_expected(row, &reader->spec->arena));
    }
    yaml_document_delete(&document);
    reader->document = NULL;
    return is_read;
}

static void apply_override(rt_spec_reader *reader, const char *override) {
    const char *equals = strchr(override, '=');
    if (!equals) {
        rt_diagnose(reader->diagnostics, RT_ERROR, (rt_location){.file = reader->file},
                    "'%s' must be key=value, such as training.seed=2", override);
        return;
    }
    const char *path =
        rt_arena_copy_text(&reader->spec->arena, override, (size_t)(equals - override));
    rt_spec_key key;
    rt_spec_value *value = path ? find_override(reader, path, &key) : NULL;
    if (value) read_text_as(reader, equals + 1, key, value);
}

/* The default of a key that was not given, or the diagnostic that it must be. */
static void complete_value(rt_spec_reader *reader, rt_spec_key key, rt_location location,
                           rt_spec_value *value) {
    const rt_spec_row *row = rt_spec_row_of(key);
    if (value->is_given) return;
    if (row->is_required) {
        rt_diagnose(reader->diagnostics, RT_ERROR, location, "'%s.%s' is missing: %s",
                    rt_spec_section_name(row->section), row->name,
                    rt_spec_expected(row, &reader->spec->arena));
    } else if (*row->initial) {
        bool is_right = read_text_as(reader, row->initial, key, value);
        RT_ASSERT(is_right);
        (void)is_right;
        value->is_given = false;
    }
    value->location = location;
}

/* The section's own place, or the file. */
rt_location rt_spec_section_location(const rt_spec *spec, rt_spec_section section) {
    rt_location location = spec->parts[section].location;
    if (!location.file) location.file = spec->path;
    return location;
}

static void complete_section(rt_spec_reader *reader, rt_spec_section section) {
    rt_spec *spec = reader->spec;
    rt_spec_key first = rt_spec_first_key(section);
    int count = rt_spec_section_key_count(section);
    rt_spec_part *part = &spec->parts[section];
    bool is_left_out = section == RT_SPEC_SECTION_teacher && !part->is_given;
    for (int i = 0; i < count; ++i) {
        rt_spec_key key = (rt_spec_key)(first + i);
        if (is_left_out) {
            spec->values[key].location = rt_spec_section_location(spec, section);
            continue;
        }
        if (!rt_spec_section_is_list(section))
            complete_value(reader, key, rt_spec_section_location(spec, section),
                           &spec->values[key]);
        for (size_t j = 0; j < part->item_count; ++j)
            complete_value(reader, key, part->items[j].location, &part->items[j].values[i]);
    }
}

/* Values given by overrides have no line; their paths start at the current folder. */
static void resolve_value(rt_spec_reader *reader, rt_spec_key key, rt_spec_value *value) {
    rt_spec *spec = reader->spec;
    rt_spec_kind kind = rt_spec_row_of(key)->kind;
    bool is_override = value->is_given && value->location.line == 0;
    const rt_spec_value *folder = &spec->values[RT_SPEC_data_folder];
    reader->folder = is_override ? "" : spec->folder;
    if (kind == RT_SPEC_DATA && folder->path) reader->folder = folder->path;
    if (kind == RT_SPEC_OUTPUT) reader->folder = "";
    rt_spec_resolve_paths(reader, key, value);
}

static void resolve_all_paths(rt_spec_reader *reader) {
    rt_spec *spec = reader->spec;
    for (int pass = 0; pass < 2; ++pass) { /* data.folder is known before what lies in it */
        for (int i = 0; i < RT_SPEC_KEY_COUNT; ++i) {
            const rt_spec_row *row = rt_spec_row_of((rt_spec_key)i);
            const rt_spec_part *part = &spec->parts[row->section];
            if ((row->kind == RT_SPEC_DATA) != (pass == 1)) continue;
            resolve_value(reader, (rt_spec_key)i, &spec->values[i]);
            for (size_t j = 0; j < part->item_count; ++j)
                resolve_value(reader, (rt_spec_key)i,
                              &part->items[j].values[i - rt_spec_first_key(row->section)]);
        }
    }
}

static rt_spec *create_spec(const char *path) {
    rt_arena arena = {0};
    rt_spec *spec = RT_NEW(&arena, rt_spec);
    char *folder = rt_path_folder(path);
    if (spec) {
        spec->path = rt_arena_copy_string(&arena, path);
        spec->folder = folder ? rt_arena_copy_string(&arena, folder) : NULL;
        spec->arena = arena;
    }
    free(folder);
    if (spec && (!spec->path || !spec->folder)) {
        rt_spec_destroy(spec);
        spec = NULL;
    }
    return spec;
}

rt_spec *rt_spec_parse(const char *text, size_t length, const char *path,
                       const rt_spec_options *options, rt_diagnostics *diagnostics) {
    rt_spec_options none = {0};
    if (!options) options = &none;
    size_t errors = diagnostics->error_count;
    rt_spec *spec = create_spec(path);
    if (!spec) return NULL;
    rt_spec_reader reader = {.spec = spec,
                             .diagnostics = diagnostics,
                             .file = spec->path,
                             .folder = spec->folder,
                             .has_marks = true,
                             .may_lack_files = options->may_lack_files};
    yaml_document_t document;
    bool is_yaml = rt_spec_load_yaml(&reader, text, length, &document);
    if (is_yaml) {
        reader.document = &document;
        yaml_node_t *root = yaml_document_get_root_node(&document);
        if (root) read_root(&reader, root);
        yaml_document_delete(&document);
        reader.has_marks = false;
        reader.file = "command line";
        for (size_t i = 0; i < options->override_count; ++i)
            apply_override(&reader, options->overrides[i]);
        reader.file = spec->path;
        for (int i = 0; i < RT_SPEC_SECTION_COUNT; ++i)
            complete_section(&reader, (rt_spec_section)i);
        resolve_all_paths(&reader);
        rt_spec_check_rules(spec, diagnostics);
    }
    if (rt_arena_failed(&spec->arena))
        rt_diagnose(diagnostics, RT_ERROR, (rt_location){.file = path}, "out of memory");
    if (diagnostics->error_count == errors && is_yaml) return spec;
    rt_spec_destroy(spec);
    return NULL;
}

rt_spec *rt_spec_read(const char *path, const rt_spec_options *options,
                      rt_diagnostics *diagnostics) {
    rt_mapped_file file = {0};
    rt_error error;
    if (rt_file_map(path, &file, &error) != RT_OK) {
        rt_diagnose(diagnostics, RT_ERROR, (rt_location){0}, "%s", error.text);
        return NULL;
    }
    rt_spec *spec = NULL;
    if (file.size > LARGEST_SPEC) {
        rt_diagnose(diagnostics, RT_ERROR, (rt_location){.file = path},
                    "the file has %zu bytes; a spec has at most %d", file.size, LARGEST_SPEC);
    } else {
        spec = rt_spec_parse((const char *)file.data, file.size, path, options, diagnostics);
    }
    rt_file_unmap(&file);
    return spec;
}
