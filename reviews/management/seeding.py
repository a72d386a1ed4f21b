"""A large hub by bulk rows, for measuring: the same for the same seed.

Rows only: git data is made for whoever is looked at (`bench.seeded`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import Any

from django.db import connection
from django.utils import timezone

from hub.formats.card import card_tags
from hub.jobs import heat, search_index
from hub.models import (
    Access,
    Event,
    Follow,
    Kind,
    Like,
    Listening,
    Membership,
    Namespace,
    NamespaceKind,
    Notification,
    Reason,
    Repository,
    Subscription,
    User,
    Visibility,
)
from reviews.models import Discussion

BATCH = 2000
# Somebody with much to read.
BUSY = "seed-0000"
# Moments that bulk rows cannot be given, and what the hub counts along.
_SETTLE = """
UPDATE hub_repository AS row SET
    created_at = now() - (id * 7919 %% 900) * interval '1 day',
    last_modified_at = now() - (id * 104729 %% 20000) * interval '1 hour',
    likes = (SELECT count(*) FROM hub_like WHERE repository_id = row.id),
    last_discussion_number = (
        SELECT coalesce(max(number), 0) FROM reviews_discussion WHERE repository_id = row.id
    )
WHERE id >= %s;
UPDATE hub_searchentry AS entry SET
    seen_likes = row.likes, heat = power(2, extract(epoch FROM row.created_at - '2026-01-01 00:00Z')
        / 604800) * (1 + row.downloads / 100 + 10 * row.likes)
FROM hub_repository AS row WHERE row.id = entry.repository_id AND row.id >= %s
"""
FAMILIES = (
    "llama", "mistral", "Qwen2.5", "gemma", "phi", "DeepSeek-R1", "bert", "roberta", "whisper",
    "chatglm", "baichuan", "falcon", "SmolLM", "olmo", "t5", "clip", "stable-diffusion", "yi",
)  # fmt: skip
SIZES = {"135M": 0.135, "350M": 0.35, "1B": 1.2, "3B": 3, "7B": 7, "13B": 13, "32B": 32, "70B": 70}
FORMS = ("instruct", "chat", "base", "code", "math", "vision", "medical", "legal", "finance", "zh")
TASKS = (
    "text-generation", "text-classification", "fill-mask", "translation", "summarization",
    "question-answering", "token-classification", "automatic-speech-recognition",
    "image-classification", "feature-extraction", "text-to-image",
)  # fmt: skip
LIBRARIES = ("transformers", "peft", "diffusers", "sentence-transformers", "gguf", "timm")
LICENCES = ("apache-2.0", "mit", "cc-by-4.0", "gpl-3.0", "llama3.1", "openrail", "cc-by-nc-4.0")
LANGUAGES = ("en", "zh", "fr", "de", "es", "ja", "ko", "ru", "ar", "hi", "pt", "vi", "multilingual")
SUBJECTS = ("poems", "spam", "news", "reviews", "dialogues", "proofs", "recipes", "laws", "songs")
CHINESE = (
    "古诗生成", "中文对话", "法律问答", "医疗问诊", "情感分析", "新闻摘要", "机器翻译", "语音识别",
    "金融报告", "代码补全", "阅读理解", "垃圾短信",
)  # fmt: skip
PROSE = (
    "A {size} parameter model of the {family} family, tuned for {task} on public data.",
    "Fine-tuned {family} that answers in {language}. Numbers are in the table below.",
    "{chinese}模型，基于{family}微调，适合{chinese}与研究使用。",
)
# Words of cards, the common ones often (Zipf), and how many a card has.
WORDS = tuple(
    f"{first}{middle}{last}"
    for first in (
        "al",
        "bor",
        "cen",
        "dra",
        "el",
        "fi",
        "gor",
        "hu",
        "in",
        "jo",
        "ka",
        "lum",
        "mor",
        "ne",
        "op",
        "pra",
        "qui",
        "ros",
        "sta",
        "tem",
    )
    for middle in ("ba", "ce", "di", "fo", "gu", "ha", "li", "mo", "na", "po", "ra", "si", "tu")
    for last in ("", "l", "n", "r", "s", "t", "ble", "ced", "der", "ful", "ing", "ion", "ment")
)
_OFTEN = tuple(accumulate(1 / place for place in range(1, len(WORDS) + 1)))
_CARD_WORDS = (100, 900)


def seed(repositories: int, *, seed: int = 7) -> int:
    """Make so many repositories and return the key of the one with 300 pull requests."""
    chance = random.Random(seed)  # noqa: S311, for names
    people = _people(max(20, repositories // 400), chance)
    spaces = _organizations(max(20, repositories // 100), people, chance)
    spaces += list(Namespace.objects.filter(owner__in=people))
    first = None
    rows = _repositories(repositories, spaces, people, chance)
    while batch := list(islice(rows, BATCH)):
        made = Repository.objects.bulk_create(batch)
        search_index.record_said((row, f"{row.summary} {_said(chance)}") for row in made)
        first = first or made[0]
        _happen(made)
        _like(made, people, chance)
        _discuss(made, people, chance)
    if first is None:
        raise ValueError("Seed at least one repository.")
    _propose(first, people, 300)
    _listen(people[0], spaces, list(Repository.objects.order_by("pk")[:120]))
    settle(first.pk)
    return first.pk


def settle(first: int) -> None:
    """Give the rows from `first` on their moments and counts."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, [first, first])
        cursor.execute("ANALYZE")
    heat.count()


def _people(count: int, chance: random.Random) -> list[User]:
    names = [f"seed-{number:04d}" for number in range(count)]
    users = User.objects.bulk_create(
        User(username=name, email=f"{name}@example.org", full_name=name) for name in names
    )
    spaces = Namespace.objects.bulk_create(
        Namespace(slug=user.username, kind=NamespaceKind.USER, owner=user) for user in users
    )
    Membership.objects.bulk_create(
        Membership(namespace=space, user=user, access=Access.ADMIN)
        for space, user in zip(spaces, users, strict=True)
    )
    return users


def _organizations(count: int, people: list[User], chance: random.Random) -> list[Namespace]:
    spaces = Namespace.objects.bulk_create(
        Namespace(slug=f"{chance.choice(SUBJECTS)}-lab-{number}", kind=NamespaceKind.ORGANIZATION)
        for number in range(count)
    )
    Membership.objects.bulk_create(
        Membership(namespace=space, user=user, access=Access.WRITE)
        for space in spaces
        for user in chance.sample(people, 3)
    )
    return spaces


def _repositories(
    count: int, spaces: list[Namespace], people: list[User], chance: random.Random
) -> Iterator[Repository]:
    for number in range(count):
        kind = Kind.DATASET if number % 4 == 3 else Kind.MODEL
        values = _dataset(chance) if kind == Kind.DATASET else _model(chance)
        card: dict[str, Any] = values.pop("card_data")
        yield Repository(
            kind=kind,
            namespace=chance.choice(spaces),
            name=f"{values.pop('name')}-{number}"[:96],
            visibility=Visibility.PRIVATE if chance.random() < 0.05 else Visibility.PUBLIC,
            created_by=chance.choice(people),
            card_data=card,
            tags=list(card_tags(card, kind)),
            downloads=int(chance.paretovariate(0.5)) % 10_000_000,
            size_bytes=int(chance.paretovariate(0.4) * 1e6) % 10**12,
            **values,
        )


def _model(chance: random.Random) -> dict[str, Any]:
    family, size = chance.choice(FAMILIES), chance.choice(list(SIZES))
    form, task = chance.choice(FORMS), chance.choice(TASKS)
    library, language = chance.choice(LIBRARIES), chance.choice(LANGUAGES)
    chinese = chance.choice(CHINESE)
    card: dict[str, Any] = {
        "license": chance.choice(LICENCES),
        "language": sorted({language, chance.choice(LANGUAGES)}),
        "library_name": library,
        "pipeline_tag": task,
        "tags": [family.lower(), form],
    }
    if language == "zh":
        card["tags"].append(chinese)
    if chance.random() < 0.4:
        card["base_model"] = (
            f"{chance.choice(SUBJECTS)}-lab-{chance.randrange(400)}/{family}-{size}"
        )
    said = chance.choice(PROSE)
    return {
        "name": f"{family}-{size}-{form}",
        "card_data": card,
        "summary": said.format(
            size=size, family=family, task=task, language=language, chinese=chinese
        ),
        "pipeline_tag": task,
        "library_name": library,
        "parameters": {"total": int(SIZES[size] * 1e9 * chance.uniform(0.95, 1.05))},
    }


def _said(chance: random.Random) -> str:
    """The prose of a card: some hundred words."""
    return " ".join(chance.choices(WORDS, cum_weights=_OFTEN, k=chance.randint(*_CARD_WORDS)))


def _dataset(chance: random.Random) -> dict[str, Any]:
    subject, chinese = chance.choice(SUBJECTS), chance.choice(CHINESE)
    card = {
        "license": chance.choice(LICENCES),
        "language": [chance.choice(LANGUAGES)],
        "task_categories": [chance.choice(TASKS)],
        "size_categories": [chance.choice(("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M"))],
        "pretty_name": f"{chinese} {subject}",
    }
    return {
        "name": f"{subject}-{chance.choice(FORMS)}",
        "card_data": card,
        "summary": f"Rows about {subject}, cleaned by hand. {chinese}数据集。",
    }


def _happen(rows: list[Repository]) -> None:
    """Events that everybody was told of: a worker would spend minutes on them."""
    now = timezone.now()
    Event.objects.bulk_create(
        Event(
            repository=row, actor=row.created_by, kind="repository.created", path=f"/{row.path}",
            told_at=now,
        )
        for row in rows
    )  # fmt: skip


def _listen(person: User, spaces: list[Namespace], rows: list[Repository]) -> None:
    """Somebody with much to read: whom they follow, what they watch, what they were told."""
    followed = [space for space in spaces if space.owner_id != person.pk][:30]
    Follow.objects.bulk_create(Follow(follower=person, namespace=space) for space in followed)
    Subscription.objects.bulk_create(
        Subscription(user=person, repository=row, level=Listening.WATCHING) for row in rows[:30]
    )
    Notification.objects.bulk_create(
        Notification(
            user=person, repository=row, thread="discussions/1", kind="discussion.opened",
            reason=Reason.MENTION, title="How was it made?", told_at=timezone.now(),
            data={"number": 1},
        )
        for row in rows[:120]
    )  # fmt: skip


def _like(rows: list[Repository], people: list[User], chance: random.Random) -> None:
    Like.objects.bulk_create(
        Like(repository=row, user=user)
        for row in rows
        if chance.random() < 0.2
        for user in chance.sample(people, min(len(people), int(chance.paretovariate(1.2))))
    )


def _discuss(rows: list[Repository], people: list[User], chance: random.Random) -> None:
    Discussion.objects.bulk_create(
        Discussion(repository=row, number=1, title="How was it made?", author=chance.choice(people))
        for row in rows
        if chance.random() < 0.1
    )


def _propose(repository: Repository, people: list[User], count: int) -> None:
    begin = repository.discussions.count()
    Discussion.objects.bulk_create(
        Discussion(
            repository=repository,
            number=begin + number,
            title=f"Raise the rank to {number}",
            author=people[number % len(people)],
            is_pull_request=True,
            target_branch="main",
            head_oid=f"{number:040x}",
        )
        for number in range(1, count + 1)
    )
    Repository.objects.filter(pk=repository.pk).update(visibility=Visibility.PUBLIC)
