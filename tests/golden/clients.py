"""The installed clients that the golden path is walked with."""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.warm import WarmInterpreter

_ROOT = Path(__file__).resolve().parents[2]
_LOAD_CLIENT = "import huggingface_hub.cli.hf, huggingface_hub.hf_api"
# What the client stands on. Itself it reads its environment as it is imported: under each anew.
_LOAD_LIBRARIES = f"""
import sys
{_LOAD_CLIENT}
for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
    del sys.modules[name]
"""
# What libraries that stand on the client stand on: none of it imports the client.
_LOAD_TORCH = """
import pandas, pyarrow.dataset, pyarrow.parquet, scipy.optimize
import torch._dynamo, torch.distributed.checkpoint, torch.distributed.fsdp
"""


@dataclass(frozen=True)
class HubClient:
    """One unmodified client: its interpreter, and what its user has set beside the address."""

    name: str
    interpreter: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def hf(self) -> Path:
        return self.interpreter.with_name("hf")

    @property
    def warm(self) -> WarmInterpreter:
        """Has imported the client."""
        return _warm(self.interpreter, _LOAD_LIBRARIES, _LOAD_CLIENT)

    @property
    def warm_torch(self) -> WarmInterpreter:
        """Has imported torch, and no client yet."""
        return _warm(self.interpreter, _LOAD_TORCH, "")


@cache
def _warm(interpreter: Path, code: str, under_each: str) -> WarmInterpreter:
    """One for a client, for as long as the tests run."""
    bare = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": os.devnull}
    bare |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    warm = WarmInterpreter(interpreter, code, under_each=under_each, env=bare)
    atexit.register(warm.end)
    return warm


def _older() -> Path:
    """The interpreter of the environment that deploy/setup made from requirements-client.txt."""
    pins = (_ROOT / "requirements-client.txt").read_text()
    version = re.search(r"^huggingface_hub==(.+)$", pins, re.MULTILINE)
    assert version, "requirements-client.txt pins no huggingface_hub"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weighbridge"
    kept = Path(os.environ.get("WEIGHBRIDGE_CACHE") or cache)
    return kept / "clients" / version[1] / "bin" / "python"


NEW = HubClient("new", Path(sys.executable))
OLD = HubClient("old", _older())
NO_XET = HubClient("no-xet", Path(sys.executable), {"HF_HUB_DISABLE_XET": "1"})
