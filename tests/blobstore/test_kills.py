"""A killed writer loses nothing it reported, and shows nothing it had not finished."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from hub.blobstore import BlobStore

WRITER = """
import io, random, sys
from pathlib import Path
from hub.blobstore import BlobStore
root, seed = sys.argv[1:]
store, source = BlobStore(Path(root)), random.Random(int(seed))
while True:
    data = source.randbytes(source.randint(1, 3_000_000))
    print(store.put(io.BytesIO(data), limit_bytes=len(data)).sha256, flush=True)
"""

FILL = """
set -e
mount -t tmpfs -o size=64m none "$1"
exec "$2" -c '
import io, sys
from datetime import timedelta
from pathlib import Path
from hub.blobstore import BlobStore
from hub.errors import StorageFullError
store = BlobStore(Path(sys.argv[1]), reserve_bytes=int(sys.argv[2]))
kept = store.put(io.BytesIO(bytes(1000)), limit_bytes=1000)
def endless():
    while True:
        yield bytes(1 << 20)
try:
    store.put_chunks(endless(), limit_bytes=1 << 40)
except StorageFullError as refusal:
    print(refusal)
assert store.open(kept.sha256).read() == bytes(1000)
assert [*store.iter_blobs()] == [kept]
assert [*store.stray_files(timedelta(0))] == []
print(store.put(io.BytesIO(b"again"), limit_bytes=5).size_bytes)
' "$1" "$3"
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_writer_killed_at_a_random_moment_leaves_only_whole_blobs(tmp_path, seed):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "public"), str(seed)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with writer:
        reported = [writer.stdout.readline().strip()]
        time.sleep(random.Random(seed).random() / 5)
        os.kill(writer.pid, signal.SIGKILL)
        reported += [line.strip() for line in writer.stdout if line.endswith("\n")]

    store = BlobStore(tmp_path / "public")
    stored = {blob.sha256 for blob in store.iter_blobs()}
    assert stored >= set(reported)
    assert len(stored) <= len(reported) + 1
    for sha256 in stored:
        assert hashlib.sha256(store.open(sha256).read()).hexdigest() == sha256
    assert store.remove_stray_files(timedelta(days=1)) == 0
    assert store.remove_stray_files(timedelta(0)) <= 1
    assert list(store.stray_files(timedelta(0))) == []


@pytest.mark.drill
@pytest.mark.parametrize("reserve_bytes", [0, 2 << 30])
def test_a_full_disk_refuses_the_upload_and_works_on(tmp_path, reserve_bytes):
    if not shutil.which("unshare"):
        pytest.skip("util-linux's unshare is not installed")
    script = ["sh", "-c", FILL, "sh", str(tmp_path), sys.executable, str(reserve_bytes)]
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no user namespaces")
    result = subprocess.run([*namespace, *script], capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    refusal, again_bytes = result.stdout.splitlines()
    assert "disk is full" in refusal
    assert again_bytes == "5"
