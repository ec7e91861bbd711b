// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/same_model.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"

/* The file of weights: the path itself, or what the folder has; NULL where there is none. Freed by
 * the caller. */
static char *find_weights(const char *path) {
    static const char *const names[] = {"model.safetensors", "model.onnx"};
    if (rt_file_exists(path)) return realpath(path, NULL);
    for (size_t i = 0; rt_folder_exists(path) && i < sizeof names / sizeof *names; ++i) {
        char *joined = rt_path_join(path, names[i]);
        char *real = joined && rt_file_exists(joined) ? realpath(joined, NULL) : NULL;
        free(joined);
        if (real) return real;
    }
    return NULL;
}

static bool has_same_bytes(const char *a, const char *b) {
    rt_mapped_file left = {0}, right = {0};
    bool is_same = rt_file_map(a, &left, NULL) == RT_OK && rt_file_map(b, &right, NULL) == RT_OK &&
                   left.size == right.size && memcmp(left.data, right.data, left.size) == 0;
    rt_file_unmap(&left);
    rt_file_unmap(&right);
    return is_same;
}

/* Whether the last component of `name` is one of the last two of `path`. */
static bool is_called(const char *path, const char *name) {
    const char *slash = strrchr(name, '/');
    const char *last = slash ? slash + 1 : name;
    size_t end = strlen(path), length = strlen(last);
    for (int i = 0; i < 2 && end; ++i) {
        size_t begin = end;
        while (begin && path[begin - 1] != '/') --begin;
        if (end - begin == length && memcmp(path + begin, last, length) == 0) return true;
        end = begin ? begin - 1 : 0;
    }
    return false;
}

rt_same_model rt_model_is_same(const char *named, const char *path) {
    if (is_called(path, named) && !rt_file_exists(named) && !rt_folder_exists(named))
        return RT_MODEL_SAME;
    char *theirs = find_weights(named), *ours = find_weights(path);
    rt_same_model answer = is_called(path, named) ? RT_MODEL_SAME : RT_MODEL_UNKNOWN;
    if (theirs && ours) {
        bool is_one = strcmp(theirs, ours) == 0 || has_same_bytes(theirs, ours);
        answer = is_one ? RT_MODEL_SAME : RT_MODEL_OTHER;
    }
    free(theirs);
    free(ours);
    return answer;
}
