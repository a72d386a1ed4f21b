"""Text that is not UTF-8 is read by its mark or by its letters, and bytes stay bytes."""

from __future__ import annotations

import random

import pytest

from hub.formats import encodings
from hub.formats.encodings import decoded, decoded_alike

CHINESE = "你好，世界。这个文件说明模型的许可证与使用方法。\n"
TAIWANESE = "繁體中文的說明文件，請參閱授權條款。\n"
JAPANESE = "これは日本語のテストです。モデルの使い方を説明します。\n"
KOREAN = "이것은 한국어 테스트 파일입니다.\n"
RUSSIAN = "Это тестовый файл на русском языке для проверки.\n"
FRENCH = "Le modèle est entraîné à évaluer les élèves.\n"
CODE = "x = 1  # a note\n" * 5000


@pytest.mark.parametrize(
    ("text", "codec", "named"),
    [
        (CHINESE, "utf-8", "UTF-8"),
        (CHINESE, "utf-16", "UTF-16"),
        ("\ufeff" + CHINESE, "utf-16-be", "UTF-16"),
        (CHINESE, "gb18030", "GB18030"),
        ("中文\n", "gbk", "GB18030"),
        ("标签,文本\n1,垃圾短信\n0,普通短信\n", "gbk", "GB18030"),
        ("标签,文本\n一号,垃圾短信\n", "gbk", "GB18030"),
        (f"{CODE}# {CHINESE}", "gbk", "GB18030"),
        (CHINESE * 10_000, "gbk", "GB18030"),
        (TAIWANESE, "big5", "Big5"),
        ("標籤,文本\n一號,垃圾簡訊與廣告\n", "big5", "Big5"),
        (JAPANESE, "shift_jis", "Shift JIS"),
        (JAPANESE, "euc_jp", "EUC-JP"),
        (KOREAN, "euc_kr", "EUC-KR"),
        (RUSSIAN, "cp1251", "Windows-1251"),
        (RUSSIAN * 5, "koi8_r", "KOI8-R"),
        (FRENCH, "latin-1", "Latin-1"),
        ("Author: José\n", "latin-1", "Latin-1"),
        (f"{CODE}# café", "latin-1", "Latin-1"),
        (f"{FRENCH}Ça coûte 5 €.\n", "cp1252", "Windows-1252"),
    ],
)
def test_a_text_is_read_as_it_was_written(text, codec, named):
    found = decoded(text.encode(codec))
    assert found is not None
    assert (found.encoding, found.text.removeprefix("\ufeff")) == (
        named,
        text.removeprefix("\ufeff"),
    )


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "gb18030", "shift_jis", "latin-1"])
def test_a_letter_that_is_cut_is_left_out(codec):
    text = (FRENCH if codec == "latin-1" else JAPANESE) * 1000
    content = text.encode(codec)
    for cut in range(1, 5):
        found = decoded(content[:-cut], is_whole=False)
        assert found is not None and text.startswith(found.text)
        assert len(found.text) >= len(text) - 4


def test_bytes_that_make_no_words_are_none():
    chance = random.Random(7)
    for _ in range(100):
        content = chance.randbytes(chance.randint(200, 3000))
        assert decoded(content) is None
        assert decoded(content.replace(b"\0", b"\1")) is None
    for start in (
        b"\xff\xfe\x00",
        b"\xff\xfe\x00\xd8",
        b"\xff\xfe\x00\x00a\x00\x00\x00",
        b"\x89PNG\r\n\x1a\n",
    ):
        assert decoded(start) is None


def test_only_a_sample_is_guessed_from(monkeypatch):
    seen = []
    guess = encodings.from_bytes
    monkeypatch.setattr(
        encodings,
        "from_bytes",
        lambda sample, **how: seen.append(len(sample)) or guess(sample, **how),
    )
    for text in (CHINESE * 10_000, "中" * 300_000, "a" * 600_000 + CHINESE * 2000):
        assert decoded(text.encode("gbk")) is not None
    assert len(seen) == 3 and max(seen) <= encodings.SAMPLE_BYTES


def test_versions_of_a_file_are_read_alike():
    few, many = "Prix : 5 €\n".encode("cp1252"), RUSSIAN.encode("cp1251")
    assert [each.encoding for each in decoded_alike([many, many]) or []] == ["Windows-1251"] * 2
    assert [each.encoding for each in decoded_alike([few, b"plain"]) or []] == [
        "Windows-1252",
        "UTF-8",
    ]
    found = decoded_alike([CHINESE.encode("utf-16"), CHINESE.encode("gbk"), CHINESE.encode()])
    assert [each.encoding for each in found or []] == ["UTF-16", "GB18030", "UTF-8"]
    assert {each.text for each in found or []} == {CHINESE}
    assert decoded_alike([CHINESE.encode("gbk"), bytes(range(256))]) is None
    # The letters of one alone would say Cyrillic.
    short, long = "Prénom\n".encode("latin-1"), FRENCH.encode("latin-1")
    assert len({each.encoding for each in decoded_alike([short, long]) or []}) == 1
