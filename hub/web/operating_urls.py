"""Routes of the pages for whoever runs the hub."""

from __future__ import annotations

from django.urls import URLPattern, path

from hub.web import operating

urlpatterns: list[URLPattern] = [
    path("-/admin", operating.overview, name="operating"),
    path("-/admin/people", operating.people, name="operating-people"),
    path("-/admin/people/<str:username>", operating.person, name="operating-person"),
    path("-/admin/audit", operating.trail, name="operating-audit"),
]
