"""collectstatic and compress with django-compressor's bundles."""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

import compressor
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.template import Context, Engine, engines
from django.templatetags.static import static
from jinja2 import Environment

import herokuify.compress
from herokuify.collect.index import Entry, dump_index
from tests.collect.conftest import FINDER, INDEX, MANIFEST_CLASS, PLAIN_CLASS, Site, write
from tests.fault_proxy import for_keys, recorded
from tests.replay import ACCESS_DENIED

LIBRARIES = {
    "compress": "compressor.templatetags.compress",
    "static": "django.templatetags.static",
}
CACHED_CLASS = "herokuify.storage.CachedS3StaticStorage"
ETERNAL = "public, max-age=31536000, immutable"
PAGE = """{% load compress static %}
{% compress css %}
<link rel="stylesheet" href="{% static 'css/base.css' %}">
<link rel="stylesheet" href="{% static 'css/site.css' %}">
{% endcompress %}
{% compress js %}<script src="{% static 'js/site.js' %}"></script>{% endcompress %}
{% compress js inline %}<script>window.inline = 1;</script>{% endcompress %}
"""


@pytest.fixture
def compressed(site: Site) -> Site:
    """The small site, with a page for django-compressor."""
    compress(site, MANIFEST_CLASS)
    write(site.folder / "templates", {"page.html": PAGE})
    return site


def compress(site: Site, backend: str, **values: Any) -> None:
    """Configure django-compressor with a storage class."""
    fragment = {name: getattr(herokuify.compress, name) for name in herokuify.compress.__all__}
    site.use(backend)
    site.configure(
        **fragment,
        **{
            "COMPRESS_STORAGE": backend,
            "COMPRESS_ENABLED": True,
            "COMPRESS_OFFLINE": True,
            "COMPRESS_URL": site.settings.STATIC_URL,
            "STATICFILES_FINDERS": [FINDER, "compressor.finders.CompressorFinder"],
            "TEMPLATES": [
                {
                    "BACKEND": "django.template.backends.django.DjangoTemplates",
                    "DIRS": [site.folder / "templates"],
                    "APP_DIRS": True,
                }
            ],
            **values,
        },
    )


def environment(**options: Any) -> Environment:
    """Return a Jinja2 environment, as a project configures it."""
    made = Environment(extensions=["compressor.contrib.jinja2ext.CompressorExtension"], **options)
    made.globals["static"] = static
    return made


def run_compress(site: Site) -> None:
    """Run compress as in a new process."""
    site._renew()
    call_command("compress", verbosity=0)


def bundles(site: Site) -> set[str]:
    """Return the bundles that the local offline manifest names."""
    text = (site.root / "CACHE" / "manifest.json").read_text()
    names = {word for word in text.replace('\\"', '"').split('"') if "/CACHE/" in word}
    return {name.partition("/CACHE/")[2] for name in names}


def bundles_on_s3(site: Site) -> set[str]:
    return {name.partition("/")[2] for name in site.names() if name.startswith("CACHE/")}


def superseded(site: Site) -> set[str]:
    """Return the bundles that only an earlier release has, according to the index."""
    prefix = "static/CACHE/"
    return {
        key[len(prefix) :]
        for key, entry in site.index().items()
        if key.startswith(prefix) and entry.superseded is not None
    }


class TestCompress:
    @pytest.mark.parametrize("backend", [MANIFEST_CLASS, CACHED_CLASS])
    def test_publishes_its_bundles(self, compressed: Site, backend: str) -> None:
        site = compressed
        compress(site, backend)
        site.collect()
        assert bundles_on_s3(site) == set()
        run_compress(site)
        names = bundles(site)
        assert len(names) == 2
        assert bundles_on_s3(site) == names
        assert superseded(site) == set()
        assert {f"static/CACHE/{name}" for name in names} <= site.index().keys()
        for name in names:
            assert site.read(f"CACHE/{name}") == (site.root / "CACHE" / name).read_bytes()
            assert site.head(f"CACHE/{name}")["CacheControl"] == ETERNAL

    def test_second_time_sends_only_what_compressor_forces(self, compressed: Site) -> None:
        """Offline, django-compressor saves each bundle even if it exists; see TestSetting."""
        compressed.collect()
        run_compress(compressed)
        before = compressed.index()
        with recorded(compressed.proxy) as traffic:
            compressed.collect()
        assert traffic.writes == []
        with recorded(compressed.proxy) as traffic:
            run_compress(compressed)
        assert set(traffic.writes) == {f"static/CACHE/{name}" for name in bundles(compressed)}
        assert compressed.index() == before

    def test_collectstatic_without_a_local_manifest_leaves_bundles_alone(
        self, compressed: Site
    ) -> None:
        """As in a build with a new slug, where compress runs later."""
        site = compressed
        site.collect()
        run_compress(site)
        names = bundles(site)
        (site.root / "CACHE" / "manifest.json").unlink()
        before = site.index()
        site.collect("--clear", "--prune", "0")
        assert bundles_on_s3(site) == names
        assert site.index() == before

    def test_collectstatic_with_a_local_manifest_publishes_them(self, compressed: Site) -> None:
        """As in the release phase of a promoted slug, which brings its bundles."""
        site = compressed
        site.collect()
        run_compress(site)
        for name in site.names():
            site.delete(name)
        site.put_index(b"")
        output = site.collect()
        assert bundles_on_s3(site) == bundles(site)
        assert "14 static files: 14 sent" in output
        for name in bundles(site):
            assert site.head(f"CACHE/{name}")["CacheControl"] == ETERNAL

    def test_former_bundles_are_superseded(self, compressed: Site) -> None:
        site = compressed
        site.collect()
        run_compress(site)
        first = bundles(site)
        site.write({"css/base.css": "html { color: blue }"})
        (site.root / "CACHE" / "manifest.json").unlink()  # a new build
        site.collect()
        assert superseded(site) == set()
        run_compress(site)
        second = bundles(site)
        assert len(first & second) == 1
        assert superseded(site) == first - second
        # --clear keeps the previous release's bundles, and removes older ones.
        (site.root / "CACHE" / "manifest.json").unlink()
        site.write({"css/base.css": "html { color: red }"})
        site.collect("--clear")
        assert bundles_on_s3(site) == second
        run_compress(site)
        assert bundles_on_s3(site) == second | bundles(site)

    def test_release_with_bundles_supersedes_others(self, compressed: Site) -> None:
        site = compressed
        site.collect()
        run_compress(site)
        site.put("CACHE/css/output.000000000000.css", b"old")
        site.put("CACHE/css/foreign.css", b"of another's")
        etag = site.head("CACHE/css/output.000000000000.css")["ETag"].strip('"')
        old = {"static/CACHE/css/output.000000000000.css": Entry(etag, "d", "f")}
        site.put_index(dump_index({**site.index(), **old}))
        site.collect()
        assert superseded(site) == {"css/output.000000000000.css"}

    def test_lost_bundle_is_an_error(self, compressed: Site) -> None:
        site = compressed
        site.collect()
        run_compress(site)
        before = site.read("staticfiles.json")
        name = min(bundles(site))
        (site.root / "CACHE" / name).unlink()
        site.write({"robots.txt": "new"})
        with pytest.raises(CommandError) as caught:
            site.collect()
        assert name in str(caught.value)
        assert "python manage.py compress" in str(caught.value)
        assert site.read("staticfiles.json") == before

    @pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"a": 1}'])
    def test_damaged_manifest_is_an_error(self, compressed: Site, text: str) -> None:
        write(compressed.root, {"CACHE/manifest.json": text})
        with pytest.raises(ImproperlyConfigured, match=r"python manage\.py compress"):
            compressed.collect()

    def test_manifest_is_ignored_without_local_copies(self, compressed: Site) -> None:
        write(compressed.root, {"CACHE/manifest.json": "{"})
        compressed.use(PLAIN_CLASS)
        compressed.collect()

    def test_failed_upload_is_an_error(self, compressed: Site) -> None:
        site = compressed
        site.collect()
        run_compress(site)
        name = min(bundles(site))
        site.delete(f"CACHE/{name}")
        site.proxy.rule = for_keys([f"static/CACHE/{name}"], ACCESS_DENIED)
        with pytest.raises(CommandError, match=name):
            site.collect()


#: Every kind of bundle and of its name; and texts that only look like one.
MANY = """{% load compress static %}
<p>{% static 'img/dot.png' %} CACHE/css/none.css</p>
{% compress css file 'main' %}<style>a { b: url(x.png) }</style>{% endcompress %}
{% compress css file "two words" %}<style>a { c: d }</style>{% endcompress %}
{% compress css file größe %}<style>a { e: f }</style>{% endcompress %}
{% compress css preload %}
<link rel="stylesheet" href="{% static 'css/base.css' %}">{% endcompress %}
{% compress js inline %}
<script>const key = 'CACHE/v1', other = "/CACHE/js/a";</script>{% endcompress %}
"""
CHILD = """{% extends "page.html" %}{% load compress %}
{% block more %}{% compress js %}<script>window.more = 1;</script>{% endcompress %}{% endblock %}
"""
INLINE = """{% load compress static %}
{% compress css inline %}<link rel="stylesheet" href="{% static 'css/site.css' %}">{% endcompress %}
{% compress css %}
<link rel="stylesheet" href="{% static 'css/base.css' %}">
<link rel="stylesheet" href="{% static 'css/site.css' %}">
{% endcompress %}
"""
OUTPUT_DIRS = ["", ".", "/", "CACHE", "/CACHE/", "made/by//compressor/", "./made"]


def saved(site: Site) -> set[str]:
    """Return the names of all bundles that django-compressor has saved locally."""
    kinds = {path for path in site.root.rglob("*") if path.parent.name in {"css", "js"}}
    return {
        path.relative_to(site.root).as_posix()
        for path in kinds
        if re.search(r"\.[0-9a-f]{12}\.(css|js)$", path.name)
    } - set(site.published().values())


class TestNames:
    """Bundles are the files that django-compressor saved, not what looks like one in a page."""

    def test_every_bundle_is_published_under_its_name(self, compressed: Site) -> None:
        site = compressed
        page = PAGE.partition("\n")[2]
        head = MANY + page + "{% block more %}{% endblock %}"
        write(site.folder / "templates", {"page.html": head, "child.html": CHILD})
        site.collect()
        run_compress(site)
        names = saved(site)
        assert len(names) == 7
        assert {name.rpartition("/")[2].split(".")[0] for name in names} == {
            *("'main'", '"two words"', "größe", "output")
        }
        assert {f"CACHE/{name}" for name in bundles_on_s3(site)} == names
        # In the release phase of a promoted slug.
        for name in site.names():
            site.delete(name)
        site.put_index(b"")
        site.collect()
        assert {f"CACHE/{name}" for name in bundles_on_s3(site)} == names
        for name in names:
            assert site.read(name) == (site.root / name).read_bytes()
            assert site.head(name)["CacheControl"] == ETERNAL

    @pytest.mark.parametrize("backend", [MANIFEST_CLASS, CACHED_CLASS])
    @pytest.mark.parametrize("folder", OUTPUT_DIRS)
    def test_output_dir_may_be_any_folder(
        self, compressed: Site, folder: str, backend: str
    ) -> None:
        site = compressed
        compress(site, backend, COMPRESS_OUTPUT_DIR=folder, HEROKUIFY_COMPRESS=True)
        write(site.folder / "templates", {"page.html": INLINE})
        site.put("css/other.0123456789ab.css", b"of a former release")
        site.collect()
        before = site.remote_tree()
        (name,) = (name for name in before if re.search(r"css/output\.[0-9a-f]{12}\.css$", name))
        assert (
            name
            == posixpath.normpath(f"./{folder}/css/".lstrip("/")) + "/" + (name.rpartition("/")[2])
        )
        # The bundle's references lead to existing files.
        pattern = r"url\(\"?(.+?)\"?[?)]"
        references = re.findall(pattern, before[name].decode())
        folder = posixpath.dirname(name)
        targets = [posixpath.normpath(posixpath.join(folder, one)) for one in references]
        assert any(target.startswith("img/dot.") for target in targets)
        assert set(targets) <= before.keys()
        # In a page, where inline bundles have no location, references are absolute.
        rendered = Engine(dirs=[str(site.folder / "templates")], libraries=LIBRARIES).get_template(
            "page.html"
        )
        page = rendered.render(Context())
        assert re.findall(pattern, page) == [site.settings.STATIC_URL + one for one in targets]
        assert f'"{site.settings.STATIC_URL}{name}"' in page
        # The next build changes nothing.
        site.collect("--clear", "--prune", "0")
        assert site.remote_tree() == before


class TestSetting:
    """HEROKUIFY_COMPRESS."""

    def test_compresses_through_the_engine(
        self, compressed: Site, capsys: pytest.CaptureFixture[str]
    ) -> None:
        site = compressed
        site.configure(HEROKUIFY_COMPRESS=True)
        with recorded(site.proxy) as traffic:
            output = site.collect()
        assert bundles_on_s3(site) == bundles(site)
        assert superseded(site) == set()
        assert "Compressed 3 block(s)" in capsys.readouterr().out
        assert "12 static files: 12 sent" in output
        # compressor's storage asks for each bundle, and sends it, on its own.
        assert "HeadObject" not in traffic.operations
        assert traffic.operations["ListObjects"] == 2
        assert traffic.writes.count(INDEX) == 2
        assert len(traffic.writes) == len(set(traffic.writes)) + 1
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.writes == []

    def test_with_another_manifest_storage(self, compressed: Site) -> None:
        """The bundles are published even if another class stores django-compressor's manifest."""
        site = compressed
        site.configure(
            HEROKUIFY_COMPRESS=True,
            COMPRESS_OFFLINE_MANIFEST_STORAGE="compressor.storage.OfflineManifestFileStorage",
        )
        site.collect()
        assert bundles_on_s3(site) == bundles(site) != set()

    def test_with_a_local_storage_for_bundles(self, compressed: Site) -> None:
        """The bundles stay on the disk, as the project asks."""
        site = compressed
        site.configure(
            HEROKUIFY_COMPRESS=True, COMPRESS_STORAGE="compressor.storage.CompressorFileStorage"
        )
        site.collect()
        assert bundles_on_s3(site) == set()
        for name in bundles(site):
            assert (site.root / "CACHE" / name).is_file()

    def test_is_off_by_default_and_in_a_dry_run(self, compressed: Site) -> None:
        site = compressed
        site.collect()
        site.configure(HEROKUIFY_COMPRESS=True)
        site.collect("--dry-run")
        assert bundles_on_s3(site) == set()
        assert not (site.root / "CACHE").exists()

    def test_no_bundles_after_a_failure(self, compressed: Site) -> None:
        site = compressed
        site.configure(HEROKUIFY_COMPRESS=True)
        site.proxy.rule = for_keys(["static/robots.txt"], ACCESS_DENIED)
        with pytest.raises(CommandError, match=r"robots\.txt"):
            site.collect()
        assert not (site.root / "CACHE").exists()

    def test_failed_upload_is_an_error(self, compressed: Site) -> None:
        site = compressed
        site.configure(HEROKUIFY_COMPRESS=True)

        def rule(request: Any) -> Any:
            return ACCESS_DENIED if "CACHE" in request.path and request.method == "PUT" else None

        site.proxy.rule = rule
        with pytest.raises(CommandError) as caught:
            site.collect()
        for name in bundles(site):
            assert f"  static/CACHE/{name}" in str(caught.value)

    @pytest.mark.parametrize("debug", [True, False])
    def test_disabled_bundles_are_left_out(self, compressed: Site, debug: bool) -> None:
        """As in local development: the output says that there are no bundles."""
        site = compressed
        site.configure(HEROKUIFY_COMPRESS=True, COMPRESS_ENABLED=False, DEBUG=debug)
        assert "HEROKUIFY_COMPRESS: COMPRESS_ENABLED is not True" in site.collect()
        assert not (site.root / "CACHE").exists()
        assert site.published()

    def test_local_static_files_get_bundles(self, compressed: Site) -> None:
        """As in a build without a bucket, where pages still need bundles."""
        site = compressed
        site.configure(
            HEROKUIFY_COMPRESS=True, COMPRESS_STORAGE="compressor.storage.CompressorFileStorage"
        )
        site.use("django.contrib.staticfiles.storage.StaticFilesStorage")
        assert "static files copied" in site.collect()
        for name in bundles(site):
            assert (site.root / "CACHE" / name).is_file()
        assert site.names("") == set()

    def test_djangos_own_command_gets_bundles(self, compressed: Site) -> None:
        """With a class that uploads files itself."""
        site = compressed
        site.configure(HEROKUIFY_COMPRESS=True)
        site.use("tests.collect.mixins.SendingStorage")
        assert "using Django's own command" in site.collect()
        assert bundles_on_s3(site) == bundles(site) != set()

    def test_online_bundles_are_left_out_without_s3(self, compressed: Site) -> None:
        """As in local development: Django's command runs, without a warning."""
        site = compressed
        site.configure(HEROKUIFY_COMPRESS=True, COMPRESS_OFFLINE=False)
        site.use("django.contrib.staticfiles.storage.StaticFilesStorage")
        assert "static files copied" in site.collect()
        assert site.names("") == set()

    def test_online_bundles_on_s3_are_an_error(self, compressed: Site) -> None:
        """The error comes before anything is uploaded."""
        site = compressed
        site.configure(HEROKUIFY_COMPRESS=True, COMPRESS_OFFLINE=False)
        with pytest.raises(ImproperlyConfigured, match="COMPRESS_OFFLINE = True"):
            site.collect()
        assert site.names("") == set()

    @pytest.mark.parametrize("with_django", [True, False])
    @pytest.mark.parametrize("with_function", [True, False])
    def test_jinja2_templates_are_compressed(
        self, compressed: Site, with_django: bool, with_function: bool
    ) -> None:
        site = compressed
        django = site.settings.TEMPLATES[0] | {"DIRS": [site.folder / "empty"]}
        jinja2 = {
            "BACKEND": "django.template.backends.jinja2.Jinja2",
            "APP_DIRS": True,
            "NAME": "other" if with_function else "jinja2",
            # django-compressor's templates for its tags work with Jinja2, too.
            "DIRS": [site.folder / "jinja2", Path(compressor.__file__).parent / "templates"],
            "OPTIONS": {"environment": "tests.collect.test_bundles.environment"},
        }
        page = PAGE.partition("\n")[2].replace("{% static '", "{{ static('")
        page = page.replace("' %}", "') }}")
        write(site.folder / "jinja2", {"page.html": page})
        site.configure(
            HEROKUIFY_COMPRESS=True,
            TEMPLATES=[jinja2, django] if with_django else [jinja2],
        )
        if with_function:
            site.configure(COMPRESS_JINJA2_GET_ENVIRONMENT=lambda: engines["other"].env)
        site.collect()
        assert len(bundles(site)) == 2
        assert bundles_on_s3(site) == bundles(site)

    def test_failing_precompiler_is_an_error(self, compressed: Site) -> None:
        site = compressed
        page = (
            '{% load compress %}{% compress css %}<style type="text/x">a</style>{% endcompress %}'
        )
        write(site.folder / "templates", {"other.html": page})
        site.configure(HEROKUIFY_COMPRESS=True, COMPRESS_PRECOMPILERS=[("text/x", "false")])
        with pytest.raises(Exception, match=r"other\.html|false"):
            site.collect()
        assert bundles_on_s3(site) == set()

    def test_no_bundles_is_an_error(self, compressed: Site) -> None:
        write(compressed.folder / "templates", {"page.html": "nothing"})
        compressed.configure(HEROKUIFY_COMPRESS=True)
        with pytest.raises(Exception, match="No 'compress' template tags"):
            compressed.collect()


def test_two_builds_make_the_same_bundles(compressed: Site) -> None:
    compressed.configure(HEROKUIFY_COMPRESS=True)
    compressed.collect()
    first = json.loads((compressed.root / "CACHE" / "manifest.json").read_text())
    other = compressed.folder / "other"
    compressed.configure(STATIC_ROOT=other, COMPRESS_ROOT=other)
    with recorded(compressed.proxy) as traffic:
        compressed.collect()
    assert json.loads((other / "CACHE" / "manifest.json").read_text()) == first
    assert traffic.writes == []
