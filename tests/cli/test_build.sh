#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort build: a library for any target, without anything to link it with, and what it refuses.
. "$(dirname "$0")/cases.sh"

cat >sum.rtir <<'END'
symbols B
parameter @w: f32[2,3] {initial = constant(1)}

graph @forward {
    %0: f32[B,3] = input "x"
    %1: f32[2,3] = parameter @w
    %2: f32[B,2] = matmul %0, %1 {transpose_b = true}
    output "y" = %2
}
END

begin "targets"
run 0 retort targets
said "aarch64-linux-android"
said "thumbv7em-none-eabi"

# What the object asks of others: nothing but to copy and to clear, and what wasm's linker makes.
asks_for_little() {
    llvm-nm-19 -u "$1" | sed -n 's/.* U //p' |
        grep -vx '_\{0,1\}\(memcpy\|memset\|memmove\)\|__indirect_function_table\|__stack_pointer'
    [ $? = 1 ]
}

begin "a library for every target"
for target in $(retort targets | sed 's/ .*//'); do
    run 0 retort build sum.rtir --target "$target" -o "$target" --quiet
    holds test -s "$target/libsum.a" -a -s "$target/sum.weights" -a -s "$target/sum.h"
    command -v llvm-nm-19 >/dev/null && holds asks_for_little "$target/libsum.a"
done

begin "weights of fewer bits"
cat >wide.rtir <<'END'
symbols B
parameter @w: f32[24,64] {initial = constant(1)}

graph @forward {
    %0: f32[B,64] = input "x"
    %1: f32[24,64] = parameter @w
    %2: f32[B,24] = matmul %0, %1 {transpose_b = true}
    output "y" = %2
}
END
for target in $(retort targets | sed 's/ .*//'); do
    run 0 retort build wide.rtir --target "$target" -o "wide-$target" --precision int8 --quiet
    command -v llvm-nm-19 >/dev/null && holds asks_for_little "wide-$target/libwide.a"
done
size_of() { wc -c <"$1"; }
run 0 retort build wide.rtir --target aarch64-linux-gnu -o wide-plain --quiet
holds test "$(size_of wide-aarch64-linux-gnu/wide.weights)" -lt \
    $(($(size_of wide-plain/wide.weights) / 3))
cat >wide.c <<'END'
#include <stdio.h>
#include "wide.h"
int main(int argc, char **argv) {
    static _Alignas(64) char memory[1 << 16], weights[1 << 16];
    float x[3 * 64], y[3 * 24];
    FILE *file = fopen(argv[argc - 1], "rb");
    size_t size = file ? fread(weights, 1, sizeof weights, file) : 0;
    wide *model;
    wide_sizes sizes = {.b = 3};
    wide_inputs inputs = {.x = x};
    wide_outputs outputs = {.y = y};
    for (int i = 0; i < 3 * 64; ++i) x[i] = i / 64 - 1;
    if (wide_init(memory, sizeof memory, weights, size, NULL, &model)) return 1;
    if (wide_run(model, &sizes, &inputs, &outputs)) return 2;
    for (int i = 0; i < 3 * 24; ++i) {
        float off = y[i] - 64 * (i / 24 - 1);
        if (off > 0.05f || off < -0.05f) return printf("%d: %g\n", i, y[i]), 3;
    }
    return 0;
}
END
for target in aarch64-linux-gnu arm-linux-gnueabihf; do
    command -v "$target-gcc" >/dev/null && command -v "qemu-${target%%-*}" >/dev/null || continue
    name=$(echo "$target" | sed 's/^arm-/armv7-/')
    for precision in bf16 f16 int8 int4; do
        run 0 retort build wide.rtir --target "$name" -o "$name-$precision" --quiet \
            --precision "$precision"
        run 0 "$target-gcc" -static "-I$name-$precision" wide.c "$name-$precision/libwide.a" -o wide
        run 0 "qemu-${target%%-*}" ./wide "$name-$precision/wide.weights"
    done
done
run 2 retort build wide.rtir --target host -o x --precision int2
told "there is no 'int2'; there are f32, bf16, f16, int8, int4"
run 2 retort build wide.rtir --target host -o x --max-drop 1
told "--max-drop is measured on the rows of --eval FILE"
run 2 retort build wide.rtir --target host -o x --eval rows.tsv
told "--eval and --format are for --max-drop"
run 1 retort build wide.rtir --target host -o x --precision nothing=int8
told "'nothing' names no weight of a product or a table"
printf 'sentence\tlabel\nOCaml library to parse command lines\tocaml\n' >rows.tsv
run 1 retort build wide.rtir --target host -o x --eval rows.tsv --max-drop 1
told "gives no logits of a family's classifier"
run 0 retort build "$root/examples/teacher/model.onnx" --target host -o chosen --eval rows.tsv \
    --max-drop 1
said "accuracy 1.0000 in f32, 1.0000 so"

begin "the same bytes each time"
run 0 retort build sum.rtir --target aarch64-linux-gnu -o again --name sum --quiet
for file in aarch64-linux-gnu/*; do holds cmp "$file" "again/${file##*/}"; done

begin "a program that uses it"
run 0 retort build sum.rtir --target host -o here --weights inside --name plus --size b=4
told "of code"
cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include "plus.h"
int main(void) {
    static _Alignas(64) char memory[1 << 16];
    const float x[] = {1, 2, 3, 4, 5, 6};
    float y[4];
    plus *model = NULL;
    plus_sizes sizes = {.b = 2}, many = {.b = 5}, none = {.b = -1};
    plus_inputs inputs = {.x = x}, missing = {0};
    plus_outputs outputs = {.y = y};
    if (plus_memory(&sizes, 1) > sizeof memory || plus_memory(&many, 1) || plus_memory(&none, 1))
        return 1;
    if (plus_init(memory, 8, NULL, 0, NULL, &model) != PLUS_SMALL_MEMORY) return 2;
    if (plus_init(memory + 1, 4000, NULL, 0, NULL, &model) != PLUS_UNALIGNED) return 3;
    if (plus_init(memory, sizeof memory, x, 24, NULL, &model) != PLUS_INVALID_ARGUMENT) return 4;
    if (plus_init(memory, sizeof memory, NULL, 0, NULL, &model)) return 5;
    if (plus_run(model, &many, &inputs, &outputs) != PLUS_TOO_LARGE) return 6;
    if (plus_run(model, &none, &inputs, &outputs) != PLUS_INVALID_ARGUMENT) return 7;
    if (plus_run(model, &sizes, &missing, &outputs) != PLUS_INVALID_ARGUMENT) return 8;
    if (plus_run(model, &sizes, &inputs, &outputs)) return 9;
    printf("%g %g %g %g\n", y[0], y[1], y[2], y[3]);
    return 0;
}
END
run 0 cc -Wall -Wextra -Werror -Ihere main.c here/libplus.a -o main
run 0 ./main
said "6 6 15 15"
run 0 cc -Wall -Wextra -Werror -Ihere here/example.c here/libplus.a -o example
run 0 ./example
said "y 0 0"

begin "another build's weights, and damaged ones"
cat >check.c <<'END'
#include <stdio.h>
#include "sum.h"
int main(int argc, char **argv) {
    static _Alignas(64) char memory[4096], weights[4096];
    FILE *file = fopen(argv[argc - 1], "rb");
    size_t size = file ? fread(weights, 1, sizeof weights, file) : 0;
    sum *model;
    return sum_init(memory, sizeof memory, weights, size, NULL, &model);
}
END
run 0 cc -Ihost check.c host/libsum.a -o check
run 0 ./check host/sum.weights
run 6 ./check aarch64-linux-gnu/sum.weights
cp host/sum.weights damaged
printf x | dd of=damaged bs=1 seek=70 conv=notrunc 2>/dev/null
run 7 ./check damaged
head -c 80 host/sum.weights >short
run 7 ./check short
run 6 ./check main.c

begin "shared ones"
run 0 retort build sum.rtir --target x86_64-linux-gnu-v2 -o shared --shared --quiet
holds test -s shared/libsum.so
run 0 retort build sum.rtir --target wasm32-simd -o shared --shared --quiet
holds test -s shared/sum.wasm
run 0 retort build sum.rtir --target arm64-apple-macos -o shared --shared --quiet
holds test -s shared/libsum.dylib

# A case as people store them: an encoder's arrays, run as a library by an emulator.
emulated() {
    begin "a library for $1 gives what is stored"
    [ -d "$data/golden/fwd_distilbert" ] || { skip "no $data/golden" && return; }
    run 0 retort verify --target "$1" "$data/golden/fwd_distilbert" "$data/golden/fwd_roberta"
    if grep -q "needs .*, which is not there" .out; then
        skip "$(sed -n 's/^skipped .*: //p' .out | head -n 1)"
    else
        said "2 passed, 0 failed, 0 skipped"
    fi
}
emulated aarch64-linux-gnu
emulated wasm32-simd

begin "a graph as it is written"
if [ -d "$data/conformance/node/test_gather_negative_indices" ] && command -v node >/dev/null; then
    run 0 retort verify --target wasm32 "$data/conformance/node/test_gather_negative_indices"
    said "1 passed, 0 failed, 0 skipped"
else
    skip "no $data/conformance, or no node"
fi

begin "training runs are not for other machines"
mkdir training
touch training/recipe.json training/batches.safetensors
run 0 retort verify --target host training
said "0 passed, 0 failed, 1 skipped"
run 1 retort verify --target pdp-11 "$data/golden/fwd_distilbert"

begin "shapes that depend on values"
folder=$data/conformance/node-legacy/test_reshape_allowzero_reordered__onnx1.14.1
if [ -d "$folder" ]; then
    run 1 retort build "$folder/model.onnx" --target host -o x
    told "Reshape: its result's shape depends on the values of 'shape'"
    run 0 retort build "$folder/model.onnx" --target host -o known --quiet \
        --input "shape=$folder/test_data_set_0/input_1.pb"
    run 1 retort build "$folder/model.onnx" --target host -o x \
        --input "shape=$folder/test_data_set_0/input_1.pb" \
        --input "size=$folder/test_data_set_0/input_1.pb"
    told "--input size: the model has no such input"
else
    skip "no $folder"
fi
run 2 retort build sum.rtir --target host -o x --input b
told "--input takes NAME=FILE"

begin "what is refused"
run 1 retort build sum.rtir --target pdp-11 -o x
told "error: no target 'pdp-11': there are host, aarch64-linux-android"
run 2 retort build sum.rtir -o x
told "--target"
run 2 retort build sum.rtir --target host
told "-o"
run 2 retort build sum.rtir --target host -o x --name 1st
told "--name takes letters, digits and _"
run 2 retort build sum.rtir --target host -o x --weights nowhere
told "--weights is file or inside"
run 1 retort build sum.rtir --target host -o x --size q=3
told "the model's sizes are b"
run 2 retort build sum.rtir --target host -o x --size b
told "--size takes NAME=N"
run 1 retort build none.onnx --target host -o x
told "No such file"

finish
