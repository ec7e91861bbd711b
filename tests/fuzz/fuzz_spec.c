// SPDX-License-Identifier: Apache-2.0
/* Any bytes are refused with a reason, or give a spec whose values can all be read, and a job with
 * settings where the spec names no files. */
#include <stdint.h>
#include <string.h>

#include "models/job.h"
#include "tests/fuzz/fuzz.h"

static void read_values(const rt_spec *spec) {
    for (int key = 0; key < RT_SPEC_KEY_COUNT; ++key) {
        rt_spec_section section = rt_spec_row_of((rt_spec_key)key)->section;
        bool is_list = rt_spec_section_is_list(section);
        size_t items = is_list ? rt_spec_item_count(spec, section) : 1;
        for (size_t i = 0; i < items; ++i) {
            const rt_spec_value *value = is_list ? rt_spec_item(spec, (rt_spec_key)key, i)
                                                 : rt_spec_get(spec, (rt_spec_key)key);
            FUZZ_REQUIRE(value->location.file);
            if (value->is_present && value->text) fuzz_use(strlen(value->text));
            for (size_t t = 0; value->texts && t < value->count; ++t)
                fuzz_use(strlen(value->texts[t]));
        }
    }
}

static bool names_files(const rt_spec *spec) {
    return rt_spec_get(spec, RT_SPEC_model_from)->is_present ||
           rt_spec_get(spec, RT_SPEC_teacher_from)->is_present ||
           rt_spec_get(spec, RT_SPEC_data_vocabulary)->is_present ||
           rt_spec_get(spec, RT_SPEC_data_format)->is_given;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_diagnostics diagnostics = {0};
    rt_arena arena = {0};
    rt_spec_options options = {.may_lack_files = true};
    rt_spec *spec = rt_spec_parse((const char *)bytes, size, "input", &options, &diagnostics);
    FUZZ_REQUIRE(!spec == rt_diagnostics_failed(&diagnostics));
    if (spec) {
        rt_job job;
        rt_job_options lenient = {.may_lack_data = true};
        read_values(spec);
        if (!names_files(spec)) {
            rt_status status = rt_job_read(spec, &lenient, &arena, &job, &diagnostics);
            FUZZ_REQUIRE((status == RT_OK) == !rt_diagnostics_failed(&diagnostics));
            if (status == RT_OK) FUZZ_REQUIRE(rt_job_settings(&job, &arena));
        }
    }
    fuzz_use(strlen(rt_diagnostics_text(&diagnostics, &arena)));
    rt_spec_destroy(spec);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&diagnostics);
    return 0;
}
