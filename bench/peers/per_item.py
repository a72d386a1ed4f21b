"""`python -m bench.peers.per_item MODEL ITEMS`: score pairs the plain way, one forward a choice.

What a short script over transformers does: whole sentence in, log-softmax, sum over its tokens.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    folder, items = sys.argv[1], Path(sys.argv[2])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    rows = [json.loads(line) for line in items.read_text().splitlines()]
    began = time.perf_counter()
    scores = {
        row["id"]: [
            log_likelihood(model, tokenizer, row["doc"][side])
            for side in ("sentence_good", "sentence_bad")
        ]
        for row in rows
    }
    print(json.dumps({"seconds": time.perf_counter() - began, "scores": scores}))  # noqa: T201


def log_likelihood(model: torch.nn.Module, tokenizer: object, sentence: str) -> float:
    """Log-probability of a sentence's tokens after the start of a text."""
    start = tokenizer.bos_token_id or tokenizer.eos_token_id or 0  # type: ignore[attr-defined]
    ids = [start, *tokenizer(sentence, add_special_tokens=False)["input_ids"]]  # type: ignore[attr-defined,operator]
    logits = model(torch.tensor([ids])).logits[0, :-1].float()
    picked = torch.log_softmax(logits, -1).gather(1, torch.tensor(ids[1:])[:, None])
    return float(picked.sum())


if __name__ == "__main__":
    main()
