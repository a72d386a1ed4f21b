"""Pictures that people send become small squares, whatever was sent."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, ImageDraw

from hub.formats.square_picture import SIDE, square_picture

RED, BLUE = (220, 30, 30), (30, 30, 220)


def picture(width: int = 300, height: int = 200, mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right, a white stripe at the top."""
    made = Image.new("RGB", (width, height), RED)
    draw = ImageDraw.Draw(made)
    draw.rectangle((width // 2, 0, width, height), fill=BLUE)
    draw.rectangle((0, 0, width, height // 4), fill="white")
    return made.convert(mode)


def encoded(made: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    made.save(out, kind, **options)
    return out.getvalue()


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    found = Image.open(io.BytesIO(data))
    assert (found.format, found.size) == ("WEBP", (SIDE, SIDE))
    assert not found.info.get("exif") and not found.info.get("icc_profile")
    return found


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
        *(("JPEG", mode) for mode in ("RGB", "L", "CMYK")),
        *(("WEBP", mode) for mode in ("RGB", "RGBA")),
    ],
)
def test_each_kind_becomes_a_square(kind, mode):
    made = picture().convert("I").convert("I;16") if mode == "I;16" else picture(mode=mode)
    opened(square_picture(encoded(made, kind)))


def test_the_middle_stays_and_what_a_camera_noted_goes():
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    exif[0x010F] = "A camera"
    data = encoded(picture(), "JPEG", exif=exif, quality=95, comment="secret place")
    found = opened(square_picture(data))
    top, bottom = found.getpixel((64, 5)), found.getpixel((64, 122))
    assert sum(bottom) > 700 > sum(top)
    assert found.getpixel((20, 40))[2] > 150 > found.getpixel((20, 40))[0]
    assert b"secret" not in square_picture(data)


def test_clear_parts_stay_clear_and_an_animation_is_its_first_picture():
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert opened(square_picture(encoded(clear, "PNG"))).convert("RGBA").getpixel((9, 9))[3] == 0
    frames = [Image.new("RGB", (50, 50), colour) for colour in (RED, BLUE)]
    moving = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    still = opened(square_picture(moving))
    assert getattr(still, "n_frames", 1) == 1 and still.getpixel((64, 64))[0] > 150


def png(width: int, height: int, *, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


HOSTILE = {
    "empty": b"",
    "text": b"<script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "gif": encoded(picture(), "GIF"),
    "tiff": encoded(picture(), "TIFF"),
    "cut": encoded(picture(), "PNG")[:200],
    "cut jpeg": encoded(picture(), "JPEG")[:300],
    "cut webp": encoded(picture(), "WEBP")[:60],
    "no pixels": png(0, 0),
    "bomb": png(30_000, 30_000, rows=zlib.compress(bytes(10_000_000))),
    "long": png(40_000_000, 1, rows=zlib.compress(bytes(1000))),
    "empty rows": png(2000, 2000),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "png head, other body": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(64),
    "jpeg head, other body": b"\xff\xd8\xff\xc0\0\x11\x08\0\x40\0\x40" + bytes(64),
    "webp head, other body": b"RIFF\x40\0\0\0WEBPVP8 " + bytes(64),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_whole_picture_is_none(name):
    assert square_picture(HOSTILE[name]) is None


def test_the_largest_that_is_taken_needs_no_more_than_its_process_may_have():
    data = encoded(Image.new("RGBA", (8000, 5000)), "PNG")
    opened(square_picture(data))
