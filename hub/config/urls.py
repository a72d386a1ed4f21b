"""Routes: every app by string."""

from django.urls import include, path

urlpatterns = [
    path("", include("training.urls")),
    path("", include("reviews.urls")),
    path("", include("hub.urls")),
]
handler400 = "hub.http.error_pages.bad_request"
handler403 = "hub.http.error_pages.forbidden"
handler404 = "hub.http.error_pages.not_found"
handler500 = "hub.http.error_pages.server_error"
