"""In which precision a recipe's products are computed on the device at hand."""

from dataclasses import replace

import torch

from training.runner.events import Events
from training.runner.job import FinetuneJob


def has_bf16(device: str) -> bool:
    """Whether the device multiplies bfloat16 matrices at speed.

    A processor without the instructions falls back to plain loops, a hundred times slower than
    float32; torch asks the same of oneDNN before it sends a product there.
    """
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def at_hand(job: FinetuneJob, events: Events) -> FinetuneJob:
    """`job` with float32 in place of a bf16 that the device cannot compute at speed."""
    if not job.recipe.get("bf16") or has_bf16(job.device):
        return job
    events.log("This processor has no bf16 instructions: training in float32.")
    return replace(job, recipe=job.recipe | {"bf16": False})
