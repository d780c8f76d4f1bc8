"""What the cache backends share: options that are switches."""

from __future__ import annotations

from typing import Any

from herokuify.exceptions import ConfigurationError


def pop_boolean(options: dict[str, Any], name: str, *, default: bool) -> bool:
    """Take a switch out of a cache's OPTIONS; raise ConfigurationError unless it is a bool.

    Text is true for Python, whatever it says.
    """
    value = options.pop(name, default)
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{name} in a cache's OPTIONS must be True or False, and is of the type "
            f"{type(value).__name__}.",
            f'In settings.py: CACHES["…"]["OPTIONS"]["{name}"] = False, or: from herokuify import '
            f"env; … = env.boolean(os.environ[…])",
        )
    return value
