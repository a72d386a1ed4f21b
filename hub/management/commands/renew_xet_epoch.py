"""`manage.py renew_xet_epoch`: tells hf_xet not to rely on what it sent before.

After xorbs were lost (a restore of an older copy, a damaged disk), clients that remember having
sent them would fail for three weeks. A new epoch changes the address they remember it by.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from hub.blobstore.xet import XetStore
from hub.jobs.garbage import scopes, store_of


class Command(BaseCommand):
    help = "Give every Xet store a new epoch, so that clients send again what was lost."

    def handle(self, *args: Any, **options: Any) -> None:
        for scope in scopes():
            blobs = store_of(scope)
            self.stdout.write(f"{scope}: {XetStore(blobs.root, blobs).renew_epoch()}")
