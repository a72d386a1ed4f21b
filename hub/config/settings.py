"""Every setting, read from the environment once. Secrets have no default and may lie in a file."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hub.config.logs import configure_structlog, logging_config
from hub.outgoing import Allowed

KIB, MIB, GIB = 1024, 1024**2, 1024**3

env = environ.FileAwareEnv()
BASE_DIR = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"

# Who we are ------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
HUB_PORT = env.int("HUB_PORT", default=8000)
HUB_BIND = env.str("HUB_BIND", default="127.0.0.1")
# The one place absolute URLs come from: never the Host header (threats D4).
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://{HUB_BIND}:{HUB_PORT}").rstrip("/")
_public = urlsplit(PUBLIC_URL)
PUBLIC_HOST = _public.hostname or "localhost"
SECURE = _public.scheme == "https"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or [
    PUBLIC_HOST,
    "127.0.0.1",
    "localhost",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
if len(SECRET_KEY) < 32 or len(set(SECRET_KEY)) < 8 or SECRET_KEY.startswith("django-insecure-"):
    raise ImproperlyConfigured(
        "SECRET_KEY is short or an example, and whoever guesses it can sign anything: make one "
        "with `python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
    )
if DEBUG and HUB_BIND not in {"127.0.0.1", "localhost", "::1"}:
    raise ImproperlyConfigured("DEBUG shows secrets to strangers: bind to 127.0.0.1 or unset it.")
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must name hosts; '*' lets anyone forge links.")

# Where things lie ------------------------------------------------------------------------------
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "data"))).resolve()
REPOSITORIES_DIR = DATA_DIR / "repositories"
OBJECTS_DIR = Path(
    env.str("OBJECT_STORE_URL", default=f"file://{DATA_DIR}/objects").removeprefix("file://")
)
SPOOL_DIR = DATA_DIR / "spool"
RUNS_DIR = DATA_DIR / "runs"
# Beside the code, where numba would keep what it compiled, there may be no right to write.
os.environ.setdefault("NUMBA_CACHE_DIR", str(DATA_DIR / "compiled"))
WORK_DIR = DATA_DIR / "work"  # what a worker writes before it is kept; nothing is missed
FREE_DISK_RESERVE_BYTES = env.int("FREE_DISK_RESERVE_BYTES", default=2 * GIB)
# `nginx` spools uploads and sends files; `none` means the application server does both itself.
FRONT = env.str("FRONT", default="none")

DATABASES = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "hub.config.postgres"
DATABASES["default"]["ATOMIC_REQUESTS"] = False
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {})
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=0)
if DATABASE_POOL_SIZE:
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": DATABASE_POOL_SIZE,
        "timeout": 20,
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHE_URL = env.str("CACHE_URL", default="")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "hub_cache"}
}

# Parts -----------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "hub.apps.HubConfig",
    "reviews.apps.ReviewsConfig",
    "training.apps.TrainingConfig",
]
MIDDLEWARE = [
    "hub.http.middleware.RequestIdMiddleware",
    "hub.http.middleware.HeadMiddleware",
    "hub.http.middleware.ErrorContractMiddleware",
    "hub.http.middleware.RawPathMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "hub.http.middleware.SecurityHeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "hub.http.sessions.SeenMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "hub.http.middleware.RefusalMiddleware",
]
ROOT_URLCONF = "hub.config.urls"
WSGI_APPLICATION = "hub.config.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            # The form that template-partials asks for.
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "hub.http.components.Loader",
                            [
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hub.web.context.hub",
            ],
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env.str(
            "STATICFILES_STORAGE",
            default="hub.http.static_files.KeptManifestStorage",
        )
    },
}

# People ----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "hub.User"
LOGIN_URL = "hub:sign-in"
LOGIN_REDIRECT_URL = "/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "full_name", "email")},
    },
    {"NAME": "hub.actions.password_rules.NamesAsideValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
]
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_NAME = "__Host-session" if SECURE else f"session-{HUB_PORT}"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else f"csrf-{HUB_PORT}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "hub.http.error_pages.csrf_failure"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# Who may make an account: the operator alone, whoever holds an invitation, or everybody.
SIGN_UP = env.str("SIGN_UP", default="closed")
if SIGN_UP not in {"closed", "invite", "open"}:
    raise ImproperlyConfigured("SIGN_UP is closed, invite or open.")
PASSWORD_RESET_TIMEOUT = 24 * 3600  # seconds that a link to a new password lasts
TOKEN_LIFETIME = timedelta(days=env.int("TOKEN_LIFETIME_DAYS", default=90))
# Tokens of programs that were let in through the browser; clients renew them a day before.
DEVICE_TOKEN_LIFETIME = timedelta(days=env.int("DEVICE_TOKEN_LIFETIME_DAYS", default=7))
DEVICE_LOGIN_LIFETIME = timedelta(minutes=15)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Browsers ignore this header over plain http, and warn about it on every page.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if SECURE else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31536000 if SECURE else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_SSL_REDIRECT = False  # the proxy that holds the certificate redirects
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"

# Mail: smtp+tls://user:password@host:587, or filemail:///folder; empty sends none.
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    locals().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default=f"Weighbridge <weighbridge@{PUBLIC_HOST}>")

# Languages -------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# API -------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hub.http.authentication.BearerAuthentication",
        "hub.http.authentication.PageAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],  # policies decide; views fetch through them
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["hub.api.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "hub.api.schema.HubSchema",
    "EXCEPTION_HANDLER": "hub.http.refusals.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Weighbridge",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["hub.api.schema.one_spelling"],
    "POSTPROCESSING_HOOKS": ["hub.api.schema.with_shared_parts"],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = MIB
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# Limits (threats section 9) --------------------------------------------------------------------
# Twelve files of 9 MB as base64 are 144 MB, and clients send them at once.
COMMIT_BODY_LIMIT_BYTES = env.int("COMMIT_BODY_LIMIT_BYTES", default=256 * MIB)
# Without hf_xet, and before 2.0 always, `upload_folder` puts a whole folder into one commit.
COMMIT_OPERATIONS_LIMIT = env.int("COMMIT_OPERATIONS_LIMIT", default=10_000)
REGULAR_FILE_LIMIT_BYTES = 10 * MIB
LARGE_FILE_LIMIT_BYTES = env.int("LARGE_FILE_LIMIT_BYTES", default=50 * GIB)
CARD_LIMIT_BYTES = MIB
# Files above this come in parts, from clients that can.
MULTIPART_ABOVE_BYTES = env.int("MULTIPART_ABOVE_BYTES", default=5 * GIB)
MULTIPART_PART_BYTES = env.int("MULTIPART_PART_BYTES", default=512 * MIB)
SMALL_PART_BYTES = 8 * MIB  # what a browser sends again at most
# Comparisons of weights that one person asked for and no worker has finished.
WEIGHTS_COMPARISONS_LIMIT = env.int("WEIGHTS_COMPARISONS_LIMIT", default=5)
# Tensors whose numbers one person asked for and no worker has read.
TENSOR_READINGS_LIMIT = env.int("TENSOR_READINGS_LIMIT", default=20)
# Merges of models, trials and full weights, all together, likewise.
WEIGHTS_WORK_LIMIT = env.int("WEIGHTS_WORK_LIMIT", default=10)
# Revisions of one repository whose full weights are kept or being written.
FULL_WEIGHTS_LIMIT = env.int("FULL_WEIGHTS_LIMIT", default=2)
MULTIPART_UPLOADS_LIMIT = env.int("MULTIPART_UPLOADS_LIMIT", default=20)  # unfinished, a person
# An upload of hours needs addresses that last: each use asks again whether its person may.
MULTIPART_LIFETIME = timedelta(hours=env.int("MULTIPART_LIFETIME_HOURS", default=24))
# Requests of one account, or of one address without one, per window; 0 is no limit.
RATE_LIMIT_WINDOW_SECONDS = env.int("RATE_LIMIT_WINDOW_SECONDS", default=300)
RATE_LIMITS = {
    "api": env.int("RATE_LIMIT_API", default=30_000),
    "resolve": env.int("RATE_LIMIT_RESOLVE", default=50_000),
    "write": env.int("RATE_LIMIT_WRITE", default=6_000),
    "archive": env.int("RATE_LIMIT_ARCHIVE", default=60),
}
# What one archive of a revision holds at most: it is written by a process that answers pages.
ARCHIVE_LIMIT_BYTES = env.int("ARCHIVE_LIMIT_BYTES", default=4 * GIB)
SIGNED_URL_LIFETIME = timedelta(minutes=15)
XET_TOKEN_LIFETIME = timedelta(minutes=15)
# What nobody links to goes away so long after the last link went; 0 days: at once.
GARBAGE_QUARANTINE = timedelta(days=env.int("GARBAGE_QUARANTINE_DAYS", default=7))
# What the hub works out from a repository's files, as full weights, is kept so long unused.
DERIVED_LIFETIME = timedelta(days=env.int("DERIVED_LIFETIME_DAYS", default=7))
# What was sent so lately may belong to an upload that is not finished.
UPLOAD_GRACE = timedelta(seconds=env.int("UPLOAD_GRACE_SECONDS", default=24 * 3600))
# hf_xet relies for 21 days on what it has sent; dropping it sooner needs a new epoch.
XORB_GRACE = timedelta(days=env.int("XORB_GRACE_DAYS", default=30))
# Host names and networks that webhooks may reach although they are not public (threat A4).
OUTGOING_ALLOWED = env.list("OUTGOING_ALLOWED", default=[])
try:
    Allowed.parse(OUTGOING_ALLOWED)
except ValueError as error:
    raise ImproperlyConfigured(f"OUTGOING_ALLOWED: {error}") from None
WEBHOOKS_LIMIT_PER_USER = env.int("WEBHOOKS_LIMIT_PER_USER", default=50)

# Runs ------------------------------------------------------------------------------------------
RUN_LEASE = timedelta(seconds=env.int("RUN_LEASE_SECONDS", default=60))
RUN_HEARTBEAT = timedelta(seconds=env.int("RUN_HEARTBEAT_SECONDS", default=15))
RUN_WALL_LIMIT = timedelta(minutes=env.int("RUN_WALL_LIMIT_MINUTES", default=60))
RUN_MEMORY_LIMIT_BYTES = env.int("RUN_MEMORY_LIMIT_BYTES", default=12 * GIB)
RUN_OUTPUT_LIMIT_BYTES = env.int("RUN_OUTPUT_LIMIT_BYTES", default=20 * GIB)
RUN_LOG_LIMIT_BYTES = 10 * MIB
RUN_QUEUED_LIMIT_PER_USER = env.int("RUN_QUEUED_LIMIT_PER_USER", default=20)
RUN_RUNNING_LIMIT_PER_USER = env.int("RUN_RUNNING_LIMIT_PER_USER", default=2)
RUN_THREADS = env.int("RUN_THREADS", default=0)  # 0: the cores this machine has

# Try it: asking a model something from its page -------------------------------------------------
TRY_IT = env.bool("TRY_IT", default=True)
TRY_WARM = timedelta(seconds=env.int("TRY_WARM_SECONDS", default=180))  # loaded, after an answer
TRY_SESSION_LIMIT = timedelta(minutes=15)  # one model, however much it is asked
TRY_LOAD_LIMIT = timedelta(seconds=env.int("TRY_LOAD_LIMIT_SECONDS", default=180))
TRY_ANSWER_LIMIT = timedelta(seconds=env.int("TRY_ANSWER_LIMIT_SECONDS", default=60))
TRY_MEMORY_LIMIT_BYTES = env.int("TRY_MEMORY_LIMIT_BYTES", default=8 * GIB)
TRY_MODEL_LIMIT_BYTES = env.int("TRY_MODEL_LIMIT_BYTES", default=4 * GIB)
TRY_TOKENS_LIMIT = env.int("TRY_TOKENS_LIMIT", default=512)
TRY_WAITING_LIMIT_PER_USER = env.int("TRY_WAITING_LIMIT_PER_USER", default=2)
TRY_HOURLY_LIMIT_PER_USER = env.int("TRY_HOURLY_LIMIT_PER_USER", default=120)

# Celery: JSON only; a message is a doorbell, the row is the job ---------------------------------
CELERY_BROKER_URL = env.str("BROKER_URL", default="")
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_TASK_ROUTES = {
    "training.tasks.execute_run": {"queue": "gpu"},
    # Somebody sits and waits: an answer is not to stand behind an hour of training.
    "training.tasks.answer_try": {"queue": "tries"},
    # Waiting for other people's servers must not keep anything else waiting.
    "hub.tasks.deliver_webhook": {"queue": "webhooks"},
    "hub.tasks.send_letter": {"queue": "webhooks"},
    # People hear of things while long work is under way, too.
    "hub.tasks.tell_people": {"queue": "webhooks"},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 6 * 3600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    }
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "training.tasks.sweep_runs", "schedule": 30.0},
    "reconcile-merges": {"task": "reviews.tasks.reconcile_merges", "schedule": 30.0},
    "tidy": {"task": "hub.tasks.tidy", "schedule": 3600.0},
    "collect-garbage": {"task": "hub.tasks.collect_garbage", "schedule": 6 * 3600.0},
    "sweep-comparisons": {"task": "reviews.tasks.sweep_comparisons", "schedule": 30.0},
    "sweep-queues": {"task": "reviews.tasks.sweep_queues", "schedule": 30.0},
    "sweep-full-weights": {"task": "reviews.tasks.sweep_full_weights", "schedule": 30.0},
    "send-password-resets": {"task": "hub.tasks.send_password_resets", "schedule": 60.0},
    "sweep-tables": {"task": "hub.tasks.sweep_tables", "schedule": 30.0},
    "count-heat": {"task": "hub.tasks.count_heat", "schedule": 120.0},
    "sweep-webhooks": {"task": "hub.tasks.sweep_webhooks", "schedule": 15.0},
    "tell-people": {"task": "hub.tasks.tell_people", "schedule": 15.0},
    "write-letters": {"task": "hub.tasks.write_letters", "schedule": 30.0},
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

LOG_FORMAT = env.str("LOG_FORMAT", default="json")
LOGGING = logging_config(env.str("LOG_LEVEL", default="INFO"), LOG_FORMAT)
LOGGING_CONFIG = "logging.config.dictConfig"
configure_structlog(LOG_FORMAT)
