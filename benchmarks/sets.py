"""The static files to deploy: real ones from pinned packages, or generated ones."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """A directory of static files in a package.

    ``folder`` is relative to site-packages; its contents go to ``prefix`` in the set. ``only``
    limits them to these subdirectories.
    """

    requirement: str
    folder: str
    prefix: str = ""
    only: tuple[str, ...] = ()


class FileSet(NamedTuple):
    """The files, and the defaults of the options.

    ``generated`` is the number of generated files, and their size in bytes.
    """

    sources: tuple[Source, ...] = ()
    generated: tuple[int, int] = (0, 0)
    contestants: tuple[str, ...] = ("local", "herokuify", "s5cmd", "rclone", "awscli")
    variants: tuple[str, ...] = ("plain", "manifest")
    scenarios: tuple[str, ...] = ("first", "unchanged", "changed", "headers")


_DJANGO = "Django==5.2.19"
_ADMIN = Source(_DJANGO, "django/contrib/admin/static")
_WAGTAIL = "wagtail==8.0.1"
_EDITORS = (
    _ADMIN,
    Source(_DJANGO, "django/contrib/gis/static"),
    Source("django-ace==1.44.0", "django_ace/static"),
    Source("django-ckeditor==6.7.4", "ckeditor/static"),
    Source("django-grappelli==5.0.1", "grappelli/static"),
    Source("django-suit==0.2.28", "suit/static"),
    Source("django-tinymce==5.0.0", "tinymce/static"),
    Source("djangocms-text-ckeditor==5.1.7", "djangocms_text_ckeditor/static"),
    Source("djangorestframework==3.18.3", "rest_framework/static"),
    Source(_WAGTAIL, "wagtail/admin/static"),
    Source(_WAGTAIL, "wagtail/contrib/table_block/static"),
    Source(_WAGTAIL, "wagtail/documents/static"),
    Source(_WAGTAIL, "wagtail/embeds/static"),
    Source(_WAGTAIL, "wagtail/images/static"),
    Source(_WAGTAIL, "wagtail/snippets/static"),
)
_ICONS = (
    Source("fontawesomefree==6.6.0", "fontawesomefree/static", only=("fontawesomefree/svgs",)),
    Source("mkdocs-material==9.8.1", "material/templates/.icons", prefix="icons"),
)

#: About 130, 3,400 and 20,000 real files, and many generated ones to measure memory.
SETS = {
    "small": FileSet((_ADMIN,)),
    "medium": FileSet(_EDITORS),
    "large": FileSet(
        _EDITORS + _ICONS, (0, 0), ("local", "herokuify", "s5cmd"), scenarios=("first", "unchanged")
    ),
    "huge": FileSet((), (100_000, 200), ("herokuify",), ("manifest",), ("first", "unchanged")),
}
