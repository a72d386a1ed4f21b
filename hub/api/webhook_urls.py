"""Routes of webhooks."""

from django.urls import path

from hub.api import webhooks

urlpatterns = [
    path("api/settings/webhooks", webhooks.WebhookListView.as_view(), name="webhooks-api"),
    path(
        "api/settings/webhooks/<segment:webhook_id>",
        webhooks.WebhookView.as_view(),
        name="webhook-api",
    ),
    path(
        "api/settings/webhooks/<segment:webhook_id>/enable",
        webhooks.WebhookSwitchView.as_view(),
        name="webhook-enable",
    ),
    path(
        "api/settings/webhooks/<segment:webhook_id>/disable",
        webhooks.WebhookSwitchView.as_view(enabled=False),
        name="webhook-disable",
    ),
]
