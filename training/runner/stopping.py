"""Stopping on request: SIGTERM sets a flag that long loops look at between two steps."""

import signal
from types import FrameType

from training.runner.errors import StoppedError


class Stop:
    """True once the worker has asked this process to end."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self._ask)

    def check(self) -> None:
        """Raise StoppedError when the process was asked to end."""
        if self.asked:
            raise StoppedError

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        self.asked = True
