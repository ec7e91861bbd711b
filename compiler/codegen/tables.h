// SPDX-License-Identifier: Apache-2.0
/* Constants that tables are made of. LLVM lays plain structs out as C does, for any target. */
#ifndef RETORT_COMPILER_CODEGEN_TABLES_H
#define RETORT_COMPILER_CODEGEN_TABLES_H

#include "compiler/codegen/lower_impl.h"

LLVMValueRef rt_table_word(rt_lower_state *s, uint64_t value); /* i32 */
LLVMValueRef rt_table_wide(rt_lower_state *s, uint64_t value); /* i64 */
LLVMValueRef rt_table_struct(rt_lower_state *s, LLVMValueRef *fields, unsigned count);

/* The address of a constant array, NULL of none. Elements have one type. */
LLVMValueRef rt_table_array(rt_lower_state *s, LLVMValueRef *elements, size_t count,
                            const char *name);

/* The address of a string, NULL of none. */
LLVMValueRef rt_table_text(rt_lower_state *s, const char *string);

/* Memory for `count` constants, in the arena. */
LLVMValueRef *rt_table_room(rt_lower_state *s, size_t count);

/* retort_size of runtime/abi.h; NULL or empty where there is no memory. */
LLVMValueRef rt_table_size(rt_lower_state *s, rt_dim dim);

/* A polynomial that is at least as large as a and b wherever symbols are not negative: monomial by
 * monomial the larger coefficient. */
rt_dim rt_dim_upper_bound(rt_dim_table *dims, rt_dim a, rt_dim b);

#endif
