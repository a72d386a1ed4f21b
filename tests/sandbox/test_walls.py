"""What a hostile program meets: each test is one attempt to get out, to reach in, or to see."""

import os
import socket
from pathlib import Path

import pytest

from training.sandbox import ReadOnly

SYSCALL = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall({number}, {arguments}), ctypes.get_errno())
"""
EPERM, EAFNOSUPPORT, ENOSYS = 1, 97, 38


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret_key"
    path.write_text("do not tell")
    return path


def test_it_runs_as_nobody_with_an_environment_of_its_own(inside, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    outcome = inside("import os; print(os.getuid(), sorted(os.environ))")
    assert outcome.exit.reason == "ok"
    assert outcome.printed[0].startswith("65534 ")
    assert "SECRET_KEY" not in outcome.printed[0]


def test_the_worker_s_environment_cannot_be_read(inside, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    code = """
import glob
for path in glob.glob("/proc/[0-9]*/environ"):
    try: print(open(path).read().replace(chr(0), " "))
    except OSError: pass
"""
    assert "do not tell" not in "".join(inside(code).lines)


def test_files_of_the_host_are_not_there(inside, secret):
    settings = Path(__file__).parents[2] / "hub" / "config" / "settings.py"
    assert settings.exists()
    paths = [str(secret), str(settings), "/etc/shadow", "/etc/passwd", "/home", "/var"]
    outcome = inside(f"import os; print([path for path in {paths} if os.path.exists(path)])")
    assert outcome.printed == ["[]"]


def test_only_out_and_scratch_can_be_written(inside, tmp_path):
    model = tmp_path / "model.txt"
    model.write_text("weights")
    code = """
import os
def tried(path):
    try: open(path, "a").write("x"); return path
    except OSError: return None
closed = ("/in/model", "/in/new", "/usr/x", "/app/x", "/x", "/proc/sys/kernel/hostname")
opened = ("/out/x", "/tmp/x", "/dev/shm/x")
print([path for path in closed if tried(path)], *map(tried, opened))
"""
    outcome = inside(code, inputs=[ReadOnly(model, "/in/model")])
    assert outcome.printed == ["[] /out/x /tmp/x /dev/shm/x"]
    assert model.read_text() == "weights"


def test_there_is_no_network(inside):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
import socket
for address in (("127.0.0.1", {port}), ("169.254.169.254", 80), ("1.1.1.1", 53)):
    try: socket.create_connection(address, timeout=2); print("reached", address)
    except OSError: pass
print("tried")
"""
        assert inside(code).printed == ["tried"]


def test_an_abstract_socket_of_the_host_cannot_be_reached(inside):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0weighbridge-test-socket")
        server.listen()
        code = """
import socket
try: socket.socket(socket.AF_UNIX).connect("\\0weighbridge-test-socket"); print("reached")
except OSError: print("refused")
"""
        assert inside(code).printed == ["refused"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86-64")
@pytest.mark.parametrize(
    ("number", "arguments", "error"),
    [
        pytest.param(272, "0x10000000", EPERM, id="unshare a user namespace"),
        pytest.param(56, "0x10000011, 0, 0, 0, 0", EPERM, id="clone a user namespace"),
        pytest.param(435, "0, 0", ENOSYS, id="clone3"),
        pytest.param(165, "b'a', b'/tmp', b'tmpfs', 0, 0", EPERM, id="mount"),
        pytest.param(101, "0, 0, 0, 0", EPERM, id="ptrace"),
        pytest.param(321, "0, 0, 0", EPERM, id="bpf"),
        pytest.param(425, "8, 0", EPERM, id="io_uring"),
        pytest.param(250, "0, 0, 0", EPERM, id="keyctl"),
        pytest.param(298, "0, 0, 0, 0, 0", EPERM, id="perf_event_open"),
        pytest.param(323, "0", EPERM, id="userfaultfd"),
        pytest.param(105, "0", EPERM, id="setuid 0"),
        pytest.param(41, "40, 1, 0", EAFNOSUPPORT, id="vsock"),
        pytest.param(41, "16, 3, 0", EAFNOSUPPORT, id="netlink"),
    ],
)
def test_a_dangerous_system_call_is_refused(inside, number, arguments, error):
    outcome = inside(SYSCALL.format(number=number, arguments=arguments))
    assert outcome.printed == [f"-1 {error}"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 exists on x86-64 alone")
def test_a_call_by_another_numbering_ends_the_program(inside):
    outcome = inside(SYSCALL.format(number="0x40000000 + 39", arguments="0"))
    assert outcome.exit.reason == "error"
    assert outcome.printed == []


def test_no_process_of_the_host_can_be_seen_or_signalled(inside):
    code = """
import os
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit())[-1] < 50)
"""
    assert inside(code).printed == ["True"]


def test_it_holds_no_rights_and_can_gain_none(inside):
    code = """
wanted = ("CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:")
for line in open("/proc/self/status"):
    if line.startswith(wanted): print(*line.split())
"""
    facts = dict(line.split() for line in inside(code).printed)
    assert {facts[name] for name in ("CapPrm:", "CapEff:", "CapAmb:")} == {"0" * 16}
    assert facts["NoNewPrivs:"] == "1" and facts["Seccomp:"] == "2"


def test_no_open_file_of_the_worker_is_inherited(inside):
    code = """
import os
print(sorted(os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in (0, 1, 2)),
      [n for n in range(3, 200) if os.path.exists(f"/proc/self/fd/{n}")])
"""
    assert inside(code).printed == ["['/dev/null', 'pipe', 'pipe'] []"]
