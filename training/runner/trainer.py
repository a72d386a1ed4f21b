"""transformers' Trainer with our events, checkpoints, stop, and a loss on completions alone."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PrinterCallback, Trainer, TrainerCallback

from training.runner.checkpoints import Checkpoints
from training.runner.errors import DivergedError
from training.runner.events import Events
from training.runner.examples import IGNORED, collate
from training.runner.stopping import Stop


class AdapterTrainer(Trainer):
    """Trains the adapter of a PeftModel."""

    loss_is_scaled_for_ga = True

    def __init__(
        self, model: Any, arguments: Any, examples: list[dict[str, list[int]]],
        checkpoints: Checkpoints, events: Events, stop: Stop,
    ) -> None:  # fmt: skip
        super().__init__(
            model=model, args=arguments, train_dataset=examples, data_collator=collate,
            callbacks=[Reporter(events, stop)],
        )  # fmt: skip
        self.remove_callback(PrinterCallback)
        self.checkpoints, self.events = checkpoints, events
        self.seen_tokens = self.trained_tokens = 0
        forward = inspect.signature(model.get_base_model().forward).parameters
        self.keeps_some_logits = "logits_to_keep" in forward

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:  # fmt: skip
        """Mean cross-entropy of the completion tokens of the whole accumulated batch.

        Logits are made only where a label looks: they are the larger part of the memory. Padding
        is on the right, unseen by a causal model, so no attention mask is needed.
        """
        labels = inputs["labels"][:, 1:]
        keep = (labels != IGNORED).any(0).nonzero().squeeze(1)
        if self.keeps_some_logits:
            logits = model(input_ids=inputs["input_ids"], logits_to_keep=keep).logits
        else:
            logits = model(input_ids=inputs["input_ids"]).logits[:, keep]
        wanted = labels[:, keep].reshape(-1)
        total = cross_entropy(
            logits.float().flatten(0, 1), wanted, ignore_index=IGNORED, reduction="sum"
        )
        loss = total / (num_items_in_batch or (wanted != IGNORED).sum())
        self._check_finite(float(loss.detach()))
        self.seen_tokens += inputs["input_ids"].numel()
        self.trained_tokens += int((wanted != IGNORED).sum())
        return (loss, {"logits": logits}) if return_outputs else loss

    def summary(self) -> dict[str, Any]:
        """Steps, losses, tokens and seeds of the training."""
        model: Any = self.model
        losses = [entry["loss"] for entry in self.state.log_history if "loss" in entry]
        return {
            "steps": self.state.global_step, "first_loss": losses[0] if losses else None,
            "final_loss": losses[-1] if losses else None, "tokens": self.seen_tokens,
            "trained_tokens": self.trained_tokens, "seed": self.args.seed,
            "trainable_parameters": model.num_parameters(only_trainable=True),
        }  # fmt: skip

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        step = self.state.global_step
        path = self.checkpoints.publish(step)
        self.events.emit("checkpoint", step=step, path=f"{path.parent.name}/{path.name}")

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergedError(
                f"The loss became {loss} at step {self.state.global_step + 1}; "
                f"use a learning_rate below {self.args.learning_rate:g} or more warm-up."
            )


class Reporter(TrainerCallback):
    """Turns the Trainer's moments into events, and a request to stop into a last checkpoint."""

    def __init__(self, events: Events, stop: Stop) -> None:
        self.events, self.stop = events, stop

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        self.events.progress(state.global_step, state.max_steps, "steps")
        if self.stop and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True
        return control

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self._metric(state.global_step, state.epoch, logs)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell again what the checkpoint remembers: the killed attempt's last words may be lost."""
        for entry in state.log_history:
            self._metric(entry["step"], entry.get("epoch"), entry)

    def _metric(self, step: int, epoch: float | None, logs: Mapping[str, Any] | None) -> None:
        names = ("loss", "grad_norm", "learning_rate")
        values = {name: logs[name] for name in names if name in logs} if logs else {}
        if "loss" in values:
            self.events.emit("metric", step=step, epoch=epoch, values=values)
