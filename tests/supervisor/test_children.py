"""One child of the supervisor: whoever ends it, it is waited for once."""

import os
import signal
import time

import pytest

from hub.supervisor.children import Child, Process

PROCESSES = {
    "program": Process(name="sleeper", argv=("sleep", "60")),
    "fork": Process(name="sleeper", call=lambda: time.sleep(60)),
}


@pytest.mark.parametrize("kind", PROCESSES)
def test_a_child_that_ended_before_it_is_asked_to_stop_has_stopped(tmp_path, kind):
    """A signal to the whole group of processes ends children before the supervisor asks them."""
    child = Child(PROCESSES[kind], run_folder=tmp_path, log_folder=tmp_path)
    child.start()
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    child.ask_to_stop()
    child.say_last_word()
    assert child.has_stopped()
    assert child.pid is None and not child.record.exists()
    assert child.has_stopped()
