// SPDX-License-Identifier: Apache-2.0
/* A model in text form: the module, behind the configuration of the family that it is of, which is
 * a comment to the parser. So what is written as text is opened as the same model. */
#ifndef RETORT_TOOLS_MODEL_TEXT_H
#define RETORT_TOOLS_MODEL_TEXT_H

#include "tools/model_file.h"

/* In the model's arena; NULL where there is no memory. */
const char *model_text(model_file *m);

/* The config.json in front of such a text, in the arena; NULL where none is. */
const char *model_text_config(const char *text, rt_arena *arena);

#endif
