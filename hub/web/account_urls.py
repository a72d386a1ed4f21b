"""Routes of accounts, organisations and the settings of a repository."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from hub.http.routing import View, page
from hub.web import account, joining, organizations, pictures, repository_settings


def _organization(rest: str, view: View, name: str) -> URLPattern:
    return path(f"-/organizations/<segment:slug>{rest}", view, name=name)


urlpatterns: list[URLPattern] = [
    path("-/sign-up", joining.sign_up, name="sign-up"),
    path("-/password", joining.forgotten, name="password-forgotten"),
    path("-/password/<str:uid>/<str:token>", joining.choose_password, name="password-choose"),
    path("-/settings", account.home, name="settings"),
    path("-/settings/profile", account.profile, name="profile"),
    path("-/settings/picture", pictures.own_picture, name="own-picture"),
    re_path(r"^-/pictures/(?P<sha256>[0-9a-f]{64})\.webp$", pictures.picture, name="picture"),
    path("-/settings/password", account.password, name="password"),
    path("-/settings/sessions", account.session_list, name="session-list"),
    path("-/settings/sessions/end", account.session_end, name="session-end"),
    path("-/settings/close", account.close, name="account-close"),
    path("-/settings/organizations", organizations.organization_list, name="organization-list"),
    path("-/collaborations/<int:pk>/leave", organizations.stop, name="collaboration-leave"),
    path("-/invitations/<int:pk>", organizations.invitation_answer, name="invitation-answer"),
    path("-/offers/<int:pk>", organizations.offer_answer, name="offer-answer"),
    path("-/new-organization", organizations.organization_new, name="organization-new"),
    _organization("", organizations.organization_settings, "organization-settings"),
    _organization("/picture", pictures.organization_picture, "organization-picture"),
    _organization("/members", organizations.organization_members, "organization-members-page"),
    _organization("/audit", organizations.organization_audit, "organization-audit"),
    _organization("/delete", organizations.organization_delete, "organization-delete"),
    _organization("/leave", organizations.organization_leave, "organization-leave"),
]
repository_pages: list[URLPattern] = [
    *page("/settings", repository_settings.repository_settings, "repository-settings"),
    *page(
        "/settings/collaborators", repository_settings.collaborator_page, "repository-collaborators"
    ),
    *page("/settings/branches", repository_settings.branch_page, "repository-branches"),
    *page("/settings/storage", repository_settings.storage_page, "repository-storage"),
    *page("/settings/audit", repository_settings.audit_page, "repository-audit"),
    *page("/settings/danger", repository_settings.danger_page, "repository-danger"),
]
