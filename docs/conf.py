"""Sphinx's configuration."""

import sys
from pathlib import Path

import django
from django.conf import settings

import herokuify

sys.path.insert(0, str(Path(__file__).parent))

# autodoc imports the modules it documents, and some of those need a configured Django.
APPS = ["herokuify", "django.contrib.staticfiles", "compressor"]
settings.configure(INSTALLED_APPS=APPS, STATIC_ROOT="static", STATIC_URL="/static/")
django.setup()

project = "herokuify"
author = "The herokuify authors"
copyright = author
release = version = herokuify.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "generated"]
exclude_patterns = ["_build"]

autodoc_typehints = "description"
autodoc_member_order = "bysource"
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
# Every reference inside is checked. Those to Python and Django would need their inventories, and
# builds run offline.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!herokuify\.).*"),
    # Of signatures: what is not public has no page.
    ("py:class", r"herokuify\.(collect|mail\.providers|s3|storage\.(content|hashing))\..*"),
    ("py:class", r"herokuify\.env\.[DT]"),
]

# Quotes and ellipses only: two hyphens begin an option.
smartquotes_action = "qe"

html_theme = "furo"
html_title = f"herokuify {release}"
html_static_path = ["_static"]
html_css_files = ["wrap.css"]
