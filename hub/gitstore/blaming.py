"""Who wrote each line of a file, from `git blame`: a child of its own, which can be ended.

Git follows a file that was renamed; lines that a commit moved out of another file keep their author
too, where looking for them ends in time.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pygit2

from hub.errors import TooLargeError
from hub.gitstore.derived import Derived
from hub.gitstore.moments import moment_of
from hub.gitstore.process import GitFailedError, run_git
from hub.gitstore.reading import find_entry

OUTPUT_LIMIT_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class BlamedLines:
    """`lines` lines from line `start` on, all of one commit, in which they stood in the file
    `path`; `before` is the commit and path to ask for what stood there earlier, "" where nothing
    did. A path is "" where git writes it with escapes."""

    oid: str
    start: int
    lines: int
    subject: str
    author: str
    at: int
    path: str = ""
    before: str = ""
    before_path: str = ""

    @property
    def committed_at(self) -> datetime:
        return moment_of(self.at)


def blame(
    repository: pygit2.Repository, oid: str, path: str, *, seconds: float
) -> list[BlamedLines]:
    """Worked out once a commit and path. Raises: TooLargeError, EntryNotFoundError."""
    path = find_entry(repository, oid, path).path
    derived, key = Derived(Path(repository.path)), _key(oid, path)
    if (kept := derived.get(key)) is not None:
        return [BlamedLines(**each) for each in kept]
    git_dir = Path(repository.path)
    try:
        try:
            output = _told(git_dir, oid, path, seconds / 2, ("-M", "-C"))
        except GitFailedError:
            output = _told(git_dir, oid, path, seconds / 2)
    except GitFailedError as error:
        raise TooLargeError("The history of this file is too long to be told in time.") from error
    found = list(_parsed(output))
    derived.put(key, [asdict(each) for each in found])
    return found


def _told(git_dir: Path, oid: str, path: str, seconds: float, ways: tuple[str, ...] = ()) -> bytes:
    arguments = [*ways, "--porcelain", "--encoding=UTF-8", oid, "--", path]
    done = run_git(
        git_dir,
        "-c",
        "core.quotePath=false",
        "blame",
        *arguments,
        total_seconds=seconds,
        output_bytes=OUTPUT_LIMIT_BYTES,
    )
    return done.stdout


def _key(oid: str, path: str) -> str:
    return f"blame2-{sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}-{oid}"


def _parsed(output: bytes) -> Iterator[BlamedLines]:
    """The runs of lines that git tells of, in their order."""
    facts: dict[str, dict[str, str]] = {}
    run: tuple[str, int, int] | None = None
    for line in output.split(b"\n"):
        if line.startswith(b"\t") or not line:
            continue
        word, _, rest = line.decode("utf-8", "replace").partition(" ")
        if len(word) == 40 and rest[:1].isdigit():
            numbers = rest.split()
            if len(numbers) == 3:
                if run:
                    yield _described(run, facts[run[0]])
                run = (word, int(numbers[1]), int(numbers[2]))
            facts.setdefault(word, {})
        elif run:
            # A commit's facts are told once, its paths again where lines come from several files.
            facts[run[0]][word] = rest
    if run:
        yield _described(run, facts[run[0]])


def _described(run: tuple[str, int, int], known: dict[str, str]) -> BlamedLines:
    oid, start, lines = run
    before, _, before_path = known.get("previous", "").partition(" ")
    return BlamedLines(
        oid=oid,
        start=start,
        lines=lines,
        subject=known.get("summary", "")[:300],
        author=known.get("author", "")[:200],
        at=int(known.get("committer-time", "0")),
        path=_plain(known.get("filename", "")),
        before=before,
        before_path=_plain(before_path),
    )


def _plain(path: str) -> str:
    return "" if path.startswith('"') else path
