"""The bubblewrap command line of one process."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from training.sandbox.programs import find_bwrap, find_helpers
from training.sandbox.values import MIB, Limits, ReadOnly

NOBODY = 65534
NICE = 10
OOM_SCORE = 800
SCRATCH_BYTES = 1024 * MIB
OUT = "/out"
USR_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
GPU_DEVICES = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm*", "nvidia-modeset")


def bwrap_command(
    argv: Sequence[str], *, inputs: Sequence[ReadOnly], out: Path, limits: Limits,
    env: dict[str, str], gpu: bool, filter_fd: int, status_fd: int,
) -> list[str]:  # fmt: skip
    """bwrap and all its arguments: a tree of its own in which only /out and /tmp can be written."""
    command = [str(find_bwrap()), *_namespaces(), "--clearenv", *_environment(env)]
    command += [*_system(gpu), *_folders([*(item.target for item in inputs), OUT])]
    for item in inputs:
        command += ["--ro-bind", str(item.source), item.target]
    command += ["--bind", str(out), OUT, "--chdir", "/tmp", "--remount-ro", "/"]  # noqa: S108
    command += ["--seccomp", str(filter_fd), "--json-status-fd", str(status_fd), "--"]
    return [*command, *_lowered(limits, gpu), *argv]


def _namespaces() -> list[str]:
    """Own namespaces of every kind. Root needs no user namespace and becomes nobody later."""
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
               "--unshare-cgroup-try", "--hostname", "run", "--die-with-parent",
               "--new-session", "--cap-drop", "ALL"]  # fmt: skip
    if os.geteuid() != 0:
        return [*options, "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):  # gone once setpriv has run
        options += ["--cap-add", capability]
    return options


def _environment(env: dict[str, str]) -> list[str]:
    return [word for name, value in env.items() for word in ("--setenv", name, value)]


def _system(gpu: bool) -> list[str]:
    """/usr, the linker's cache, and fresh /proc, /dev, /tmp and /dev/shm of a fixed size."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in USR_LINKS:
        link = Path("/", name)
        if link.is_symlink():
            options += ["--symlink", str(link.readlink()).lstrip("/"), f"/{name}"]
        elif link.is_dir():
            options += ["--ro-bind", f"/{name}", f"/{name}"]
    for path in ("/etc/ld.so.cache", "/etc/alternatives"):
        options += ["--ro-bind-try", path, path]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm"):  # noqa: S108
        options += ["--perms", "1777", "--size", str(SCRATCH_BYTES), "--tmpfs", path]
    if gpu:
        options += ["--ro-bind-try", "/sys", "/sys"]
        devices = [path for pattern in GPU_DEVICES for path in Path("/dev").glob(pattern)]
        for device in sorted(map(str, devices)):
            options += ["--dev-bind", device, device]
    return options


def _folders(targets: Iterable[str]) -> list[str]:
    """Parents of the mount points, which bwrap would make readable to their owner alone."""
    parents = {
        str(parent)
        for target in targets
        for parent in PurePosixPath(target).parents
        if str(parent) not in ("/", "/tmp", "/usr", "/dev", "/proc")  # noqa: S108
    }
    return [word for parent in sorted(parents) for word in ("--perms", "0755", "--dir", parent)]


def _lowered(limits: Limits, gpu: bool) -> list[str]:
    """What runs first inside: low priority, rlimits, and for root the change to nobody.

    The number of processes is limited in here because it is counted by user: in a new user
    namespace only what runs inside counts.
    """
    helpers = find_helpers()
    memory = [] if gpu else [f"--data={limits.memory_bytes + limits.memory_bytes // 4}"]
    words = [helpers["nice"], "-n", str(NICE), helpers["choom"], "-n", str(OOM_SCORE), "--"]
    words += [
        helpers["prlimit"], *memory, f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + 5}",
        f"--fsize={limits.out_bytes}", f"--nproc={limits.processes}", "--nofile=1024",
        "--core=0", "--",
    ]  # fmt: skip
    if os.geteuid() == 0:
        words += [
            helpers["setpriv"], f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--",
        ]  # fmt: skip
    return words
