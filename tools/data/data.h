// SPDX-License-Identifier: Apache-2.0
/* The commands of `retort data`. Each gets its own name as argv[0]. */
#ifndef RETORT_TOOLS_DATA_DATA_H
#define RETORT_TOOLS_DATA_DATA_H

int data_vocabulary(int argc, char **argv);
int data_tokenise(int argc, char **argv);
int data_stats(int argc, char **argv);
int data_augment(int argc, char **argv);

#endif
