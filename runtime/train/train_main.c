// SPDX-License-Identifier: Apache-2.0
/* The entry point linked into training programs. */
#include "runtime/train/train.h"

int main(int argc, char **argv) {
    return retort_train_main(retort_program_query(RETORT_ABI_VERSION), argc, argv);
}
