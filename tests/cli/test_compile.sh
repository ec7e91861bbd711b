#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort compile, and the program that comes out: from two files of text to a trained model.
. "$(dirname "$0")/cases.sh"

{
    printf 'sentence\tlabel\n'
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        printf 'the good film number %d\tyes\na bad plot again %d\tno\n' "$i" "$((i % 5))"
    done
} >train.tsv
head -n 9 train.tsv >dev.tsv
cat >spec.yaml <<'END'
task: {labels: [yes, no]}
data: {train: train.tsv, eval: dev.tsv, vocabulary: vocab.txt, max_length: 16}
model: {family: bert, layers: 2, width: 16, heads: 2, ffn: 32, positions: 16, dropout: 0}
training: {epochs: 20, batch_rows: 8, learning_rate: 5e-3, output: run, log_every: 1}
END

begin "a spec becomes a program that learns"
run 0 retort data vocabulary train.tsv -o vocab.txt --size 60
run 0 retort compile spec.yaml -o train
told "train: "
run 0 ./train
said "accuracy     1.0000 best"
said "model        run/best"
holds test "$(grep -c '"event":"train"' run/metrics.jsonl)" = 80
holds test -f run/settings.json

begin "it evaluates and answers"
run 0 ./train --eval
said '"accuracy":1,"rows":8,'
cut -f 1 dev.tsv >questions.tsv
run 0 ./train --predict questions.tsv -o answers.tsv
holds test "$(wc -l <answers.tsv)" = 9
holds test "$(cut -f 2 answers.tsv | tail -n +2)" = "$(cut -f 2 dev.tsv | tail -n +2)"

begin "a run is not replaced unasked, and flags are checked"
run 2 ./train
told "run: holds a trained model already"
run 2 ./train --learning-rat 1
told "--learning-rate"
run 0 ./train --help
said "--learning-rate"
run 0 ./train --plan
run 0 ./train --overwrite --steps 2
holds test "$(grep -c '"event":"train"' run/metrics.jsonl)" = 2

begin "what was trained is a model for the other commands"
run 0 retort inspect run/best
said "classes      2: yes, no"
run 0 retort convert run/best model.onnx
printf '%s\n' yes no >wanted.txt
holds cmp -s labels.txt wanted.txt
cat >student.yaml <<'END'
data: {train: train.tsv, eval: dev.tsv, max_length: 16}
teacher: {from: model.onnx}
model: {family: bert, layers: 1, width: 8, heads: 2, ffn: 16, positions: 16}
loss: [{kind: soft, temperature: 2}]
training: {epochs: 1, batch_rows: 8, output: student}
task: {labels: labels.txt}
END
run 0 retort compile student.yaml -o distil
run 0 ./distil
holds test -f student/best/model.safetensors

begin "the same seed gives the same bits"
run 0 ./train --overwrite --steps 5 --output first
run 0 ./train --overwrite --steps 5 --output second
holds cmp -s first/last/model.safetensors second/last/model.safetensors
run 0 ./train --overwrite --steps 5 --seed 2 --output other
holds sh -c '! cmp -s first/last/model.safetensors other/last/model.safetensors'

begin "wrong usage, wrong specs, places that cannot be written"
run 2 retort compile spec.yaml
told "say with -o where the program goes"
run 2 retort compile -o x
told "no spec is given"
run 1 retort compile absent.yaml -o x
told "absent.yaml: error: No such file or directory"
run 1 retort compile spec.yaml -o x model.heads=5 data.train=absent.tsv
told "'heads' is 5 but must divide width 16"
told "there is no file 'absent.tsv'"
run 1 retort compile spec.yaml -o absent/x
told "absent/x: error: cannot be written: No such file or directory"
holds test ! -e x
printf 'task: {labels: [yes, no]}\nmodle: {}\n' >wrong.yaml
run 1 retort compile wrong.yaml -o x
told "wrong.yaml:2:"
run 1 retort compile spec.yaml -o x --dump-after bake
told "there is no pass 'bake'"

run 1 retort compile spec.yaml -o run
told "run: error: is a folder, expected a file"

begin "an output that cannot take what is printed"
for mode in --help --eval "--predict questions.tsv"; do
    run 1 sh -c "./train $mode >/dev/full"
    told "standard output"
done

begin "rows that cannot be read"
printf 'sentence\tlabel\nfine film\tyes\nno label\nbad film\tmaybe\n' >broken.tsv
run 1 ./train --overwrite --data-train broken.tsv --output broken
told "broken.tsv:3"
told "broken.tsv:4"
run 0 ./train --overwrite --data-train broken.tsv --data-skip-bad-rows true --steps 1 --output broken

begin "an output folder that cannot be made"
: >file
run 1 ./train --output file/run
told "file"

finish
