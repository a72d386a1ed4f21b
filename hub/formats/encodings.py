"""Text that is not UTF-8: what it says, and in which encoding, where that can be told."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

from charset_normalizer import from_bytes

# As people call what is looked for, by Python's names. What is not here is a binary file.
NAMES = {
    "gb18030": "GB18030",
    "big5": "Big5",
    "shift_jis": "Shift JIS",
    "euc_jp": "EUC-JP",
    "euc_kr": "EUC-KR",
    "cp1252": "Windows-1252",
    "cp1251": "Windows-1251",
    "koi8_r": "KOI8-R",
}
UTF_8, UTF_16, LATIN_1 = "UTF-8", "UTF-16", "Latin-1"
# What the guess rests on: from the first line that has more than ASCII.
SAMPLE_BYTES = 16 * 1024
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_NEVER_IN_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_WORDS = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
# Signs and letters of everyday use; beyond the first group of them a letter is not Korean.
_GB_2312 = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xa3][\xa1-\xfe]|[\xb0-\xd7][\xa1-\xfe])*")
_PAIRS = re.compile(rb"[\xa1-\xfe]{2}")
_LAST_KOREAN = 0xC8
_HALF_WIDE = re.compile(r"[\uff61-\uff9f]")
_NOT_IN_LATIN_1 = re.compile(rb"[\x80-\x9f]")


@dataclass(frozen=True)
class Decoded:
    text: str
    encoding: str


def decoded(content: bytes, *, is_whole: bool = True) -> Decoded | None:
    """The text that the bytes are; None when they are none. A letter that a cut parted is left out.

    UTF-16 is known by its mark; for what has no mark the letters of a sample have to make words.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = _read(content, "utf-16", is_whole)
        return None if text is None or "\0" in text else Decoded(text, UTF_16)
    if b"\0" in content:
        return None
    if (text := _read(content, "utf-8", is_whole)) is not None:
        return Decoded(text, UTF_8)
    if _NEVER_IN_TEXT.search(content) or (codec := _guess(content)) is None:
        return None
    text = _read(content, codec, is_whole)
    if text is None:
        return None
    is_latin_1 = codec == "cp1252" and not _NOT_IN_LATIN_1.search(content)
    return Decoded(text, LATIN_1 if is_latin_1 else NAMES[codec])


def decoded_alike(contents: Sequence[bytes]) -> list[Decoded] | None:
    """The texts that versions of one file are; None when one is none.

    What has no mark is guessed from all of them: two versions are seldom in two such encodings.
    """
    found = [decoded(content) for content in contents]
    told = [each for each in found if each is not None]
    if len(told) < len(found):
        return None
    unmarked = [
        content
        for content, each in zip(contents, told, strict=True)
        if each.encoding not in (UTF_8, UTF_16)
    ]
    if len({each.encoding for each in told} - {UTF_8, UTF_16}) < 2:
        return told
    codec = _guess(b"\n".join(unmarked))
    texts = [_read(content, codec, True) if codec else None for content in unmarked]
    if codec is None or None in texts:
        return told
    alike = iter(Decoded(text or "", NAMES[codec]) for text in texts)
    return [each if each.encoding in (UTF_8, UTF_16) else next(alike) for each in told]


def codec_of(sample: bytes) -> str:
    """Python's name of the encoding of lines that begin so; UTF-8 where no other is known."""
    if _read(sample, "utf-8", is_whole=False) is not None:
        return "utf-8"
    return _guess(sample) or "utf-8"


def _read(content: bytes, codec: str, is_whole: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(codec)().decode(content, is_whole)
    except UnicodeDecodeError:
        return None


def _guess(content: bytes) -> str | None:
    found = _BEYOND_ASCII.search(content)
    start = content.rfind(b"\n", 0, found.start()) + 1 if found else 0
    start = max(start, found.start() - SAMPLE_BYTES // 2 if found else 0)
    sample = content[start : start + SAMPLE_BYTES]
    if start + SAMPLE_BYTES < len(content):  # cut behind a line, so that no letter is parted
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(sample, cp_isolation=list(NAMES), enable_fallback=False).best()
    if best is None or best.encoding not in NAMES:
        return None
    # Of a few letters alone: common Chinese ones in GB 2312 are rare ones elsewhere, ...
    if best.encoding in ("big5", "shift_jis", "euc_kr") and _is_common_chinese(sample):
        return "gb18030"
    # ... letters of half a width fill no Japanese text, ...
    if best.encoding == "shift_jis" and _is_half_wide(sample):
        others = (codec for codec in ("big5", "gb18030") if _read(sample, codec, True) is not None)
        return next(others, "shift_jis")
    # ... and a word that has ASCII too is Western, not Cyrillic.
    if best.encoding in ("cp1251", "koi8_r") and _read(sample, "cp1252", True) is not None:
        words = _WORDS.findall(sample)
        mixed = sum(len(word) == 1 or re.search(rb"[A-Za-z]", word) is not None for word in words)
        return "cp1252" if 2 * mixed > len(words) else best.encoding
    return best.encoding


def _is_common_chinese(sample: bytes) -> bool:
    if not _GB_2312.fullmatch(sample):
        return False
    return any(pair[0] > _LAST_KOREAN for pair in _PAIRS.findall(sample))


def _is_half_wide(sample: bytes) -> bool:
    """Whether as Japanese it would be written in kana of half a width for the most part."""
    text = _read(sample, "shift_jis", True) or ""
    beyond = sum(not letter.isascii() for letter in text)
    return 2 * len(_HALF_WIDE.findall(text)) > beyond
