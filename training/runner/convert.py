"""GGUF to a clean safetensors folder that transformers loads as if it had saved it."""

import json
from pathlib import Path
from typing import Any

from training.runner.errors import BadModelError
from training.runner.events import Events
from training.runner.job import ConvertJob
from training.runner.models import dtype_named, one_line

GGUF_START = b"GGUF"
HOST_KEYS = ("is_local", "local_files_only", "name_or_path", "gguf_file")


def run(job: ConvertJob, events: Events) -> dict[str, Any]:
    """Convert the job's file into `out/result`; the files with their sizes."""
    result = Path(job.out) / "result"
    convert(Path(job.gguf), result, dtype=job.dtype)
    return {"files": {path.name: path.stat().st_size for path in sorted(result.iterdir())}}


def convert(gguf: Path, target: Path, *, dtype: str = "bfloat16") -> None:
    """Write the model, config and tokenizer in `gguf` to the folder `target`.

    The same file gives the same bytes. Raises: BadModelError when it is no GGUF we can read.
    """
    with gguf.open("rb") as file:
        if file.read(4) != GGUF_START:
            raise BadModelError(f"{gguf.name} is no GGUF file; choose one that is.")
    try:
        model, tokenizer = _load(gguf)
    except Exception as error:  # whatever a reader says of bytes that nobody vouches for
        raise BadModelError(
            f"{gguf.name} cannot be converted ({one_line(error)}); "
            "use a GGUF of an architecture that transformers reads, or upload safetensors."
        ) from error
    target.mkdir(parents=True, exist_ok=True)
    _plain(model, dtype).save_pretrained(target)
    tokenizer.save_pretrained(target)
    _drop_keys(target / "tokenizer_config.json", HOST_KEYS)
    for path in target.iterdir():
        path.chmod(0o644)  # safetensors writes 0600, which another user cannot read


def _load(gguf: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = {"gguf_file": gguf.name, "local_files_only": True, "trust_remote_code": False}
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **place)
    return model, AutoTokenizer.from_pretrained(gguf.parent, **place)


def _plain(model: Any, dtype: str) -> Any:
    """A model of the same tensors that does not know it came from a GGUF file.

    transformers refuses to save the loaded one: it counts as quantised for good.
    """
    import numpy as np
    from transformers import AutoConfig, AutoModelForCausalLM

    values = model.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        values.pop(key, None)
    for key, value in values.items():
        if isinstance(value, float):  # GGUF stores float32: 1e-05 would read 9.99999974e-06
            values[key] = float(str(np.float32(value)))
    config = AutoConfig.for_model(**values)
    plain = AutoModelForCausalLM.from_config(config, dtype=dtype_named(dtype))
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    return plain


def _drop_keys(path: Path, keys: tuple[str, ...]) -> None:
    values = json.loads(path.read_text())
    kept = {key: value for key, value in values.items() if key not in keys}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
