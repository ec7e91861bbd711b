// SPDX-License-Identifier: Apache-2.0
#include "compiler/frontend/onnx_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"

typedef struct rt_onnx_open_file {
    struct rt_onnx_open_file *older;
    const char *location; /* as the model names it; NULL for the model itself */
    rt_mapped_file mapping;
    rt_onnx_file file;
} rt_onnx_open_file;

static rt_status map_file(rt_onnx_files *files, rt_arena *arena, const char *path,
                          const char *location, const rt_onnx_file **file, rt_error *error) {
    rt_onnx_open_file *opened = RT_NEW(arena, rt_onnx_open_file);
    char *kept_path = rt_arena_copy_string(arena, path);
    if (!opened || !kept_path) return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    RT_TRY(rt_file_map(path, &opened->mapping, error));
    opened->location = location;
    opened->file = (rt_onnx_file){kept_path, opened->mapping.data, opened->mapping.size};
    opened->older = files->newest;
    files->newest = opened;
    *file = &opened->file;
    return RT_OK;
}

rt_status rt_onnx_files_open(rt_onnx_files *files, rt_arena *arena, const char *path,
                             const rt_onnx_file **file, rt_error *error) {
    return map_file(files, arena, path, NULL, file, error);
}

static bool has_parent_component(const char *location) {
    for (const char *at = location; at;) {
        if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0')) return true;
        at = strchr(at, '/');
        if (at) ++at;
    }
    return false;
}

static rt_status find_folder(rt_onnx_files *files, const char *model_path, rt_error *error) {
    if (files->folder) return RT_OK;
    char *folder = rt_path_folder(model_path);
    files->folder = folder ? realpath(folder, NULL) : NULL;
    free(folder);
    if (files->folder) return RT_OK;
    return rt_fail(error, RT_IO, "the folder of %s cannot be resolved: %s", model_path,
                   strerror(errno));
}

static bool is_inside(const char *folder, const char *path) {
    size_t length = strlen(folder);
    while (length && folder[length - 1] == '/') --length;
    return strncmp(folder, path, length) == 0 && path[length] == '/';
}

rt_status rt_onnx_files_open_external(rt_onnx_files *files, rt_arena *arena, const char *model_path,
                                      const char *location, const rt_onnx_file **file,
                                      rt_error *error) {
    for (rt_onnx_open_file *opened = files->newest; opened; opened = opened->older) {
        if (opened->location && strcmp(opened->location, location) == 0) {
            *file = &opened->file;
            return RT_OK;
        }
    }
    if (!location[0] || location[0] == '/' || has_parent_component(location)) {
        return rt_fail(error, RT_INVALID_DATA,
                       "external data '%s' must be a path below the model's folder", location);
    }
    RT_TRY(find_folder(files, model_path, error));
    char *joined = rt_path_join(files->folder, location);
    if (!joined) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    char *real = realpath(joined, NULL);
    rt_status status = RT_OK;
    if (!real) {
        status = rt_fail(error, RT_NOT_FOUND, "external data '%s' in %s: %s", location,
                         files->folder, strerror(errno));
    } else if (!is_inside(files->folder, real)) {
        status = rt_fail(error, RT_INVALID_DATA,
                         "external data '%s' leads out of the model's folder", location);
    } else if (!rt_file_exists(real)) {
        status =
            rt_fail(error, RT_INVALID_DATA, "external data '%s' is not a regular file", location);
    } else {
        status = map_file(files, arena, real, location, file, error);
    }
    free(real);
    free(joined);
    return status;
}

void rt_onnx_files_close(rt_onnx_files *files) {
    for (rt_onnx_open_file *opened = files->newest; opened; opened = opened->older) {
        rt_file_unmap(&opened->mapping);
    }
    free(files->folder);
    *files = (rt_onnx_files){0};
}
