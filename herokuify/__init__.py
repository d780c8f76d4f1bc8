"""Django on Heroku: settings from config vars, static and media files on S3."""

from herokuify.cache import get_cache_config
from herokuify.db import get_db_config
from herokuify.mail.config import get_email_config
from herokuify.storages import get_storages

__all__ = ["__version__", "get_cache_config", "get_db_config", "get_email_config", "get_storages"]

__version__ = "2.0.0.dev0"
