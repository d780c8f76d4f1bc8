"""Storages with Django's rewriting of JavaScript modules switched on, for both sides."""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

from herokuify.storage import CachedS3ManifestStaticStorage


class ModulesStorage(CachedS3ManifestStaticStorage):
    support_js_module_import_aggregation = True


class LocalModulesStorage(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True
