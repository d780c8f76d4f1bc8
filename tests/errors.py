"""What the functions that read variables raise."""

from collections.abc import Callable, Mapping

from herokuify.exceptions import ConfigurationError


def error_of(
    read: Callable[[dict[str, str]], object], environ: Mapping[str, str]
) -> ConfigurationError | None:
    """Return the error that ``read`` raises, or None."""
    try:
        read(dict(environ))
    except ConfigurationError as error:
        return error
    return None
