"""Repositories: a kind, a namespace, a name, and a git repository under the row's id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Case, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest, Lower, Upper
from django.utils.translation import gettext_lazy as _

from hub.blobstore import BlobStore
from hub.errors import BadInputError, RepositoryNotFoundError
from hub.gitstore import GitStore
from hub.models.collaborators import Collaborator
from hub.models.namespaces import Access, Membership, Namespace
from hub.models.objects import ObjectLink

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from hub.models.people import User

    Person = User | AnonymousUser

_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")


class Kind(models.TextChoices):
    MODEL = "model", _("model")
    DATASET = "dataset", _("data set")
    # Plain git repositories with a card: this server runs neither.
    SPACE = "space", _("Space")
    KERNEL = "kernel", _("kernel")

    @property
    def web_prefix(self) -> str:
        """What stands before `namespace/name` in page, resolve, git and LFS URLs."""
        return "" if self is Kind.MODEL else f"{self.value}s/"


class Visibility(models.TextChoices):
    PUBLIC = "public", _("public")
    PRIVATE = "private", _("private")


@dataclass(frozen=True)
class RepoId:
    """How a person names a repository: kind, namespace and name, in any case."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """The path of its page, without the leading slash."""
        return f"{self.kind.web_prefix}{self.namespace}/{self.name}"

    @property
    def api_path(self) -> str:
        return f"api/{self.kind.value}s/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, kind: str, repo_id: str) -> RepoId:
        """Read `namespace/name`.

        Raises: BadInputError when it is not two parts, or the kind is unknown.
        """
        namespace, slash, name = repo_id.partition("/")
        if not slash or not namespace or not name or "/" in name:
            raise BadInputError(f"“{repo_id}” is no repository id: write namespace/name.")
        if kind not in Kind.values:
            raise BadInputError(
                f"There is no repository kind “{kind}”: use {', '.join(Kind.values)}."
            )
        return cls(Kind(kind), namespace, name)


def check_name(name: str) -> None:
    """Refuse a repository or namespace name that the Hub's clients refuse.

    Source: huggingface_hub.utils.validate_repo_id.
    """
    if not _NAME.fullmatch(name) or name.endswith(".git"):
        raise BadInputError(
            f"“{name}” cannot be a name: use up to 96 letters, digits, “-”, “_” and “.”, "
            "starting and ending with a letter, a digit or “_”, without “--” or “..”."
        )


# Columns that only a repository's own page and the API show; a card may be large.
HEAVY = ("card_data", "card_problem", "config", "facts", "tags")


class RepositoryQuerySet(models.QuerySet["Repository"]):
    def as_lines(self) -> Self:
        """For lists: without what no line shows."""
        return self.defer(*HEAVY)

    def with_access(self, user: Person) -> Self:
        """Annotate each row with `access`, the level `user`, signed in or not, holds on it."""
        public = When(visibility=Visibility.PUBLIC, then=Value(Access.READ))
        everyone = Case(public, default=Value(Access.NONE))
        if user.pk is None:
            return self.annotate(access=everyone)
        member = Membership.objects.filter(namespace=OuterRef("namespace"), user=user.pk)
        invited = Collaborator.objects.filter(repository=OuterRef("pk"), user=user.pk)
        held = [
            Coalesce(
                Subquery(rows.values("access")[:1], output_field=models.IntegerField()),
                Value(Access.NONE),
            )
            for rows in (member, invited)
        ]
        return self.annotate(access=Greatest(everyone, *held))

    def visible_to(self, user: Person) -> Self:
        return self.with_access(user).readable_by(user)

    def readable_by(self, user: Person) -> Self:
        """Those that `user` may read, without their `access`: a condition costs a third then."""
        # Says what `access >= READ` says, in words that an index can follow.
        shown = Q(visibility=Visibility.PUBLIC)
        if user.pk is not None:
            member = Membership.objects.filter(user=user.pk, access__gte=Access.READ)
            invited = Collaborator.objects.filter(user=user.pk)
            shown |= Q(namespace__in=member.values("namespace"))
            shown |= Q(pk__in=invited.values("repository"))
        return self.filter(shown)

    def matching(self, word: str) -> Self:
        """Those whose `namespace/name` holds `word`, in any case."""
        owner, slash, name = word.partition("/")
        if slash:
            owners = Namespace.objects.filter(slug__iendswith=owner)
            return self.filter(namespace__in=owners, name__istartswith=name)
        # Asked beforehand: two indexes can then be joined, where a condition on a join cannot.
        owners = Namespace.objects.filter(slug__icontains=word)
        return self.filter(
            Q(name__icontains=word) | Q(namespace__in=list(owners.values_list("pk", flat=True)))
        )

    def with_storage(self) -> Self:
        """Annotate each row with `large_bytes`, the bytes of the large files that it links."""
        linked = (
            ObjectLink.objects.filter(repository=OuterRef("pk")).order_by().values("repository")
        )
        total = linked.annotate(total=Sum("stored_object__size_bytes")).values("total")
        return self.annotate(
            large_bytes=Coalesce(Subquery(total), Value(0), output_field=models.BigIntegerField())
        )

    def count_download(self, repository: Repository) -> None:
        """One more download of `repository`."""
        self.filter(pk=repository.pk).update(downloads=F("downloads") + 1)

    def named(self, repo: RepoId) -> Self:
        return self.filter(
            kind=repo.kind, namespace__slug__iexact=repo.namespace, name__iexact=repo.name
        )

    def known_as(self, repo: RepoId) -> Self:
        """Those that `repo` names now or named before they moved."""
        moved = RepositoryRedirect.objects.named(repo).values("repository")
        return self.filter(Q(pk__in=self.named(repo).values("pk")) | Q(pk__in=moved))

    def locked(self, pk: int) -> Repository:
        """The row under a lock: nobody else changes it until the transaction ends.

        Raises: RepositoryNotFoundError when it went meanwhile.
        """
        row = self.select_for_update(no_key=True).filter(pk=pk).first()
        if row is None:
            raise RepositoryNotFoundError("This repository has just been removed.")
        return row

    def next_number(self, pk: int, counter: str) -> int:
        """Take the next number of `counter` under a row lock; the caller's transaction keeps it."""
        row = self.select_for_update().only("pk", counter).get(pk=pk)
        number: int = getattr(row, counter) + 1
        self.filter(pk=pk).update(**{counter: number})
        return number


class RepositoryRedirectQuerySet(models.QuerySet["RepositoryRedirect"]):
    def named(self, repo: RepoId) -> Self:
        return self.filter(
            kind=repo.kind, namespace__slug__iexact=repo.namespace, name__iexact=repo.name
        )


class Repository(models.Model):
    """A model, data set, Space or kernel. Content lies in `store()`; large files in `blobs()`."""

    kind = models.CharField(max_length=8, choices=Kind)
    namespace = models.ForeignKey(Namespace, on_delete=models.PROTECT, related_name="repositories")
    name = models.CharField(max_length=96)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PUBLIC)
    gated = models.CharField(
        max_length=8, blank=True, choices=[("", "no"), ("auto", "auto"), ("manual", "manual")]
    )
    default_branch = models.CharField(max_length=200, default="main")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_modified_at = models.DateTimeField(auto_now_add=True)
    # Derived from the head of the default branch by `jobs.refresh`; shown in lists and search.
    head_oid = models.CharField(max_length=40, blank=True)
    card_data = models.JSONField(null=True, blank=True)
    card_problem = models.CharField(max_length=300, blank=True)
    summary = models.CharField(max_length=220, blank=True, help_text="First words of the card.")
    tags = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    pipeline_tag = models.CharField(max_length=64, blank=True)
    library_name = models.CharField(max_length=64, blank=True)
    config = models.JSONField(
        null=True, blank=True, help_text="model_type and architectures of config.json"
    )
    parameters = models.JSONField(
        null=True, blank=True, help_text='{"total": n, "parameters": {dtype: n}} of safetensors'
    )
    facts = models.JSONField(
        default=dict, blank=True, help_text="What only the API shows: transformersInfo, …"
    )
    size_bytes = models.BigIntegerField(default=0)
    git_bytes = models.BigIntegerField(default=0, help_text="On disk, without large files.")
    downloads = models.PositiveBigIntegerField(default=0)
    likes = models.PositiveIntegerField(default=0)
    last_discussion_number = models.PositiveIntegerField(default=0)
    last_run_number = models.PositiveIntegerField(default=0)

    objects = RepositoryQuerySet.as_manager()
    access: int  # annotated by `with_access`
    large_bytes: int  # annotated by `with_storage`
    is_liked = False  # whether the one who looks likes it; pages set it
    listening: Any = None  # what they hear of it, likewise; asked where it is shown
    may_read_files: Any = False  # whether they may read its files; asked where it is needed
    found_score = ""  # the measured score that it was found by; explore sets it

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "kind", "namespace", Lower("name"), name="repository_id_unique"
            ),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="repository_kind_known"),
            models.CheckConstraint(
                condition=Q(visibility__in=Visibility.values), name="repository_visibility_known"
            ),
        ]
        indexes = [
            GinIndex(fields=["tags"], name="repository_tags"),
            models.Index(F("last_modified_at").desc(), name="repository_recent"),
            # What lists sort by. `downloads` has none: it would make each count rewrite them all.
            models.Index("kind", F("likes").desc(), F("id").desc(), name="repository_liked"),
            models.Index(
                "kind", F("last_modified_at").desc(), F("id").desc(), name="repository_modified"
            ),
            models.Index("kind", F("created_at").desc(), F("id").desc(), name="repository_newest"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="repository_name_trigrams"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace.slug}/{self.name}"

    @property
    def repo_id(self) -> str:
        """`namespace/name` in its canonical spelling."""
        return f"{self.namespace.slug}/{self.name}"

    @property
    def named_by(self) -> RepoId:
        return RepoId(Kind(self.kind), self.namespace.slug, self.name)

    @property
    def is_private(self) -> bool:
        return self.visibility == Visibility.PRIVATE

    @property
    def path(self) -> str:
        """The path of its page, without the leading slash: `[datasets/]namespace/name`."""
        return f"{Kind(self.kind).web_prefix}{self.repo_id}"

    @property
    def api_path(self) -> str:
        return f"api/{self.kind}s/{self.repo_id}"

    @property
    def scope(self) -> str:
        """Where its large files lie: public ones apart from each namespace's private ones."""
        return "public" if not self.is_private else f"private-{self.namespace_id}"

    def number_of(self, name: str) -> int:
        """A number of `registries.repository_numbers`, which came with this row."""
        return int(getattr(self, f"number_of_{name}"))

    def get_absolute_url(self) -> str:
        return f"/{self.path}"

    def public_url(self) -> str:
        return f"{settings.PUBLIC_URL}/{self.path}"

    def store(self) -> GitStore:
        return GitStore(settings.REPOSITORIES_DIR / f"{self.pk}.git")

    def blobs(self) -> BlobStore:
        return BlobStore(
            settings.OBJECTS_DIR / self.scope, reserve_bytes=settings.FREE_DISK_RESERVE_BYTES
        )

    def may(self, need: Access) -> bool:
        """Whether the person it was fetched for holds `need` on it (see `policies`)."""
        return self.access >= need

    def as_facts(self) -> dict[str, Any]:
        """What logs and events say of it."""
        return {"repository_id": self.pk, "repo_id": self.repo_id, "kind": self.kind}


class RepositoryRedirect(models.Model):
    """A name that a repository had. It leads to the new one until another takes the name."""

    kind = models.CharField(max_length=8, choices=Kind)
    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=96)
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="redirects")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RepositoryRedirectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "kind", "namespace", Lower("name"), name="repository_redirect_unique"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=Kind.values), name="repository_redirect_kind_known"
            ),
        ]
