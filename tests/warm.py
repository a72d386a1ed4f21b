"""An interpreter that has imported already what many scripts import, and forks for each of them.

As a program with two texts of code as its arguments, this executes the first, then reads lines of
JSON, each a script's `[argv, environment, folder, seconds]`, and answers each by `[status, stdout,
stderr]`. The second text is executed once under each environment, by a fork that scripts with that
environment are forked from in turn. Stands alone: the older client's environment holds the client
and nothing else.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

# So many environments are kept: people take turns.
KEPT = 4


class WarmInterpreter:
    """Runs Python scripts as `subprocess.run` does, without the time that their imports take."""

    def __init__(
        self, interpreter: str | Path, code: str, *, under_each: str = "", **options: Any
    ) -> None:
        """`code` imports what its scripts will, `under_each` what reads the environment meanwhile.

        `options` are those of Popen.
        """
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        # Without -P this folder would be on the path, and packages in it named like modules.
        command = [interpreter, "-P", __file__, code, under_each]
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
    code = sys.argv[2]
    stations: dict[str, _Station] = {}
    for line in sys.stdin:
        environment = json.loads(line)[1]
        key = json.dumps(environment, sort_keys=True)
        station = stations.pop(key, None) or _Station(environment, code, stations.values())
        stations[key] = station  # the last used is the last
        if len(stations) > KEPT:
            stations.pop(next(iter(stations))).end()
        sys.stdout.write(station.answer(line))
        sys.stdout.flush()


class _Station:
    """A fork under one environment, which forks for each script."""

    def __init__(self, environment: dict[str, str], code: str, others: Iterable[_Station]) -> None:
        (request, to_station), (from_station, answer) = os.pipe(), os.pipe()
        self._requests = os.fdopen(to_station, "w")
        self._answers = os.fdopen(from_station)
        self._process = os.fork()
        if self._process == 0:
            # Whoever holds an end of a pipe keeps its reader waiting.
            for station in (self, *others):
                station._close()
            os.environ.clear()
            os.environ.update(environment)
            exec(code, {})  # noqa: S102
            _serve(os.fdopen(request), os.fdopen(answer, "w"))
            sys.exit()
        os.close(request)
        os.close(answer)

    def answer(self, line: str) -> str:
        self._requests.write(line)
        self._requests.flush()
        return self._answers.readline()

    def end(self) -> None:
        self._close()
        os.waitpid(self._process, 0)

    def _close(self) -> None:
        self._requests.close()
        self._answers.close()


def _serve(requests: TextIO, answers: TextIO) -> None:
    """Fork for each request; this returns once nobody can ask any more."""
    for line in requests:
        with TemporaryFile("w+") as said, TemporaryFile("w+") as complained:
            child = os.fork()
            if child == 0:
                _become(*json.loads(line), said.fileno(), complained.fileno())
                sys.exit()
            _, ended = os.waitpid(child, 0)
            texts = [file.seek(0) or file.read() for file in (said, complained)]
        answers.write(f"{json.dumps([os.waitstatus_to_exitcode(ended), *texts])}\n")
        answers.flush()


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
