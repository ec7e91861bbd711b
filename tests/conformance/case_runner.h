// SPDX-License-Identifier: Apache-2.0
/* ONNX's operator tests through one way of computing, held against a list of what is expected.
 *
 * The list (supported.tsv, compiled.tsv) says per tier how many cases pass at least, and names the
 * tier-1 cases that are known not to pass, with the reason. A case that passes although it is
 * listed, or is not listed and does not pass, fails the test: the list can only shrink.
 * RETORT_VERBOSE=1 prints every case that does not pass; a name given there selects cases. */
#ifndef RETORT_TESTS_CONFORMANCE_CASE_RUNNER_H
#define RETORT_TESTS_CONFORMANCE_CASE_RUNNER_H

#include "tests/conformance/conformance.h"
#include "tests/conformance/onnx_case.h"

typedef enum verdict { PASSED, FAILED, UNSUPPORTED, CRASHED, VERDICT_COUNT } verdict;

/* Computes the outputs (in run->arena) from inputs in the order of the graph's. PASSED where there
 * are outputs to compare, else the reason in run->text. */
typedef verdict (*case_engine)(onnx_case *run, const rt_tensor *const *inputs, rt_array **outputs);

/* Runs every case; each in a process of its own where `is_isolated`. Asserts the expectation. */
void run_operator_cases(case_engine engine, const char *expectation, bool is_isolated);

#endif
