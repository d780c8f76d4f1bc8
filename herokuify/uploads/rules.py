"""HEROKUIFY_DIRECT_UPLOADS: what may be uploaded directly, how large, and by whom."""

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


def named() -> Mapping[str, Any]:
    """Return the setting: options by the field's name."""
    found = getattr(settings, SETTING, {})
    if not isinstance(found, Mapping):
        raise ConfigurationError(f"{SETTING} is not a dict.", _EXAMPLE)
    return found


def names() -> Collection[str]:
    """Return what is uploaded directly: model fields, and names that plain forms give."""
    return named().keys()


@dataclass(frozen=True)
class Rule:
    """What the project allows for one field."""

    name: str  # of a model's field, such as "shop.Photo.image", or of the project's choice
    max_size: int  # bytes
    types: tuple[str, ...]  # patterns of content types
    who: str | Callable[[Any], bool]
    max_pending: int  # bytes that an anonymous visitor may have uploaded, and sent no form for
    alias: str  # of the storage, for a name that is no model's field
    field: FileField | None

    @property
    def storage(self) -> Any:
        """The storage that keeps the files."""
        return storages[self.alias] if self.field is None else self.field.storage

    @property
    def is_direct(self) -> bool:
        """Whether there is a bucket to upload to: in local development there may be none."""
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
        """Return the content type that a file is stored with; None when it may not be uploaded.

        Browsers know the type by the name, too, and some know fewer names.
        """
        sent = (content_types.parse(given) or "").partition(";")[0].strip().lower()
        for candidate in (sent, content_types.guess(name).type):
            if candidate and any(fnmatchcase(candidate, one) for one in self.types):
                return candidate
        return None


def find(name: str) -> Rule | None:
    """Return the rule of a name, or None; raise ConfigurationError for an invalid one."""
    options = named().get(name)
    return None if options is None else _parse(name, options)


def direct() -> list[Rule]:
    """Return the rules of all that is uploaded directly. Raise ConfigurationError."""
    if not apps.is_installed("herokuify.uploads"):
        return []
    return [rule for name in names() if (rule := _parse(name, named()[name])).is_direct]


def get(name: str) -> Rule:
    """Return the rule of a name; raise ConfigurationError if it is missing."""
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
            f'{where}["storage"] is set, and the field has a storage of its own.',
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
        f"{where} is {value!r}; it must be {USERS!r}, {ANYONE!r}, or a function of the request, "
        f"by its dotted path.{default}",
        _WHO,
    )
