// SPDX-License-Identifier: Apache-2.0
/* The views of `retort inspect`, each printed to standard output. */
#ifndef RETORT_TOOLS_INSPECT_INSPECT_H
#define RETORT_TOOLS_INSPECT_INSPECT_H

#include "tools/model_file.h"

void inspect_summary(model_file *m);
/* Name, shape, whether it trains, where its values come from; one line each. */
void inspect_parameters(model_file *m);
/* What trains: numbers and names. */
void inspect_trainable(model_file *m);
/* What the schedule fuses. Errors are told; the exit status. */
int inspect_fusion(model_file *m);

#endif
