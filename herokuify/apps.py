"""The configuration of the Django app."""

from types import ModuleType

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import register
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from herokuify import legacy
from herokuify.checks import CHECKS, TAG
from herokuify.exceptions import ConfigurationError


class HerokuifyConfig(AppConfig):
    """Applies legacy storage settings, requires SECRET_KEY, and registers checks and receivers."""

    name = "herokuify"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # In ready(), a model's FileField(storage=default_storage) would have resolved the storages
        # already.
        legacy.apply_legacy_settings()
        _require_secret_key()

    def ready(self) -> None:
        """Register the checks, follow ``override_settings``, and listen to django-cleanup."""
        # Imported at startup, not in the first request.
        import herokuify.storage  # noqa: F401

        for check, tags in CHECKS:
            register(check, *tags, TAG)
        setting_changed.connect(legacy.follow_overrides, dispatch_uid="herokuify.legacy")
        if apps.is_installed("django_cleanup"):
            from django_cleanup.signals import cleanup_pre_delete

            from herokuify.storage.cleanup import keep_files_in_use

            cleanup_pre_delete.connect(keep_files_in_use, dispatch_uid="herokuify.storage.cleanup")


def _require_secret_key() -> None:
    """Fail at startup, not in the first request, if herokuify.common found no SECRET_KEY."""
    try:
        _ = settings.SECRET_KEY
    except ConfigurationError:
        raise
    except ImproperlyConfigured:
        pass  # Django's own error: the project may not need a key
