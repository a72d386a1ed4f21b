"""Checkpoints that exist whole or not at all."""

import os
import re
import shutil
from pathlib import Path

NAME = re.compile(r"checkpoint-(\d{1,9})")
KEPT = 2


class Checkpoints:
    """The folder of a run's checkpoints: `checkpoint-STEP`, written elsewhere and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writing = folder / ".writing"
        shutil.rmtree(self.writing, ignore_errors=True)
        self.writing.mkdir(parents=True)

    def newest(self) -> Path | None:
        """The whole checkpoint of the highest step."""
        found = self._whole()
        return found[-1] if found else None

    def publish(self, step: int) -> Path:
        """Make what lies under `writing` a checkpoint, durably; older ones beyond two go."""
        source, target = self.writing / f"checkpoint-{step}", self.folder / f"checkpoint-{step}"
        for path in source.iterdir():
            path.chmod(0o644)
            _sync(path)
        _sync(source)
        shutil.rmtree(target, ignore_errors=True)
        source.rename(target)
        _sync(self.folder)
        for old in self._whole()[:-KEPT]:
            shutil.rmtree(old)
        return target

    def close(self) -> None:
        """Remove the folder for unfinished ones."""
        shutil.rmtree(self.writing, ignore_errors=True)

    def _whole(self) -> list[Path]:
        steps = {
            int(match[1]): path
            for path in self.folder.iterdir()
            if (match := NAME.fullmatch(path.name)) and path.is_dir()
        }
        return [steps[step] for step in sorted(steps)]


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
