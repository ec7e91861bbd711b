#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort data: vocabulary, tokenise, stats.
. "$(dirname "$0")/cases.sh"

printf 'sentence\tlabel\nthe cat sat\tyes\nthe cat sat on the mat\tno\nA mat\tyes\n' >rows.tsv
printf 'the cat sat on the mat\nthe cat\n\nthe mats\n' >corpus.txt

begin "help goes to standard output"
run 0 retort data --help
said "vocabulary"
run 0 retort data vocabulary --help
said "--size N"
run 2 retort data
told "usage: retort data COMMAND"
run 2 retort data bake
told "there is no command 'bake'"

begin "a vocabulary of pieces, special tokens first"
run 0 retort data vocabulary corpus.txt -o vocab.txt --size 60
said "vocab.txt: "
holds test "$(head -n 5 vocab.txt | tr '\n' ' ')" = "[PAD] [UNK] [CLS] [SEP] [MASK] "
holds grep -qx the vocab.txt
holds grep -qx cat vocab.txt

begin "the same text gives the same vocabulary"
run 0 retort data vocabulary corpus.txt --output again.txt --size 60
holds cmp -s vocab.txt again.txt

begin "the texts of a table, labels left out"
run 0 retort data vocabulary rows.tsv -o table.txt --size 100 --least-count 1
holds grep -qx mat table.txt
holds sh -c '! grep -qx yes table.txt'

begin "a cased vocabulary says so to its readers"
mkdir -p cased
run 0 retort data vocabulary rows.tsv -o cased/vocab.txt --cased --least-count 1
holds grep -qx A cased/vocab.txt
holds grep -q '"do_lower_case": false' cased/tokenizer_config.json
run 0 retort data tokenise rows.tsv --vocabulary cased/vocab.txt
said "[CLS] A mat [SEP]"
run 1 retort data vocabulary rows.tsv -o cased/vocab.txt
told "cased/tokenizer_config.json: error: says that text is cased"
holds grep -qx A cased/vocab.txt

begin "whole words, those that have a vector"
run 0 retort data vocabulary corpus.txt -o words.txt --words --least-count 1
holds test "$(tr '\n' ' ' <words.txt)" = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat mat mats on sat "
printf 'the 1 2\nsat 3 4\nabsent 5 6\n' >vectors.txt
run 0 retort data vocabulary corpus.txt -o known.txt --words --least-count 1 --vectors vectors.txt
holds test "$(tail -n +6 known.txt | tr '\n' ' ')" = "the sat "
said "of the words not covered"
printf 'the mats sat\n' >mats.txt
run 0 retort data tokenise mats.txt --vocabulary known.txt
said "[CLS] the [UNK] sat [SEP]"
run 2 retort data vocabulary corpus.txt -o known.txt --vectors vectors.txt
told "--vectors needs --words"
printf 'the 1 2\nsat 3\n' >broken-vectors.txt
run 1 retort data vocabulary corpus.txt -o known.txt --words --vectors broken-vectors.txt
told "broken-vectors.txt:2: error: a word and 2 numbers are wanted"

begin "a vocabulary that cannot be made or written"
run 2 retort data vocabulary -o vocab.txt
told "of which texts?"
run 2 retort data vocabulary corpus.txt
told "-o is needed"
run 2 retort data vocabulary corpus.txt -o new.txt --size many
told "--size takes a whole number from 6"
run 1 retort data vocabulary absent.txt -o new.txt
told "absent.txt: error: No such file"
run 1 retort data vocabulary corpus.txt -o absent/new.txt
told "absent/new.txt: error: cannot be written"
run 1 retort data vocabulary corpus.txt -o new.txt --size 10
told "error: a vocabulary of 10 tokens does not hold"
printf 'fine\nb\303d\n' >broken.txt
run 1 retort data vocabulary broken.txt -o new.txt
told "broken.txt:2: error: not UTF-8"
: >empty.txt
run 1 retort data vocabulary empty.txt -o new.txt
told "there are no words"
holds test ! -e new.txt

begin "tokens and ids of a table"
run 0 retort data tokenise rows.tsv --vocabulary vocab.txt
said "[CLS] a mat [SEP]"
run 0 retort data tokenise rows.tsv --vocabulary vocab.txt --ids --max-length 5
holds test "$(head -n 1 .out | cut -d ' ' -f 1)" = 2
holds test "$(tail -n 1 .out | wc -w)" -le 5

begin "plain text by name or by --format"
run 0 retort data tokenise corpus.txt --vocabulary vocab.txt
holds test "$(wc -l <.out)" = 3
cp corpus.txt plain.tsv
run 0 retort data tokenise plain.tsv --format text --vocabulary vocab.txt
holds test "$(wc -l <.out)" = 3

begin "rows without a header, columns by number"
tail -n +2 rows.tsv >bare.tsv
run 0 retort data stats bare.tsv --no-header --text 1 --label 2 --vocabulary vocab.txt
said "rows     3"
said "label    yes: 2 (66.7 %)"

begin "figures of a set"
run 0 retort data stats rows.tsv --vocabulary vocab.txt --batch-rows 3
said "rows     3"
said "words    11, a row: mean 3.7, median 3, p95 6, max 6"
said "label    no: 1 (33.3 %)"
said "cut      to 128 tokens: 0 rows lose 0 tokens"
said "padding  batches of 3 rows"

begin "what is wrong with rows is told by line"
printf 'sentence\tlabel\ngood\tyes\nno label\ngood\tno\textra\n' >wrong.tsv
run 1 retort data stats wrong.tsv --vocabulary vocab.txt
told "wrong.tsv:3: error: "
told "wrong.tsv:4: error: "
run 0 retort data stats wrong.tsv --vocabulary vocab.txt --skip-bad-rows
said "rows     1"
said "skipped  2"
told "wrong.tsv:3: warning: skipped: "
printf 'yes\n' >labels.txt
run 1 retort data stats rows.tsv --vocabulary vocab.txt --labels labels.txt
told "rows.tsv:3: error: "

begin "files and formats that are not there"
run 1 retort data stats rows.tsv --vocabulary absent.txt
told "absent.txt: error: "
run 1 retort data stats absent.tsv --vocabulary vocab.txt
told "absent.tsv: error: "
run 1 retort data stats rows.tsv --format sst-3 --vocabulary vocab.txt
told "there is no format 'sst-3'"
run 2 retort data stats rows.tsv
told "--vocabulary is needed"
run 2 retort data tokenise rows.tsv --vocabulary vocab.txt --nonsense
told "there is no option '--nonsense'"
run 1 retort data stats rows.tsv --text words --vocabulary vocab.txt
told "rows.tsv:1: error: "

begin "a known set"
if [ -f "$data/data/SST-2/dev.tsv" ]; then
    run 0 retort data stats "$data/data/SST-2/dev.tsv" --format sst-2 \
        --vocabulary "$data/models/minilm-l6/vocab.txt"
    said "rows     872"
else
    skip "no test data"
fi

begin "more wrong rows than are shown are counted"
{
    printf 'sentence\tlabel\n'
    for i in 1 2 3 4 5 6 7 8 9 10; do printf 'bad\nbad\nbad\nbad\nbad\n'; done
} >many.tsv
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nbad\n' >few.txt
run 1 retort data stats many.tsv --vocabulary few.txt
told "many.tsv:2: error: too few columns: 1 where the header has 2"
holds grep -q '^note: [0-9]* more wrong rows$' .err

finish
