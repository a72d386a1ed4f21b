"""Routes of the platform."""

from __future__ import annotations

from django.conf import settings
from django.urls import URLPattern, URLResolver, path
from django.views.i18n import set_language

from hub.api import urls as api_urls
from hub.http.routing import by_prefix
from hub.http.static import static_file
from hub.web import urls as web_urls

app_name = "hub"
urlpatterns: list[URLPattern | URLResolver] = by_prefix(
    [
        path("-/language", set_language, name="set-language"),
        *(
            [path("static/<path:path>", static_file, name="static")]
            if settings.FRONT == "none"
            else []
        ),
        *api_urls.urlpatterns,
        api_urls.fallback,
        *web_urls.urlpatterns,
    ]
)
