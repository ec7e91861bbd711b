// SPDX-License-Identifier: Apache-2.0
/* External tensors of a module: what a program must know to recognise or contain them. */
#ifndef RETORT_COMPILER_SOURCES_H
#define RETORT_COMPILER_SOURCES_H

#include "compiler/codegen/link.h"
#include "ir/graph.h"

/* rt_checksum of the bytes of every parameter that comes from a file, by parameter, in `arena`. The
 * files are read in pieces: memory does not grow with them. An error names the tensor and file. */
RT_MUST_CHECK rt_status rt_sources_checksum(const rt_module *module, rt_arena *arena,
                                            uint64_t **checksums, rt_error *error);

/* Names a symbol per such parameter (NULL for the others) and lists the bytes behind them. Strings
 * are in `arena`. */
RT_MUST_CHECK rt_status rt_sources_embed(const rt_module *module, rt_arena *arena,
                                         const char ***symbols, rt_embedded_bytes **bytes,
                                         size_t *count, rt_error *error);

#endif
