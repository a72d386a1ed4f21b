"""Routes of training."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from hub.http.routing import by_prefix
from training.api import urls as api_urls
from training.web import urls as web_urls

app_name = "training"
urlpatterns: list[URLPattern | URLResolver] = by_prefix(
    [*api_urls.urlpatterns, *web_urls.urlpatterns]
)
