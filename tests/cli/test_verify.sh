#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort verify: what it holds against stored values, and that it notices when they differ.
. "$(dirname "$0")/cases.sh"

begin "wrong usage"
run 2 retort verify
told "no folder is given"
run 2 retort verify . --rtol much
told "--rtol takes a number"
run 1 retort verify absent
said "FAILED  absent: there is no such folder"
said "0 passed, 1 failed, 0 skipped"
mkdir empty
run 1 retort verify empty
said "FAILED  empty: holds no case of a known layout"

begin "an encoder from its weights and again from its ONNX file"
if [ -d "$data/golden/fwd_bert" ]; then
    run 0 retort verify "$data/golden/fwd_bert" "$data/golden/fwd_roberta" \
        "$data/golden/fwd_preln" "$data/golden/fwd_distilbert" "$data/golden/fwd_gelu_tanh"
    said "10 passed, 0 failed, 0 skipped"
else
    skip "no golden/fwd_bert"
fi

begin "an ONNX file that is another model's is noticed"
if [ -d "$data/golden/fwd_bert" ]; then
    cp -r "$data/golden/fwd_roberta" other
    cp "$data/golden/fwd_gelu_tanh/model.onnx" other/model.onnx
    run 1 retort verify other
    said "FAILED  other (onnx): "
    said "1 passed, 1 failed, 0 skipped"
    rm -r other
else
    skip "no golden/fwd_bert"
fi

begin "encoders by PyTorch's newest exporter, of which each is recognised"
run 0 retort verify "$root/tests/exported"
said "5 passed, 0 failed, 0 skipped"
for case in bert-sdpa-18 bert-sdpa-23 bert-eager-20 roberta-sdpa-21 distilbert-sdpa-23; do
    run 0 retort inspect "$root/tests/exported/$case/model.onnx"
    said "family       ${case%%-*}, post-norm"
done

begin "training runs"
if [ -d "$data/golden/ft_cls" ]; then
    run 0 retort verify "$data/golden/ft_cls" "$data/golden/kd_bilstm" "$data/golden/mlm_nsp"
    said "skipped $data/golden/mlm_nsp (trajectory): "
    said "2 passed, 0 failed, 1 skipped"
else
    skip "no golden/ft_cls"
fi

begin "training runs of adapted models"
if [ -d "$data/golden/ft_cls" ]; then
    golden="$data/golden"
    run 0 retort verify "$golden/bitfit" "$golden/lora_qv" "$golden/lora_all" "$golden/ia3" \
        "$golden/adapter_houlsby" "$golden/adapter_pfeiffer" "$golden/prefix_tuning"
    said "7 passed, 0 failed, 0 skipped"
else
    skip "no golden/ft_cls"
fi

begin "distillation of what is inside, over real tokens and with padding counted"
if [ -d "$data/golden/kd_tinybert_inter" ]; then
    golden="$data/golden"
    run 0 retort verify "$golden/kd_tinybert_inter" "$golden/kd_tinybert_inter_ref" \
        "$golden/kd_tinybert_pred"
    said "3 passed, 0 failed, 0 skipped"
else
    skip "no golden/kd_tinybert_inter"
fi

begin "a real encoder, every data set by one compilation"
if [ -d "$data/models/minilm-l6" ]; then
    run 0 retort verify "$data/models/minilm-l6"
    said "1 passed, 0 failed, 0 skipped"
    run 1 retort verify "$data/models/minilm-l6" --rtol 0 --atol 1e-9
    said "0 passed, 1 failed, 0 skipped"
    said "times what is allowed"
else
    skip "no models/minilm-l6"
fi

finish
