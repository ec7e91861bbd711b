#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort inspect: what it shows of each kind of model, what it refuses.
. "$(dirname "$0")/cases.sh"

cat >small.rtir <<'END'
symbols B
parameter @w: f32[4,3] {trainable, decayed, initial = normal(0.02)}
parameter @b: f32[4] {initial = constant(0.5)}

graph @forward {
    %0: f32[B,3] = input "x"
    %1: f32[4,3] = parameter @w
    %2: f32[B,4] = matmul %0, %1 {transpose_b = true}
    %3: f32[4] = parameter @b
    %4: f32[B,4] = add %2, %3
    output "y" = %4
}
END

begin "a summary of a graph in text form"
run 0 retort inspect small.rtir
said "small.rtir (text form)"
said "parameters   16 in 2 tensors, 0.0 MB"
said "inputs       x f32[B,3]"
said "outputs      y f32[B,4]"
said "graph        5 nodes: 1 input, 2 parameter, 1 add, 1 matmul"

begin "its parameters and what trains"
run 0 retort inspect small.rtir --parameters
said "f32[4,3]           trainable normal(0.02)"
said "f32[4]             frozen    constant(0.5)"
run 0 retort inspect small.rtir --trainable
said "trainable params: 12 || all params: 16 || trainable%: 75.0000"

begin "the text form reads back as it was"
run 0 retort inspect small.rtir --graph
cp .out again.rtir
run 0 retort inspect again.rtir --graph
holds cmp -s .out again.rtir

begin "the graph for Graphviz"
run 0 retort inspect small.rtir --dot
said 'digraph "forward" {'
said '[label="parameter\nw\nf32[4,3]"'
said '[shape=oval, label="y"]'

begin "what is fused, and why not more"
run 0 retort inspect small.rtir --fusion
said "fusion @forward: 2 kernels of 2 nodes {"
said "    0: kernel {matmul}"
said "to 1: made by a kernel of its own"
said "    1: row [B, 4] {add}"

begin "wrong usage"
run 2 retort inspect
told "which model?"
run 2 retort inspect small.rtir --colour
told "there is no option '--colour'"
run 2 retort inspect small.rtir --dot --graph
told "one view at a time"
run 2 retort inspect small.rtir small.rtir
told "one argument too many"

begin "what is no model"
run 1 retort inspect absent.onnx
told "absent.onnx: error: "
run 1 retort inspect absent
told "error: absent: No such file or directory"
echo text >note.txt
run 1 retort inspect note.txt
told "note.txt: error: is no model"
echo text >note.onnx
run 1 retort inspect note.onnx
told "note.onnx: error: "
: >empty.onnx
run 1 retort inspect empty.onnx
told "empty.onnx: error: "
mkdir -p folder
run 1 retort inspect folder
told "folder: error: there is no config.json in the folder"
echo '{"model_type": "gpt2"}' >folder/config.json
run 1 retort inspect folder
told "error: "
printf 'graph @f {\n    output "y" = %%1\n}\n' >wrong.rtir
run 1 retort inspect wrong.rtir
told "wrong.rtir:2:"
echo '' >nothing.rtir
run 1 retort inspect nothing.rtir
told "nothing.rtir: error: there is no graph in it"

begin "a Hugging Face folder"
if [ -d "$data/golden/ft_cls" ]; then
    mkdir -p saved
    cp "$data/golden/ft_cls/config.json" saved/
    cp "$data/golden/ft_cls/initial.safetensors" saved/model.safetensors
    run 0 retort inspect saved
    said "family       bert, post-norm"
    said "layers       3 of width 48, 4 heads, inner width 80, gelu"
    said "classes      3"
    said "parameters   76419 in 57 tensors"
    said "outputs      logits f32[B,3]"
    run 0 retort inspect saved --parameters
    said "bert.encoder.layer.1.output.dense.weight"
    head -c 2000 saved/model.safetensors >cut.safetensors
    cp saved/config.json cut_config.json
    run 1 retort inspect cut.safetensors
    told "cut.safetensors: error: "
else
    skip "no test data"
fi

begin "an ONNX file of another program"
if [ -d "$data/golden/fwd_bert" ]; then
    run 0 retort inspect "$data/golden/fwd_bert/model.onnx"
    said "family       bert, post-norm"
    said "layers       3 of width 48, 4 heads, inner width 80, gelu"
    said "parameters   66672 in 55 tensors"
    said "outputs      last_hidden_state f32[T,48], pooler_output f32[B,48]"
    run 0 retort inspect "$data/golden/fwd_bert/model.onnx" --parameters
    said "encoder.layer.2.output.dense.weight"
    head -c 20000 "$data/golden/fwd_bert/model.onnx" >cut.onnx
    run 1 retort inspect cut.onnx
    told "cut.onnx: error: "
else
    skip "no test data"
fi

begin "an ONNX file that is of no family"
if [ -d "$data/conformance/node/test_layer_normalization_2d_axis1" ]; then
    run 0 retort inspect "$data/conformance/node/test_layer_normalization_2d_axis1/model.onnx"
    said "family       none, so it runs as it is written, padded: "
else
    skip "no test data"
fi

begin "a spec: its training program"
printf 'sentence\tlabel\na b\tyes\nb\tno\n' >rows.tsv
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n' >vocab.txt
cat >spec.yaml <<'END'
task: {labels: [yes, no]}
data: {train: rows.tsv, vocabulary: vocab.txt, max_length: 8}
model: {family: bert, layers: 2, width: 8, heads: 2, positions: 8}
END
run 0 retort inspect spec.yaml
said "spec.yaml (spec)"
said "per token in a row of 8"
said "parameters   1986 in 41 tensors"
said "trained      1986 in 41 tensors (100.00 %)"
said "  step "
said "  predict "
run 0 retort inspect spec.yaml method.kind=head --trainable
said "trainable params: 18 || all params: 1986 || trainable%: 0.9063"
run 0 retort inspect spec.yaml model.width=64 method.kind=head --parameters
said "derived   computed from weights"
run 0 retort inspect spec.yaml model.width=64 method.kind=head
said "tensors, computed from weights"
run 0 retort inspect spec.yaml --graph
said "graph @step {"
run 1 retort inspect spec.yaml model.heads=3
told "command line: error: "
told "must divide"
run 1 retort inspect spec.yaml model.layer=3
told "error: "

begin "what a method leaves of the backward pass"
deep="model.layers=4 training.batch_rows=2"
run 0 retort inspect spec.yaml $deep
said "a batch of 2 rows of 8 tokens"
said "bert.encoder.layer.{1..2} "
said "layer before: output.LayerNorm add"
said "attention of attention.self"
said "beside what is frozen"
run 0 retort inspect spec.yaml $deep method.kind=bitfit
grep -Eq '^bert.encoder.layer.\{0..2\} +([0-9.,]+ +)+6 +0 +1 ' .out || wrong "no row of 6 dX, 0 dW, 1 attention"
run 0 retort inspect spec.yaml $deep "method.freeze=[embeddings.*, 'encoder.layer.{0..1}.*']"
grep -Eq '^bert.encoder.layer.\{0..1\} +872 +0 +[0-9.]+ +0.00 +0.00 +0 +0 +0 +0 +0 +0.00 +0.00$' .out ||
    wrong "frozen layers are not one row of zeros"
run 0 retort inspect spec.yaml $deep method.kind=head --json
said '"name": "bert.encoder.layer.3"'
said '"backward_operations": 0'
said '"beside_frozen": '
run 0 retort inspect spec.yaml $deep "method.unfreeze=[0, 2]"
said "Phase 1 of 3 (step.1)"
said "Phase 3 of 3 (step)"
grep -Eq '^bert.encoder.layer.\{0..2\} +872 +0 +[0-9.]+ +0.00 +0.00 +0 ' .out ||
    wrong "layers train in the first phase"
run 1 retort inspect small.rtir --json
told "small.rtir: error: --json is for specs"

finish
