"""Work of one thread made ready while another uses what came before."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

BATCH_BYTES = 1024**2


def ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, made on a thread of their own while the caller uses the ones before.

    For pieces whose making and using both let other threads run: decompressing, hashing, writing.
    Memory: two batches of 1 MiB and a piece each.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(_batch, pieces)
        while batch := coming.result():
            coming = pool.submit(_batch, pieces)
            yield from batch


def _batch(pieces: Iterator[bytes]) -> list[bytes]:
    batch, size_bytes = [], 0
    for piece in pieces:
        batch.append(piece)
        size_bytes += len(piece)
        if size_bytes >= BATCH_BYTES:
            break
    return batch
