"""`compress`: django-compressor's command, with system checks and all errors.

compressor runs templates in threads, and loses errors outside of bundles, such as `{% static %}`
with a missing file: it reports success.
"""

from typing import Any

from compressor.exceptions import OfflineGenerationError
from compressor.management.commands import compress
from django.core.checks import Tags
from django.core.management.base import CommandError

from herokuify.collect.offline import get_engines, record_bundles
from herokuify.storage.cached import CachedS3BotoStorage


class Command(compress.Command):  # type: ignore[misc]  # untyped
    """Compresses bundles, unless the system checks for static files find an error."""

    requires_system_checks = [Tags.staticfiles]  # noqa: RUF012  (as in Django's commands)

    def handle(self, **options: Any) -> Any:
        """Compress the bundles in the templates of all engines."""
        options["engines"] = self._engines = options.get("engines") or get_engines()
        self._empty: list[Exception] = []
        CachedS3BotoStorage.saved_bundles.clear()
        result = super().handle(**options)
        # Only needed if another class stores the manifest.
        record_bundles()
        return result

    def compress(self, engine: str, *arguments: Any) -> Any:
        """Compress one engine's templates; it is only an error if no engine has a bundle."""
        self._engine = engine
        try:
            return super().compress(engine, *arguments)
        except OfflineGenerationError as error:
            if not str(error).startswith("No "):
                raise
            self._empty.append(error)
            if len(self._empty) == len(self._engines):
                raise self._empty[0] from None
            return {}, 0, []

    def get_loaders(self) -> list[Any]:
        """Return Django's loaders; for Jinja2, compressor only checks that the list isn't empty."""
        loaders: list[Any] = super().get_loaders()
        return loaders or ([None] if self._engine == "jinja2" else [])

    @staticmethod
    def _compress_template(
        offline_manifest: Any, nodes: Any, parser: Any, template: Any, errors: list[Exception]
    ) -> None:
        # Called in a thread whose result compressor ignores.
        try:
            compress.Command._compress_template(  # noqa: SLF001
                offline_manifest, nodes, parser, template, errors
            )
        except Exception as error:  # noqa: BLE001
            lost = CommandError(f"{template.template_name}: {error}")
            lost.__cause__ = error
            errors.append(lost)
