"""What a tree of processes and a folder use at the moment."""

import os
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
ENTRY_LIMIT = 20_000


@dataclass(frozen=True)
class Usage:
    """Resident memory and consumed processor time of a tree of processes."""

    memory_bytes: int
    cpu_seconds: float


def tree(root: int) -> list[int]:
    """`root` and its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def usage(root: int) -> Usage:
    """What `root` and its descendants use; those already gone count by their parents' books."""
    memory = cpu = 0
    for pid in tree(root):
        if stat := _stat(pid):
            memory += int(stat[21]) * PAGE_BYTES
            cpu += sum(int(ticks) for ticks in stat[11:15])
    return Usage(memory, cpu / TICKS)


def folder_bytes(folder: Path) -> int | None:
    """Disk space that `folder` takes; None when it holds too many entries to count."""
    total = entries = 0
    for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        entries += len(folders) + len(files)
        if entries > ENTRY_LIMIT:
            return None
        total += sum(_blocks(name, descriptor) for name in files)
    return total


def _blocks(name: str, folder: int) -> int:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:
        return 0


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on (proc(5) numbers them from 3)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
