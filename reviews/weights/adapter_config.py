"""The settings of a LoRA adapter, and whether its effect on the weights can be worked out."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import regex

from reviews.weights.errors import WeightsError
from reviews.weights.tensors import Tensor

T = TypeVar("T")

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MAX_RANK = 65_536
_MAX_PATTERNS = 2_000
_MAX_PATTERN = 300
_PATTERNS_SECONDS = 3.0
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


class Patterns(Generic[T]):
    """Values by patterns of module names, as PEFT matches them, within a budget of time.

    The patterns are regular expressions of whoever wrote the adapter.
    """

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = values
        self._seconds_left = _PATTERNS_SECONDS

    def get(self, module: str, default: T) -> T:
        """The value of the first pattern that matches the end of the module's name.

        Raises: WeightsError: adapter_config_wrong, when a pattern is none or takes too long.
        """
        start = time.monotonic()
        try:
            for key, value in self._values.items():
                limit = max(self._seconds_left, 1e-3)
                if regex.match(rf"(.*\.)?({key})$", module, timeout=limit):
                    return value
        except (regex.error, TimeoutError) as error:
            raise WeightsError("adapter_config_wrong", field="patterns") from error
        finally:
            self._seconds_left -= time.monotonic() - start
        return default


@dataclass(frozen=True)
class LoraConfig:
    """Field names as PEFT has them; `refused` names the setting that we cannot work out."""

    r: int = 8
    lora_alpha: float = 8.0
    fan_in_fan_out: bool = False
    use_rslora: bool = False
    rank_pattern: Patterns[int] = field(default_factory=lambda: Patterns({}))
    alpha_pattern: Patterns[float] = field(default_factory=lambda: Patterns({}))
    base_model: str | None = None
    refused: str | None = None

    def rank(self, module: str) -> int:
        """The rank that the settings give one module."""
        return self.rank_pattern.get(module, self.r)

    def scaling(self, module: str, rank: int) -> float:
        """alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA, of one module.

        Source: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732.
        """
        alpha = self.alpha_pattern.get(module, self.lora_alpha)
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
    ranks, alphas = _patterns(values, "rank_pattern"), _patterns(values, "alpha_pattern")
    base = values.get("base_model_name_or_path")
    return LoraConfig(
        r=_rank(values.get("r", 8), "r"),
        lora_alpha=_number(values.get("lora_alpha", 8), "lora_alpha"),
        fan_in_fan_out=values.get("fan_in_fan_out") is True,
        use_rslora=values.get("use_rslora") is True,
        rank_pattern=Patterns({key: _rank(each, "rank_pattern") for key, each in ranks.items()}),
        alpha_pattern=Patterns(
            {key: _number(each, "alpha_pattern") for key, each in alphas.items()}
        ),
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


def _patterns(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name) or {}
    if not isinstance(found, dict) or len(found) > _MAX_PATTERNS:
        raise WeightsError("adapter_config_wrong", field=name)
    # Counts in braces can fill the memory while a pattern is compiled, before any time limit.
    if any(len(key) > _MAX_PATTERN or "{" in key or "(?" in key for key in found):
        raise WeightsError("adapter_config_wrong", field=name)
    return found


def _rank(value: object, name: str) -> int:
    if type(value) is not int or not 0 < value <= MAX_RANK:
        raise WeightsError("adapter_config_wrong", field=name)
    return value


def _number(value: object, name: str) -> float:
    if type(value) not in (int, float) or not abs(float(value)) < 1e9:  # type: ignore[arg-type]
        raise WeightsError("adapter_config_wrong", field=name)
    return float(value)  # type: ignore[arg-type]
