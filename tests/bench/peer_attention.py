#!/usr/bin/env python3
"""PyTorch's scaled_dot_product_attention on the attention cases of bench-kernels, for compare:

    tests/bench/compare --retort-bench build/bin/bench-kernels --peers tests/bench/peer_attention.py
                        --threads 1 --case attention/both/128x64 [--python INTERPRETER]

Like the compiled kernels it reads and writes [tokens][heads * size], as products give and take it.
"""
import argparse, json, os, re, statistics, time

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--case", action="append", default=[])
parser.add_argument("--list", action="store_true")
options = parser.parse_args()
HEADS, PEER = 12, "torch-sdpa"
CASES = [f"attention/{way}{drop}/{tokens}x{size}/{PEER}" for way in ("forward", "both")
         for drop in ("", "-drop") for tokens in (8, 16, 32, 53, 64, 128, 256, 512, 1024, 2048)
         for size in (64, 32)]
if options.list:
    print("\n".join(CASES))
    raise SystemExit

os.environ["OMP_NUM_THREADS"] = str(options.threads)
import torch

torch.set_num_threads(options.threads)


def measure(case):
    way, drop, tokens, size = re.match(r"attention/(\w+)(-drop)?/(\d+)x(\d+)/", case).groups()
    tokens, size = int(tokens), int(size)
    rows = 512 // tokens if tokens < 128 else 1
    x = [torch.randn(rows, tokens, HEADS * size, requires_grad=way == "both") for _ in range(3)]
    d_out = torch.randn(rows, tokens, HEADS * size)

    def once():
        split = [t.view(rows, tokens, HEADS, size).transpose(1, 2) for t in x]
        out = torch.nn.functional.scaled_dot_product_attention(*split, dropout_p=0.1 if drop else 0)
        out = out.transpose(1, 2).reshape(rows, tokens, HEADS * size)
        if way == "both":
            torch.autograd.grad(out, x, d_out)

    times = []
    with torch.set_grad_enabled(way == "both"):
        for _ in range(3):
            once()
        for _ in range(max(options.rounds, 10)):
            begin = time.perf_counter()
            once()
            times.append((time.perf_counter() - begin) * 1e3)
    print(json.dumps({"case": case.rsplit("/", 1)[0], "peer": PEER, "ms_min": min(times),
                      "ms_median": statistics.median(times), "tokens": rows * tokens}), flush=True)


for name in CASES:
    if any(part in name for part in options.case):
        measure(name)
