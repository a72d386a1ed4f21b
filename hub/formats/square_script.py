"""A picture on stdin becomes a small square WebP on stdout, in a process of its own.

Run as a script, isolated and without the hub's environment: decoders are large, and what somebody
sends may make one fall, loop or take memory without end. Arguments: the side in pixels.
"""

import io
import resource
import sys

MEMORY_BYTES = 768 * 1024 * 1024
CPU_SECONDS = 10
FORMATS = ("PNG", "JPEG", "WEBP")


def main() -> None:
    """Raises whatever the decoder raises: the caller asks for the exit status only."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from PIL import Image, ImageOps

    side = int(sys.argv[1])
    with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=FORMATS) as picture:
        picture.draft("RGB", (2 * side, 2 * side))  # a JPEG is decoded no larger than needed
        picture.load()
        see_through = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
        plain = picture.convert("RGBA" if see_through else "RGB")
        width, height = plain.size
        edge = min(width, height)
        left, top = (width - edge) / 2, (height - edge) / 2
        box = (left, top, left + edge, top + edge)
        square = plain.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
        square.info = {"exif": picture.info["exif"]} if "exif" in picture.info else {}
        square = ImageOps.exif_transpose(square)
        square.info = {}  # neither places nor cameras nor comments
        out = io.BytesIO()
        square.save(out, "WEBP", quality=86, method=4)
    sys.stdout.buffer.write(out.getvalue())


if __name__ == "__main__":
    main()
