"""A person at a computer of their own, with one unmodified client of the hub."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi

from tests.gitstore.conftest import Client as Git
from tests.golden.browser import Browser
from tests.golden.clients import HubClient
from tests.server import HubServer

CALLS = Path(__file__).with_name("calls.py")
_numbers = itertools.count(1)


class CallError(AssertionError):
    """A call raised in the client: the names of the exception's classes, then its text."""


@dataclass
class Person:
    server: HubServer
    client: HubClient
    name: str
    token: str
    home: Path
    endpoint: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.endpoint = self.endpoint or self.server.url
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """The address and the token; nothing of the machine that runs the tests but its PATH."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.home / "hf"),
            "HOME": str(self.home),
            "PATH": f"{self.client.hf.parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",  # the one call that goes elsewhere
            **self.client.settings,
            **self.more,
        }

    def hf(self, *arguments: object, ok: bool = True, **environment: str) -> str:
        """What `hf …` prints, run in this person's home folder."""
        done = self._script(self.client.hf, *arguments, **environment)
        said = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, said[-3000:]
        return said

    def call(self, name: str, *arguments: Any, home: Path | None = None, **environment: str) -> Any:
        """What the call `name` of calls.py brings, under this person's client.

        Raises: CallError when the client raised.
        """
        if home is not None:
            environment["HF_HOME"] = str(home)
        done = self._script(CALLS, name, json.dumps(arguments), **environment)
        assert done.returncode == 0, done.stderr[-3000:]
        answer = json.loads(done.stdout.splitlines()[-1])
        if "raised" in answer:
            raise CallError(f"{' '.join(answer['raised'])}: {answer['text']}")
        return answer["value"]

    def python(self, script: str, *arguments: object, **environment: str) -> str:
        """The last line of what a script of libraries prints that stand on the client."""
        everything, warm = self.environment | environment, self.client.warm_torch
        argv = ("-c", script, *arguments)
        done = warm.run(*argv, environment=everything, folder=self.home, seconds=240)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip().rpartition("\n")[2]

    def _script(self, *argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the client's in this person's home folder."""
        everything = self.environment | environment
        return self.client.warm.run(*argv, environment=everything, folder=self.home, seconds=240)

    def run(self, command: list[Any], **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command there."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.home,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
        )

    def start(self, command: list[Any], **environment: str) -> subprocess.Popen[str]:
        """The same, still running."""
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=self.home,
            env=self.environment | {"PYTHONUNBUFFERED": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    @cached_property
    def api(self) -> HfApi:
        """For preparing and looking afterwards; what is under test goes through `hf` and `call`."""
        return HfApi(endpoint=self.server.url, token=self.token)

    def new_name(self, base: str) -> str:
        """An id of this person's that nobody has used."""
        return f"{self.name}/{base}-{next(_numbers)}"

    def repo(self, base: str, files: dict[str, bytes] | None = None, **options: Any) -> str:
        """A new repository with these small files."""
        repo_id = self.new_name(base)
        self.api.create_repo(repo_id, **options)
        if files:
            adds = [CommitOperationAdd(path, content) for path, content in files.items()]
            kind = options.get("repo_type")
            self.api.create_commit(repo_id, adds, commit_message="Add files", repo_type=kind)
        return repo_id

    def file(self, name: str, content: bytes) -> Path:
        """A file on this person's computer."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def browser(self) -> Browser:
        return Browser(self.server.url, self.name)

    def git(self) -> Git:
        """git with git-lfs set up, and this person's token in the address it clones from."""
        self.home.joinpath("git").mkdir(exist_ok=True)
        git = Git(self.home / "git", self.server.url.replace("://", f"://user:{self.token}@"))
        git("lfs", "install", "--skip-repo")
        return git
