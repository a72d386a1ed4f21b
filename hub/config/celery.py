"""The Celery application. Messages are JSON and hold primary keys only."""

import os
from typing import Any

from celery import Celery
from celery.worker.consumer import Consumer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.config.settings")


class PatientConsumer(Consumer):
    """A consumer that survives the broker going away under a running task.

    Celery 5.7.0 raises AttributeError on a half-closed connection here and the worker exits.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            if "hostname" not in str(error):
                raise


app = Celery("weighbridge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.worker_consumer = f"{PatientConsumer.__module__}:{PatientConsumer.__qualname__}"
app.autodiscover_tasks()


@app.task(bind=True, ignore_result=True)
def ping(self: Any) -> None:
    """Nothing, so that a probe can see a worker answer."""
