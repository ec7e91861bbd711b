#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# retort adapter: what a method trained, alone and merged, and back.
. "$(dirname "$0")/cases.sh"

begin "wrong usage"
run 2 retort adapter
told "save, merge or unmerge, a spec, what it trained, a folder"
run 2 retort adapter keep a b c
told "'keep' is neither save, merge nor unmerge"
run 1 retort adapter save absent.yaml b c
told "absent.yaml"

if ! [ -d "$data/golden/lora_qv" ]; then
    begin "adaptations"
    skip "no golden/lora_qv"
    finish
    exit
fi

# spec NAME CASE METHOD: NAME.yaml, which begins from the case's weights.
printf 'sentence\tlabel\nx\ta\n' >rows.tsv
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n' >vocab.txt
spec() {
    cat >"$1.yaml" <<EOF
task: {labels: [a, b, c]}
data: {train: rows.tsv, vocabulary: vocab.txt, max_length: 30}
model: {from: $data/golden/$2/initial.safetensors}
method: {$3}
EOF
}
spec lora lora_all "kind: lora, rank: 4, targets: [all]"
spec ia3 ia3 "kind: ia3"
spec prefix prefix_tuning "kind: prefix, virtual_tokens: 6, position_offset: 6"
spec houlsby adapter_houlsby "kind: houlsby, bottleneck: 16"
spec bitfit bitfit "kind: bitfit"

begin "a PEFT folder, from a checkpoint and from a PEFT folder"
for name in lora ia3 prefix; do
    from=$(sed -n 's/.*from: \(.*\)}/\1/p' $name.yaml)
    run 0 retort adapter save $name.yaml "$from" $name
    run 0 retort adapter save $name.yaml $name $name.again
    holds cmp -s $name/adapter_model.safetensors $name.again/adapter_model.safetensors
    holds cmp -s $name/adapter_config.json $name.again/adapter_config.json
done
holds grep -q '"peft_type": "LORA"' lora/adapter_config.json
holds grep -q '"r": 4' lora/adapter_config.json
holds grep -q 'base_model.model.bert.encoder.layer.2.output.dense.lora_B.weight' \
    lora/adapter_model.safetensors
holds grep -q '"feedforward_modules": \["bert.encoder.layer.0.output.dense",' ia3/adapter_config.json
holds grep -q 'prompt_embeddings' prefix/adapter_model.safetensors

begin "merged from a PEFT folder and from the checkpoint that it is of"
from=$(sed -n 's/.*from: \(.*\)}/\1/p' lora.yaml)
run 0 retort adapter merge lora.yaml lora merged
run 0 retort adapter merge lora.yaml "$from" merged.again
holds cmp -s merged/model.safetensors merged.again/model.safetensors
run 0 retort inspect merged
holds test "$(grep -c lora_ merged/model.safetensors)" = 0

begin "what has no such form"
run 1 retort adapter save houlsby.yaml "$data/golden/adapter_houlsby/initial.safetensors" out
told "PEFT has no form for 'bert.encoder.layer.0.attention.output.adapters.task.adapter_down.0.weight'"
run 1 retort adapter save bitfit.yaml "$data/golden/bitfit/initial.safetensors" out
told "the method adds nothing to the model"
run 1 retort adapter merge prefix.yaml prefix out
told "prefix.yaml:4:16: error: what prefix adds cannot be merged into the model's weights"
holds test ! -e out

begin "a folder of something else, at the line that names it"
spec other lora_all "kind: lora, rank: 2, targets: [all], from: lora"
run 1 retort compile other.yaml -o out
told "other.yaml:4:53: error: ./lora: 'base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight' is [4,64], but here it is f32[2,64]: the folder is of another base, or of other sizes"
told "/initial.safetensors, such as 'bert.encoder.layer.0.attention.output.dense.lora_A.weight', are not part of a bert model"
spec other lora_all "kind: lora, rank: 4, alpha: 16, targets: [all], from: lora"
run 1 retort compile other.yaml -o out
told "lora was trained with alpha 8, but 'alpha' is 16"
spec other lora_all "kind: lora, rank: 4, from: lora"
run 1 retort compile other.yaml -o out
told "which the method here does not"
spec other lora_all "kind: ia3, from: lora"
run 1 retort compile other.yaml -o out
told "lora holds an adaptation of type LORA, but the method's is IA3"
spec other ia3 "kind: bitfit, from: lora"
run 1 retort compile other.yaml -o out
told "the method adds nothing that a PEFT folder could hold"
run 1 retort adapter save lora.yaml "$data/golden/bitfit/initial.safetensors" out
told "'bert.encoder.layer.0.attention.self.query.lora_A.weight' [4,64] is not in"

finish
