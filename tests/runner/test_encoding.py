"""Texts as token ids, for tokenizers that put special tokens around a text."""

import pytest
from tokenizers import processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tests.runner.conftest import TINY
from training.runner.encoding import Encoder, Request, length_of

START, END = "<|endoftext|>", "Q"


def tokenizer(template="$A", **special):
    """The tiny model's, with another template around texts."""
    base = AutoTokenizer.from_pretrained(TINY)
    backend = base.backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(START, 0), (END, base.convert_tokens_to_ids(END))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=START, **special)


@pytest.fixture(scope="module")
def plain():
    return Encoder(tokenizer())


@pytest.fixture(scope="module", params=[f"{START} $A", f"{START} $A {END}"])
def starting(request):
    """It puts BOS before a text, and may put a token after it."""
    return Encoder(tokenizer(request.param, bos_token=START))


def test_what_a_tokenizer_puts_before_a_text_stands_before_a_prompt_alone(plain, starting):
    assert (plain.start, starting.start) == ([], [0])
    pairs = [("What say you?", " aye"), ("", "aye")]
    whole, alone = plain.pairs(pairs)
    assert starting.pairs(pairs) == [Request((0, *whole.ids), whole.scored), alone]


def test_a_text_that_begins_with_the_start_gets_no_second_one(starting):
    (request,) = starting.pairs([(f"{START}What say you?", " aye")])
    assert request.ids.count(0) == 1 and request.ids[0] == 0


def test_an_answer_that_begins_with_the_start_takes_it_as_its_context(plain):
    (bare,) = plain.pairs([("", "aye")])
    assert plain.pairs([("", f"{START}aye")]) == [bare]


def test_a_text_read_whole_is_scored_from_its_start(plain, starting):
    ((window,),) = plain.windows(["What say you?"], 512)
    ((other,),) = starting.windows(["What say you?"], 512)
    assert window.scored == len(window.ids) - 1
    assert other == Request((0, *window.ids), window.scored + 1)  # as the harness has it


def test_an_answer_that_melts_into_its_prompt_is_encoded_alone(plain):
    ids = plain.encode(["th", "e", "the"])
    assert len(ids["the"]) == len(ids["th"]) == 1
    assert plain.pairs([("th", "e")]) == [Request((*ids["th"], *ids["e"]), 1)]


def test_an_answer_that_melts_in_part_keeps_the_prompt_s_own_tokens(plain):
    ids = plain.encode(["wh", "what", "what?"])
    assert ids["what"][1] != ids["wh"][1]
    (request,) = plain.pairs([("wh", "at?")])
    assert request == Request((*ids["wh"], *ids["what?"][2:]), 1)  # as the harness has it


@pytest.mark.parametrize(
    ("config", "length", "found"),
    [
        ({"max_position_embeddings": 512, "n_ctx": 9}, 77, 512),
        ({"n_positions": 64}, 77, 64),
        ({}, 77, 77),
        ({}, 10**30, 2048),
    ],
)
def test_how_much_a_model_reads_is_found_where_the_harness_finds_it(config, length, found):
    class Config:
        text_config = None

    class Named:
        model_max_length = length

    vars_of = Config()
    vars_of.__dict__.update(config)
    assert length_of(vars_of, Named()) == found
