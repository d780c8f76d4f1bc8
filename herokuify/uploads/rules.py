"""The rules of HEROKUIFY_DIRECT_UPLOADS: what may be uploaded directly, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.core.files.storage import storages
from django.db.models import FileField
from django.utils.module_loading import import_string

from herokuify.exceptions import ConfigurationError
from herokuify.s3 import content_types

SETTING = "HEROKUIFY_DIRECT_UPLOADS"
OPTIONS = ("max_size", "types", "who", "max_pending", "storage")
#: Amazon S3 User Guide, "Amazon S3 multipart upload limits".
LARGEST = 5 * 2**40
PERMITTED, USERS, ANYONE = "permitted", "users", "anyone"
_EXAMPLE = f'In settings.py: {SETTING} = {{"shop.Photo.image": {{"max_size": 50 * 2**20}}}}'
_WHO = 'In settings.py: "who": "users", "anyone", or "shop.views.may_upload"'


def _setting() -> Mapping[str, Any]:
    """Return the setting: options by name; raise ConfigurationError if it is not a dict."""
    found = getattr(settings, SETTING, {})
    if not isinstance(found, Mapping):
        raise ConfigurationError(f"{SETTING} is not a dict.", _EXAMPLE)
    return found


def names() -> Collection[str]:
    """Return the names of all rules: model fields, and the project's own names for plain forms."""
    return _setting().keys()


@dataclass(frozen=True)
class Rule:
    """The rule for a model field, or for a name that plain forms use."""

    name: str  # of a model field, such as "shop.Photo.image", or chosen by the project
    max_size: int  # bytes
    types: tuple[str, ...]  # patterns of content types
    who: str | Callable[[Any], bool]
    max_pending: int  # bytes that an anonymous visitor may upload without submitting a form
    alias: str  # of the storage, unless it is for a model field
    field: FileField | None

    @property
    def storage(self) -> Any:
        """The storage for the files."""
        return storages[self.alias] if self.field is None else self.field.storage

    @property
    def is_direct(self) -> bool:
        """Whether the storage is on S3, which it may not be in local development."""
        return bool(getattr(self.storage.__class__, "is_on_s3", False))

    def allows(self, request: Any) -> bool:
        """Return whether the user of the request may upload."""
        if callable(self.who):
            return bool(self.who(request))
        if self.who == ANYONE:
            return True
        user = getattr(request, "user", None)
        if user is None or not (user.is_authenticated and user.is_active):
            return False
        if self.who == USERS or self.field is None:
            return True
        label, model = self.field.model._meta.app_label, self.field.model._meta.model_name  # noqa: SLF001
        return any(user.has_perm(f"{label}.{action}_{model}") for action in ("add", "change"))

    def type_of(self, name: str, given: str) -> str | None:
        """Return the content type that a file is stored with; None if it may not be uploaded.

        If the browser's type is not allowed, the type is guessed from the name, because browsers
        know fewer types.
        """
        sent = (content_types.parse(given) or "").partition(";")[0].strip().lower()
        for candidate in (sent, content_types.guess(name).type):
            if candidate and any(fnmatchcase(candidate, one) for one in self.types):
                return candidate
        return None


def find(name: str) -> Rule | None:
    """Return the rule with a name, or None; raise ConfigurationError if it is invalid."""
    options = _setting().get(name)
    return None if options is None else _parse(name, options)


def direct() -> list[Rule]:
    """Return the rules with storages on S3; raise ConfigurationError if one is invalid."""
    if not apps.is_installed("herokuify.uploads"):
        return []
    parsed = [_parse(name, options) for name, options in _setting().items()]
    return [rule for rule in parsed if rule.is_direct]


def get(name: str) -> Rule:
    """Return the rule with a name; raise ConfigurationError if it is missing or invalid."""
    rule = find(name)
    if rule is None:
        raise ConfigurationError(
            f"{SETTING} has no {name!r}.",
            f'In settings.py: {SETTING} = {{"{name}": {{"max_size": 50 * 2**20}}}}',
        )
    return rule


def _parse(name: str, options: Any) -> Rule:
    where = f'{SETTING}["{name}"]'
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"{where} is not a dict.", _EXAMPLE)
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise ConfigurationError(
            f"{where} has {unknown[0]!r}, which is not an option.",
            f"Options are {', '.join(OPTIONS)}.",
        )
    field = _field(name, where)
    if field is not None and "storage" in options:
        raise ConfigurationError(
            f'{where}["storage"] is set, but a model field has its own storage.',
            "Delete it from the settings.",
        )
    max_size = _bytes(options.get("max_size"), f'{where}["max_size"]')
    pending = options.get("max_pending", 5 * max_size)
    return Rule(
        name=name,
        max_size=max_size,
        types=_types(options.get("types", ["*/*"]), f'{where}["types"]'),
        who=_who(options.get("who"), f'{where}["who"]', is_model=field is not None),
        max_pending=_bytes(pending, f'{where}["max_pending"]'),
        alias=str(options.get("storage", "default")),
        field=field,
    )


def _field(name: str, where: str) -> FileField | None:
    label, _, rest = name.partition(".")
    model, _, attribute = rest.partition(".")
    if not rest:
        return None
    try:
        found: Any = apps.get_model(label, model)._meta.get_field(attribute)  # noqa: SLF001
    except (LookupError, FieldDoesNotExist):
        found = None
    if not isinstance(found, FileField) or str(found) != name:
        raise ConfigurationError(
            f"{where}: there is no FileField with this name.",
            "Name it as app.Model.field, as in 'shop.Photo.image'; a name without dots is for "
            "plain forms.",
        )
    return found


def _bytes(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
        raise ConfigurationError(
            f"{where} is {value!r}; it must be a number of bytes, up to 5 TB.", _EXAMPLE
        )
    return value


def _types(value: Any, where: str) -> tuple[str, ...]:
    is_list = isinstance(value, (list, tuple)) and value
    if not is_list or not all(isinstance(one, str) and "/" in one for one in value):
        raise ConfigurationError(
            f"{where} is {value!r}; it must be a list of content types, such as "
            '["image/*", "application/pdf"].',
            _EXAMPLE,
        )
    return tuple(one.lower() for one in value)


def _who(value: Any, where: str, *, is_model: bool) -> str | Callable[[Any], bool]:
    if value is None and is_model:
        return PERMITTED
    if value in {USERS, ANYONE} or (value == PERMITTED and is_model):
        return str(value)
    if callable(value):
        return value  # type: ignore[no-any-return]
    if isinstance(value, str) and "." in value:
        try:
            return import_string(value)  # type: ignore[no-any-return]
        except ImportError as error:
            raise ConfigurationError(f"{where} is {value!r}: {error}", _WHO) from error
    default = "" if is_model else " A name that is not a model field needs it."
    raise ConfigurationError(
        f"{where} is {value!r}; it must be {USERS!r}, {ANYONE!r}, or a function of the request or "
        f"its dotted path.{default}",
        _WHO,
    )
