#!/usr/bin/env python3
"""Django's command line. It uses the services of the running hub, or starts them for its length."""

import os
import sys

from hub.supervisor import Services, SupervisorError, ensure_services

# These read no table, or start a hub themselves.
WITHOUT_SERVICES = frozenset(
    [
        *("help", "version", "check", "makemigrations", "makemessages", "compilemessages"),
        *("check_translations", "collectstatic", "findstatic", "spectacular"),
        *("demo", "bench", "screenshots"),
    ]
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.config.settings")
    services = Services.of_environment()
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "help")
    if command in WITHOUT_SERVICES or "--help" in sys.argv:
        services.data.prepare()
        os.environ.update(services.environment())
        run()
        return
    with ensure_services(services.data.path) as session:
        os.environ.update(session.environment)
        if session.started_here and command != "migrate":
            bring_tables_up_to_date()
        run()


def bring_tables_up_to_date() -> None:
    """A data folder that no hub has served yet has no tables."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)


def run() -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    try:
        main()
    except SupervisorError as error:
        sys.exit(str(error))
