"""Storages as projects derive them, and what Django makes of the same."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

from herokuify.storage import CachedS3ManifestStaticStorage


class ModulesStorage(CachedS3ManifestStaticStorage):
    support_js_module_import_aggregation = True


class LocalModulesStorage(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class NamedStorage(CachedS3ManifestStaticStorage):
    manifest_name = "assets.json"


class RootStorage(CachedS3ManifestStaticStorage):
    location = ""
