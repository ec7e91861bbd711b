# SPDX-License-Identifier: Apache-2.0
"""Prints what tests/unit/test_text_data.c holds of each data file: rows, tokens, XXH64 of the ids.

    pip install transformers xxhash
    python tests/support/tokenizer_checksums.py SHARED   # folder with data/ and models/minilm-l6

The ids are those of the slow (Python) BertTokenizer, as int32 end to end, [CLS] and [SEP] counted
except for plain text, whose blank lines are left out.
"""
import array
import os
import sys

import xxhash
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

# texts by column of train and dev, of test; None: as train
COLUMNS = {"SST-2": ([0], [1]), "CoLA": ([3], [1]), "MRPC": ([3, 4], None), "STS-B": ([7, 8], None)}


def texts(data, task, name):
    with open(os.path.join(data, task, name), encoding="utf-8", newline="") as file:
        lines = file.read().split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    if name.endswith(".txt"):
        return [[line] for line in lines if line.strip()]
    is_test = name.startswith("test")
    train_columns, test_columns = COLUMNS.get(task, ([0], None))
    columns = test_columns if is_test and test_columns else train_columns
    has_header = task != "CoLA" or is_test
    return [[line.split("\t")[c] for c in columns] for line in lines[has_header:]]


def main(shared):
    tokenizer = BertTokenizerLegacy(os.path.join(shared, "models/minilm-l6/vocab.txt"))
    data = os.path.join(shared, "data")
    for task in sorted(os.listdir(data)):
        for name in ("train.tsv", "dev.tsv", "test.tsv", "train.txt", "valid.txt", "test.txt"):
            if not os.path.exists(os.path.join(data, task, name)):
                continue
            digest, tokens, rows = xxhash.xxh64(seed=0), 0, texts(data, task, name)
            for row in rows:
                ids = tokenizer(*row)["input_ids"]
                ids = ids[1:-1] if name.endswith(".txt") else ids
                digest.update(array.array("i", ids).tobytes())
                tokens += len(ids)
            print(f"{task}/{name}", len(rows), tokens, "0x" + digest.hexdigest(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
