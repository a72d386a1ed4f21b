"""What a sandbox takes and gives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MIB = 1 << 20
Reason = Literal["ok", "error", "wall_time", "cpu_time", "memory", "disk", "stopped", "killed"]


@dataclass(frozen=True)
class ReadOnly:
    """A file or folder of the host, shown inside at the absolute path `target`."""

    source: Path
    target: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on one process and all it starts; `threads` is what its libraries are told to use."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int
    out_bytes: int
    log_bytes: int = 10 * MIB
    events_bytes: int = 512 * MIB
    processes: int = 256
    threads: int = 1


@dataclass(frozen=True)
class Exit:
    """How it ended. `code` is the exit status, or minus the signal; reason says what stopped it:

    ok, error (by itself), wall_time, cpu_time, memory or disk (a limit), stopped (on request),
    killed (by a signal from elsewhere).
    """

    code: int
    reason: Reason
    peak_memory_bytes: int
    cpu_seconds: float
