// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ir/name_pattern.h"
#include "tests/support/test.h"

static void test_matches(void) {
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"classifier.weight", "classifier.weight", true},
        {"classifier.weight", "classifier.weights", false},
        {"classifier", "classifier.weight", false},
        {"weight", "classifier.weight", false},
        {"*", "a", true},
        {"*", "a.b.c", true},
        {"*.bias", "bias", false},
        {"*.bias", "a.b.bias", true},
        {"*.bias", "a.b.bias.x", false},
        {"output.dense.bias", "attention.output.dense.bias", false},
        {"*.output.dense.bias", "layer.0.attention.output.dense.bias", true},
        {"encoder.layer.{0..8}.*", "encoder.layer.8.output.dense.bias", true},
        {"encoder.layer.{0..8}.*", "encoder.layer.9.output.dense.bias", false},
        {"encoder.layer.{0..8}.*", "encoder.layer.08.output.dense.bias", false},
        {"encoder.layer.{0..8}.*", "encoder.layer.8", false},
        {"encoder.layer.{10..11}.x", "encoder.layer.1.x", false},
        {"*.{query,value}.*", "layer.0.self.query.weight", true},
        {"*.{query,value}.*", "layer.0.self.key.weight", false},
        {"*.lora_*", "layer.0.lora_A", true},
        {"*.lora_*", "layer.0.xlora_A", false},
        {"*.*.weight", "a.weight", false},
        {"*.*.weight", "a.b.weight", true},
        {"a.*.c.*.e", "a.b.c.c.d.e", true},
        {"h{1..2}_{a,b}.w", "h2_b.w", true},
        {"h{1..2}_{a,b}.w", "h3_b.w", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        CU_ASSERT_EQUAL(rt_name_pattern_check(cases[i].pattern, NULL), RT_OK);
        CU_ASSERT_EQUAL(rt_name_pattern_matches(cases[i].pattern, cases[i].name), cases[i].matches);
    }
}

static void refuse(const char *pattern, const char *reason) {
    rt_error error;
    CU_ASSERT_EQUAL(rt_name_pattern_check(pattern, &error), RT_INVALID_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, reason));
}

static void test_refused(void) {
    refuse("", "a component is empty");
    refuse("a..b", "a component is empty");
    refuse("a.", "a component is empty");
    refuse(".a", "a component is empty");
    refuse("a.{0..8", "a { is not closed");
    refuse("a}", "a } has no {");
    refuse("{}", "braces must hold");
    refuse("{a,{b}", "braces must hold");
    refuse("{8..0}", "must be a range");
    refuse("{a..b}", "must be a range");
    refuse("{0...3}", "must be a range");
}

TEST_MAIN("name_pattern", TEST(test_matches), TEST(test_refused))
