"""Event files: values as they were written, damage as it is, and nothing that a fuzzer breaks."""

from __future__ import annotations

import io
import random
import struct

import pytest

from hub.formats.crc32c import crc32c, masked_crc
from hub.formats.tfevents import EventsError, read_scalars, smoothed, thin
from tests.formats.event_files import VERSION, event_file, frame, scalar, tensor, varint


def read(content: bytes):
    return read_scalars(io.BytesIO(content))


def test_the_checksum_is_that_of_the_standard():
    """RFC 3720, B.4; and the first twelve bytes of every file that TensorFlow writes."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"123456789") == 0xE3069283
    assert struct.pack("<I", masked_crc(struct.pack("<Q", 24))) == b"\xa3\x7fK\x22"


def test_numbers_come_as_both_writers_tell_them():
    found = read(VERSION + scalar(3, "loss", 0.5) + tensor(4, "loss", 0.25) + scalar(-1, "é", 2))
    assert found.points == {"loss": [(3, 0.5), (4, 0.25)], "é": [(-1, 2.0)]}
    assert (found.events, found.end) == (4, "whole")


def test_what_is_not_finite_is_counted_and_what_is_large_is_passed():
    large = frame(b"\x2a" + varint(40_000) + bytes(40_000))
    found = read(VERSION + scalar(0, "loss", float("nan")) + large + scalar(1, "loss", 1))
    assert found.points == {"loss": [(1, 1.0)]} and found.not_finite == 1 and found.events == 4


def test_a_file_tells_what_comes_before_its_end_or_its_damage():
    whole = event_file({"loss": [3, 2, 1]})
    cut = read(whole[:-5])
    assert (cut.end, cut.points["loss"]) == ("cut", [(0, 3.0), (1, 2.0)])
    wrong = bytearray(whole)
    wrong[-6] ^= 1
    damaged = read(bytes(wrong))
    assert (damaged.end, damaged.points["loss"]) == ("damaged", [(0, 3.0), (1, 2.0)])
    with pytest.raises(EventsError):
        read(b"not an event file at all")


def test_thinning_keeps_the_extremes_and_the_last_of_a_step():
    points = [(step, float(step % 7)) for step in range(1000)] + [(500, 99.0), (501, -99.0)]
    thinned = thin(points, 50)
    assert len(thinned) <= 50 and (500, 99.0) in thinned and (501, -99.0) in thinned
    assert thinned == sorted(thinned)


def test_smoothing_begins_at_the_first_value():
    assert smoothed([(0, 4.0), (1, 4.0)], 0.9) == [(0, pytest.approx(4)), (1, pytest.approx(4))]


def test_no_mutation_breaks_the_reader():
    """With sums that fit, so that what is inside is read too."""
    chance = random.Random(7)
    body = scalar(3, "train/loss", 0.5)[12:-4]
    other = tensor(3, "train/loss", 0.5)[12:-4]
    for number in range(3000):
        inside = bytearray(chance.choice((body, other)))
        for _ in range(chance.randint(1, 6)):
            inside[chance.randrange(len(inside))] = chance.randrange(256)
        content = VERSION + frame(bytes(inside[: chance.randint(0, len(inside))]))
        if number % 3 == 0:
            content = content[: chance.randint(0, len(content))]
        try:
            told = read(content).to_json()
        except EventsError:
            continue
        assert told["end"] in {"whole", "cut", "damaged"}
