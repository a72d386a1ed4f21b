"""The application that gunicorn serves."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.config.settings")
# Many threads share few connections; workers of Celery keep one each and set nothing.
os.environ.setdefault("DATABASE_POOL_SIZE", "16")

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

application = get_wsgi_application()
# Read the routes now: gunicorn forks after this, so workers share them and the first page is quick.
get_resolver().url_patterns  # noqa: B018
