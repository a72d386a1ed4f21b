"""Where in a model a tensor sits, read from its name: the cell of a heat map."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# The part before a layer's number, by family (llama, gpt2, bert, t5, gpt-neox, opt, bloom ...).
_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|block|blocks|blk)\.(\d+)\.")
# Numbers further on: T5's sub-layers, which carry no meaning; experts, which stand for one another.
_NUMBERS = re.compile(r"(?:^layer)?\.?\b\d+\b(?:\.(?=$))?")
_DECODER = re.compile(r"(?:^|\.)decoder\.(?:layers|layer|block|blocks)\.")
_PARAMETER = re.compile(r"\.(weight|bias|gamma|beta)$")
# Groups that say nothing beside their members' names.
_GROUPS = re.compile(r"^(?:self_attn|mlp|feed_forward)\.(?=\w+$)")
_WRAPPERS = re.compile(r"^(?:base_model\.model\.)?(?:(?:model|transformer|bert|roberta)\.)?")

# By what a module's name contains, in this order.
_ROLES = (
    ("norm", re.compile(r"norm|(?:^|[._])ln(?:_|\b)", re.IGNORECASE)),
    ("embedding", re.compile(r"embed|\b(?:wte|wpe|shared)\b|relative_attention_bias")),
    ("head", re.compile(r"^(?:lm_head|classifier|score|pooler|cls|qa_outputs)\b")),
    ("attention", re.compile(r"attn|attention|\b[qkvo](?:_proj)?$|query|key|value", re.IGNORECASE)),
    (
        "mlp",
        re.compile(
            r"mlp|(?:gate|up|down)_proj|\bfc\d?|feed_?forward|Dense|\bwi|\bwo|ffn|experts"
            r"|^intermediate\b|^output\.dense|moe",
            re.IGNORECASE,
        ),
    ),
)


@dataclass(frozen=True)
class Place:
    """`layer` is None outside of the layers. `module` names a column of the heat map, such as
    "q_proj"; `kind` the tensors it may be measured against, such as "q_proj.weight"; `role` is
    embedding, attention, mlp, norm, head or other."""

    layer: int | None
    module: str
    kind: str
    role: str


def place_of(name: str) -> Place:
    """The place of a tensor; for names of an unknown family, the name itself without its numbers.

    Decoder and encoder of one model have layers of the same numbers: a decoder's modules say so.
    """
    whole, parameter = _cut_parameter(name)
    found = _LAYER.search(whole + ".")
    if found is None:
        module = _WRAPPERS.sub("", whole) or whole
        return Place(None, module, module + parameter, _role(module))
    inner = _NUMBERS.sub("", whole[found.end() :]).strip(".")
    module = _GROUPS.sub("", inner)
    if _DECODER.search(name):
        module = f"decoder.{module}"
    return Place(int(found[1]), module, module + parameter, _role(inner))


def layer_ranges(layers: Iterable[int]) -> list[list[int]]:
    """Runs of consecutive layers, both ends included: 4, 5, 6, 9 is [[4, 6], [9, 9]]."""
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and layer == runs[-1][1] + 1:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    return runs


def _cut_parameter(name: str) -> tuple[str, str]:
    found = _PARAMETER.search(name)
    return (name[: found.start()], found[0]) if found else (name, "")


def _role(module: str) -> str:
    return next((role for role, pattern in _ROLES if pattern.search(module)), "other")
