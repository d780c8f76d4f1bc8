"""herokuify as a Django app."""

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
    """Applies the classic storage settings, asks for the key, registers checks and a guard."""

    name = "herokuify"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # ready() is too late: a model's FileField(storage=default_storage) has resolved
        # the storages by then.
        legacy.apply_legacy_settings()
        _require_secret_key()

    def ready(self) -> None:
        """Register the checks, follow ``override_settings``, and listen to django-cleanup."""
        # Here, and not in the first request.
        import herokuify.storage  # noqa: F401

        for check, tags in CHECKS:
            register(check, *tags, TAG)
        setting_changed.connect(legacy.follow_overrides, dispatch_uid="herokuify.legacy")
        if apps.is_installed("django_cleanup"):
            from django_cleanup.signals import cleanup_pre_delete

            from herokuify.storage.cleanup import keep_files_in_use

            cleanup_pre_delete.connect(keep_files_in_use, dispatch_uid="herokuify.storage.cleanup")


def _require_secret_key() -> None:
    """Fail at startup, not in the first request, when herokuify.common found no key."""
    try:
        _ = settings.SECRET_KEY
    except ConfigurationError:
        raise
    except ImproperlyConfigured:
        pass  # Django's own: the project may have no use for a key
