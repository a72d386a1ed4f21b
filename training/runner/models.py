"""Loading models and LoRA adapters from folders that users made."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.runner.errors import BadModelError
from training.runner.folders import has_adapter, show_adapter
from training.runner.patches import show_whole

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


KINDS = {
    "causal": "AutoModelForCausalLM",
    "labels": "AutoModelForSequenceClassification",
    "encoder": "AutoModel",
    "masked": "AutoModelForMaskedLM",
}


def _is_pooler(name: str) -> bool:
    return name.startswith("pooler.")


def dtype_named(name: str) -> "torch.dtype":
    """The torch dtype called `name`: float32 or bfloat16."""
    import torch

    known = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if name not in known:
        raise BadModelError(f"The dtype {name} is not supported; use one of {', '.join(known)}.")
    return known[name]


def load_model(view: Path, dtype: "torch.dtype", kind: str = "causal") -> "PreTrainedModel":
    """The model in `view`, with every tensor its config calls for.

    `kind` is one of KINDS: a causal language model, an encoder with a head of labels, one
    that fills in masks, or an encoder alone.
    Raises: BadModelError when the architecture is unknown or tensors are missing or misshapen.
    """
    import transformers

    loader: Any = getattr(transformers, KINDS[kind])
    try:
        model, info = loader.from_pretrained(
            view, dtype=dtype, use_safetensors=True, local_files_only=True,
            trust_remote_code=False, output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadModelError(
            f"The model cannot be loaded ({one_line(error)}); "
            "check that config.json belongs to these weights."
        ) from error
    # Sentence encoders are saved without the pooler, which their embeddings do not use.
    names = sorted(
        name for name in info["missing_keys"] if kind != "encoder" or not _is_pooler(name)
    )
    if names:
        raise BadModelError(
            f"The weights lack {len(names)} tensors of the config, such as {names[0]}; "
            "upload all shards."
        )
    return model.eval()


def load_tokenizer(view: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in `view`."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(view, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # tokenizers raises bare Exception for a broken tokenizer.json
        raise BadModelError(
            f"The tokenizer cannot be loaded ({one_line(error)}); add tokenizer.json to the model."
        ) from error


def attach_adapter(model: Any, view: Path, *, trainable: bool = False) -> Any:
    """`model` wrapped with the LoRA adapter in `view`."""
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, str(view), is_trainable=trainable)
    except (ValueError, KeyError, RuntimeError, TypeError) as error:
        raise BadModelError(
            f"The adapter does not fit the model ({one_line(error)}); "
            "train it on this base, or propose it to its own."
        ) from error


def load_side(
    model: Path,
    adapters: list[str] | None,
    *,
    dtype: "torch.dtype",
    scratch: Path,
    kind: str = "causal",
) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """A model for scoring, its adapters folded in, and its tokenizer.

    Adapters are folded in float32 and the sum is rounded once to `dtype`, so that base and
    candidate run the same arithmetic and a bfloat16 base does not swallow small updates.
    """
    import torch

    view = show_whole(model, scratch / "model")
    if adapters is None:
        adapters = [str(model)] if has_adapter(model) else []
    loaded: Any = load_model(view, torch.float32 if adapters else dtype, kind)
    for number, folder in enumerate(adapters):
        adapter = show_adapter(Path(folder), scratch / f"adapter-{number}")
        loaded = attach_adapter(loaded, adapter).merge_and_unload()
    return loaded.to(dtype).eval(), load_tokenizer(view)


def one_line(error: BaseException, limit: int = 300) -> str:
    """The first line of what `error` says, cut to `limit` characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")[:limit]
