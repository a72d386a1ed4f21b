"""`python -m demo [--once]`: start a hub, play the story, and keep serving."""

from __future__ import annotations

import argparse
import signal
import sys

from demo.console import Console, StepFailedError
from demo.server import Server
from demo.story import Story


def main() -> int:
    """Exit status 0 when every step held."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop the hub after the last step")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console()
    with Server() as server:
        try:
            with console.step("Start the hub: Postgres, Valkey, nginx, web, workers"):
                server.start(console)
            story = Story(server, console)
            story.play()
        except StepFailedError as failure:
            console.line(f"\n✗ This step did not hold: {failure}")
            return 1
        except KeyboardInterrupt:
            return 130
        summarize(console, server, story)
        if not options.once:
            console.line("\nServing until Ctrl-C.")
            server.wait()
    return 0


def summarize(console: Console, server: Server, story: Story) -> None:
    """Where to look, and who may sign in."""
    console.line(f"\nEvery step held, {console.total_seconds():.0f} s in all.")
    console.line(f"\n  model            {server.url}{story.url}")
    for recipe in story.pulls:
        console.line(f"  {recipe:<16} {server.url}{story.pull_path(recipe)}")
    console.line("\n  sign in with (made for this demo, shown here only):")
    for person in (story.owner, story.reviewer, story.contributor):
        console.line(f"  {person.name:<16} {person.password}")


if __name__ == "__main__":
    sys.exit(main())
