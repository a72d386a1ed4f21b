"""`python -m bench [GROUP …]`: measure, print a table, write bench.json.

Exit status 0 when everything that was measured could be measured; whether a bar is met is a
number for people and stays out of it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import gate, pages, runs, weights, wire
from bench.hub import BenchHub
from bench.rows import Absent, Row, table, write
from demo.console import Console
from tests.server import running_hub

Measure = Callable[[BenchHub], Iterator[Row | Absent]]
NOT_YET = "nothing is measured here yet"
GROUPS: dict[str, Measure | None] = {
    "wire": wire.measure,
    "pages": pages.measure,
    "reviews": None,
    "runs": runs.measure,
    "gate": gate.measure,
    "weights": weights.measure,
}
RESULT = Path("bench.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {' '.join(GROUPS)}")
    chosen = parser.parse_args().groups or list(GROUPS)
    if unknown := set(chosen) - set(GROUPS):
        parser.error(f"{unknown.pop()} is none of {' '.join(GROUPS)}")
    console = Console()
    found: list[Row | Absent] = []
    try:
        found.extend(_measured(chosen, console))
    finally:  # what a fault left behind took minutes to measure
        _report(found, console)
    return 0


def _report(found: list[Row | Absent], console: Console) -> None:
    rows = [row for row in found if isinstance(row, Row)]
    write(rows, RESULT)
    console.line(f"\n{table(rows)}\n")
    for absent in found:
        if isinstance(absent, Absent):
            console.line(f"absent: {absent.group} {absent.name}: {absent.reason}")
    console.line(f"{len(rows)} rows in {RESULT}")


def _measured(chosen: list[str], console: Console) -> Iterator[Row | Absent]:
    """Every row of the groups, from one hub that has nothing else to do."""
    measures = {name: GROUPS[name] for name in chosen}
    for name, measure in measures.items():
        if measure is None:
            yield Absent(name, "", NOT_YET)
    if not any(measures.values()):
        return
    with (
        tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as folder,
        running_hub(Path(folder) / "data") as server,
    ):
        hub = BenchHub(server, Path(folder), console)
        for name, measure in measures.items():
            if measure is not None:
                with console.step(name):
                    yield from _told(measure(hub), console)


def _told(found: Iterator[Row | Absent], console: Console) -> Iterator[Row | Absent]:
    for each in found:
        if isinstance(each, Row):
            console.say(f"{each.name}: {each.ours:.4g} {each.unit}")
        yield each


if __name__ == "__main__":
    raise SystemExit(main())
