// SPDX-License-Identifier: Apache-2.0
#include "tools/session.h"

#include <stdlib.h>

#include "runtime/program.h"

struct session {
    retort_compilation *compilation;
    const retort_program *program;
    retort_instance *instance;
    int64_t *largest; /* value of each symbol that memory is reserved for; NULL: none is */
};

rt_status session_open(rt_module *module, const session_options *options, session **opened,
                       rt_error *error) {
    retort_compiler_options compiler;
    retort_instance_options instance;
    session *s = calloc(1, sizeof *s);
    *opened = NULL;
    if (!s) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    retort_compiler_options_init(&compiler);
    retort_instance_options_init(&instance);
    compiler.optimizations = options->optimizations;
    instance.workers = options->threads;
    instance.skips_checksum = true; /* compiled in this moment, from these files */
    rt_status status = retort_compile(module, &compiler, &s->compilation, error);
    if (status == RT_OK) status = retort_compilation_load(s->compilation, &s->program, error);
    if (status == RT_OK)
        status = retort_instance_create(s->program, &instance, &s->instance, error);
    if (status == RT_OK)
        *opened = s;
    else
        session_close(s);
    return status;
}

void session_close(session *s) {
    if (!s) return;
    retort_instance_destroy(s->instance);
    retort_compilation_destroy(s->compilation);
    free(s->largest);
    free(s);
}

const retort_program *session_program(const session *s) {
    return s->program;
}

retort_instance *session_instance(const session *s) {
    return s->instance;
}

rt_status session_reserve(session *s, const int64_t *symbols, rt_error *error) {
    uint32_t count = s->program->symbol_count;
    bool is_larger = !s->largest;
    if (!s->largest) s->largest = calloc(count + 1, sizeof *s->largest);
    if (!s->largest) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; ++i) {
        if (symbols[i] <= s->largest[i]) continue;
        s->largest[i] = symbols[i];
        is_larger = true;
    }
    return is_larger ? retort_instance_reserve(s->instance, s->largest, error) : RT_OK;
}

const char *session_text(const session *s, retort_text which) {
    return retort_compilation_text(s->compilation, which);
}

rt_status session_entry(const session *s, const char *name, int *entry, rt_error *error) {
    *entry = retort_program_find_entry(s->program, name);
    if (*entry >= 0) return RT_OK;
    return rt_fail(error, RT_NOT_FOUND, "the program has no entry point '%s'", name);
}
