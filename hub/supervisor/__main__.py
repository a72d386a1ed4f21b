"""python -m hub.supervisor up | down | status | upgrade-database"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from hub.supervisor.errors import SupervisorError
from hub.supervisor.services import DEFAULT_DATA_DIR, Services
from hub.supervisor.supervise import supervise
from hub.supervisor.upgrade import upgrade_database

STOP_PATIENCE_SECONDS = 90.0
NOT_RUNNING = 3  # the status that init scripts use


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    os.environ["DATA_DIR"] = options.data_dir
    try:
        return int(options.run(options) or 0)
    except SupervisorError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub.supervisor")
    commands = parser.add_subparsers(required=True)
    for name, run, text in (
        ("up", _up, "start the hub and stay in the foreground"),
        ("down", _down, "stop the hub that runs on the data folder"),
        ("status", _status, "say what runs; exit status 3 when nothing does"),
        ("upgrade-database", _upgrade, "bring data of an older PostgreSQL to this one's format"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--data-dir", default=os.environ.get("DATA_DIR") or DEFAULT_DATA_DIR)
        command.set_defaults(run=run)
        if run is _upgrade:
            command.add_argument("--old-programs", type=Path, help="folder of the old pg_ctl")
    return parser


def _up(options: argparse.Namespace) -> None:
    supervise(Services.of_environment())


def _down(options: argparse.Namespace) -> None:
    data = Services.of_environment().data
    holder = data.holder()
    if holder is None:
        sys.stdout.write(f"No hub runs on {data.path}.\n")
        return
    os.kill(holder[0], signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE_SECONDS
    while data.holder() is not None:
        if time.monotonic() > deadline:
            raise SupervisorError(
                f"Process {holder[0]} did not stop within {STOP_PATIENCE_SECONDS:.0f} s. "
                f"`kill -9 {holder[0]}` ends it; nothing that was acknowledged is lost."
            )
        time.sleep(0.05)
    sys.stdout.write(f"Stopped process {holder[0]} ({holder[1]}).\n")


def _status(options: argparse.Namespace) -> int:
    data = Services.of_environment().data
    holder = data.holder()
    if holder is None:
        sys.stdout.write(f"No hub runs on {data.path}.\n")
        return NOT_RUNNING
    sys.stdout.write(f"Process {holder[0]} ({holder[1]}) runs on {data.path}.\n")
    status = data.run / "status.json"
    for row in json.loads(status.read_text()) if status.exists() else []:
        state = f"process {row['pid']}" if row["pid"] else "being started again"
        sys.stdout.write(f"  {row['name']:<12} {state}, started {row['starts']} times\n")
    return 0


def _upgrade(options: argparse.Namespace) -> None:
    upgrade_database(Services.of_environment(), options.old_programs)


if __name__ == "__main__":
    sys.exit(main())
