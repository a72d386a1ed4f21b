"""The settings of a LoRA adapter, and whether its effect on the weights can be worked out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import regex

from reviews.weights.errors import WeightsError
from reviews.weights.tensors import Tensor

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_RANK = 65_536
_MAX_PATTERNS = 2_000
_PATTERN_SECONDS = 0.1
# Settings that do not enter W + scaling B A: where it is added, how it was trained, who wrote it.
_WITHOUT_EFFECT = frozenset(
    {
        "base_model_name_or_path", "peft_type", "task_type", "inference_mode", "auto_mapping",
        "revision", "peft_version", "r", "target_modules", "exclude_modules", "lora_alpha",
        "lora_dropout", "fan_in_fan_out", "bias", "use_rslora", "modules_to_save",
        "init_lora_weights", "layers_to_transform", "layers_pattern", "rank_pattern",
        "alpha_pattern", "megatron_core", "loftq_config", "eva_config", "qalora_group_size",
        "runtime_config", "ensure_weight_tying",
    }
)  # fmt: skip
# Beginnings that change the base's weights as well: the adapter fits only that changed base.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True)
class LoraConfig:
    """Field names as PEFT has them; `refused` names the setting that we cannot work out."""

    r: int = 8
    lora_alpha: float = 8.0
    fan_in_fan_out: bool = False
    use_rslora: bool = False
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    base_model: str | None = None
    refused: str | None = None

    def scaling(self, module: str, rank: int) -> float:
        """alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA, of one module.

        Source: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732.
        """
        alpha = self.alpha_pattern.get(_pattern_for(self.alpha_pattern, module), self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)


@dataclass(frozen=True)
class Adapter:
    """The stored tensors of an adapter by their names in the file, and its settings."""

    tensors: Mapping[str, Tensor]
    config: LoraConfig


def lora_config(values: Mapping[str, Any]) -> LoraConfig:
    """The settings in an `adapter_config.json`.

    Raises: WeightsError: adapter_config_wrong, with the `field`.
    """
    alphas = values.get("alpha_pattern") or {}
    if not isinstance(alphas, dict) or len(alphas) > _MAX_PATTERNS:
        raise WeightsError("adapter_config_wrong", field="alpha_pattern")
    base = values.get("base_model_name_or_path")
    return LoraConfig(
        r=_rank(values.get("r", 8)),
        lora_alpha=_number(values.get("lora_alpha", 8), "lora_alpha"),
        fan_in_fan_out=values.get("fan_in_fan_out") is True,
        use_rslora=values.get("use_rslora") is True,
        alpha_pattern={key: _number(value, "alpha_pattern") for key, value in alphas.items()},
        base_model=base if isinstance(base, str) else None,
        refused=_refused(values),
    )


def _refused(values: Mapping[str, Any]) -> str | None:
    if values.get("peft_type") != "LORA":
        return f"peft_type={str(values.get('peft_type'))[:40]}"
    start = values.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        return f"init_lora_weights={start[:40]}"
    for key, value in sorted(values.items()):
        if value and key not in _WITHOUT_EFFECT:
            return key[:60]
    return None


def _rank(value: object) -> int:
    if type(value) is not int or not 0 < value <= MAX_RANK:
        raise WeightsError("adapter_config_wrong", field="r")
    return value


def _number(value: object, name: str) -> float:
    if type(value) not in (int, float) or not abs(float(value)) < 1e9:  # type: ignore[arg-type]
        raise WeightsError("adapter_config_wrong", field=name)
    return float(value)  # type: ignore[arg-type]


def _pattern_for(patterns: Mapping[str, float], module: str) -> str:
    """The first pattern that matches the end of a module's name, as PEFT finds it; or the name."""
    for key in patterns:
        try:
            if regex.match(rf"(.*\.)?({key})$", module, timeout=_PATTERN_SECONDS):
                return key
        except (regex.error, TimeoutError) as error:
            raise WeightsError("adapter_config_wrong", field="alpha_pattern") from error
    return module
