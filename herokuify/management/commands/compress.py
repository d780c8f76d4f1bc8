"""`compress`: django-compressor's, after the checks that it leaves out.

Its worker threads lose the errors of the URLs in a template, and it would report success
with nothing compressed.
"""

from compressor.management.commands import compress
from django.core.checks import Tags


class Command(compress.Command):  # type: ignore[misc]  # untyped
    """Compress content, unless the system checks for static files find an error."""

    requires_system_checks = [Tags.staticfiles]  # noqa: RUF012  (as Django's commands have it)
