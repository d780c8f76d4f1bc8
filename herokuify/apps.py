"""herokuify as a Django app."""

from types import ModuleType

from django.apps import AppConfig, apps
from django.core.checks import Tags, register
from django.core.signals import setting_changed

from herokuify import checks, compat


class HerokuifyConfig(AppConfig):
    """Applies the classic storage settings, registers the checks, guards shared files."""

    name = "herokuify"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # ready() is too late: a model's FileField(storage=default_storage) has resolved
        # the storages by then.
        compat.apply_classic_settings()

    def ready(self) -> None:
        """Register the checks, follow ``override_settings``, and listen to django-cleanup."""
        register(checks.check_storages, Tags.staticfiles)
        register(checks.check_order, Tags.staticfiles)
        setting_changed.connect(compat.follow_overrides, dispatch_uid="herokuify.compat")
        if apps.is_installed("django_cleanup"):
            from django_cleanup.signals import cleanup_pre_delete

            from herokuify.cleanup import keep_files_in_use

            cleanup_pre_delete.connect(keep_files_in_use, dispatch_uid="herokuify.cleanup")
