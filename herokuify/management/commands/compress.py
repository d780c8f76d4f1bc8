"""`compress`: django-compressor's, after the checks that it leaves out, and with all its errors.

Its worker threads lose the errors of what stands around the bundles in a template, such as a
`{% static %}` of a file that is not there, and it would report success.
"""

from typing import Any

from compressor.management.commands import compress
from django.core.checks import Tags
from django.core.management.base import CommandError


class Command(compress.Command):  # type: ignore[misc]  # untyped
    """Compress content, unless the system checks for static files find an error."""

    requires_system_checks = [Tags.staticfiles]  # noqa: RUF012  (as Django's commands have it)

    @staticmethod
    def _compress_template(
        offline_manifest: Any, nodes: Any, parser: Any, template: Any, errors: list[Exception]
    ) -> None:
        # Run in a thread, whose result nobody asks for.
        try:
            compress.Command._compress_template(  # noqa: SLF001
                offline_manifest, nodes, parser, template, errors
            )
        except Exception as error:  # noqa: BLE001
            lost = CommandError(f"{template.template_name}: {error}")
            lost.__cause__ = error
            errors.append(lost)
