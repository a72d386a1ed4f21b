"""Recipes: `recipes/NAME.yaml` says how to fine-tune, in the keys of transformers and peft.

dataset: {repo_id: demo/sms_spam, file: train.jsonl}
prompt: "Message: {{text}}\\nIs this message spam or ham? Answer:"
completion: "{{label}}"
method: lora
max_steps: 15
learning_rate: 3e-3
lora: {r: 8, lora_alpha: 16}
"""

import re
from dataclasses import dataclass, field
from typing import Any

from hub.errors import BadInputError
from training.specs.sampling import Sample, read_sample
from training.specs.schema import (
    REPO_ID,
    REVISION,
    Flag,
    ListOf,
    Number,
    OneOf,
    Reader,
    Text,
    digest_of,
    load_mapping,
    read_map,
    read_path,
    refuse_unknown,
)
from training.specs.templates import read_template

_MODULE = Text(100, re.compile(r"[A-Za-z_]\w*(\.\w+)*\Z", re.ASCII), "the name of a module")
_SEED = Number(0, 2**32 - 1, whole=True)


@dataclass(frozen=True, slots=True)
class TargetModules:
    """`all-linear` or a list of names. Any other text would be a regular expression to peft."""

    def read(self, value: Any, name: str) -> Any:
        if value == "all-linear":
            return value
        if isinstance(value, str):
            raise BadInputError(f"{name} is {value[:60]!r}; write all-linear or a list of names.")
        return ListOf(_MODULE).read(value, name)


# Keys of transformers' TrainingArguments, within what a run can mean.
TRAINING_KEYS: dict[str, Reader] = {
    "max_steps": Number(1, 1_000_000, whole=True),
    "num_train_epochs": Number(0, 1000, open_low=True),
    "learning_rate": Number(0, 1, open_low=True),
    "per_device_train_batch_size": Number(1, 1024, whole=True),
    "gradient_accumulation_steps": Number(1, 1024, whole=True),
    "warmup_steps": Number(0, 1_000_000, whole=True),
    "lr_scheduler_type": OneOf(
        ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant",
         "constant_with_warmup", "inverse_sqrt")
    ),
    "optim": OneOf(("adamw_torch", "adamw_torch_fused", "adafactor", "sgd")),
    "weight_decay": Number(0, 1),
    "adam_beta1": Number(0, 1, open_high=True),
    "adam_beta2": Number(0, 1, open_high=True),
    "adam_epsilon": Number(0, 1, open_low=True),
    "max_grad_norm": Number(0, 1000),
    "gradient_checkpointing": Flag(),
    "bf16": Flag(),
    "seed": _SEED,
    "data_seed": _SEED,
    "logging_steps": Number(1, 100_000, whole=True),
    "save_steps": Number(1, 1_000_000, whole=True),
}  # fmt: skip
# Keys of peft's LoraConfig.
LORA_KEYS: dict[str, Reader] = {
    "r": Number(1, 1024, whole=True),
    "lora_alpha": Number(1, 4096, whole=True),
    "lora_dropout": Number(0, 1, open_high=True),
    "target_modules": TargetModules(),
    "bias": OneOf(("none", "all", "lora_only")),
    "use_rslora": Flag(),
    "use_dora": Flag(),
    "init_lora_weights": Flag(),
    "modules_to_save": ListOf(_MODULE),
    "layers_to_transform": ListOf(Number(0, 10_000, whole=True), most=1000),
}
# How rows become text, beside the two templates.
TEXT_KEYS: dict[str, Reader] = {
    "target_delimiter": Text(20),
    "append_eos": Flag(),
    "max_length": Number(8, 131_072, whole=True),
    "warmup_ratio": Number(0, 1, open_high=True),
}
_DEFAULT_LORA = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"}
_OWN_KEYS = (
    "base", "dataset", "prompt", "completion", "method", "lora", "description", "evaluate",
)  # fmt: skip
# What the result is measured with as soon as it is proposed, beside the gate of its branch.
_EVALUATE = ListOf(Text(1500, re.compile(r"\S+:\S+"), "a benchmark (namespace/name:path)"), 0, 20)
_KNOWN_KEYS = (*_OWN_KEYS, *TEXT_KEYS, *TRAINING_KEYS)
_BASE_KEYS = ("repo_id", "revision")
_DATASET_KEYS = ("repo_id", "revision", "file", "sample")


@dataclass(frozen=True, slots=True)
class BaseSource:
    """The model to start from; without `repo_id` that of the recipe's own repository."""

    repo_id: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """One JSON lines file of a dataset repository, and which of its rows to train on."""

    repo_id: str
    file: str
    revision: str | None = None
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fine-tune. `settings` and `lora` hold only the keys that the recipe names.

    `evaluate` names benchmarks that the result is measured with as soon as it is proposed.
    """

    dataset: DatasetSource
    completion: str
    prompt: str = ""
    base: BaseSource = BaseSource()
    method: str = "lora"
    description: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    evaluate: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values in the file's own shape; `parse_recipe` of them is this recipe again."""
        dataset = {
            "repo_id": self.dataset.repo_id,
            "revision": self.dataset.revision,
            "file": self.dataset.file,
            "sample": self.dataset.sample and self.dataset.sample.to_dict(),
        }
        return {
            "base": {"repo_id": self.base.repo_id, "revision": self.base.revision},
            "dataset": dataset,
            "method": self.method,
            "description": self.description,
            "evaluate": list(self.evaluate),
            **self.runner_recipe(),
        }

    def runner_recipe(self) -> dict[str, Any]:
        """What the runner is told: templates, settings and the adapter's shape."""
        texts = {"prompt": self.prompt, "completion": self.completion}
        return {**texts, **self.settings, "lora": self.lora}

    @property
    def digest(self) -> str:
        """SHA-256 that names all of the recipe that the result depends on."""
        told = ("description", "evaluate")
        return digest_of({k: v for k, v in self.to_dict().items() if k not in told})


def parse_recipe(content: bytes | str, *, place: str = "The recipe") -> Recipe:
    """The recipe in a YAML file; `place` names the file in refusals.

    Raises:
        BadInputError: an unknown key, a value out of range, or something needed is missing.
    """
    return read_recipe(load_mapping(content, place), place=place)


def read_recipe(values: dict[str, Any], *, place: str = "The recipe") -> Recipe:
    """The recipe in plain values, such as a form's or `Recipe.to_dict()`."""
    refuse_unknown(values, _KNOWN_KEYS, place)
    for key in ("dataset", "completion"):
        if not values.get(key):
            raise BadInputError(f"{place} has no {key}; add it.")
    readers = {**TRAINING_KEYS, **TEXT_KEYS}
    settings = {
        key: readers[key].read(value, f"{place}: {key}")
        for key, value in values.items()
        if key in readers
    }
    _require_an_end(settings, place)
    return Recipe(
        base=_base(values.get("base"), f"{place}: base"),
        dataset=_dataset(values["dataset"], f"{place}: dataset"),
        prompt=read_template(values.get("prompt", ""), f"{place}: prompt"),
        completion=read_template(values["completion"], f"{place}: completion"),
        method=OneOf(("lora",)).read(values.get("method", "lora"), f"{place}: method"),
        description=Text(2000).read(values.get("description", ""), f"{place}: description"),
        settings=settings,
        lora=_lora(values.get("lora"), f"{place}: lora"),
        evaluate=tuple(_EVALUATE.read(values.get("evaluate") or [], f"{place}: evaluate")),
    )


def _require_an_end(settings: dict[str, Any], place: str) -> None:
    if "max_steps" not in settings and "num_train_epochs" not in settings:
        raise BadInputError(f"{place} does not say when to stop; add max_steps.")
    if settings.get("warmup_ratio") and settings.get("warmup_steps"):
        raise BadInputError(f"{place} has warmup_ratio and warmup_steps; keep one of them.")


def _base(value: Any, place: str) -> BaseSource:
    values = read_map({} if value is None else value, place)
    refuse_unknown(values, _BASE_KEYS, place)
    return BaseSource(
        repo_id=_optional(REPO_ID, values, "repo_id", place),
        revision=_optional(REVISION, values, "revision", place),
    )


def _dataset(value: Any, place: str) -> DatasetSource:
    values = read_map(value, place)
    refuse_unknown(values, _DATASET_KEYS, place)
    for key in ("repo_id", "file"):
        if key not in values:
            raise BadInputError(f"{place} has no {key}; add it.")
    sample = values.get("sample")
    return DatasetSource(
        repo_id=REPO_ID.read(values["repo_id"], f"{place}.repo_id"),
        file=read_path(values["file"], f"{place}.file"),
        revision=_optional(REVISION, values, "revision", place),
        sample=None if sample is None else read_sample(sample, f"{place}.sample"),
    )


def _lora(value: Any, place: str) -> dict[str, Any]:
    values = read_map({} if value is None else value, place)
    refuse_unknown(values, LORA_KEYS, place)
    return {
        key: LORA_KEYS[key].read(given, f"{place}.{key}")
        for key, given in {**_DEFAULT_LORA, **values}.items()
    }


def _optional(reader: Text, values: dict[str, Any], key: str, place: str) -> str | None:
    value = values.get(key)
    return None if value is None else reader.read(value, f"{place}.{key}")
