"""django-pipeline: its mixins work with herokuify's storages as with Django's."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += ["django.contrib.staticfiles", "pipeline"]
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "assets"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "pipeline.finders.PipelineFinder",
]
STORAGES["staticfiles"]["BACKEND"] = "shop.CLASS"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
PIPELINE = {
    "PIPELINE_ENABLED": True,
    "COMPILERS": ["shop.UpperCompiler"],
    "CSS_COMPRESSOR": "shop.Squeezer",
    "JS_COMPRESSOR": "shop.Squeezer",
    "STYLESHEETS": {"all": {
        "source_filenames": ["css/base.css", "css/sub/site.css", "css/loud.up"],
        "output_filename": "css/all.css",
    }},
    "JAVASCRIPT": {"all": {"source_filenames": ["js/*.js"], "output_filename": "js/all.js"}},
}
"""
FILES = {
    "assets/css/base.css": "body  {  background: url(../img/dot.svg)  }\n",
    "assets/css/sub/site.css": "p  {  background: url('../../img/dot.svg')  }\n",
    "assets/css/loud.up": "b { color: red }",
    "assets/js/one.js": "window.one = 1;\n",
    "assets/js/two.js": "window.two  =  2;\n",
    "assets/img/dot.svg": "<svg/>",
    "shop.py": """
import re
from pathlib import Path
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, StaticFilesStorage
from herokuify.storage import CachedS3ManifestStaticStorage, CachedS3StaticStorage, S3StaticStorage
from pipeline.compilers import CompilerBase
from pipeline.compressors import CompressorBase
from pipeline.storage import GZIPMixin, PipelineMixin

class UpperCompiler(CompilerBase):
    output_extension = "css"

    def match_file(self, filename):
        return filename.endswith(".up")

    def compile_file(self, infile, outfile, outdated=False, force=False):
        Path(outfile).write_text(Path(infile).read_text().upper())

class Squeezer(CompressorBase):
    def compress_css(self, css):
        return re.sub(r"\\s+", " ", css)

    compress_js = compress_css

class Plain(PipelineMixin, S3StaticStorage): pass
class Cached(PipelineMixin, CachedS3StaticStorage): pass
class Manifest(PipelineMixin, CachedS3ManifestStaticStorage): pass
class Gzipped(GZIPMixin, PipelineMixin, CachedS3StaticStorage): pass
class LocalPlain(PipelineMixin, StaticFilesStorage): pass
LocalCached = LocalPlain
class LocalManifest(PipelineMixin, ManifestStaticFilesStorage): pass
class LocalGzipped(GZIPMixin, PipelineMixin, StaticFilesStorage): pass
""",
}
SOURCE = """
import gzip, shop
from django.conf import settings
from django.contrib.staticfiles import storage as djangos
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template import engines

def content(name, data):  # gzip's header contains the time
    return (gzip.decompress(data) if name.endswith(".gz") else data).decode()

output = io.StringIO()
call_command("collectstatic", interactive=False, verbosity=1, stdout=output)
found["output"] = output.getvalue()
keys = [one.key for one in staticfiles_storage.bucket.objects.filter(Prefix="static/")]
found["bucket"] = {
    key[7:]: content(key, staticfiles_storage.open(key[7:]).read()) for key in keys
}
page = '{% load pipeline %}{% stylesheet "all" %}{% javascript "all" %}'
found["page"] = engines["django"].from_string(page).render()

# The same with Django's own classes.
from django.contrib.staticfiles.management.commands import collectstatic
local = getattr(shop, "LocalCLASS")(location=settings.BASE_DIR / "local", base_url="/static/")
djangos.staticfiles_storage._wrapped = local
from pipeline import compilers, compressors, packager
command = collectstatic.Command()
command.storage = local
call_command(command, interactive=False, verbosity=0)
paths = [path for path in (settings.BASE_DIR / "local").rglob("*") if path.is_file()]
found["local"] = {
    (name := path.relative_to(settings.BASE_DIR / "local").as_posix()):
    content(name, path.read_bytes()) for path in paths
}
"""


@pytest.mark.parametrize("kind", ["Plain", "Cached", "Manifest", "Gzipped"])
def test_packages(
    make_project: Callable[..., Project], moto: S3Server, moto_bucket: str, kind: str
) -> None:
    settings, source = SETTINGS.replace("CLASS", kind), SOURCE.replace("CLASS", kind)
    found: dict[str, Any] = sites.run(make_project, moto, moto_bucket, settings, source, FILES)
    copies = {name for name in found["bucket"] if name.startswith("staticfiles.")}
    for name in copies - {"staticfiles.json"}:
        del found["bucket"][name]
    assert found["bucket"] == found["local"]
    assert "css/all.css" in found["bucket"]
    assert "  " not in found["bucket"]["css/all.css"]
    assert "B { COLOR: RED }" in found["bucket"]["css/all.css"]
    assert f"static files: {len(found['bucket']) + bool(copies)} sent" in found["output"]
    assert "css/all." in found["page"]
    assert "css/base" not in found["page"]
