"""System checks, which need no network; docs/checks.md lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from django.core.checks import CheckMessage, Tags

#: The tag of all checks: ``manage.py check --tag herokuify``.
TAG = "herokuify"


class Check:
    """A system check whose module is imported when it runs, because web processes run none."""

    def __init__(self, name: str) -> None:
        self.module, _, self.name = name.partition(".")

    def load(self) -> Callable[..., Iterable[CheckMessage]]:
        """Import the module, and return the function."""
        module = import_module(f"{__name__}.{self.module}")
        function: Callable[..., Iterable[CheckMessage]] = getattr(module, self.name)
        return function

    def __call__(self, app_configs: Any = None, **kwargs: Any) -> Iterable[CheckMessage]:
        """Run the check, as Django's registry does."""
        return self.load()(app_configs=app_configs, **kwargs)


#: Each check with its tags. collectstatic only runs those that are tagged ``staticfiles``, and an
#: error in them stops a build.
CHECKS: tuple[tuple[Check, tuple[str, ...]], ...] = (
    (Check("storages.check_storages"), (Tags.staticfiles,)),
    (Check("storages.check_locations"), (Tags.staticfiles,)),
    (Check("storages.check_public_locations"), (Tags.staticfiles,)),
    (Check("storages.check_private_around"), (Tags.security,)),
    (Check("storages.check_acls"), (Tags.staticfiles,)),
    (Check("static.check_signing"), (Tags.staticfiles,)),
    (Check("static.check_root"), (Tags.staticfiles,)),
    (Check("media.check_overwriting"), (Tags.security,)),
    (Check("media.check_public_access"), (Tags.security,)),
    (Check("media.check_url_view"), (Tags.urls, Tags.staticfiles)),
    (Check("media.check_disk"), (Tags.files,)),
    (Check("compressor.check_finder"), (Tags.staticfiles,)),
    (Check("compressor.check_sources"), (Tags.staticfiles,)),
    (Check("compressor.check_bundles"), (Tags.staticfiles,)),
    (Check("compressor.check_url"), (Tags.staticfiles,)),
    # Not in collectstatic, which writes the manifests.
    (Check("manifests.check_static"), (Tags.files,)),
    (Check("manifests.check_offline"), (Tags.files,)),
    (Check("apps.check_collectstatic"), (Tags.staticfiles,)),
    (Check("apps.check_compress"), (Tags.staticfiles,)),
    (Check("variables.check_credentials"), (Tags.staticfiles,)),
    (Check("variables.check_bucket"), (Tags.staticfiles,)),
    (Check("variables.check_order"), (Tags.staticfiles,)),
    (Check("variables.check_endpoint"), (Tags.staticfiles,)),
    (Check("variables.check_switches"), (Tags.staticfiles,)),
    (Check("variables.check_obsolete"), (Tags.files,)),
    (Check("caches.check_sessions"), (Tags.caches, Tags.staticfiles)),
    (Check("caches.check_options"), (Tags.caches, Tags.staticfiles)),
    # Not "database", which a plain `check` doesn't run.
    (Check("databases.check_pools"), (Tags.async_support,)),
    (Check("uploads.check_rules"), (Tags.staticfiles,)),
    (Check("uploads.check_parts"), (Tags.staticfiles,)),
    (Check("uploads.check_pending"), (Tags.security, Tags.staticfiles)),
    (Check("uploads.check_policy"), (Tags.security,)),
    (Check("uploads.check_cors"), (Tags.files,)),
    (Check("production.check_debug"), (Tags.security, Tags.staticfiles)),
    (Check("production.check_hosts"), (Tags.security,)),
    (Check("production.check_secret_key"), (Tags.security,)),
    (Check("production.check_static_files"), (Tags.files,)),
)
