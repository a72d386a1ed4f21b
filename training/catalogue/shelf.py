"""The shelf: every shipped data set with its benchmarks, counted and named by digest."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO

from hub.formats.bounded_yaml import load_yaml
from hub.formats.card import parse_card
from training.specs.assembly import assemble
from training.specs.benchmark import BenchmarkDefinition, benchmark_digest, parse_benchmark
from training.specs.suite import Suite, is_suite, parse_suite

CARD = "README.md"
# Beside the folders: what is said in Chinese of each data set and of each of its files.
CHINESE = "chinese.yaml"
# The namespace that a shipped suite would find its members in, where it is only shown.
NAMESPACE = "catalogue"


@dataclass(frozen=True, slots=True)
class ShippedBenchmark:
    """A benchmark file of a shipped data set. `cluster_count` is None where items stand alone."""

    path: str
    summary_zh: str
    definition: BenchmarkDefinition
    item_count: int
    cluster_count: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class ShippedSuite:
    """A suite file of a shipped data set."""

    path: str
    summary_zh: str
    suite: Suite


@dataclass(frozen=True, slots=True)
class ShippedDataset:
    """A folder that becomes a data set repository. `about` is what its card begins with."""

    name: str
    title: str
    about: str
    about_zh: str
    licence: str
    size_bytes: int
    folder: Path
    paths: tuple[str, ...]
    benchmarks: tuple[ShippedBenchmark, ...]
    suites: tuple[ShippedSuite, ...]

    def files(self) -> dict[str, bytes]:
        """What the repository will hold, by path."""
        return {path: (self.folder / path).read_bytes() for path in self.paths}


@cache
def shelf(root: Path) -> tuple[ShippedDataset, ...]:
    """The data sets in the folders of `root`, by title; none where there is no such folder.

    They come with the hub and change with it, so that they are read once a process.
    """
    if not root.is_dir():
        return ()
    path = root / CHINESE
    chinese = load_yaml(path.read_bytes()) if path.is_file() else {}
    found = [
        _dataset(folder, chinese.get(folder.name, {}))
        for folder in root.iterdir()
        if (folder / CARD).is_file()
    ]
    return tuple(sorted(found, key=lambda dataset: dataset.title.lower()))


def _dataset(folder: Path, chinese: Mapping[str, str]) -> ShippedDataset:
    card = parse_card((folder / CARD).read_bytes(), "dataset")
    paths = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    specs = [path for path in paths if path.endswith(".yaml")]
    contents = {path: (folder / path).read_bytes() for path in specs}
    suites = [path for path in specs if is_suite(contents[path])]
    return ShippedDataset(
        name=folder.name,
        title=str(card.data.get("pretty_name") or folder.name),
        about=_about(card.body),
        about_zh=chinese.get("about", ""),
        licence=str(card.data.get("license") or ""),
        size_bytes=sum((folder / path).stat().st_size for path in paths),
        folder=folder,
        paths=tuple(paths),
        benchmarks=tuple(
            _benchmark(folder, path, contents[path], chinese.get(path, ""))
            for path in specs
            if path not in suites
        ),
        suites=tuple(
            ShippedSuite(
                path,
                chinese.get(path, ""),
                parse_suite(contents[path], repo_id=f"{NAMESPACE}/{folder.name}"),
            )
            for path in suites
        ),
    )


def _about(body: str) -> str:
    """The first paragraph of a card, its heading aside."""
    paragraphs = (" ".join(part.replace("`", "").split()) for part in body.split("\n\n"))
    return next((part for part in paragraphs if part and not part.startswith("#")), "")


def _benchmark(folder: Path, path: str, content: bytes, summary_zh: str) -> ShippedBenchmark:
    definition = parse_benchmark(content, place=f"{folder.name}/{path}")
    opened = partial(_open, folder)
    items = assemble(definition, open_rows=opened, open_words=opened).items
    clusters = {item.cluster for item in items} - {None}
    shots = definition.fewshot.file if definition.fewshot else None
    return ShippedBenchmark(
        path=path,
        summary_zh=summary_zh,
        definition=definition,
        item_count=len(items),
        cluster_count=len(clusters) or None,
        digest=benchmark_digest(
            definition,
            items_sha256=_sha256(folder / definition.file),
            shots_sha256=_sha256(folder / shots) if shots else None,
            words_sha256=_sha256(folder / definition.words) if definition.words else None,
        ),
    )


def _open(folder: Path, path: str) -> IO[bytes]:
    return (folder / path).open("rb")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
