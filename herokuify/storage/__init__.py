"""Storages for static files and media on S3, named in settings as ``herokuify.storage.X``."""

from herokuify.storage.backend import S3BotoStorage
from herokuify.storage.cached import CachedS3BotoStorage, CachedS3StaticStorage
from herokuify.storage.manifest import CachedS3ManifestStaticStorage, S3ManifestStaticStorage
from herokuify.storage.media import S3MediaStorage, S3PublicMediaStorage
from herokuify.storage.static import S3StaticStorage

__all__ = [
    "CachedS3BotoStorage",
    "CachedS3ManifestStaticStorage",
    "CachedS3StaticStorage",
    "S3BotoStorage",
    "S3ManifestStaticStorage",
    "S3MediaStorage",
    "S3PublicMediaStorage",
    "S3StaticStorage",
]
