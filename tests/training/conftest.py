"""Rows that other threads and processes can see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection


@pytest.fixture
def real_commits(transactional_db: None) -> Iterator[None]:
    """A database in which every commit is real; it is emptied afterwards.

    The trigger that keeps the audit trail from being emptied is off for that moment: Django
    closes this connection right after.
    """
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
