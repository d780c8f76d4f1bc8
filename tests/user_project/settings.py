"""A user's settings; the session "user" of noxfile.py checks their types on the installed wheel."""

from pathlib import Path

import herokuify
from herokuify.aws import *
from herokuify.common import *
from herokuify.compress import *
from herokuify.mail.mailgun import *

BASE_DIR = Path(__file__).resolve().parent.parent
DEBUG = DEBUG and BASE_DIR.is_dir()
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "www.example.com"]
SECURE_CSP = get_csp(get_static_url(), get_media_url())
SECURE_CSP["img-src"].append("blob:")
DATABASES = herokuify.get_db_config(sqlite_path=BASE_DIR / "db.sqlite3", followers=["FOLLOWER_URL"])
CACHES = herokuify.get_cache_config(variable="REDIS_URL")
BUCKET = "none" if AWS_STORAGE_BUCKET_NAME is None else AWS_STORAGE_BUCKET_NAME.upper()
PORT = (MAILGUN_SMTP_PORT or 587) + 1
FILTERS = COMPRESS_FILTERS["css"]
