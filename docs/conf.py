"""Sphinx's configuration."""

import django
from django.conf import settings

import herokuify

# autodoc imports the modules it documents, and some of those need a configured Django.
settings.configure(INSTALLED_APPS=["herokuify"])
django.setup()

project = "herokuify"
author = "The herokuify authors"
copyright = author
release = version = herokuify.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

autodoc_typehints = "description"
autodoc_member_order = "bysource"
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"herokuify {release}"
