"""Model folders as uploaded: which files a loader may see, and what is wrong with them."""

import json
from pathlib import Path
from typing import Any

from training.runner.errors import BadModelError

CONFIG_LIMIT_BYTES = 1 << 20
MODEL_FILES = (
    "config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json",
    "model-*-of-*.safetensors", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "tokenizer.model", "chat_template.jinja",
)  # fmt: skip
PATCH_FILES = ("weights_patch.safetensors",)
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
POINTER_START = b"version https://git-lfs.github.com/spec/"


def show_model(folder: Path, view: Path) -> Path:
    """`view`, filled with links to the files of a model in `folder` and to nothing else.

    Loaders never see pickles, code, or an adapter in the model's root, which transformers would
    load on its own terms (with the base that the adapter names).
    Raises: BadModelError when no config or no whole safetensors file is there.
    """
    if not (folder / "config.json").is_file():
        raise BadModelError("The model has no config.json; add the one its weights belong to.")
    weights = [path for path in _link(folder, view, MODEL_FILES) if path.suffix == ".safetensors"]
    if not weights:
        raise BadModelError(
            "The model has no model.safetensors; save it with save_pretrained() and upload that."
        )
    for path in weights:
        check_safetensors(path)
    return view


def show_adapter(folder: Path, view: Path) -> Path:
    """`view`, filled with links to the two files of a LoRA adapter in `folder`.

    Raises: BadModelError when its weights are no safetensors or it is no LoRA.
    """
    _link(folder, view, ADAPTER_FILES)
    if not (view / "adapter_model.safetensors").exists():
        raise BadModelError(
            "The adapter has no adapter_model.safetensors; save it with save_pretrained()."
        )
    check_safetensors(view / "adapter_model.safetensors")
    kind = read_json(view / "adapter_config.json").get("peft_type")
    if kind != "LORA":
        raise BadModelError(f"The adapter is of type {kind}; only LORA adapters are supported.")
    return view


def has_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a small file of a model folder."""
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(CONFIG_LIMIT_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise BadModelError(f"{path.name} cannot be read ({error}); replace it.") from error
    if not isinstance(value, dict):
        raise BadModelError(f"{path.name} holds no JSON object; replace it.")
    return value


def check_safetensors(path: Path) -> None:
    """Raise BadModelError unless `path` starts and ends as a safetensors file does."""
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as file:
        start = file.read(len(POINTER_START))
    if start == POINTER_START:
        raise BadModelError(f"{path.name} is a Git LFS pointer, no weights; push the file itself.")
    try:
        with safe_open(str(path), framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise BadModelError(
            f"{path.name} is no whole safetensors file ({error}); save it again and upload that."
        ) from error


def _link(folder: Path, view: Path, patterns: tuple[str, ...]) -> list[Path]:
    view.mkdir(parents=True)
    links = []
    for source in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        if source.is_file():
            (view / source.name).symlink_to(source.resolve())
            links.append(view / source.name)
    return links
