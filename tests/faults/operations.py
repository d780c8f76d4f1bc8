"""Faults of published files and of services, which the doctor and the plan find."""

from tests.faults import servers
from tests.faults.fault import APPLY, DOCTOR, PLAN, Fault, Means
from tests.replay import POLICY_BLOCKED

HINT = "python manage.py herokuify bucket --apply"
LOCAL = """\
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "static/"
"""

VISITORS = [
    Fault(
        "Static files are not public",
        Means.DOCTOR,
        ("Static files are not public", HINT),
        state=servers.readable(),
        command=DOCTOR,
        is_built=True,
    ),
    Fault(
        "Media files are public",
        Means.DOCTOR,
        ("Media files are public", HINT),
        state=servers.readable("static", "media"),
        command=DOCTOR,
        is_built=True,
    ),
    Fault(
        "No CORS rule for fonts",
        Means.DOCTOR,
        ("Browsers block fonts", HINT),
        state=servers.fonts_for(),
        command=DOCTOR,
        is_built=True,
    ),
    Fault(
        "CORS rule for another host",
        Means.DOCTOR,
        ("Browsers block fonts on pages of https://www.example.com", HINT),
        settings='ALLOWED_HOSTS = ["www.example.com"]\n',
        state=servers.fonts_for("https://www.example.org"),
        command=DOCTOR,
        is_built=True,
    ),
    Fault(
        "A file in the manifest is missing",
        Means.DOCTOR,
        ("shop/css/base.", "python manage.py collectstatic"),
        state=servers.lost(r"shop/css/base\.[0-9a-f]{12}\.css$"),
        command=DOCTOR,
        is_built=True,
    ),
    Fault(
        "A django-compressor bundle is missing",
        Means.DOCTOR,
        ("CACHE/css/", "python manage.py collectstatic"),
        state=servers.lost("CACHE/css/output"),
        command=DOCTOR,
        is_built=True,
    ),
    Fault(
        "Files have an outdated header",
        Means.DOCTOR,
        ("content-language: en", "not in the settings", "python manage.py collectstatic"),
        state=servers.with_language("en"),
        command=DOCTOR,
        status=0,
        is_built=True,
    ),
    Fault(
        "The bucket blocks public policies",
        Means.PLAN,
        ("BlockPublicPolicy: on", "herokuify bucket --apply"),
        state=servers.blocked,
        command=PLAN,
        status=0,
    ),
    Fault(
        "The account blocks public policies",
        Means.COMMAND,
        ("s3:PutBucketPolicy", "Block Public Access settings for this account"),
        state=servers.answering("PutBucketPolicy", answer=POLICY_BLOCKED),
        command=APPLY,
    ),
]

SERVICES = [
    Fault(
        "The database refuses connections",
        Means.DOCTOR,
        ("refused", "heroku config:set DATABASE_URL=…"),
        storages=LOCAL,
        settings="import herokuify; DATABASES = herokuify.get_db_config()\n",
        state=servers.no_database,
        command=DOCTOR,
    ),
    Fault(
        "The certificate of Redis is refused",
        Means.DOCTOR,
        ("certificate", "CACHES = herokuify.get_cache_config()"),
        storages=LOCAL,
        settings="""\
import os, herokuify
CACHES = herokuify.get_cache_config(ssl_ca_certs=os.environ["REDIS_CA"])
""",
        state=servers.untrusted_redis,
        command=DOCTOR,
    ),
    Fault(
        "The mail server refuses the login",
        Means.DOCTOR,
        ("uthenticat", "heroku config:set EMAIL_HOST_USER=… EMAIL_HOST_PASSWORD=…"),
        storages=LOCAL,
        settings="import herokuify; globals().update(herokuify.get_email_config())\n",
        state=servers.mail,
        command=DOCTOR,
    ),
]
