"""The application that gunicorn serves."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.config.settings")
# Many threads share few connections; workers of Celery keep one each and set nothing.
os.environ.setdefault("DATABASE_POOL_SIZE", "16")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
