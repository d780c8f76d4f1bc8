"""Faults of config vars and settings, which are found without a request to S3."""

from tests.faults.fault import CHECK, COLLECT, ON_A_DYNO, STORAGES, Fault, Means
from tests.projects import shop
from tests.projects.heroku import SECRETS

UNSET = ""  # herokuify treats empty variables as unset
NO_BUCKET = {"AWS_STORAGE_BUCKET_NAME": UNSET}
NO_KEYS = {"AWS_ACCESS_KEY_ID": UNSET, "AWS_SECRET_ACCESS_KEY": UNSET}
WITHOUT_COMPRESSOR = (
    'INSTALLED_APPS.remove("compressor"); del STATICFILES_FINDERS, COMPRESS_STORAGE\n'
)
FILES = "django.contrib.staticfiles.storage.StaticFilesStorage"
BUCKETEER = {
    "BUCKETEER_AWS_ACCESS_KEY_ID": SECRETS["BUCKETEER_AWS_ACCESS_KEY_ID"],
    "BUCKETEER_AWS_SECRET_ACCESS_KEY": SECRETS["BUCKETEER_AWS_SECRET_ACCESS_KEY"],
    "BUCKETEER_AWS_REGION": "eu-west-1",
    "BUCKETEER_BUCKET_NAME": "bucketeer-1234",
}
CLOUDCUBE = {
    "CLOUDCUBE_ACCESS_KEY_ID": SECRETS["CLOUDCUBE_ACCESS_KEY_ID"],
    "CLOUDCUBE_SECRET_ACCESS_KEY": SECRETS["CLOUDCUBE_SECRET_ACCESS_KEY"],
    "CLOUDCUBE_URL": "https://cloud-cube-eu.s3.amazonaws.com/zfdj3v09gtrs",
}

VARIABLES = [
    Fault(
        "No bucket name",
        Means.CHECK,
        ("AWS_STORAGE_BUCKET_NAME is not set", "heroku config:set AWS_STORAGE_BUCKET_NAME=…"),
        env=NO_BUCKET,
    ),
    Fault(
        "No bucket name, only uploads on S3",
        Means.CHECK,
        ("AWS_STORAGE_BUCKET_NAME is not set", "heroku config:set AWS_STORAGE_BUCKET_NAME=…"),
        env=NO_BUCKET,
        storages=shop.storages(FILES),
    ),
    Fault(
        "No access key",
        Means.SETTINGS,
        ("AWS_ACCESS_KEY_ID is not set", "heroku config:set AWS_ACCESS_KEY_ID=…"),
        env={"AWS_ACCESS_KEY_ID": UNSET},
    ),
    Fault(
        "No secret access key",
        Means.SETTINGS,
        ("AWS_SECRET_ACCESS_KEY is not set", "heroku config:set AWS_SECRET_ACCESS_KEY=…"),
        env={"AWS_SECRET_ACCESS_KEY": UNSET},
    ),
    Fault(
        "A session token without a key",
        Means.SETTINGS,
        ("AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…",),
        env=NO_KEYS | {"AWS_SESSION_TOKEN": SECRETS["AWS_SESSION_TOKEN"]},
    ),
    Fault(
        "Incomplete Bucketeer variables",
        Means.SETTINGS,
        (
            "BUCKETEER_BUCKET_NAME and BUCKETEER_AWS_REGION are not set",
            "heroku config:set BUCKETEER_BUCKET_NAME=… BUCKETEER_AWS_REGION=…",
        ),
        env=NO_KEYS
        | NO_BUCKET
        | BUCKETEER
        | {"BUCKETEER_AWS_REGION": UNSET, "BUCKETEER_BUCKET_NAME": UNSET},
    ),
    Fault(
        "Incomplete Cloudcube variables",
        Means.SETTINGS,
        ("CLOUDCUBE_URL is not set", "heroku config:set CLOUDCUBE_URL=…"),
        env=NO_KEYS | NO_BUCKET | CLOUDCUBE | {"CLOUDCUBE_URL": UNSET},
    ),
    Fault(
        "Two S3 add-ons",
        Means.SETTINGS,
        ("Bucketeer", "Cloudcube", "AWS_STORAGE_BUCKET_NAME"),
        env=NO_KEYS | NO_BUCKET | BUCKETEER | CLOUDCUBE,
    ),
    Fault(
        "Invalid boolean",
        Means.SETTINGS,
        ("AWS_AUTO_CREATE_BUCKET is 'maybe'", "heroku config:set AWS_AUTO_CREATE_BUCKET=…"),
        env={"AWS_AUTO_CREATE_BUCKET": "maybe"},
    ),
    Fault(
        "The endpoint includes the bucket",
        Means.SETTINGS,
        ("AWS_S3_ENDPOINT_URL is", "heroku config:set AWS_S3_ENDPOINT_URL=…"),
        env={"AWS_S3_ENDPOINT_URL": "https://s3.example.com/my-bucket"},
    ),
    Fault(
        "The endpoint has a query string",
        Means.SETTINGS,
        ("AWS_S3_ENDPOINT_URL is", "heroku config:set AWS_S3_ENDPOINT_URL=…"),
        env={"AWS_S3_ENDPOINT_URL": "https://s3.example.com/?marked-secret"},
    ),
    Fault(
        "SECRET_KEY is not set",
        Means.SETTINGS,
        ("SECRET_KEY is not set", "heroku config:set SECRET_KEY="),
        settings="from herokuify.common import *\n",
        command=ON_A_DYNO,
    ),
    Fault(
        "DEBUG is true on a dyno",
        Means.SETTINGS,
        ("DEBUG is true on Heroku", "heroku config:unset DEBUG"),
        env={"DEBUG": "true"},
        settings="from herokuify.common import *\n",
    ),
    Fault(
        "No hosts on a dyno",
        Means.CHECK,
        ("herokuify.W010", "ALLOWED_HOSTS is empty", "heroku config:set ALLOWED_HOSTS="),
        env={"SECRET_KEY": "marked-key-of-the-site"},
        settings="from herokuify.common import *\n",
        command=ON_A_DYNO,
        status=0,
    ),
    Fault(
        "A .env file is loaded below the imports",
        Means.CHECK,
        ("herokuify.E011", "AWS_LOCATION was set after", "Load the .env file at the top"),
        settings='import os; os.environ["AWS_LOCATION"] = "site"\n',
        command=CHECK,
    ),
    Fault(
        "A password in the endpoint",
        Means.CHECK,
        ("herokuify.E012", "AWS_S3_ENDPOINT_URL contains a user and a password"),
        settings='AWS_S3_ENDPOINT_URL = "https://me:marked-password@s3.example.com"\n',
        command=CHECK,
    ),
    Fault(
        "DATABASE_URL is malformed",
        Means.SETTINGS,
        ("DATABASE_URL", "heroku config:set DATABASE_URL=…"),
        env={"DATABASE_URL": "postgres//me:marked-password@db.example.com/app"},
        settings="import herokuify; DATABASES = herokuify.get_db_config()\n",
    ),
]

SETTINGS = [
    Fault(
        "STATIC_URL is relative",
        Means.CHECK,
        ("STATIC_URL is '/static/'", "STATIC_URL = get_static_url()"),
        settings='STATIC_URL = "/static/"\n',
    ),
    Fault(
        "STATIC_URL is not set",
        Means.CHECK,
        ("STATIC_URL",),
        settings=WITHOUT_COMPRESSOR + "STATIC_URL = None\n",
    ),
    Fault(
        "STATIC_URL without a trailing slash",
        Means.CHECK,
        ("STATIC_URL", "slash"),
        settings=WITHOUT_COMPRESSOR + 'STATIC_URL = STATIC_URL.rstrip("/")\n',
    ),
    Fault(
        # django-compressor reports it first.
        "STATIC_URL without a trailing slash, with django-compressor",
        Means.SETTINGS,
        ("URL", "trailing slash"),
        settings='STATIC_URL = STATIC_URL.rstrip("/")\n',
    ),
    Fault(
        "STATIC_URL contains `None`",
        Means.CHECK,
        (
            "STATIC_URL is 'https://None.s3.amazonaws.com/static/'",
            "heroku config:set AWS_STORAGE_BUCKET_NAME=…",
        ),
        env=NO_BUCKET,
        settings='STATIC_URL = f"https://{AWS_STORAGE_BUCKET_NAME}.s3.amazonaws.com/static/"\n',
    ),
    Fault(
        "STATIC_URL has a different host from the storage",
        Means.CHECK,
        ("STATIC_URL is 'https://elsewhere.s3", "STATIC_URL = get_static_url()"),
        settings='STATIC_URL = "https://elsewhere.s3.amazonaws.com/static/"\n',
    ),
    Fault(
        "STATIC_URL has a different folder from the storage",
        Means.CHECK,
        ("/assets/'", "STATIC_URL = get_static_url()"),
        settings='STATIC_URL = STATIC_URL.replace("/static/", "/assets/")\n',
    ),
    Fault(
        "STATIC_ROOT is not set",
        Means.CHECK,
        ("STATIC_ROOT is not set", "STATIC_ROOT = BASE_DIR"),
        settings=WITHOUT_COMPRESSOR + "STATIC_ROOT = None\n",
    ),
    Fault(
        "STATIC_ROOT is not set, with django-compressor",
        Means.SETTINGS,
        ("STATIC_ROOT", "define either"),
        settings="STATIC_ROOT = None\n",
    ),
    Fault(
        # Not even root can write there; only some systems report it in advance (E005).
        "STATIC_ROOT is read-only",
        Means.COMMAND,
        ("can't be written to STATIC_ROOT", 'STATIC_ROOT = BASE_DIR / "staticfiles"'),
        settings='STATIC_ROOT = "/sys/staticfiles"\n',
        command=COLLECT,
    ),
    Fault(
        "COMPRESS_ROOT differs from STATIC_ROOT",
        Means.CHECK,
        ("COMPRESS_ROOT", "STATIC_ROOT"),
        settings='COMPRESS_ROOT = BASE_DIR / "elsewhere"\n',
    ),
    Fault(
        "No local copies for django-compressor",
        Means.CHECK,
        ("herokuify.E006", shop.MANIFEST.rpartition(".")[2], shop.CACHED_MANIFEST),
        storages=shop.storages(shop.MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST),
    ),
    Fault(
        "COMPRESS_STORAGE keeps no local copies",
        Means.CHECK,
        ("herokuify.E007", "COMPRESS_STORAGE is S3StaticStorage", "COMPRESS_STORAGE = "),
        storages=shop.storages(shop.CACHED_MANIFEST) + shop.compress_storage(shop.PLAIN),
    ),
    Fault(
        "COMPRESS_URL is wrong",
        Means.CHECK,
        ("herokuify.E008", "COMPRESS_URL is", "Delete COMPRESS_URL"),
        settings='COMPRESS_URL = "https://elsewhere.s3.amazonaws.com/static/"\n',
    ),
    Fault(
        "CompressorFinder is missing",
        Means.CHECK,
        ("herokuify.E009", "STATICFILES_FINDERS", "compressor.finders.CompressorFinder"),
        settings="STATICFILES_FINDERS.pop()\n",
    ),
    Fault(
        "herokuify is below staticfiles",
        Means.CHECK,
        ("herokuify.W001", 'Move "herokuify" above "django.contrib.staticfiles"'),
        app='INSTALLED_APPS.append("herokuify")\n',
        command=CHECK,
        status=0,
    ),
    Fault(
        "herokuify is not in INSTALLED_APPS",
        Means.CHECK,
        ("herokuify.W013", 'INSTALLED_APPS = ["herokuify", …]'),
        app="",
        command=CHECK,
        status=0,
    ),
    Fault(
        "herokuify is not in INSTALLED_APPS, with old storage settings",
        Means.CHECK,
        ("STATICFILES_STORAGE", 'INSTALLED_APPS = ["herokuify", …]'),
        app="",
        storages=shop.classic(shop.CACHED_MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST),
    ),
    Fault(
        "Old and new storage settings together",
        Means.SETTINGS,
        ("STATICFILES_STORAGE", "STORAGES"),
        settings=shop.QUIET + f"STATICFILES_STORAGE = {shop.CACHED_MANIFEST!r}\n",
    ),
    Fault(
        "AWS_DEFAULT_ACL is an ACL that new buckets refuse",
        Means.CHECK,
        ("herokuify.W006", "AWS_DEFAULT_ACL"),
        settings='AWS_DEFAULT_ACL = "public-read"\n',
        command=CHECK,
        status=0,
    ),
    Fault(
        "Private files in the public location",
        Means.CHECK,
        ("herokuify.E004", "'static/uploads'", "separate locations"),
        settings='STORAGES["default"]["OPTIONS"] = {"location": "static/uploads"}\n',
    ),
    Fault(
        "Public uploads among the static files",
        Means.CHECK,
        ("herokuify.E014", "'static'", "separate locations"),
        settings='STORAGES["public"] = {"BACKEND": "herokuify.storage.S3PublicMediaStorage", '
        '"OPTIONS": {"location": "static"}}\n',
        command=CHECK,
    ),
    Fault(
        "Public files inside a private location",
        Means.CHECK,
        ("herokuify.W017", "'media/public'", "separate locations"),
        settings='STORAGES["public"] = {"BACKEND": "herokuify.storage.S3PublicMediaStorage", '
        '"OPTIONS": {"location": "media/public"}}\n',
        command=CHECK,
        status=0,
    ),
    Fault(
        "No URL pattern for url_view",
        Means.CHECK,
        ("herokuify.E015", "url_view", 'include("herokuify.media.urls")'),
        settings='STORAGES["default"]["OPTIONS"] = {"url_view": True}\n',
        command=CHECK,
    ),
    Fault(
        "A string instead of a boolean",
        Means.CHECK,
        ("herokuify.E013", "HEROKUIFY_COMPRESS", "env.boolean"),
        settings='HEROKUIFY_COMPRESS = "False"\n',
        command=CHECK,
    ),
    Fault(
        "An app's collectstatic overrides herokuify's",
        Means.CHECK,
        ("herokuify.W016", "herokuify.management.commands.collectstatic.Command"),
        settings='INSTALLED_APPS.insert(0, "assets")\n',
        files={
            "assets/management/commands/collectstatic.py": (
                "from django.contrib.staticfiles.management.commands import collectstatic\n"
                "class Command(collectstatic.Command):\n    pass\n"
            ),
            **dict.fromkeys(
                [
                    f"assets/{path}__init__.py"
                    for path in ("", "management/", "management/commands/")
                ],
                "",
            ),
        },
        command=CHECK,
        status=0,
    ),
    Fault(
        "Unknown header",
        Means.CHECK,
        ("AWS_HEADERS", "Cash-Control"),
        settings='AWS_HEADERS = {"Cash-Control": "none"}\n',
        is_alike=False,
        command=CHECK,
    ),
    Fault(
        "Settings without effect",
        Means.CHECK,
        ("herokuify.W020", "AWS_PRELOAD_METADATA", "COLLECTFASTA_STRATEGY"),
        settings='AWS_PRELOAD_METADATA = True; COLLECTFASTA_STRATEGY = "…"\n',
        command=CHECK,
        status=0,
    ),
    Fault(
        "Invalid regular expression",
        Means.CHECK,
        ("AWS_EXTRA_HEADERS[0]", "'*.js'"),
        settings='AWS_EXTRA_HEADERS = [("*.js", {})]\n',
        is_alike=False,
        command=CHECK,
    ),
]

# Faults that only matter on a dyno.
DYNOS = [
    Fault(
        "DEBUG = True in the settings on a dyno",
        Means.CHECK,
        ("herokuify.E010", "DEBUG is true on Heroku", "DEBUG = False"),
        settings="DEBUG = True\n",
        command=ON_A_DYNO,
    ),
    Fault(
        "SECRET_KEY from startproject",
        Means.CHECK,
        ("herokuify.W012", "heroku config:set SECRET_KEY="),
        settings='SECRET_KEY = "django-insecure-of-startproject"\n',
        command=ON_A_DYNO,
        status=0,
    ),
    Fault(
        "Uploads are on the dyno's disk",
        Means.CHECK,
        ("herokuify.W011", "disk", shop.MEDIA),
        storages=STORAGES.replace(shop.MEDIA, "django.core.files.storage.FileSystemStorage"),
        command=ON_A_DYNO,
        status=0,
    ),
    Fault(
        "Sessions in the memory of each process",
        Means.CHECK,
        ("herokuify.E016", "SESSION_ENGINE", "heroku addons:create heroku-redis:mini"),
        settings='SESSION_ENGINE = "django.contrib.sessions.backends.cache"\n',
        command=ON_A_DYNO,
    ),
    Fault(
        "Nothing serves the static files",
        Means.CHECK,
        ("herokuify.W014", "local disk", "herokuify.get_storages()"),
        storages=shop.storages(FILES),
        settings=WITHOUT_COMPRESSOR.replace(", COMPRESS_STORAGE", "") + 'STATIC_URL = "static/"\n',
        command=ON_A_DYNO,
        status=0,
    ),
    Fault(
        "ASGI without a connection pool",
        Means.CHECK,
        ("herokuify.W015", "DATABASES['default']", 'pip install "psycopg[binary,pool]"'),
        env={"DATABASE_URL": "postgres://me:marked-password@db.example.com/app"},
        # As if the pool's package were not installed.
        settings='import sys; sys.modules["psycopg_pool"] = None\n'
        "import herokuify; DATABASES = herokuify.get_db_config()\n"
        'ASGI_APPLICATION = "asgi.application"\n',
        command=ON_A_DYNO,
        status=0,
    ),
    Fault(
        "The slug has no manifest",
        Means.CHECK,
        ("herokuify.W008", "staticfiles.json", "heroku config:unset DISABLE_COLLECTSTATIC"),
        command=ON_A_DYNO,
        status=0,
    ),
    Fault(
        "The slug has no offline manifest",
        Means.CHECK,
        ("herokuify.W009", "CACHE/manifest.json", "python manage.py compress"),
        command=ON_A_DYNO,
        status=0,
    ),
]
