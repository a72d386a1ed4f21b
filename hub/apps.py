from django.apps import AppConfig


class HubConfig(AppConfig):
    name = "hub"
    verbose_name = "Hub"

    def ready(self) -> None:
        # Tasks sent by the web go to our broker only once our Celery application is loaded.
        import hub.config.celery  # noqa: F401
        from hub import wiring

        wiring.connect()
