"""pygit2 set up for a server: durable writes, no settings from this machine's users."""

from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel, Option

CACHE_BYTES = 16 * 1024**2

# Objects and folders are synced before a ref can name them (threat G8). libgit2 has no
# `core.fsync`; this switch is its equivalent, for the whole process.
pygit2.option(Option.ENABLE_FSYNC_GITDIR, 1)
pygit2.settings.owner_validation = False
# Of each process, for good; the default is 256 MB.
pygit2.settings.cache_max_size(CACHE_BYTES)
for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
    pygit2.settings.search_path[level] = ""


def open_repository(path: Path) -> pygit2.Repository:
    return pygit2.Repository(str(path), pygit2.enums.RepositoryOpenFlag.BARE)
