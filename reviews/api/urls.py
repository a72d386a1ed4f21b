"""Routes of the discussions API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from hub.http.routing import api, page
from reviews.api import full_weights, model_merges, queue, trials, views, weights

_ONE = "/discussions/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    api("/discussions", views.DiscussionListView.as_view(), "api-discussion-list"),
    api(_ONE, views.DiscussionView.as_view(), "api-discussion"),
    api(f"{_ONE}/comment", views.CommentView.as_view(), "api-comment-add"),
    api(f"{_ONE}/comment/<str:event>/edit", views.CommentEditView.as_view(), "api-comment-edit"),
    api(f"{_ONE}/comment/<str:event>/hide", views.CommentHideView.as_view(), "api-comment-hide"),
    api(f"{_ONE}/title", views.TitleView.as_view(), "api-discussion-title"),
    api(f"{_ONE}/status", views.StatusView.as_view(), "api-discussion-status"),
    api(f"{_ONE}/weights", weights.PullRequestWeightsView.as_view(), "api-pull-request-weights"),
    api(f"{_ONE}/weights/trials", trials.WeightTrialsView.as_view(), "api-weight-trials"),
    api(
        f"{_ONE}/weights/trials/<int:trial>/use",
        trials.WeightTrialUseView.as_view(),
        "api-weight-trial-use",
    ),
    api("/merges", model_merges.ModelMergeListView.as_view(), "api-model-merge-list"),
    api("/merges/<int:number>", model_merges.ModelMergeView.as_view(), "api-model-merge"),
    api("/weights", weights.WeightsView.as_view(), "api-weights"),
    api(
        "/full-weights/<revision:revision>",
        full_weights.FullWeightsView.as_view(),
        "api-full-weights",
    ),
    *page(
        "/full-weights/<revision:revision>/<entry:path>",
        full_weights.FullWeightsFileView.as_view(),
        "full-weights-file",
    ),
    api(f"{_ONE}/merge", views.MergeView.as_view(), "api-pull-request-merge"),
    api(f"{_ONE}/queue", queue.PullRequestQueueView.as_view(), "api-pull-request-queue"),
    api("/queue", queue.QueueView.as_view(), "api-queue"),
    api(f"{_ONE}/review", views.ReviewView.as_view(), "api-pull-request-review"),
    api(
        f"{_ONE}/requirements",
        views.RequirementsView.as_view(),
        "api-pull-request-requirements",
    ),
]
