"""Tokenizers: the vocabulary as the library has it, and no file that breaks the reader."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from hub.formats.errors import FormatError
from hub.formats.tokenizer import read_tokenizer, spelled

TINY = Path(__file__).parents[1] / "data" / "tiny-shakespeare-llama" / "tokenizer.json"


def test_the_vocabulary_is_the_librarys():
    found = read_tokenizer(TINY.read_bytes())
    library = Tokenizer.from_file(str(TINY))
    assert {token: number for number, token in found["tokens"]} == library.get_vocab()
    facts = found["facts"]
    assert facts["vocabulary"] == library.get_vocab_size() and facts["type"] == "BPE"
    assert facts["special_count"] == sum(
        each.special for each in library.get_added_tokens_decoder().values()
    )
    if facts["is_byte_level"]:
        for number, token in found["tokens"][50:80]:
            assert spelled(token) == library.decode([number], skip_special_tokens=False)


def test_kinds_and_steps():
    unigram = {
        "model": {"type": "Unigram", "vocab": [["<unk>", 0.0], ["\u2581a", -1.5]]},
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}],
        },
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Isolated"},
        "added_tokens": [{"id": 2, "content": "<s>", "special": True}, {"id": "x"}, 7],
    }
    found = read_tokenizer(json.dumps(unigram).encode())
    assert found["tokens"] == [(0, "<unk>"), (1, "\u2581a"), (2, "<s>")]
    parts = found["facts"]["parts"]
    assert parts["normalizer"] == ["NFKC", "Lowercase"]
    assert parts["pre_tokenizer"] == ["Split(behavior='Isolated', pattern='\\\\s+')"]


@pytest.mark.parametrize("text", ["[]", "{}", '{"model": 1}', '{"model": {}, "model": {}}', "{"])
def test_what_is_no_tokenizer_is_refused(text):
    with pytest.raises(FormatError):
        read_tokenizer(text.encode())


def test_no_mutation_breaks_the_reader():
    chance = random.Random(3)
    small = {
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"], "unk_token": None},
        "added_tokens": [{"id": 2, "content": "<s>", "special": True}],
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteLevel"}]},
        "truncation": {"max_length": 5},
    }
    odd = [None, 1, -1.5, "x", [], {}, [[]], {"type": 3}, True, {"decoders": [{"decoders": 1}]}]
    for _ in range(2000):
        value = json.loads(json.dumps(small))
        for _step in range(chance.randint(1, 3)):
            place = chance.choice([value, value.get("model"), value.get("decoder")])
            if isinstance(place, dict) and place:
                place[chance.choice(list(place))] = deepcopy(chance.choice(odd))
        try:
            json.dumps(read_tokenizer(json.dumps(value).encode()))
        except FormatError:
            continue
