"""Is it alive, is it ready, what does it count: for supervisors, balancers and Prometheus."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from hub.models import Repository, StoredObject, User

log = structlog.get_logger(__name__)


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every part answers, else 503; each part by name."""
    parts = {name: _state(name, probe) for name, probe in PROBES.items()}
    ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"ready": ready, "parts": parts}, status=200 if ready else 503)


def _state(name: str, probe: Callable[[], None]) -> str:
    try:
        probe()
    except Exception as error:
        # Whatever a part fails with, the answer is the same; the log says more than strangers get.
        log.warning("hub.part_unready", part=name, error=str(error)[:300])
        return "unavailable"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    with current_app.connection_for_read(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


def _cache() -> None:
    cache.set("hub.readyz", "ok", 10)
    if cache.get("hub.readyz") != "ok":
        raise OSError("the cache forgets what it was told")


def _object_store() -> None:
    settings.OBJECTS_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.OBJECTS_DIR) as file:
        file.write(b"ok")


def _git() -> None:
    settings.REPOSITORIES_DIR.mkdir(parents=True, exist_ok=True)
    if shutil.which("git") is None:
        raise OSError("git is not on PATH")
    with tempfile.TemporaryFile(dir=settings.REPOSITORIES_DIR) as file:
        file.write(b"ok")


def _disk() -> None:
    usage = shutil.disk_usage(settings.OBJECTS_DIR)
    reserve = min(settings.FREE_DISK_RESERVE_BYTES, usage.total // 20)
    if usage.free < reserve:
        raise OSError(f"{usage.free} bytes are free, {reserve} are reserved")


PROBES: dict[str, Callable[[], None]] = {
    "database": _database,
    "broker": _broker,
    "cache": _cache,
    "object_store": _object_store,
    "git": _git,
    "disk": _disk,
}


class HubCollector:
    """Numbers read when asked for, so that every process of the hub gives the same answer."""

    def collect(self) -> Iterator[Metric]:
        yield _gauge("hub_people", "Accounts.", User.objects.filter(is_active=True).count())
        repositories = GaugeMetricFamily(
            "hub_repositories", "Repositories.", labels=["kind", "visibility"]
        )
        groups = Repository.objects.values_list("kind", "visibility").annotate(Count("pk"))
        for kind, visibility, count in groups:
            repositories.add_metric([kind, visibility], count)
        yield repositories
        stored = StoredObject.objects.aggregate(count=Count("pk"), size=Sum("size_bytes"))
        yield _gauge("hub_objects", "Large files stored.", stored["count"])
        yield _gauge("hub_objects_bytes", "Bytes of large files.", stored["size"] or 0)
        downloads = Repository.objects.aggregate(total=Sum("downloads"))["total"]
        yield _gauge("hub_downloads", "Downloads counted.", downloads or 0)
        free = shutil.disk_usage(settings.DATA_DIR).free
        yield _gauge("hub_disk_free_bytes", "Free space under DATA_DIR.", free)


def _gauge(name: str, help_text: str, value: Any) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: counts only, no names."""
    registry = CollectorRegistry()
    registry.register(HubCollector())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4")
