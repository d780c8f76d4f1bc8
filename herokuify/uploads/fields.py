"""Let form fields and widgets of any class accept direct uploads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple

from django import forms
from django.db import models
from django.template.defaultfilters import filesizeformat
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.datastructures import MultiValueDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from herokuify.storage.files import StagedFile
from herokuify.uploads import rules
from herokuify.uploads.claims import claim, stage_of
from herokuify.uploads.middleware import current_request
from herokuify.uploads.rules import Rule
from herokuify.uploads.tokens import Token

#: Hidden inputs with tokens have the name of the file input with this suffix.
SUFFIX = "-direct"
#: Bytes; smaller files are sent with the form if the browser can't reach S3.
SMALL = 10 * 2**20


class Posted(str):
    """A token that a form submits in place of a file."""

    __slots__ = ()


class Kept(NamedTuple):
    """The value of an input in a redisplayed form: its initial file, and submitted tokens."""

    initial: Any
    posted: list[Posted]


class Deferred(str):
    """The path of a script that runs after the page is parsed."""

    __slots__ = ()

    def __html__(self) -> SafeString:
        """Return the script element for ``form.media``."""
        return format_html('<script src="{}" defer></script>', static(self))


class _Direct:
    """The common part of fields and widgets."""

    direct_upload: str

    @property
    def rule(self) -> Rule | None:
        """The rule; None without a bucket, or if a model field's rule was removed.

        Raises ConfigurationError if another name has no rule.
        """
        is_of_model = "." in self.direct_upload
        rule = rules.find(self.direct_upload) if is_of_model else rules.get(self.direct_upload)
        return rule if rule is not None and rule.is_direct else None


class DirectField(_Direct):
    """Mixin for form fields: replaces a token by its file."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Clean a file that was uploaded directly or with the form."""
        if isinstance(data, (list, tuple)):
            data = [self._file(one) for one in data]
        return super().clean(self._file(data), initial)  # type: ignore[misc]

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the value for the widget, with the tokens, so that files are kept."""
        shown = super().bound_data(data, initial)  # type: ignore[misc]
        values = data if isinstance(data, (list, tuple)) else [data]
        posted = [one for one in values if isinstance(one, Posted)]
        return Kept(shown, posted) if posted else shown

    def _file(self, data: Any) -> Any:
        rule = self.rule if isinstance(data, Posted) else None
        return data if rule is None else claim(data, rule, current_request())

    def to_python(self, data: Any) -> Any:
        """Check a file; of an image, only what Pillow needs is read from S3."""
        to_python = super().to_python  # type: ignore[misc]
        is_image = isinstance(self, forms.ImageField) and isinstance(data, StagedFile)
        return _checked(data, to_python) if is_image else to_python(data)


def checked_image(file: Any) -> Any:
    """Return a file if Django's ImageField accepts it; raise ValidationError if not."""
    to_python = forms.ImageField().to_python
    return _checked(file, to_python) if isinstance(file, StagedFile) else to_python(file)


def _checked(file: StagedFile, to_python: Callable[[Any], Any]) -> Any:
    found = to_python(_AtPath(file))
    if not isinstance(found, _AtPath):
        return found  # a project's own field has replaced it
    file.image, file.content_type = found.image, found.content_type  # type: ignore[attr-defined]
    file.seek(0)
    return file


class _AtPath:
    """An upload with a "path" that is an open file, so that Django's ImageField doesn't copy it."""

    def __init__(self, file: StagedFile) -> None:
        self._file = file
        self.image: Any = None
        self.content_type: Any = file.content_type

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_file"], name)

    def __bool__(self) -> bool:
        return bool(self._file)

    def temporary_file_path(self) -> Any:
        """Return the open file, which Pillow accepts in place of a path."""
        return self._file.open()


class DirectWidget(_Direct):
    """Mixin for file inputs: configures the script, and keeps tokens of redisplayed forms."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """Return the submitted files, or tokens in place of them."""
        posted = [Posted(one) for one in _listed(data, f"{name}{SUFFIX}") if one]
        if posted and self.rule is not None:
            is_multiple = getattr(self, "allow_multiple_selected", False)
            kept = _listed(files, name)
            if is_multiple or not kept:
                files = MultiValueDict({**_lists(files), name: [*kept, *posted]})
        return super().value_from_datadict(data, files, name)  # type: ignore[misc]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Return whether neither a file nor a token was submitted."""
        is_omitted = super().value_omitted_from_data(data, files, name)  # type: ignore[misc]
        return bool(is_omitted and not any(_listed(data, f"{name}{SUFFIX}")))

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the HTML of the input, followed by files that are already uploaded."""
        rule, request = self.rule, current_request()
        value, posted = value if isinstance(value, Kept) else (value, [])
        base = _base_url()
        if rule is None or request is None or base is None or not rule.allows(request):
            return super().render(name, value, attrs, renderer)  # type: ignore[misc, no-any-return]
        attrs = {**(attrs or {}), **self._attributes(rule, base)}
        stages = [(one, stage_of(one, request, rule.name)) for one in posted]
        kept = [(one, stage.token) for one, stage in stages if stage]
        if kept:
            attrs["data-direct-required"] = attrs.pop("required", False)
        html = super().render(name, value, attrs, renderer)  # type: ignore[misc]
        return html + _kept(f"{name}{SUFFIX}", kept)  # type: ignore[no-any-return]

    def _attributes(self, rule: Rule, base: str) -> dict[str, Any]:
        found = {
            "data-direct-upload": base,
            "data-direct-field": rule.name,
            "data-direct-small": SMALL,
            "data-direct-texts": json.dumps(_texts()),
        }
        own: dict[str, Any] = self.attrs  # type: ignore[attr-defined]
        if "accept" not in own and "*/*" not in rule.types:
            found["accept"] = ",".join(rule.types)
        return found

    @property
    def media(self) -> forms.Media:
        """The widget's media, with the script and the style of direct uploads."""
        media: forms.Media = super().media  # type: ignore[misc]
        if self.rule is None:
            return media
        return media + forms.Media(
            js=[Deferred("herokuify/uploads.js")], css={"all": ["herokuify/uploads.css"]}
        )


def _listed(data: Any, name: str) -> list[Any]:
    """Return all values for a name, from a MultiValueDict or a plain dict."""
    if hasattr(data, "getlist"):
        return list(data.getlist(name))
    value = data.get(name) if data else None
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _lists(files: Any) -> dict[str, list[Any]]:
    return dict(files.lists()) if hasattr(files, "lists") else {k: [v] for k, v in files.items()}


def _base_url() -> str | None:
    try:
        return reverse("herokuify_uploads:begin").removesuffix("begin")
    except NoReverseMatch:
        return None  # herokuify.E019 reports it


def _texts() -> dict[str, str]:
    """Return the script's texts in the visitor's language."""
    return {
        "going": _("Uploading %s"),
        "done": _("%s is uploaded."),
        "ordinary": _("%s will be sent with the form."),
        "failed": _("%s could not be uploaded."),
        "waiting": _("The form is sent when the upload is done."),
        "cancel": _("Cancel"),
        "retry": _("Try again"),
        "remove": _("Remove"),
    }


def _kept(name: str, kept: Iterable[tuple[str, Token]]) -> SafeString:
    return format_html_join(
        "",
        '<span class="herokuify-upload" data-state="done"><span>{}</span> '
        '<button type="button" hidden>{}</button><input type="hidden" name="{}" value="{}"></span>',
        (
            (
                _("%(name)s (%(size)s) is uploaded.")
                % {"name": token.name, "size": filesizeformat(token.size)},
                _("Remove"),
                name,
                text,
            )
            for text, token in kept
        ),
    )


@cache
def _mixed(mixin: Any, kind: Any) -> Any:
    return type(kind)(f"Direct{kind.__name__}", (mixin, kind), {"__module__": __name__})


def make_direct(field: forms.FileField, upload: str) -> None:
    """Let a form field and its widget, of any class, accept direct uploads."""
    if not isinstance(field.widget, forms.FileInput):
        return  # such as a hidden input
    both: Any = ((field, DirectField), (field.widget, DirectWidget))
    for each, mixin in both:
        # Change the class of the existing object, to keep all its attributes.
        kind: Any = type(each)
        each.__class__ = _mixed(mixin, kind)
        each.direct_upload = upload


def formfield_of(field: models.FileField) -> Callable[..., Any]:
    """Return a ``formfield`` method for a model field, which applies its rule, if it has one."""
    return partial(_formfield, field)


def _formfield(field: models.FileField, **options: Any) -> Any:
    made = type(field).formfield(field, **options)
    if isinstance(made, forms.FileField) and rules.find(str(field)) is not None:
        make_direct(made, str(field))
    return made
