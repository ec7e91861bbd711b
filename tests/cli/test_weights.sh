#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The external weights of a compiled program: moved, changed, put into it.
. "$(dirname "$0")/cases.sh"

{
    printf 'sentence\tlabel\n'
    for i in 1 2 3 4 5 6 7 8; do
        printf 'the good film number %d\tyes\na bad plot again %d\tno\n' "$i" "$i"
    done
} >train.tsv
cat >scratch.yaml <<'END'
task: {labels: [yes, no]}
data: {train: train.tsv, eval: train.tsv, vocabulary: vocab.txt, max_length: 16}
model: {family: bert, layers: 1, width: 8, heads: 2, ffn: 16, positions: 16}
training: {steps: 2, batch_rows: 8, output: scratch}
END
cat >spec.yaml <<'END'
task: {labels: [yes, no]}
data: {train: train.tsv, eval: train.tsv, vocabulary: vocab.txt, max_length: 16}
teacher: {from: models/teacher}
model: {from: models/start}
loss: [{kind: soft}]
training: {steps: 2, batch_rows: 8, output: run}
END

begin "a student and a teacher, both from folders"
run 0 retort data vocabulary train.tsv -o vocab.txt --size 60
run 0 retort compile scratch.yaml -o make
run 0 ./make --output start
run 0 ./make --output teacher --seed 2
mkdir models
mv start/best models/start
mv teacher/best models/teacher
run 0 retort compile spec.yaml -o train
run 0 retort compile spec.yaml -o whole --self-contained
run 0 ./train
cp run/last/model.safetensors wanted.safetensors

begin "moved files are looked for where --weights says"
mv models moved
run 1 ./train --overwrite
told "models/start/model.safetensors: No such file or directory"
told "note: --weights PATH says where"
run 0 ./train --overwrite --weights moved
holds cmp -s run/last/model.safetensors wanted.safetensors
mkdir -p kept
cp -r moved kept/models
run 0 ./train --overwrite --weights kept
holds cmp -s run/last/model.safetensors wanted.safetensors
run 2 ./train --overwrite --weights moved/start/model.safetensors
told "moved/start/model.safetensors: is one file, but the program reads 2"
run 1 ./train --overwrite --weights absent
told "absent: No such file or directory"

begin "what was put into the program needs no files"
run 0 ./whole --overwrite
holds cmp -s run/last/model.safetensors wanted.safetensors

begin "changed files are refused, cut ones too"
cp moved/start/model.safetensors moved/teacher/model.safetensors
run 1 ./train --overwrite --weights moved
told "moved/teacher/model.safetensors: tensor '"
told "is not the one the program was compiled for"
head -c 1000 kept/models/teacher/model.safetensors >moved/teacher/model.safetensors
run 1 ./train --overwrite --weights moved
told "the file is too short for tensor"

begin "a vocabulary of other words is refused"
sort -r vocab.txt >other.txt
run 1 ./whole --overwrite --data-vocabulary other.txt
told "other.txt: is not the vocabulary that the program was compiled with"
run 0 ./make --overwrite --data-vocabulary other.txt --output scratch
cp vocab.txt same.txt
run 0 ./whole --overwrite --data-vocabulary same.txt

finish
