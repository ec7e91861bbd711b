#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort data augment.
. "$(dirname "$0")/cases.sh"

printf 'sentence\tlabel\nthe big cat sat on the mat\tyes\na cat\tno\n' >rows.tsv
printf '#1 String\t#2 String\tQuality\none two three four\tfive six seven\t1\n' >pairs.tsv
printf 'D A N V P D N\nD N\n' >tags.txt
printf 'big 0 1 0.1\nlarge 0 1 0.2\ncat 1 0 0\ndog 1 0.1 0\nmat 0 0 1\n' >vectors.txt

begin "help"
run 0 retort data augment --help
said "--p-mask P"
run 0 retort data --help
said "augment"

begin "rows come first, then what is made of them, nothing twice"
run 0 retort data augment rows.tsv -o out.tsv
said "of them new, from 2 rows of rows.tsv"
said "duplicates dropped"
holds test "$(sed -n 1p out.tsv)" = "$(sed -n 1p rows.tsv)"
holds test "$(sed -n 2p out.tsv)" = "$(sed -n 2p rows.tsv)"
holds test -z "$(cut -f 1 out.tsv | sort | uniq -d)"
holds grep -q '\[MASK\]' out.tsv
run 0 retort data stats out.tsv --vocabulary "$root/tests/diagnostics/vocab.txt"

begin "the same seed, the same rows"
run 0 retort data augment rows.tsv -o again.tsv --output again.tsv --seed 1
holds cmp -s out.tsv again.tsv
run 0 retort data augment rows.tsv -o other.tsv --seed 2
holds sh -c '! cmp -s out.tsv other.tsv'

begin "n-grams alone"
run 0 retort data augment rows.tsv -o out.tsv --p-mask 0 --p-ngram 1 --longest-ngram 1 --without-rows
holds sh -c '! cut -f 1 out.tsv | grep -q " "'
holds sh -c '! grep -q MASK out.tsv'

begin "other words of their part of speech"
run 0 retort data augment rows.tsv -o out.tsv --tags tags.txt --p-mask 0 --p-pos 0.5 --p-ngram 0 --n-iter 200
holds grep -q '^a mat	no$' out.tsv
run 1 retort data augment rows.tsv -o out.tsv --tags rows.tsv
told "rows.tsv:1: error: there are 2 tags for 7 words"

begin "pairs, in the columns that their format names"
run 0 retort data augment pairs.tsv -o out.tsv --format mrpc --p-ngram 0
holds test "$(sed -n 1p out.tsv)" = "$(sed -n 1p pairs.tsv)"
said "tried 60 changes"
run 0 retort data augment pairs.tsv -o out.tsv --format mrpc --method tinybert --vectors vectors.txt
said "tried 60 changes"

begin "words that fit, by their vectors"
run 0 retort data augment rows.tsv -o out.tsv --method tinybert --vectors vectors.txt --candidates 1
holds grep -q '^the large cat sat on the mat	yes$' out.tsv
holds grep -q '^a dog	no$' out.tsv

begin "words that fit, by a masked language model: adjectives in the place of adjectives"
for i in 1 2 3 4 5 6 7 8 9 10; do
    for noun in film movie story; do
        printf 'the good %s was dull again\nthe funny %s was good again\n' $noun $noun
        printf 'the dull %s was funny again\n' $noun
    done
done >text.txt
printf 'sentence\tlabel\nthe good film was Dull unfilmed\tyes\n' >film.tsv
cat >mlm.yaml <<'END'
task: {kind: mlm, mask_share: 0.3}
data: {format: text, train: text.txt, vocabulary: vocab.txt, max_length: 32}
model: {family: bert, layers: 1, width: 32, heads: 2, ffn: 64, positions: 32}
training: {steps: 200, batch_rows: 30, learning_rate: 3e-3, output: mlm}
END
run 0 retort data vocabulary text.txt -o vocab.txt --size 100 --least-count 1
run 0 retort compile mlm.yaml -o make
run 0 ./make
run 0 retort data augment film.tsv -o out.tsv --method tinybert --model mlm/last --candidates 3 \
    --p-replace 1 --n-iter 100
holds grep -q '^the funny movie was Good unfilmed	yes$' out.tsv
words='s/^the (good|funny|dull) (film|movie|story) was [A-Z][a-z]* unfilmed	yes$/same/'
holds test "$(sed 1d out.tsv | sed -E "$words" | sort -u)" = same
run 0 retort data augment film.tsv -o again.tsv --method tinybert --model mlm/last \
    --candidates 3 --p-replace 1 --n-iter 100
holds cmp -s out.tsv again.tsv
run 1 retort data augment film.tsv -o new.tsv --method tinybert \
    --model "$root/tests/diagnostics/teacher"
told "the model has no head that predicts tokens"
run 1 retort data augment film.tsv -o new.tsv --method tinybert --model absent
told "absent: "

begin "what is wrong"
run 2 retort data augment
told "of which file?"
run 2 retort data augment rows.tsv
told "-o is needed"
run 2 retort data augment rows.tsv -o out.tsv --method eda
told "--method is bilstm or tinybert, not 'eda'"
run 2 retort data augment rows.tsv -o out.tsv --p-mask 2
told "--p-mask takes a number from 0 to 1"
run 2 retort data augment rows.tsv -o out.tsv --p-pos 0.2
told "--p-pos needs --tags"
run 2 retort data augment rows.tsv -o out.tsv --p-mask 0.6 --p-pos 0.6 --tags tags.txt
told "more than 1 together"
run 2 retort data augment rows.tsv -o out.tsv --method tinybert
told "--method tinybert needs --model or --vectors"
run 1 retort data augment absent.tsv -o out.tsv
told "absent.tsv: error: "
run 1 retort data augment rows.tsv -o new.tsv --tags absent.txt
told "absent.txt: error: "
printf 'big 0 1\nlarge 0\n' >broken.txt
run 1 retort data augment rows.tsv -o new.tsv --method tinybert --vectors broken.txt
told "broken.txt:2: error: a word and 2 numbers are wanted, here are 2 fields"
run 1 retort data augment rows.tsv -o absent/new.tsv
told "absent/new.tsv: error: cannot be written"
holds test ! -e new.tsv

finish
