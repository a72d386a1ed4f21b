"""An interpreter that has imported already what many scripts import, and forks for each of them.

As a program with code as its argument, this executes the code, then reads lines of JSON, each a
script's `[argv, environment, folder, seconds]`, and answers each by `[status, stdout, stderr]`.
Stands alone: the older client's environment holds the client and nothing else.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any


class WarmInterpreter:
    """Runs Python scripts as `subprocess.run` does, without the time that their imports take."""

    def __init__(self, interpreter: str | Path, code: str, **options: Any) -> None:
        """`code` imports what its scripts will; `options` are those of Popen."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        # Without -P this folder would be on the path, and packages in it named like modules.
        command = [interpreter, "-P", __file__, code]
        self._process = subprocess.Popen(command, text=True, **pipes, **options)

    def run(
        self, *argv: object, environment: Mapping[str, str], folder: Path, seconds: int
    ) -> subprocess.CompletedProcess[str]:
        """What `python argv…` says: a file, or `-c` and code. One that takes longer is killed."""
        assert self._process.stdin and self._process.stdout
        words = [str(word) for word in argv]
        request = [words, dict(environment), str(folder), seconds]
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        return subprocess.CompletedProcess(words, *json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        self._process.communicate()


def main() -> None:
    exec(sys.argv[1], {})  # noqa: S102 the code of whoever starts this program
    for line in sys.stdin:
        with TemporaryFile("w+") as said, TemporaryFile("w+") as complained:
            child = os.fork()
            if child == 0:
                _become(*json.loads(line), said.fileno(), complained.fileno())
                return
            _, ended = os.waitpid(child, 0)
            texts = [file.seek(0) or file.read() for file in (said, complained)]
        sys.stdout.write(f"{json.dumps([os.waitstatus_to_exitcode(ended), *texts])}\n")
        sys.stdout.flush()


def _become(
    argv: list[str], environment: dict[str, str], folder: str, seconds: int, *outputs: int
) -> None:
    """Run the script in this process, which ends with it."""
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), *outputs)):
        os.dup2(file, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    signal.alarm(seconds)
    if argv[0] == "-c":
        sys.argv = ["-c", *argv[2:]]
        exec(argv[1], {"__name__": "__main__"})  # noqa: S102
    else:
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
