"""What the cache backends share: reading boolean options."""

from __future__ import annotations

from typing import Any

from herokuify.exceptions import ConfigurationError


def pop_boolean(options: dict[str, Any], name: str, *, default: bool) -> bool:
    """Remove a boolean from a cache's OPTIONS and return it.

    Raises ConfigurationError for other types, because the text "false" would be true.
    """
    value = options.pop(name, default)
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{name} in a cache's OPTIONS must be True or False, not {type(value).__name__}.",
            f'In settings.py: CACHES["…"]["OPTIONS"]["{name}"] = False, or: from herokuify import '
            "env; … = env.boolean(os.environ[…])",
        )
    return value
