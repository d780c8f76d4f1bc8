"""References to missing files, and files that a bundler has hashed already."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from herokuify.checks.storages import check_storages
from tests.collect.conftest import MANIFEST_CLASS, PLAIN_CLASS, Site
from tests.collect.sites import Files
from tests.collect.storages import LocalModulesStorage

ETERNAL = "public, max-age=31536000, immutable"
MODULES = "tests.collect.storages.ModulesStorage"
DANGLING: Files = {
    "a/site.css": """\
@charset "utf-8";
.a { background: url(
  ../img/dot.png) }
.b { background: url("../img/gone.png"); mask: url(../img/gone.png#x) }
.c { background: url("../img/gone.png") }
@import "gone.css";
/*# sourceMappingURL=site.css.map */
""",
    "a/fine.css": "a { b: url(../img/dot.png) }",
    "js/app.js": """\
import { a } from "./fine.js";
import { b } from "./gone.js";
export * from "./gone.js";
const lazy = () => import("./lazy.js");
//# sourceMappingURL=app.js.map
""",
    "js/fine.js": "export const a = 1;",
    "img/dot.png": b"PNG",
}
#: Lines and targets, as they stand above.
EXPECTED = {
    ("a/site.css", 4, "img/gone.png"),
    ("a/site.css", 5, "img/gone.png"),
    ("a/site.css", 6, "a/gone.css"),
    ("a/site.css", 7, "a/site.css.map"),
    ("js/app.js", 2, "js/gone.js"),
    ("js/app.js", 3, "js/gone.js"),
    ("js/app.js", 4, "js/lazy.js"),
    ("js/app.js", 5, "js/app.js.map"),
}
LINE = re.compile(
    r"The CSS file(?: or script)? '(.+?)' refers to '(.+?)', .* \(line (\d+): (.+)\)\."
)
#: Vite 6's output for an entry that loads a chunk lazily, which imports the entry.
VITE: Files = {
    "assets/main-CaRgkCyF.js": 'import("./lazy-CqoijzLM.js");export const state = 1;\n'
    "//# sourceMappingURL=main-CaRgkCyF.js.map\n",
    "assets/lazy-CqoijzLM.js": 'import{state as t}from"./main-CaRgkCyF.js";console.log(t);',
    "assets/main-CzK2wNGr.css": "body{background:url(./dot-CQCrvgOk.svg)}",
    "assets/dot-CQCrvgOk.svg": "<svg/>",
    "site.css": 'p { background: url("assets/dot-CQCrvgOk.svg") }',
    "manifest.json": "{}",
}
BUNDLED = r"assets/.+-[\w-]{8}\.\w+$"


def replaced(site: Site, files: Files) -> None:
    for path in list(site.source.rglob("*")):
        if path.is_file():
            path.unlink()
    site.write(files)


def complaint(site: Site) -> str:
    with pytest.raises(CommandError) as caught:
        site.collect()
    assert site.manifests() == set()
    return str(caught.value)


class TestDangling:
    def test_all_are_reported_at_once(self, site: Site) -> None:
        replaced(site, DANGLING)
        site.use(MODULES)
        text = complaint(site)
        assert text.startswith("The CSS file")  # what Heroku's buildpack looks for
        *lines, hint = text.splitlines()
        found = [LINE.fullmatch(line) for line in lines]
        assert all(found), text
        told = [(one[1], int(one[3]), one[2]) for one in found if one]
        assert set(told) == EXPECTED
        # Line 4 has two of them, one with a fragment.
        assert len(told) == len(EXPECTED) + 1
        assert "url(../img/gone.png#x)" in text
        assert 'HEROKUIFY_MISSING_OK = [r"' in hint

    def test_named_ones_may_be_missing(self, site: Site) -> None:
        """Kept as they are written; all else is Django's."""
        replaced(site, DANGLING)
        site.use(MODULES)
        site.configure(HEROKUIFY_MISSING_OK=[r".+\.map$", r"(img|a|js)/gone\.", "js/lazy"])
        site.collect()
        sheet = site.read(site.hashed("a/site.css")).decode()
        script = site.read(site.hashed("js/app.js")).decode()
        dot = site.hashed("img/dot.png")
        assert f'url("../{dot}")' in sheet
        for reference in ('url("../img/gone.png")', "url(../img/gone.png#x)", '@import "gone.css"'):
            assert reference in sheet
        assert "sourceMappingURL=site.css.map */" in sheet
        assert f'from "./{Path(site.hashed("js/fine.js")).name}"' in script
        assert 'import("./lazy.js")' in script
        assert not {name for name in site.published() if "gone" in name or "map" in name}

    def test_others_are_still_reported(self, site: Site) -> None:
        site.write({"x.css": "a { b: url(gone.png) }\n/*# sourceMappingURL=x.css.map */\n"})
        site.configure(HEROKUIFY_MISSING_OK=r".+\.map$")
        text = complaint(site)
        assert "gone.png" in text
        assert "x.css.map" not in text

    def test_vendored_stylesheet_may_lack_its_source_map(self, site: Site) -> None:
        """As in healthchecks, which has bootstrap-select's CSS without its map."""
        sheet = "a{}\n/*# sourceMappingURL=bootstrap-select.css.map */"
        site.write({"css/bootstrap-select.css": sheet})
        assert "'css/bootstrap-select.css.map'" in complaint(site)
        site.configure(HEROKUIFY_MISSING_OK=[r".*\.map$"])
        site.collect()
        assert site.read(site.hashed("css/bootstrap-select.css")) == sheet.encode()

    def test_existing_source_map_is_still_hashed(self, site: Site) -> None:
        site.write({"x.css": "/*# sourceMappingURL=x.css.map */", "x.css.map": "{}"})
        site.configure(HEROKUIFY_MISSING_OK=[r".*\.map$"])
        site.collect()
        assert site.hashed("x.css.map").encode() in site.read(site.hashed("x.css"))

    def test_storage_may_tolerate_them_itself(self, site: Site) -> None:
        site.write({"x.css": "a { b: url(gone.png) }"})
        site.use("tests.collect.storages.ForgivingStorage")
        site.collect()
        assert site.read(site.hashed("x.css")) == b"a { b: url(gone.png) }"

    @pytest.mark.parametrize("setting", ["HEROKUIFY_MISSING_OK", "HEROKUIFY_IMMUTABLE_FILES"])
    @pytest.mark.parametrize("value", ["*.map", ["(", "x"], 3, [4]])
    def test_wrong_settings_are_named(self, site: Site, setting: str, value: Any) -> None:
        site.configure(**{setting: value})
        (message,) = check_storages()
        assert message.id == "herokuify.E002"
        assert setting in message.msg
        with pytest.raises(ImproperlyConfigured, match=setting):
            site.collect()
        assert site.names("") == set()


class TestBundled:
    """HEROKUIFY_IMMUTABLE_FILES."""

    @pytest.mark.parametrize("backend", [MANIFEST_CLASS, MODULES])
    def test_are_not_renamed(self, site: Site, backend: str) -> None:
        replaced(site, VITE)
        site.use(backend)
        site.configure(HEROKUIFY_IMMUTABLE_FILES=BUNDLED)
        output = site.collect()
        bundled = {name for name in VITE if name.startswith("assets/")}
        assert {name for name in site.names() if name.startswith("assets/")} == bundled
        for name in bundled:
            assert site.read(name) == str(VITE[name]).encode()
            assert site.head(name)["CacheControl"] == ETERNAL
            assert site.published()[name] == name
            assert staticfiles_storage.url(name) == f"{site.settings.STATIC_URL}{name}"
        # All other files are hashed; references to bundled files keep their names.
        sheet = site.hashed("site.css")
        assert sheet != "site.css"
        assert site.read(sheet) == b'p { background: url("assets/dot-CQCrvgOk.svg") }'
        assert site.hashed("manifest.json") != "manifest.json"
        assert site.head("manifest.json")["CacheControl"] != ETERNAL
        assert "matches no static file" not in output
        assert "0 sent" in site.collect()

    def test_without_the_setting_circular_modules_are_an_error(self, site: Site) -> None:
        """The two scripts import each other, which Django can't hash, either."""
        replaced(site, {name: text for name, text in VITE.items() if name.endswith(".js")})
        site.use(MODULES)
        site.write({"assets/main-CaRgkCyF.js.map": "{}"})
        script = 'import{state as t} from "./main-CaRgkCyF.js";console.log(t);'
        site.write({"assets/lazy-CqoijzLM.js": script})
        with pytest.raises(CommandError, match="Max post-process passes"):
            site.collect()
        with pytest.raises((CommandError, RuntimeError), match="Max post-process passes"):
            site.as_django(LocalModulesStorage(location=site.folder / "django"))

    def test_plain_classes_cache_them_for_good(self, site: Site) -> None:
        replaced(site, VITE)
        site.use(PLAIN_CLASS)
        site.configure(HEROKUIFY_IMMUTABLE_FILES=[BUNDLED])
        site.collect()
        assert site.names() == set(VITE)
        assert site.head("assets/main-CaRgkCyF.js")["CacheControl"] == ETERNAL
        assert site.head("site.css")["CacheControl"] != ETERNAL

    def test_reference_to_a_missing_one_is_an_error(self, site: Site) -> None:
        replaced(site, {"site.css": "p { background: url(assets/dot-CQCrvgOk.svg) }"})
        site.configure(HEROKUIFY_IMMUTABLE_FILES=BUNDLED)
        assert "'assets/dot-CQCrvgOk.svg'" in complaint(site)

    def test_pattern_without_a_match_is_reported(self, site: Site) -> None:
        replaced(site, VITE)
        site.configure(HEROKUIFY_IMMUTABLE_FILES=[BUNDLED, r"build/.+"])
        output = site.collect()
        assert "HEROKUIFY_IMMUTABLE_FILES: 'build/.+' matches no static file" in output
        assert repr(BUNDLED) not in output

    def test_nothing_else_changes(self, site: Site) -> None:
        """Except for the named files, the result is Django's own."""
        django = site.as_django(ManifestStaticFilesStorage(location=site.folder / "django"))
        site.configure(HEROKUIFY_IMMUTABLE_FILES=["js/"])
        site.collect()
        theirs = json.loads(django["staticfiles.json"])["paths"]
        assert site.published() == theirs | {"js/site.js": "js/site.js"}
