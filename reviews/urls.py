"""Routes of reviews."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from hub.http.routing import by_prefix
from reviews.api import urls as api_urls
from reviews.web import urls as web_urls

app_name = "reviews"
urlpatterns: list[URLPattern | URLResolver] = by_prefix(
    [*api_urls.urlpatterns, *web_urls.urlpatterns]
)
