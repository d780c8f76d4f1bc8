"""The API that versions promise to keep: names, signatures, and what imports load."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import pytest

import herokuify
from herokuify.env import Variable
from tests.project import clean_environment

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = {
    "herokuify": {
        *("__version__", "get_cache_config", "get_db_config", "get_email_config", "get_storages"),
    },
    "herokuify.aws": {"get_media_url", "get_static_url", "read_aws"},
    "herokuify.celery": {"connect_logging", "get_celery_config"},
    "herokuify.redis": {"get_redis_config"},
    "herokuify.rediscache": {"RedisCache"},
    "herokuify.common": {"get_csp", "read_common"},
    "herokuify.compress": set(),
    "herokuify.env": {
        *("Platform", "Stage", "Variable", "boolean", "comma_list", "get_platform", "get_stage"),
        *(
            "http_url",
            "integer",
            "is_set",
            "one_of",
            "port",
            "read",
            "require",
            "require_all_or_none",
            "url",
        ),
    },
    "herokuify.exceptions": {
        *("ConfigurationError", "HerokuifyError", "S3ConfigurationError", "S3Error"),
    },
    "herokuify.logs": {"JsonFormatter", "TextFormatter", "request_id"},
    "herokuify.mail.mailgun": set(),
    "herokuify.mail.postmark": set(),
    "herokuify.mail.sendgrid": set(),
    "herokuify.media.urls": set(),
    "herokuify.memcached": {"BinaryMemcachedCache"},
    "herokuify.middleware": {"RequestIdMiddleware"},
    "herokuify.routers": {"ReplicaMiddleware", "ReplicaRouter"},
    "herokuify.server": {"read_server", "workers_for"},
    "herokuify.storage": {
        *("CachedS3BotoStorage", "CachedS3ManifestStaticStorage", "CachedS3StaticStorage"),
        *("S3BotoStorage", "S3ManifestStaticStorage", "S3MediaStorage", "S3PublicMediaStorage"),
        "S3StaticStorage",
    },
    "herokuify.storage.offline": {"OfflineManifestStorage"},
    "herokuify.uploads.forms": {"DirectFileField", "DirectImageField"},
    "herokuify.uploads.middleware": {"DirectUploadMiddleware"},
    "herokuify.uploads.rest": {"DirectUploadView"},
    "herokuify.uploads.serializers": {"DirectFileField", "DirectImageField"},
    "herokuify.uploads.urls": set(),
}
COMPRESS = {"COMPRESSORS", *(f"COMPRESS_{name}" for name in ("CSS_HASHING_METHOD", "FILTERS"))}
MANIFEST = "COMPRESS_OFFLINE_MANIFEST_STORAGE"
#: What ``from … import *`` defines when no variable is set.
STARS = {
    "herokuify.aws": {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_STORAGE_BUCKET_NAME", MANIFEST),
        *("get_media_url", "get_static_url"),
    },
    "herokuify.common": {
        *("ALLOWED_HOSTS", "CSRF_COOKIE_SECURE", "CSRF_TRUSTED_ORIGINS", "DEBUG", "LOGGING"),
        *(
            "SECRET_KEY",
            "SECRET_KEY_FALLBACKS",
            "SECURE_CSP",
            "SECURE_HSTS_INCLUDE_SUBDOMAINS",
            "SECURE_HSTS_PRELOAD",
        ),
        *("SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER", "SECURE_SSL_REDIRECT"),
        *("SESSION_COOKIE_SECURE", "get_csp"),
    },
    "herokuify.compress": COMPRESS | {MANIFEST},
    "herokuify.mail.mailgun": {
        *("MAILGUN_API_KEY", "MAILGUN_DOMAIN", "MAILGUN_SMTP_LOGIN", "MAILGUN_SMTP_PASSWORD"),
        *("MAILGUN_SMTP_PORT", "MAILGUN_SMTP_SERVER"),
    },
    "herokuify.mail.postmark": {
        *("POSTMARK_API_TOKEN", "POSTMARK_SMTP_PORT", "POSTMARK_SMTP_SERVER"),
    },
    "herokuify.mail.sendgrid": {
        *("SENDGRID_API_KEY", "SENDGRID_PASSWORD", "SENDGRID_SMTP_PORT", "SENDGRID_SMTP_SERVER"),
        "SENDGRID_USERNAME",
    },
}
CALLS = {
    "get_cache_config": [
        "environ",
        "*variable",
        "*ssl_ca_certs",
        "*max_connections",
        "*ignore_exceptions",
    ],
    "get_db_config": [
        *("environ", "*variable", "*databases", "*engine", "*sqlite_path", "*conn_max_age"),
        *("*conn_health_checks", "*ssl_require", "*pool", "*connection_pool_url", "*followers"),
        "**defaults",
    ],
    "get_email_config": ["environ", "*timeout"],
    "get_storages": ["environ", "*media", "*static"],
}


# Tested in tests/thirdparty, where Django REST framework is installed.
REST_FRAMEWORK = {"herokuify.uploads.rest", "herokuify.uploads.serializers"}


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - REST_FRAMEWORK))
def test_public_names_exist(name: str) -> None:
    module = importlib.import_module(name)
    assert {public for public in PUBLIC[name] if not hasattr(module, public)} == set()
    if name in {"herokuify", "herokuify.storage"}:
        assert set(module.__all__) == PUBLIC[name]


@pytest.mark.parametrize("name", ["herokuify.env", "herokuify.exceptions"])
def test_modules_have_no_other_public_names(name: str) -> None:
    module = importlib.import_module(name)
    own = {
        public
        for public, value in vars(module).items()
        if getattr(value, "__module__", None) in {name, "herokuify.platforms"}
        and not public.startswith("_")
        and not isinstance(value, TypeVar)
    }
    # For herokuify's own modules.
    internal = {"FLY", "HEROKU", "adapted", "config_set", "explain_stage", "listed", "names_set"}
    assert own - internal == PUBLIC[name]


@pytest.mark.parametrize("name", STARS)
def test_star_imports_define_these_names(name: str) -> None:
    exported = set(importlib.import_module(name).__all__)
    mail = {setting for setting in exported if setting.startswith(("EMAIL_", "MAILERS"))}
    assert exported - mail == STARS[name]
    assert bool(mail) == name.startswith("herokuify.mail.")


@pytest.mark.parametrize("name", CALLS)
def test_signatures(name: str) -> None:
    parameters = inspect.signature(getattr(herokuify, name)).parameters.values()
    stars = {"KEYWORD_ONLY": "*", "VAR_KEYWORD": "**"}
    assert [f"{stars.get(one.kind.name, '')}{one.name}" for one in parameters] == CALLS[name]
    assert all(
        one.default is not one.empty for one in parameters if one.kind is not one.VAR_KEYWORD
    )


def test_variable_has_these_fields() -> None:
    fields = list(inspect.signature(Variable).parameters)
    assert fields == ["names", "purpose", "secret", "settings"]


@pytest.mark.source_tree
def test_docs_list_the_same_names() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \|$", page, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", names)) for name, names in rows} == PUBLIC


def loaded(statements: str, home: Path) -> list[str]:
    """Return the heavy modules that a new Python process loads for these statements."""
    source = (
        f"import sys\n{statements}\n"
        "from django.conf import settings\n"
        "assert not settings.configured\n"
        "registry = sys.modules.get('django.apps')\n"
        "assert registry is None or not registry.apps.app_configs\n"
        "heavy = ('boto3', 'botocore', 'storages', 'compressor', 'gunicorn')\n"
        "print(*[name for name in heavy if name in sys.modules])\n"
    )
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        encoding="utf-8",
        env=clean_environment(home),
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.split()


def test_settings_load_neither_boto3_nor_apps(tmp_path: Path) -> None:
    stars = "\n".join(f"from {name} import *" for name in STARS)
    assert loaded(f"import herokuify\nimport herokuify.celery\n{stars}", tmp_path) == []


def test_making_all_settings_loads_no_client(tmp_path: Path) -> None:
    calls = [f"herokuify.{name}()" for name in CALLS]
    assert loaded("\n".join(["import herokuify", *calls]), tmp_path) == []
