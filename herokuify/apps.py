"""herokuify as a Django app."""

from types import ModuleType

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.core.signals import setting_changed

from herokuify import checks, compat


class HerokuifyConfig(AppConfig):
    """Applies the classic storage settings, and registers the system checks."""

    name = "herokuify"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        # ready() is too late: a model's FileField(storage=default_storage) has resolved
        # the storages by then.
        compat.apply_classic_settings()

    def ready(self) -> None:
        """Register the checks, and follow ``override_settings``."""
        register(checks.check_storages, Tags.staticfiles)
        register(checks.check_order, Tags.staticfiles)
        setting_changed.connect(compat.follow_overrides, dispatch_uid="herokuify.compat")
