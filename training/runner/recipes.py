"""A recipe's keys as transformers and peft take them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.runner.errors import BadRecipeError
from training.runner.models import one_line

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import TrainingArguments

TRAINING_KEYS = frozenset(
    [
        "learning_rate", "max_steps", "num_train_epochs", "per_device_train_batch_size",
        "gradient_accumulation_steps", "warmup_steps", "lr_scheduler_type", "weight_decay",
        "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "optim", "seed",
        "data_seed", "bf16", "logging_steps", "save_steps", "gradient_checkpointing",
    ]
)  # fmt: skip
LORA_KEYS = frozenset(
    [
        "r", "lora_alpha", "lora_dropout", "target_modules", "layers_to_transform", "bias",
        "use_rslora", "use_dora", "init_lora_weights", "modules_to_save",
    ]
)  # fmt: skip
OWN_KEYS = frozenset(
    ["prompt", "completion", "target_delimiter", "append_eos", "max_length", "warmup_ratio", "lora"]
)


def training_arguments(recipe: dict[str, Any], *, folder: Path, device: str) -> "TrainingArguments":
    """Trainer settings for `recipe`; nothing is reported or sent anywhere.

    Raises: BadRecipeError naming the key or value that cannot be used.
    """
    from transformers import TrainingArguments

    unknown = sorted(recipe.keys() - TRAINING_KEYS - OWN_KEYS)
    if unknown:
        raise BadRecipeError(f"The recipe key {unknown[0]} is not known; remove it.")
    values = {key: value for key, value in recipe.items() if key in TRAINING_KEYS}
    if recipe.get("warmup_ratio"):  # transformers 5 reads a share from warmup_steps
        values["warmup_steps"] = recipe["warmup_ratio"]
    values.setdefault("logging_steps", 1)
    fixed: dict[str, Any] = {
        "output_dir": str(folder), "report_to": "none", "use_cpu": device == "cpu",
        "remove_unused_columns": False, "disable_tqdm": True, "dataloader_pin_memory": False,
        "logging_nan_inf_filter": False, "save_strategy": "steps", "eval_strategy": "no",
    }  # fmt: skip
    try:
        return TrainingArguments(**values, **fixed)
    except (ValueError, TypeError, KeyError) as error:
        raise BadRecipeError(
            f"The recipe cannot be used ({one_line(error)}); change it."
        ) from error


def lora_config(recipe: dict[str, Any]) -> "LoraConfig":
    """The adapter that `recipe` asks for."""
    from peft import LoraConfig

    values = recipe.get("lora")
    if not isinstance(values, dict) or not values:
        raise BadRecipeError("The recipe has no lora section; add one with r and target_modules.")
    unknown = sorted(values.keys() - LORA_KEYS)
    if unknown:
        raise BadRecipeError(f"The recipe key lora.{unknown[0]} is not known; remove it.")
    try:
        return LoraConfig(task_type="CAUSAL_LM", **values)
    except (ValueError, TypeError) as error:
        raise BadRecipeError(
            f"The lora section is wrong ({one_line(error)}); change it."
        ) from error


def check_targets(model: Any, config: "LoraConfig") -> None:
    """Raise BadRecipeError when a target module is none of the model's linear layers."""
    import torch

    linear = {
        name.rpartition(".")[2] for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }  # fmt: skip
    wanted = config.target_modules
    missing = sorted(set(wanted) - linear) if isinstance(wanted, set | list) else []
    if missing:
        raise BadRecipeError(
            f"The model has no module {missing[0]} (lora.target_modules); "
            f"choose among {', '.join(sorted(linear))}."
        )


def check_continues(recipe: dict[str, Any], config: "LoraConfig") -> None:
    """Raise BadRecipeError when `recipe` asks for another shape than the adapter at hand has."""
    asked = recipe.get("lora") or {}
    for key in ("r", "lora_alpha", "target_modules"):
        has = getattr(config, key)
        if isinstance(asked.get(key), str):  # all-linear: the adapter holds what it came to
            continue
        if key in asked and _comparable(asked[key]) != _comparable(has):
            raise BadRecipeError(
                f"The model already has an adapter with {key} = {_comparable(has)}, the recipe "
                f"asks for {_comparable(asked[key])}; use the same, or start from the bare base."
            )


def _comparable(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | list | tuple) else value
