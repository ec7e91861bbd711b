#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort run: arrays and texts in, arrays out, and what it refuses.
. "$(dirname "$0")/cases.sh"

# Little-endian bytes of a whole number: put VALUE SIZE.
put() {
    value=$1 left=$2
    while [ "$left" -gt 0 ]; do
        # shellcheck disable=SC2059
        printf "\\$(printf %03o $((value & 255)))"
        value=$((value >> 8)) left=$((left - 1))
    done
}

# npy FILE DESCRIPTOR SHAPE VALUE...: an array of whole numbers, or of the bits of floats.
npy() {
    file=$1 descriptor=$2 header="{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
    shift 3
    {
        printf '\223NUMPY\001\000'
        put $((${#header} + 1)) 2
        printf '%s\n' "$header"
        for item in "$@"; do put "$item" "${descriptor#??}"; done
    } >"$file"
}
one=1065353216 two=1073741824 # f32 1 and 2

cat >sum.rtir <<'END'
symbols B
parameter @w: f32[2,3] {initial = constant(1)}

graph @forward {
    %0: f32[B,3] = input "x"
    %1: f32[B,2] = input "more"
    %2: f32[2,3] = parameter @w
    %3: f32[B,2] = matmul %0, %2 {transpose_b = true}
    %4: f32[B,2] = add %3, %1
    output "y" = %4
    output "z" = %3
}
END
npy x.npy '<f4' '(2, 3)' $one $one $one $two $two $two
npy more.npy '<f4' '(2, 2)' $one $two 0 0

begin "wrong usage"
run 2 retort run
told "which model?"
run 2 retort run sum.rtir --colour
told "there is no option '--colour'"
run 2 retort run sum.rtir -i
told "-i needs a value"
run 2 retort run sum.rtir --rounds none
told "--rounds takes a whole number"
run 2 retort run sum.rtir --text2 alone
told "--text2 follows the --text of its pair"

begin "what a model takes and gives"
run 0 retort run sum.rtir --list
said "x                        f32[B,3]"
said "more                     f32[B,2]"
said "y                        f32[B,2]"

begin "arrays in order and by name"
run 0 retort run sum.rtir -i x.npy -i more.npy
said "y f32[2,2]"
said "  [0]           4           5"
said "  [1]           6           6"
cp .out in-order
run 0 retort run sum.rtir -i more=more.npy -i x=x.npy --threads 1
holds cmp -s .out in-order
run 0 retort run sum.rtir -i more=more.npy -i x.npy
holds cmp -s .out in-order

begin "outputs go to files"
run 0 retort run sum.rtir -i x.npy -i more.npy -o out/deep
said "y f32[2,2] written to out/deep/y.npy"
npy wanted.npy '<f4' '(2, 2)' 1082130432 1084227584 1086324736 1086324736 # 4 5 6 6
holds test "$(tail -c 16 out/deep/y.npy | od -An -tx1)" = "$(tail -c 16 wanted.npy | od -An -tx1)"
run 0 retort run sum.rtir -i x.npy -i more=out/deep/y.npy -o y=second.npy
said "y f32[2,2] written to second.npy"
said "z f32[2,2]"
run 0 retort run sum.rtir -i x.npy -i more.npy -o y=y.pb
run 0 retort run sum.rtir -i x.npy -i more=y.pb -o y=third.npy
holds cmp -s second.npy third.npy

begin "outputs that cannot be written"
run 1 retort run sum.rtir -i x.npy -i more.npy -o w=w.npy
told "error: there is no output 'w'; the outputs are: y, z"
run 1 retort run sum.rtir -i x.npy -i more.npy -o y=y.txt
told "y.txt: error: an output is written as .npy or as .pb"
run 1 retort run sum.rtir -i x.npy -i more.npy -o y.npy
told "y.npy: error: the model has 2 outputs; NAME=y.npy writes one of: y, z"
run 1 retort run sum.rtir -i x.npy -i more.npy -o y=same.npy -o z=same.npy
told "same.npy: error: would hold two outputs"
run 1 retort run sum.rtir -i x.npy -i more.npy -o more.npy/below
told "more.npy: error: "
: >plain
run 1 retort run sum.rtir -i x.npy -i more.npy -o plain
told "plain: error: is a file"
holds test ! -e same.npy

begin "inputs that do not fit"
run 1 retort run sum.rtir
told "sum.rtir: error: takes inputs, and none is given"
run 1 retort run sum.rtir -i x.npy
told "error: input 'more' (f32[B,2]) is missing"
run 1 retort run sum.rtir -i x.npy -i more.npy -i x.npy
told "x.npy: error: is one input too many; the inputs are: x, more"
run 1 retort run sum.rtir -i w=x.npy
told "error: there is no input 'w'; the inputs are: x, more"
run 1 retort run sum.rtir -i x=x.npy -i x=x.npy
told "x.npy: error: input 'x' is given twice"
run 1 retort run sum.rtir -i more.npy -i x.npy
told "more.npy: error: input 'x' takes f32[B,3], here is f32[2,2]"
npy double.npy '<f8' '(2, 3)' 0 0 0 0 0 0
run 1 retort run sum.rtir -i double.npy -i more.npy
told "double.npy: error: input 'x' takes f32[B,3], here is f64[2,3]"
npy flat.npy '<f4' '(3,)' 0 0 0
run 1 retort run sum.rtir -i flat.npy -i more.npy
told "flat.npy: error: input 'x' takes f32[B,3], here is f32[3]"
npy three.npy '<f4' '(3, 2)' 0 0 0 0 0 0
run 1 retort run sum.rtir -i x.npy -i three.npy
told "three.npy: error: input 'more' takes f32[B,2], here is f32[3,2]"

begin "files that are no arrays"
run 1 retort run sum.rtir -i absent.npy
told "absent.npy: error: "
head -c 80 x.npy >cut.npy
run 1 retort run sum.rtir -i cut.npy -i more.npy
told "cut.npy: error: "
: >empty.npy
run 1 retort run sum.rtir -i empty.npy -i more.npy
told "empty.npy: error: is no .npy file"
echo text >text.pb
run 1 retort run sum.rtir -i text.pb -i more.npy
told "text.pb: error: "
run 1 retort run sum.rtir -i plain -i more.npy
told "plain: error: a file of one tensor is a .npy of NumPy or a .pb"

begin "no rows at all"
npy none.npy '<f4' '(0, 3)'
npy none2.npy '<f4' '(0, 2)'
run 0 retort run sum.rtir -i none.npy -i none2.npy
said "y f32[0,2]"

begin "times and where they go"
run 0 retort run sum.rtir -i x.npy -i more.npy --rounds 3 --profile
said "ms in the median of 3 rounds"
said "GFLOP/s"
said "by kernel"
run 0 retort run sum.rtir -i x.npy -i more.npy --dump-after simplify
said "; after simplify"

begin "numbers of rows are looked at"
cat >pick.rtir <<'END'
symbols N
parameter @table: f32[4,2] {initial = constant(3)}

graph @forward {
    %0: i64[N] = input "which"
    %1: f32[4,2] = parameter @table
    %2: f32[N,2] = gather %1, %0
    output "rows" = %2
}
END
npy rows.npy '<i8' '(3,)' 0 3 1
run 0 retort run pick.rtir -i rows.npy
said "rows f32[3,2]"
npy far.npy '<i4' '(3,)' 0 4 1
run 1 retort run pick.rtir -i far.npy
told "far.npy: error: input 'which': element 1 is 4, and picks from 4 rows, from 0"

begin "more positions than the model has"
cat >positions.rtir <<'END'
symbols N
parameter @table: f32[4,2] {initial = constant(3)}

graph @forward {
    %0: f32[N,2] = input "x"
    %1: f32[4,2] = parameter @table
    %2: f32[N,2] = slice %1 {axis = 0, start = 0, size = N}
    %3: f32[N,2] = add %0, %2
    output "y" = %3
}
END
run 0 retort run positions.rtir -i more.npy
said "y f32[2,2]"
npy five.npy '<f4' '(5, 2)' 0 0 0 0 0 0 0 0 0 0
run 1 retort run positions.rtir -i five.npy
told "takes 5 values from an axis of 4"

# ---- an encoder, which a spec describes

for word in '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' a fine film nobody saw it; do
    echo "$word"
done >vocab.txt
printf 'sentence\tlabel\na fine film\t1\nnobody saw it\t0\n' >train.tsv
cat >tiny.yaml <<'END'
task: {labels: [poor, good]}
data: {train: train.tsv, eval: train.tsv, vocabulary: vocab.txt, max_length: 16}
model: {family: bert, layers: 1, width: 8, heads: 2, ffn: 16, positions: 16}
training: {epochs: 1, learning_rate: 1e-3, output: run}
END

# Logits of row 0 agree: sums of other batches may be rounded otherwise.
same_row() {
    cat "$1" "$2" | awk '$1 == "[0]" { a[++n] = $2; b[n] = $3 }
        END { exit !(n == 2 && (a[1] - a[2]) ^ 2 < 1e-10 && (b[1] - b[2]) ^ 2 < 1e-10) }'
}

begin "text, by itself and among others"
run 0 retort run tiny.yaml --list
said "input_ids                i64[rows,positions]"
said "attention_mask           i64[rows,positions]  (optional)"
said "logits                   f32[rows,2]"
run 0 retort run tiny.yaml --text "a fine film"
told "tiny.yaml: note: its weights are random"
said "logits f32[1,2]"
said " %"
grep '\[0\]' .out >alone
run 0 retort run tiny.yaml --text "a fine film" --text "nobody saw it" --text2 "a film, a fine film"
said "logits f32[2,2]"
holds same_row alone .out
printf 'a fine film\n\nnobody saw it\ta film, a fine film\n' >lines.txt
cp .out by-arguments
run 0 retort run tiny.yaml --text-file lines.txt
holds cmp -s .out by-arguments

begin "the same as arrays, whatever stands in the padding"
# [CLS] a fine film [SEP], and a shorter row
npy ids.npy '<i4' '(2, 6)' 2 5 6 7 3 10000 2 8 3 0 0 0
npy mask.npy '<i8' '(2, 6)' 1 1 1 1 1 0 1 1 1 0 0 0
run 0 retort run tiny.yaml -i ids.npy -i mask.npy
holds same_row alone .out

begin "arrays that are not an encoder's"
run 1 retort run tiny.yaml -i ids.npy
told "ids.npy: error: input 'input_ids' has 10000 at [0,5]; the model knows 11 tokens, from 0"
run 1 retort run tiny.yaml -i x.npy
told "x.npy: error: input 'input_ids' takes integers [rows, positions], here is f32"
run 1 retort run tiny.yaml -i rows.npy
told "rows.npy: error: input 'input_ids' takes two axes"
run 1 retort run tiny.yaml -i ids.npy -i more.npy
told "more.npy: error: input 'attention_mask' is [2,2], but 'input_ids' is [2,6]"
run 1 retort run tiny.yaml -i attention_mask=mask.npy
told "error: input 'input_ids' (i64[rows,positions]) is missing"
npy late.npy '<i8' '(2, 6)' 0 1 1 1 1 0 1 1 1 0 0 0
run 1 retort run tiny.yaml -i ids.npy -i late.npy
told "late.npy: error: input 'attention_mask': row 0 begins with padding"
npy long.npy '<i8' '(1, 17)' 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5
run 1 retort run tiny.yaml -i long.npy
told "long.npy: error: input 'input_ids' has a token at position 16 of row 0; the model has 16 positions"

begin "texts that cannot be read"
run 1 retort run sum.rtir --text "a film"
told "sum.rtir: error: takes no text"
run 1 retort run tiny.yaml --text "a film" -i ids.npy
told "error: input 'input_ids' is given by -i and made of the text too"
run 1 retort run tiny.yaml --text "$(printf 'a \377')"
told "error: a text is not UTF-8 from byte 2 on"
printf 'a\nb\377\n' >bytes.txt
run 1 retort run tiny.yaml --text-file bytes.txt
told "bytes.txt:2: error: is not UTF-8 from byte 1 on"
printf 'a\tb\tc\n' >columns.txt
run 1 retort run tiny.yaml --text-file columns.txt
told "columns.txt:1: error: has more than one tab"
run 1 retort run tiny.yaml --text-file empty.npy
told "empty.npy: error: there is no text in it"
run 1 retort run tiny.yaml --text a --vocabulary absent.txt
told "absent.txt"
seq 1 20 | sed 's/^/word/' | cat vocab.txt - >larger.txt
run 1 retort run tiny.yaml --text a --vocabulary larger.txt
told "larger.txt: error: has 31 tokens, the model knows 11"
run 0 retort run tiny.yaml --text "a a a a a a a a a a a a a a a a a a a a a"
told "warning: 1 of 1 rows were cut to 16 tokens"
run 0 retort run tiny.yaml --text "a a a a a a" --max-length 5
told "warning: 1 of 1 rows were cut to 5 tokens"

begin "an ONNX encoder on stored arrays and on text"
set_0=$data/models/minilm-l6/test_data_set_0
if [ -d "$set_0" ]; then
    run 0 retort run "$data/models/minilm-l6/model.onnx" -i "$set_0/input_0.pb" \
        -i "$set_0/input_1.pb" -i "$set_0/input_2.pb" -o hidden.npy
    said "last_hidden_state f32[10,121,384] written to hidden.npy"
    run 0 retort run "$data/models/minilm-l6/model.onnx" --text "A fine film."
    said "last_hidden_state f32[1,6,384]"
    run 1 retort run "$data/models/minilm-l6/model.onnx" -i "$set_0/output_0.pb" \
        -i "$set_0/input_1.pb" -i "$set_0/input_2.pb"
    told "output_0.pb: error: input 'input_ids' takes integers [rows, positions], here is f32"
else
    skip "no models/minilm-l6"
fi

begin "precisions"
run 2 retort run sum.rtir --precision int3
told "there is no 'int3'; there are f32, bf16, f16, int8, int4"
run 2 retort run sum.rtir --precision 'w.{=int8'
told "'w.{' is no pattern of names"
run 2 retort run sum.rtir --int4-group 48
told "--int4-group takes a power of two"
run 1 retort run sum.rtir -i x.npy -i more.npy --precision nothing=int8
told "'nothing' names no weight of a product or a table"
run 0 retort run sum.rtir -i x.npy -i more.npy --precision int8
said "y f32[2,2]"

begin "evaluations"
teacher=$root/examples/teacher/model.onnx
printf 'sentence\tlabel\nOCaml library to parse command lines\tocaml\nfirst person shooter\tgames\n' >rows.tsv
run 0 retort run "$teacher" --eval rows.tsv
said "accuracy 1.0000 of 2 rows"
run 0 retort run "$teacher" --eval rows.tsv --precision int8
said "accuracy 1.0000 of 2 rows"
run 0 retort run "$teacher" --eval rows.tsv --max-drop 1
said "accuracy 1.0000 in f32, 1.0000 so"
run 2 retort run "$teacher" --max-drop 1
told "--max-drop is measured on the rows of --eval FILE"
run 2 retort run "$teacher" --eval rows.tsv --max-drop 1 --precision int8
told "--max-drop chooses what --precision says"
run 1 retort run "$teacher" --eval rows.tsv --format sts-b
told "sts-b has scores, the model gives classes"
run 1 retort run "$teacher" --eval rows.tsv --format none
told "there is no format 'none'"
printf 'sentence\tlabel\nsomething\tnowhere\n' >wrong.tsv
run 1 retort run "$teacher" --eval wrong.tsv
told "wrong.tsv:2"
run 1 retort run sum.rtir --eval rows.tsv
told "gives no logits of a family's classifier"

begin "an ONNX graph whose shapes are values"
expand=$data/conformance/node/test_expand_dim_changed
if [ -d "$expand" ]; then
    run 1 retort run "$expand/model.onnx" --list
    said "new_shape"
    run 0 retort run "$expand/model.onnx" -i "$expand/test_data_set_0/input_0.pb" \
        -i "$expand/test_data_set_0/input_1.pb"
    said "expanded f32["
else
    skip "no conformance/node/test_expand_dim_changed"
fi

finish
