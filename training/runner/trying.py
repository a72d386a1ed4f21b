"""The try job: a model that stays loaded and answers what the worker puts into a folder.

`asks/000001.json`, `asks/000002.json`, …: one question a file, renamed into place when it is whole.
"""

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from training.runner.answering.backbone import Backbone
from training.runner.answering.encoders import EncoderModel
from training.runner.answering.generation import Answer, Generator
from training.runner.errors import BadJobError, RunnerError, StoppedError
from training.runner.events import Events
from training.runner.job import TryJob
from training.runner.models import dtype_named, load_side, one_line
from training.runner.stopping import Stop

LOOK_EVERY_SECONDS = 0.03
TELL_EVERY_SECONDS = 0.05
ASK_LIMIT_BYTES = 256 * 1024
# Each way of asking, and which head of a model it needs.
HEADS = {
    "text-generation": "causal",
    "fill-mask": "masked",
    "text-classification": "labels",
    "feature-extraction": "encoder",
}
MASKS_LIMIT, WORDS_A_MASK, LABELS_SHOWN, NAME_CHARACTERS = 5, 5, 20, 120
MASK_SPELLINGS = ("[MASK]", "<mask>")

Values = dict[str, Any]
# (what is asked, tells the text so far) -> the answer
Way = Callable[[Values, Callable[[str], None]], Values]


def run(job: TryJob, events: Events, stop: Stop) -> Values:
    """Answer until the process is stopped. Raises: StoppedError; what loading raises."""
    if job.task not in HEADS:
        raise BadJobError(f"The task {job.task} is none of {', '.join(HEADS)}.")
    answer, number = _loaded(job, stop), 1
    events.emit("ready")
    while True:
        stop.check()
        place = Path(job.asks) / f"{number:06d}.json"
        if not place.is_file():
            time.sleep(LOOK_EVERY_SECONDS)
            continue
        _answer(answer, place, number, events)
        number += 1


def _answer(answer: Way, place: Path, number: int, events: Events) -> None:
    """One answer, or why there is none: the model stays loaded either way."""
    try:
        with place.open("rb") as file:
            asked = json.loads(file.read(ASK_LIMIT_BYTES))
        with torch.inference_mode():
            told = answer(asked, _telling(events, number))
        events.emit("answered", ask=number, result=told)
    except StoppedError:
        raise
    except RunnerError as error:
        events.emit("refused", ask=number, message=str(error))
    except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
        said = f"The model cannot answer this ({one_line(error)}): ask it something else."
        events.emit("refused", ask=number, message=said)


def _telling(events: Events, number: int) -> Callable[[str], None]:
    told_at = 0.0

    def tell(text: str) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= TELL_EVERY_SECONDS:
            told_at = now
            events.emit("piece", ask=number, text=text)

    return tell


def _loaded(job: TryJob, stop: Stop) -> Way:
    head = HEADS[job.task]
    with tempfile.TemporaryDirectory() as scratch:
        model, tokenizer = load_side(
            Path(job.model), None, kind=head, dtype=dtype_named(job.dtype), scratch=Path(scratch)
        )
    if head == "causal":
        return Writing(Backbone(model, tokenizer, job.device), stop)
    encoder = EncoderModel(model, tokenizer, job.device)
    ways: dict[str, Callable[[EncoderModel], Way]] = {
        "masked": Filling,
        "labels": Labelling,
        "encoder": Embedding,
    }
    return ways[head](encoder)


class Told(Generator):
    """A generator that tells the text after every token."""

    def __init__(self, *args: Any, tell: Callable[[str], None]) -> None:
        super().__init__(*args)
        self.tell = tell

    def _take(self, live: Any, tokens: Any) -> None:
        super()._take(live, tokens)
        # A character whose bytes are not all there yet would flicker.
        text = self.stops.text(live[0].ids)
        self.tell(text.rstrip("\ufffd"))


class Writing:
    """Text generation: what follows a prompt, or an answer to it as a message."""

    def __init__(self, backbone: Backbone, stop: Stop) -> None:
        self.backbone, self.stop = backbone, stop

    def __call__(self, asked: Values, tell: Callable[[str], None]) -> Values:
        temperature = float(asked.get("temperature") or 0.0)
        kwargs = {
            "max_gen_toks": max(1, min(int(asked["max_new_tokens"]), self.backbone.length // 2)),
            "temperature": temperature,
            "do_sample": temperature > 0,
            "top_p": float(asked.get("top_p") or 1.0),
            "until": [str(text) for text in asked.get("stop") or []],
        }
        generator = Told(self.backbone, kwargs, self.stop, tell=tell)
        ids = self._ids(str(asked["prompt"]), as_message=bool(asked.get("chat")))
        kept = tuple(ids[-generator.room :]) or (self.backbone.encoder.prefix,)
        draws = random.Random(int(asked.get("seed") or 0))  # noqa: S311
        answer = Answer(draws)
        generator.generate([kept], [[answer]])
        if answer.broken:
            raise RunnerError(
                "The model gave numbers that are not finite: its weights are damaged, or too large "
                "for this precision."
            )
        return {
            "text": generator.stops.text(answer.ids),
            "tokens": len(answer.ids),
            "prompt_tokens": len(kept),
            "is_cut": len(kept) < len(ids),
            "ended": "length" if len(answer.ids) >= generator.new_tokens else "stop",
        }

    def _ids(self, prompt: str, *, as_message: bool) -> list[int]:
        encoder = self.backbone.encoder
        if not as_message:
            return encoder.encode([prompt])[prompt]
        if not getattr(encoder.tokenizer, "chat_template", None):
            raise RunnerError("The model has no chat template: ask without “as a message”.")
        try:
            text: str = encoder.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # templates raise whatever their authors like
            raise RunnerError(
                f"The model's chat template cannot be filled in ({one_line(error)}): ask without "
                "“as a message”."
            ) from error
        return encoder.encode([text], bare=True)[text]


class Filling:
    """Masks in a text, and the words that would stand there."""

    def __init__(self, encoder: EncoderModel) -> None:
        self.encoder = encoder

    def __call__(self, asked: Values, tell: Callable[[str], None]) -> Values:
        tokenizer = self.encoder.tokenizer
        mask, text = tokenizer.mask_token, str(asked["prompt"])
        if mask is None:
            raise RunnerError("The model's tokenizer has no mask: it cannot fill one in.")
        for spelling in MASK_SPELLINGS:
            text = text.replace(spelling, mask)
        read = self.encoder.texts([text])
        places = [at for at, one in enumerate(read[0].ids) if one == tokenizer.mask_token_id]
        if not 1 <= len(places) <= MASKS_LIMIT:
            raise RunnerError(f"Write [MASK] where a word is missing, 1 to {MASKS_LIMIT} times.")
        output, _ = self.encoder.read(read)
        found = []
        for place in places:
            shares, words = output.logits[0, place].float().softmax(0).topk(WORDS_A_MASK)
            found.append([
                {"word": tokenizer.decode([word]).strip()[:NAME_CHARACTERS], "share": share}
                for word, share in zip(words.tolist(), shares.tolist(), strict=True)
            ])  # fmt: skip
        return {"parts": text.split(mask), "masks": found, "is_cut": read[0].truncated}


class Labelling:
    """A text's labels with their shares."""

    def __init__(self, encoder: EncoderModel) -> None:
        self.encoder = encoder

    def __call__(self, asked: Values, tell: Callable[[str], None]) -> Values:
        read = self.encoder.texts([str(asked["prompt"])])
        output, _ = self.encoder.read(read)
        config, logits = self.encoder.model.config, output.logits[0].float()
        many = config.problem_type == "multi_label_classification"
        shares = (logits.sigmoid() if many else logits.softmax(0)).tolist()
        labels = [
            {"label": str(config.id2label.get(place, place))[:NAME_CHARACTERS], "share": share}
            for place, share in enumerate(shares)
        ]
        labels.sort(key=lambda each: -each["share"])
        return {"labels": labels[:LABELS_SHOWN], "of": len(labels), "is_cut": read[0].truncated}


class Embedding:
    """How alike some sentences are: cosines of the means of their tokens' vectors."""

    def __init__(self, encoder: EncoderModel) -> None:
        self.encoder = encoder

    def __call__(self, asked: Values, tell: Callable[[str], None]) -> Values:
        texts = [str(text) for text in asked["texts"]]
        read = self.encoder.texts(texts)
        output, mask = self.encoder.read(read)
        weights = mask.unsqueeze(-1).float()
        means = (output.last_hidden_state.float() * weights).sum(1) / weights.sum(1)
        units = torch.nn.functional.normalize(means, dim=1)
        return {
            "texts": texts,
            "cosines": (units @ units.T).clamp(-1, 1).tolist(),
            "dimensions": units.shape[1],
            "is_cut": any(text.truncated for text in read),
        }
