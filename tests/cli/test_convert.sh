#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort convert: from form to form and back.
. "$(dirname "$0")/cases.sh"

printf 'graph @f {\n    %%0: f32[2] = input "x"\n    %%1: f32[2] = neg %%0\n    output "y" = %%1\n}\n' >small.rtir

begin "text to text and to DOT"
run 0 retort convert small.rtir again.rtir
run 0 retort inspect small.rtir --graph
holds cmp -s .out again.rtir
run 0 retort convert small.rtir small.dot
holds grep -q 'digraph "f"' small.dot

begin "wrong usage"
run 2 retort convert
told "which model?"
run 2 retort convert small.rtir
told "to what?"
run 2 retort convert small.rtir a.onnx b.onnx
told "one argument too many"

begin "what cannot be converted or written"
run 1 retort convert absent.onnx out
told "absent.onnx: error: "
run 1 retort convert small.rtir out.onnx
told "small.rtir: error: only models of a known family are written as ONNX"
holds test ! -e out.onnx
run 1 retort convert small.rtir out
told "small.rtir: error: only models of a known family are written as a Hugging Face folder"
holds test ! -e out
run 1 retort convert small.rtir absent/out.rtir
told "absent/out.rtir: error: cannot be written"
echo text >file
run 1 retort convert small.rtir file
told "file: error: is a file"

if ! [ -d "$data/golden/ft_cls" ]; then
    begin "models"
    skip "no test data"
    begin "ONNX and back, also from another program's file"
for model in "$work/onnx/model.onnx" "$data/golden/fwd_bert/model.onnx"; do
    run 0 retort convert "$model" back
    run 0 retort convert back back.onnx
    run 0 retort convert back.onnx again
    holds cmp -s back/model.safetensors again/model.safetensors
done
run 0 retort convert onnx/model.onnx labelled
run 0 retort inspect labelled
said "classes      3: good, bad, other"
holds cmp -s labelled/vocab.txt saved/vocab.txt
holds cmp -s labelled/model.safetensors copy/model.safetensors

finish
    exit
fi
mkdir -p saved
cp "$data/golden/ft_cls/config.json" saved/
cp "$data/golden/ft_cls/initial.safetensors" saved/model.safetensors
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n' >saved/vocab.txt
printf 'good\nbad\nother\n' >labels.txt

begin "a Hugging Face folder to ONNX, with what it needs beside it"
mkdir -p onnx
run 0 retort convert saved onnx/model.onnx --labels labels.txt
holds cmp -s onnx/vocab.txt saved/vocab.txt
holds cmp -s onnx/labels.txt labels.txt
run 0 retort inspect onnx/model.onnx
said "outputs      logits f32[B,3]"
said "layers       3 of width 48, 4 heads, inner width 80, gelu"

begin "labels that do not fit"
printf 'good\nbad\n' >two.txt
run 1 retort convert saved onnx/other.onnx --labels two.txt
told "two.txt: error: has 2 names; the model tells 3 classes apart"
holds test ! -e onnx/other.onnx

begin "files of another model are not replaced"
printf 'one\ntwo\nthree\n' >others.txt
run 1 retort convert saved onnx/other.onnx --labels others.txt
told "onnx/labels.txt: error: belongs to another model"
holds cmp -s onnx/labels.txt labels.txt

begin "a folder written anew is the same model"
run 0 retort convert saved copy --labels labels.txt
holds cmp -s copy/vocab.txt saved/vocab.txt
run 0 retort inspect copy
said "classes      3: good, bad, other"
run 0 retort convert copy copied.onnx
holds cmp -s copied.onnx onnx/model.onnx

begin "ONNX and back, also from another program's file"
for model in "$work/onnx/model.onnx" "$data/golden/fwd_bert/model.onnx"; do
    run 0 retort convert "$model" back
    run 0 retort convert back back.onnx
    run 0 retort convert back.onnx again
    holds cmp -s back/model.safetensors again/model.safetensors
done
run 0 retort convert onnx/model.onnx labelled
run 0 retort inspect labelled
said "classes      3: good, bad, other"
holds cmp -s labelled/vocab.txt saved/vocab.txt
holds cmp -s labelled/model.safetensors copy/model.safetensors

begin "what PyTorch exported, with weights renamed and transposed"
run 0 retort convert "$data/golden/ft_cls/model.onnx" exported
holds cmp -s exported/model.safetensors copy/model.safetensors

begin "text form and back, as long as the graph stays the family's"
run 0 retort convert labelled model.rtir
run 0 retort convert model.rtir fromtext
holds cmp -s fromtext/model.safetensors labelled/model.safetensors
holds cmp -s fromtext/config.json labelled/config.json
sed '/^graph/,$ s/ = gelu / = relu /' model.rtir >changed.rtir
run 0 retort inspect changed.rtir
run 1 retort convert changed.rtir changed
told "changed.rtir: error: only models of a known family are written as a Hugging Face folder: the graph is not the one"

finish
