// SPDX-License-Identifier: Apache-2.0
/* tokenizer_config.json as it lies beside vocab.txt in Hugging Face directories. */
#ifndef RETORT_RUNTIME_TEXT_TOKENIZER_CONFIG_H
#define RETORT_RUNTIME_TEXT_TOKENIZER_CONFIG_H

#include "runtime/text/tokenizer.h"

/* Reads do_lower_case, strip_accents, tokenize_chinese_chars and the special tokens (a string, or
 * an object with "content"); keys that are missing mean uncased BERT. UNSUPPORTED for a tokenizer
 * class that is not BERT's WordPiece. `model_max_length` (may be NULL) is in tokens, 0 where the
 * file sets no limit. */
RT_MUST_CHECK rt_status rt_tokenizer_config_read(const char *path, rt_tokenizer_options *options,
                                                 size_t *model_max_length, rt_error *error);

/* Options for a vocabulary file: those of the tokenizer_config.json in its folder where there is
 * one, else uncased BERT's. */
RT_MUST_CHECK rt_status rt_tokenizer_options_beside(const char *vocabulary_path,
                                                    rt_tokenizer_options *options,
                                                    size_t *model_max_length, rt_error *error);

/* Writes what rt_tokenizer_config_read reads; `model_max_length` 0 is left out. */
RT_MUST_CHECK rt_status rt_tokenizer_config_write(const char *path,
                                                  const rt_tokenizer_options *options,
                                                  size_t model_max_length, rt_error *error);

#endif
