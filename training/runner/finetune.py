"""The finetune job: a LoRA adapter by transformers' Trainer, resumable at every checkpoint."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from training.runner.checkpoints import Checkpoints, step_of
from training.runner.errors import RunnerError
from training.runner.events import Events
from training.runner.examples import read_examples
from training.runner.folders import has_adapter, show_adapter
from training.runner.job import FinetuneJob
from training.runner.models import attach_adapter, load_model, load_tokenizer
from training.runner.patches import show_whole
from training.runner.precision import at_hand
from training.runner.recipes import (
    check_continues,
    check_targets,
    lora_config,
    training_arguments,
)
from training.runner.stopping import Stop
from training.runner.trainer import AdapterTrainer
from training.runner.versions import versions


def run(job: FinetuneJob, events: Events, stop: Stop) -> dict[str, Any]:
    """Train, write `out/result`, and return the summary that `training.json` holds.

    Raises: StoppedError after a checkpoint, when the worker asked for an end.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return train(job, events, stop, Path(scratch))


def train(job: FinetuneJob, events: Events, stop: Stop, scratch: Path) -> dict[str, Any]:
    """As `run`; `scratch` holds the view of the model that peft looks at when it saves."""
    started = time.monotonic()
    job = at_hand(job, events)
    checkpoints = Checkpoints(Path(job.out) / "checkpoints")
    arguments = training_arguments(job.recipe, folder=checkpoints.writing, device=job.device)
    set_seed(arguments.seed)
    model, tokenizer = prepare_model(job, scratch)
    examples = read_examples([Path(path) for path in job.data], job.recipe, tokenizer)
    events.log(f"{len(examples)} examples, {model.num_parameters(only_trainable=True)} trainable")
    stop.check()
    trainer = AdapterTrainer(model, arguments, examples, checkpoints, events, stop)
    resumed = checkpoints.newest()
    if resumed:
        events.log(f"Resuming from {resumed.name}.")
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    checkpoints.close()
    stop.check()
    summary = trainer.summary() | {
        "seconds": round(time.monotonic() - started, 3),
        "resumed_from_step": step_of(resumed) if resumed else 0,
        "device": job.device, "threads": job.threads, "versions": versions(),
        "precision": "bfloat16" if job.recipe.get("bf16") else "float32",
    }  # fmt: skip
    save_adapter(model, job, Path(job.out) / "result", summary)
    return summary


def prepare_model(job: FinetuneJob, scratch: Path) -> tuple[Any, Any]:
    """The model with a trainable adapter (a new one, or the one to go on with), its tokenizer.

    The frozen base is held in bfloat16 when the recipe says bf16: it takes no updates that
    could be lost, and the adapter itself stays in float32.
    """
    from peft import get_peft_model

    view = show_whole(Path(job.model), scratch / "model")
    base = load_model(view, torch.bfloat16 if job.recipe.get("bf16") else torch.float32)
    base.config.use_cache = False
    tokenizer = load_tokenizer(view)
    earlier = Path(job.adapter) if job.adapter else Path(job.model)
    if has_adapter(earlier):
        adapter = show_adapter(earlier, scratch / "adapter")
        model = attach_adapter(base, adapter, trainable=True)
        config = model.peft_config["default"]
        check_continues(job.recipe, config)
        config.base_model_name_or_path = str(view)  # or peft asks a hub for it at each checkpoint
        return model, tokenizer
    if job.adapter:
        raise RunnerError("The adapter has no adapter_config.json; add it, or train a new one.")
    config = lora_config(job.recipe)
    check_targets(base, config)
    return get_peft_model(base, config), tokenizer


def save_adapter(model: Any, job: FinetuneJob, folder: Path, summary: dict[str, Any]) -> None:
    """Write the adapter, its config and `training.json`; the same training gives the same bytes."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = job.base_model
    config.revision = job.base_revision
    # Without the flag peft would ask a hub for the base's vocabulary.
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's card template; the hub writes its own
    values = json.loads((folder / "adapter_config.json").read_text())
    if isinstance(values.get("target_modules"), list):
        values["target_modules"].sort()  # peft keeps a set, whose order changes with the process
    _write_json(folder / "adapter_config.json", values)
    _write_json(folder / "training.json", summary | {"recipe": job.recipe})
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes 0600, which another user cannot read


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
