# SPDX-License-Identifier: Apache-2.0
"""Makes the cases of this folder: encoders of a few hundred random weights as PyTorch's newest
exporter writes them (torch.onnx.export with dynamo), with what ONNX Runtime computes of them.

    python make.py [FOLDER]        # made with torch 2.15.0, transformers 5.23.0, onnxruntime 1.31.1

Each case is a folder that `retort verify` takes: model.onnx, test_data_set_*, tolerance.json. What
the exporter tells about its own source is taken out; the graph is left as it is."""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
import torch
import transformers

WORDS, POSITIONS, WIDTH = 19, 16, 8
SIZES = dict(vocab_size=WORDS, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
             intermediate_size=12, max_position_embeddings=POSITIONS)
DISTILBERT = dict(vocab_size=WORDS, dim=WIDTH, n_layers=2, n_heads=2, hidden_dim=12,
                  max_position_embeddings=POSITIONS)

# name: configuration, model, settings, attention as transformers computes it, operator set
CASES = {
    "bert-sdpa-18": (transformers.BertConfig, transformers.BertModel, SIZES, "sdpa", 18),
    "bert-sdpa-23": (transformers.BertConfig, transformers.BertModel,
                     dict(SIZES, hidden_act="gelu_new"), "sdpa", 23),
    "bert-eager-20": (transformers.BertConfig, transformers.BertModel, SIZES, "eager", 20),
    "roberta-sdpa-21": (transformers.RobertaConfig, transformers.RobertaModel,
                        dict(SIZES, type_vocab_size=1, pad_token_id=1), "sdpa", 21),
    "distilbert-sdpa-23": (transformers.DistilBertConfig, transformers.DistilBertModel, DISTILBERT,
                           "sdpa", 23),
}


class LastState(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def make_model(configuration, model, settings, attention):
    config = configuration(**settings)
    config._attn_implementation = attention
    torch.manual_seed(3)
    made = model(config).eval()
    for parameter in made.parameters():
        noise = torch.randn_like(parameter) * 0.3
        parameter.data = noise if parameter.dim() > 1 else parameter.data + noise
    return LastState(made).eval(), config.pad_token_id or 0


def make_batch(random, padding, rows, tokens):
    lengths = random.integers(1, tokens + 1, rows)
    lengths[0] = tokens
    mask = (numpy.arange(tokens) < lengths[:, None]).astype(numpy.int64)
    words = random.integers(3, WORDS, (rows, tokens))
    return {"input_ids": numpy.where(mask, words, padding), "attention_mask": mask}


def export(model, batch, opset, path):
    axes = {name: {0: "batch", 1: "sequence"} for name in batch}
    torch.onnx.export(model, tuple(torch.from_numpy(values) for values in batch.values()),
                      str(path), input_names=list(batch), output_names=["last_hidden_state"],
                      dynamo=True, opset_version=opset, dynamic_shapes=axes, external_data=False)
    exported = onnx.load(path)
    del exported.metadata_props[:], exported.graph.metadata_props[:], exported.graph.value_info[:]
    for node in exported.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
    onnx.save(exported, path)


def store(values, name, path):
    path.write_bytes(onnx.numpy_helper.from_array(values, name).SerializeToString())


def make_case(folder, configuration, model, settings, attention, opset):
    random = numpy.random.default_rng(1)
    module, padding = make_model(configuration, model, settings, attention)
    folder.mkdir(parents=True, exist_ok=True)
    export(module, make_batch(random, padding, 2, 5), opset, folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    for index, (rows, tokens) in enumerate([(1, 1), (3, 7), (2, POSITIONS - 2)]):
        batch = make_batch(random, padding, rows, tokens)
        stored = folder / f"test_data_set_{index}"
        stored.mkdir(exist_ok=True)
        for place, (name, values) in enumerate(batch.items()):
            store(values, name, stored / f"input_{place}.pb")
        store(session.run(None, batch)[0], "last_hidden_state", stored / "output_0.pb")
    tolerance = {"rtol": 1e-4, "atol": 1e-4, "mask": "attention_mask"}
    (folder / "tolerance.json").write_text(json.dumps(tolerance) + "\n")


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, case in CASES.items():
        make_case(target / name, *case)
