"""Routes of people and organisations, likes, follows and access to gated repositories."""

from __future__ import annotations

from django.urls import URLPattern, path

from hub.api import access, accounts, collaborators, inbox, likes
from hub.http.routing import api, page


def user(rest: str, view: type[accounts.NamespaceView], name: str) -> URLPattern:
    return path(f"api/users/<segment:slug>{rest}", view.as_view(), name=name)


def organization(rest: str, view: type[accounts.NamespaceView], name: str) -> URLPattern:
    return path(f"api/organizations/<segment:slug>{rest}", view.as_view(), name=name)


urlpatterns: list[URLPattern] = [
    user("/overview", accounts.UserOverviewView, "user-overview"),
    user("/likes", likes.UserLikeListView, "user-likes"),
    user("/follow", likes.FollowView, "user-follow"),
    user("/followers", likes.FollowerListView, "user-followers"),
    user("/following", likes.FollowingListView, "user-following"),
    organization("/overview", accounts.OrganizationOverviewView, "organization-overview"),
    organization("/members", likes.MemberListView, "organization-members"),
    organization("/follow", likes.OrganizationFollowView, "organization-follow"),
    organization("/followers", likes.OrganizationFollowerListView, "organization-followers"),
    path("-/avatars/<segment:slug>", accounts.AvatarView.as_view(), name="avatar"),
    api("/like", likes.LikeView.as_view(), "like-api"),
    api("/likers", likes.LikerListView.as_view(), "likers"),
    api("/user-access-request/handle", access.HandleView.as_view(), "access-handle"),
    api("/user-access-request/grant", access.GrantView.as_view(), "access-grant"),
    api("/user-access-request/<str:status>", access.AccessRequestListView.as_view(), "access-list"),
    api("/collaborators", collaborators.CollaboratorListView.as_view(), "collaborator-list-api"),
    api(
        "/collaborators/<segment:user>",
        collaborators.CollaboratorView.as_view(),
        "collaborator-api",
    ),
    path("api/notifications", inbox.NotificationListView.as_view(), name="notification-list-api"),
    path(
        "api/notifications/mark",
        inbox.NotificationMarkView.as_view(),
        name="notification-mark-api",
    ),
    path(
        "api/notifications/<int:pk>/mute",
        inbox.NotificationMuteView.as_view(),
        name="notification-mute-api",
    ),
    *page("/ask-access", access.AskView.as_view(), "access-ask"),
]
