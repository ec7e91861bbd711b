#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A BiLSTM from a spec to answers: word vectors, pairs, folded products.
. "$(dirname "$0")/cases.sh"

{
    printf 'sentence\tsentence2\tlabel\n'
    for i in 1 2 3 4 5 6 7 8; do
        printf 'the good film number %d\ta good film\tyes\na bad plot again %d\tthe film\tno\n' \
            "$i" "$i"
    done
} >train.tsv
printf 'good 0.5 -0.25 1 2\nfilm 1 2 3 4\nabsent 9 9 9 9\nbad -0.5 0.25 -1 -2\n' >vectors.txt
cat >single.yaml <<'END'
task: {labels: [yes, no]}
data: {train: train.tsv, eval: train.tsv, vocabulary: vocab.txt, max_length: 16, word_vectors: vectors.txt}
model: {family: bilstm, width: 5, ffn: 6, embedding_channels: 2}
training: {steps: 3, batch_rows: 8, output: single}
END
cat >pairs.yaml <<'END'
task: {labels: [yes, no]}
data: {train: train.tsv, eval: train.tsv, text2: sentence2, vocabulary: vocab.txt, max_length: 16}
model: {family: bilstm, width: 5, embedding: 4, ffn: 6}
training: {steps: 3, batch_rows: 8, output: pairs}
END
retort data vocabulary train.tsv -o vocab.txt --size 200 --least-count 1 >/dev/null

begin "words start from their vectors, and it is said how many do"
run 0 retort compile single.yaml -o single.bin
run 0 ./single.bin
told "word vectors: 3 of "
told " tokens found in $work/vectors.txt, "
holds grep -q '"embedding_channels": 2' single/best/config.json

begin "a frozen vector keeps its first value"
run 0 retort run single/best --list
run 0 retort convert single/best text.rtir
holds grep -q embedding_frozen text.rtir

begin "word vectors that are wrong"
printf 'good 1 2 3 4\nfilm 1 2 3\n' >broken.txt
run 1 ./single.bin --overwrite --data-word-vectors broken.txt
told "broken.txt:2: error: a word and 4 numbers are wanted, here are 4 fields"
printf 'good 1 2 3\n' >narrow.txt
run 1 ./single.bin --overwrite --data-word-vectors narrow.txt
told "its vectors have 3 numbers, but the model's words have 4"
run 1 retort compile single.yaml data.word_vectors=broken.txt model.embedding=3 -o other.bin
told "the vectors of broken.txt have 4 numbers, but the model's words have 3"

begin "pairs are compared by default"
run 0 retort compile pairs.yaml -o pairs.bin
run 0 ./pairs.bin
holds grep -q '"num_texts": 2' pairs/best/config.json
run 0 ./pairs.bin --predict train.tsv -o answers.tsv
run 1 ./pairs.bin --predict train.tsv -o other.tsv --data-text2 3 --data-format sst-2
told "rows have one text, but the model compares two"

begin "folded products give the same answers, and say what they take"
run 0 retort compile pairs.yaml model.fold_embedding=true -o folded.bin
told "note: graph 'predict' looks up 2 products, in tables of "
run 0 ./folded.bin --predict train.tsv -o folded.tsv
holds cmp -s answers.tsv folded.tsv
cat >encoder.yaml <<'END'
task: {labels: [yes, no]}
data: {train: train.tsv, vocabulary: vocab.txt, max_length: 16}
model:
  {family: bert, layers: 1, width: 8, heads: 2, ffn: 8, fold_embedding: true}
END
run 1 retort compile encoder.yaml -o none.bin
told "encoder.yaml:4:73: error: in graph 'predict' no product reads looked-up rows alone"

finish
