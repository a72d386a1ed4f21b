"""Reading a recipe: strictly, with refusals that say what to write."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from math import isfinite
from typing import Any, NoReturn

from hub.errors import BadInputError
from hub.formats.bounded_yaml import load_yaml
from hub.formats.errors import YamlError
from reviews.weights.merging.methods import DTYPES, MAX_MODELS, METHODS, Method
from reviews.weights.merging.recipe import (
    RECIPE_PATH,
    MergeModel,
    MergeRecipe,
    Parameters,
    Rule,
    Source,
)

MAX_RULES = 200
MAX_PATTERNS = 50
MAX_LAYER = 9_999
MAX_FACTOR = 10.0
MAX_SEED = 2**53 - 1

_KNOWN = ("merge_method", "base_model", "models", "parameters", "dtype", "seed", "rules")
_SHARED = ("lambda", "t", "normalize")
_REVISION = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z", re.ASCII)
_WEIGHTS = re.compile(r"([a-z0-9]{1,16}:)?[0-9a-f]{32,128}\Z", re.ASCII)
_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}\Z", re.ASCII)
_PATTERN = re.compile(r"\S{1,512}\Z")


def parse_recipe(content: bytes | str, *, place: str = RECIPE_PATH) -> MergeRecipe:
    """The recipe in a YAML file; `place` names the file in refusals.

    Raises:
        BadInputError: not the YAML the hub reads, an unknown key or method, a value out of
            range, or a method that does not take so many models.
    """
    try:
        values = load_yaml(content)
    except YamlError as error:
        raise BadInputError(f"{place}: {error}") from error
    return read_recipe(values, place=place)


def read_recipe(values: Any, *, place: str = RECIPE_PATH) -> MergeRecipe:
    """The recipe in plain values."""
    values = _map(values, place, _KNOWN, needs=("merge_method", "base_model", "models"))
    models = tuple(
        _model(each, f"{place}: models[{at}]")
        for at, each in enumerate(_list(values["models"], f"{place}: models", MAX_MODELS))
    )
    rules = _list(values.get("rules", []), f"{place}: rules", MAX_RULES, least=0)
    recipe = MergeRecipe(
        method=_method(values["merge_method"], f"{place}: merge_method"),
        base=_source(values["base_model"], f"{place}: base_model"),
        models=models,
        parameters=_parameters(values.get("parameters", {}), f"{place}: parameters"),
        dtype=_dtype(values.get("dtype"), f"{place}: dtype"),
        seed=_whole(values.get("seed", 0), f"{place}: seed", 0, MAX_SEED),
        rules=tuple(
            _rule(each, f"{place}: rules[{at}]", len(models)) for at, each in enumerate(rules)
        ),
    )
    _require_possible(recipe, place)
    return recipe


def _source(value: Any, place: str) -> Source:
    values = _map(value, place, ("repo_id", "revision", "weights"), needs=("revision", "weights"))
    return Source(
        revision=_text(values["revision"], f"{place}.revision", _REVISION, "a commit's full oid"),
        weights=_text(values["weights"], f"{place}.weights", _WEIGHTS, "a digest of weights"),
        repo_id=_text(values["repo_id"], f"{place}.repo_id", _REPO_ID, "namespace/name")
        if "repo_id" in values
        else None,
    )


def _model(value: Any, place: str) -> MergeModel:
    values = _map(value, place, ("model", "parameters"), needs=("model",))
    where = f"{place}.parameters"
    given = _map(values.get("parameters", {}), where, ("weight", "density"))
    return MergeModel(
        source=_source(values["model"], f"{place}.model"),
        weight=_factor(given.get("weight", 1.0), f"{where}.weight"),
        density=_share(given.get("density", 1.0), f"{where}.density"),
    )


def _rule(value: Any, place: str, models: int) -> Rule:
    patterns = ("tensors", "files", "layers")
    known = (*patterns, "merge_method", "parameters")
    values = _map(value, place, known, needs=("merge_method",))
    if not any(key in values for key in patterns):
        raise BadInputError(f"{place} fits nothing; give it tensors, files or layers.")
    layers = values.get("layers")
    return Rule(
        method=_method(values["merge_method"], f"{place}.merge_method"),
        tensors=_patterns(values.get("tensors"), f"{place}.tensors"),
        files=_patterns(values.get("files"), f"{place}.files"),
        layers=None if layers is None else _layers(layers, f"{place}.layers"),
        parameters=_parameters(values.get("parameters", {}), f"{place}.parameters", models),
    )


def _parameters(value: Any, place: str, models: int | None = None) -> Parameters:
    """Those of a recipe, or those of a rule over so many models."""
    known = _SHARED if models is None else (*_SHARED, "weights", "densities")
    values = _map(value, place, known)
    flag = values.get("normalize")
    if not isinstance(flag, bool | None):
        _refuse(f"{place}.normalize", flag, "true or false")
    return Parameters(
        scale=_factor(values["lambda"], f"{place}.lambda") if "lambda" in values else None,
        t=_number(values["t"], f"{place}.t", 0, 1) if "t" in values else None,
        normalize=flag,
        weights=_each(values.get("weights"), f"{place}.weights", models, _factor),
        densities=_each(values.get("densities"), f"{place}.densities", models, _share),
    )


def _require_possible(recipe: MergeRecipe, place: str) -> None:
    count = len(recipe.models)
    rules = [(f"{place}: rules[{at}]", rule) for at, rule in enumerate(recipe.rules)]
    for where, rule in [(place, Rule(recipe.method)), *rules]:
        facts = METHODS[rule.method]
        if not facts.least <= count <= facts.most:
            wanted = f"{facts.least}" if facts.least == facts.most else f"at least {facts.least}"
            raise BadInputError(f"{where}: {rule.method} takes {wanted} models; {count} are named.")
        weights = rule.parameters.weights or [model.weight for model in recipe.models]
        if rule.method == Method.LINEAR and sum(weights) <= 0:
            raise BadInputError(f"{where}: the weights of linear must have a sum above 0.")
        if rule.method == Method.LINEAR and recipe.choose_by(rule).normalize is False:
            raise BadInputError(
                f"{where}: linear makes the weights sum to 1; for their plain sum write "
                "task_arithmetic, and leave normalize: false out."
            )


def _patterns(value: Any, place: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    listed = [value] if isinstance(value, str) else _list(value, place, MAX_PATTERNS)
    return tuple(_text(each, place, _PATTERN, "a pattern such as *.q_proj.*") for each in listed)


def _layers(value: Any, place: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        _refuse(place, value, "the first and the last layer, such as [4, 11]")
    first, last = (_whole(each, place, 0, MAX_LAYER) for each in value)
    if first > last:
        _refuse(place, value, "the first and the last layer in this order")
    return first, last


def _each(value: Any, place: str, models: int | None, read: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != models:
        _refuse(place, value, f"a list of {models} numbers, one a model")
    return tuple(read(each, f"{place}[{at}]") for at, each in enumerate(value))


def _method(value: Any, place: str) -> Method:
    if value not in tuple(Method):
        _refuse(place, value, f"one of {', '.join(Method)}")
    return Method(value)


def _dtype(value: Any, place: str) -> str | None:
    if value is not None and (not isinstance(value, str) or value not in DTYPES):
        _refuse(place, value, f"one of {', '.join(DTYPES)}")
    return value


def _factor(value: Any, place: str) -> float:
    return _number(value, place, -MAX_FACTOR, MAX_FACTOR)


def _share(value: Any, place: str) -> float:
    if value == 0:
        _refuse(place, value, "a number above 0 to 1")
    return _number(value, place, 0, 1)


def _number(value: Any, place: str, low: float, high: float) -> float:
    if type(value) not in (int, float) or not isfinite(value) or not low <= value <= high:
        _refuse(place, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: Any, place: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        _refuse(place, value, f"a whole number from {low} to {high}")
    return int(value)


def _text(value: Any, place: str, pattern: re.Pattern[str], meaning: str) -> str:
    if not isinstance(value, str) or not value.isprintable() or not pattern.match(value):
        _refuse(place, value, f"{meaning}, in quotes")
    return str(value)


def _list(value: Any, place: str, most: int, *, least: int = 1) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        _refuse(place, value, f"a list of {least} to {most} values")
    return list(value)


def _map(
    value: Any, place: str, known: Collection[str], *, needs: Collection[str] = ()
) -> dict[str, Any]:
    """The keys that have a value, all of them known."""
    if not isinstance(value, dict):
        _refuse(place, value, "a map of keys to values")
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise BadInputError(
                f"{place} has the unknown key {str(key)[:80]!r}.{meant} Known keys: "
                f"{', '.join(known)}."
            )
    found = {key: each for key, each in value.items() if each is not None}
    for key in needs:
        if key not in found:
            raise BadInputError(f"{place} has no {key}; add it.")
    return found


def _refuse(place: str, value: Any, wanted: str) -> NoReturn:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    raise BadInputError(f"{place} is {shown}; write {wanted}.")
