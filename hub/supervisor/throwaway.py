"""Real servers for tests: quick, reached through a private socket, and gone at the block's end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.supervisor.folder import DataFolder
from hub.supervisor.group import running
from hub.supervisor.postgres import Postgres
from hub.supervisor.valkey import Valkey


@contextmanager
def throwaway_cluster(path: Path) -> Iterator[str]:
    """The DATABASE_URL of a Postgres in the folder `path` that forgoes every sync to disk."""
    data = _prepared(path)
    postgres = Postgres(data.postgres, data.sockets, durable=False)
    postgres.prepare()
    with running(data, [postgres.process()]):
        postgres.create_database()
        yield postgres.url()


@contextmanager
def throwaway_valkey(path: Path) -> Iterator[Valkey]:
    """A Valkey in the folder `path` that writes no file; see its `broker_url` and `cache_url`."""
    data = _prepared(path)
    valkey = Valkey(data.valkey, data.sockets, durable=False)
    with running(data, [valkey.process()]):
        yield valkey


def _prepared(path: Path) -> DataFolder:
    data = DataFolder(path)
    data.prepare()
    return data
