"""Routes of discussion pages. Clients print `…/discussions/N` as a pull request's address."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from hub.http.routing import page
from reviews.web import (
    comments,
    full_weights,
    listing,
    model_merge_pages,
    pages,
    posts,
    queue,
    weight_trials,
    weights_pages,
)

_ONE = "/discussions/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    *page("/discussions", listing.discussion_list, "discussion-list"),
    *page("/discussions/new", pages.discussion_new, "discussion-new"),
    *page(_ONE, pages.discussion_detail, "discussion"),
    *page(f"{_ONE}/files", pages.pull_request_files, "pull-request-files"),
    *page(f"{_ONE}/commits", pages.pull_request_commits, "pull-request-commits"),
    *page(f"{_ONE}/checklist", pages.pull_request_checklist, "pull-request-checklist"),
    *page(f"{_ONE}/comment", posts.comment, "comment-add"),
    *page(f"{_ONE}/comment/<int:event>/edit", comments.edit, "comment-edit"),
    *page(f"{_ONE}/comment/<int:event>/hide", comments.hide, "comment-hide"),
    *page(f"{_ONE}/review", posts.review, "pull-request-review"),
    *page(f"{_ONE}/ask", posts.ask, "review-ask"),
    *page(f"{_ONE}/merge", posts.merge, "pull-request-merge"),
    *page(f"{_ONE}/queue", posts.join_queue, "queue-join"),
    *page(f"{_ONE}/queue/leave", posts.leave_queue, "queue-leave"),
    *page("/queue", queue.queue_page, "queue"),
    *page(f"{_ONE}/close", posts.close, "discussion-close"),
    *page(f"{_ONE}/reopen", posts.reopen, "discussion-reopen"),
    *page(f"{_ONE}/publish", posts.publish, "pull-request-publish"),
    *page(f"{_ONE}/title", posts.title, "discussion-title"),
    *page(f"{_ONE}/weights/comment", weights_pages.comment, "weights-comment"),
    *page(f"{_ONE}/weights/again", weights_pages.again, "weights-again"),
    *page(f"{_ONE}/weights/merge", weights_pages.merge, "weights-merge"),
    *page(f"{_ONE}/weights/trials", weight_trials.start, "weight-trials"),
    *page(f"{_ONE}/weights/trials/measure", weight_trials.measure, "weight-trials-measure"),
    *page(f"{_ONE}/weights/trials/<int:trial>/use", weight_trials.use, "weight-trial-use"),
    *page(f"{_ONE}/weights/trials/<int:trial>/remove", weight_trials.remove, "weight-trial-remove"),
    *page(f"{_ONE}/weights/write-full", full_weights.write_full, "full-weights-write"),
    *page("/full-weights/<revision:revision>", full_weights.full_weights, "full-weights"),
    *page("/merge-models", model_merge_pages.merge_models, "merge-models"),
    *page("/merge-models/<int:number>", model_merge_pages.model_merge, "model-merge"),
    *page("/weights", weights_pages.between, "weights-between"),
    *page(f"{_ONE}/<slug:key>", pages.pull_request_feature, "pull-request-feature"),
]
