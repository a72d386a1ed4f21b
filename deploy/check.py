"""make check: every check, each shown with its time; fails at the end if one failed."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
MANAGE = [sys.executable, "manage.py"]
CHECKS = {
    "format": [BIN / "ruff", "format", "--check", "."],
    "lint": [BIN / "ruff", "check", "."],
    "types": [BIN / "mypy"],
    "import contracts": [BIN / "lint-imports"],
    "migrations": [*MANAGE, "makemigrations", "--check", "--dry-run"],
    "translations": [*MANAGE, "check_translations"],
}


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATA_DIR": folder, "SECRET_KEY": secrets.token_urlsafe()}
        # Settings want a database's name; the checks open none.
        environment.setdefault("DATABASE_URL", "postgresql:///unused")
        # makemigrations warns that it could not compare with a database's history.
        environment["PYTHONWARNINGS"] = "ignore:Got an error checking a consistent:RuntimeWarning"
        for name, argv in CHECKS.items():
            began = time.monotonic()
            passed = subprocess.run(argv, env=environment, check=False).returncode == 0
            outcome = "ok" if passed else "FAILED"
            sys.stdout.write(f"{name:<18} {outcome:<7} {time.monotonic() - began:5.1f} s\n")
            sys.stdout.flush()
            failed += [] if passed else [name]
    if failed:
        sys.stdout.write(f"make check failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
