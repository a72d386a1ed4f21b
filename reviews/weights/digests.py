"""A tensor's digest: equal for equal dtype, shape and content, wherever it lies."""

from __future__ import annotations

import numpy as np
from blake3 import blake3

from reviews.weights.tensors import StoredTensor, Tensor

VERSION = "v1"
_CHUNK_BYTES = 1024 * 1024


def tensor_digest(tensor: Tensor) -> str:
    """The text "v1:" and the BLAKE3 of dtype, shape and content, read in chunks.

    The content is the stored codes in the tensor's own order, or the bytes of blocks where no
    codes stand one by one. A tensor worked out from others gives "made-v1:" and the digest of
    what it is made of.
    """
    hasher = blake3(f"{tensor.dtype}\n{tensor.shape}\n".encode())
    if tensor.span is not None and (not tensor.has_codes or isinstance(tensor, StoredTensor)):
        hasher.update(tensor.recipe.encode())  # bytes of blocks that are read in another order
        buffer = memoryview(bytearray(min(_CHUNK_BYTES, tensor.span.size)))
        for start in range(0, tensor.span.size, _CHUNK_BYTES):
            chunk = buffer[: tensor.span.size - start]
            tensor.span.read_into(chunk, start)
            hasher.update(chunk)
        return f"{VERSION}:{hasher.hexdigest()}"
    if tensor.has_codes:
        for start, stop in tensor.pieces():
            hasher.update(tensor.codes(start, stop).view(np.uint8).data)
        return f"{VERSION}:{hasher.hexdigest()}"
    hasher.update("\n".join([tensor.recipe, *map(tensor_digest, tensor.made_of)]).encode())
    return f"made-{VERSION}:{hasher.hexdigest()}"
