"""The command's options, output and errors."""

import io
import json
import re
import shutil
from contextlib import nullcontext
from typing import Any

import pytest
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.contrib.staticfiles.storage import (
    ManifestStaticFilesStorage,
    StaticFilesStorage,
)
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from herokuify.management.commands.collectstatic import Command
from tests.collect import sites
from tests.collect.conftest import (
    INDEX,
    MANIFEST_CLASS,
    PLAIN_CLASS,
    MakeSite,
    Site,
    tree,
    write,
)
from tests.collect.sites import SMALL
from tests.fault_proxy import delayed, is_put, recorded
from tests.servers import S3Server, remove_bucket

SUMMARY = re.compile(
    r"\d+ static files?: \d+ (sent|to send), \d+ unchanged(, \d+ (removed|to remove))?, 0 failed; "
    r"\d+\.\d MB in \d+ requests, \d+\.\d s"
)


def test_herokuifys_command_is_used() -> None:
    assert get_commands()["collectstatic"] == "herokuify"
    assert isinstance(load_command_class("herokuify", "collectstatic"), Command)


class TestOutput:
    def lines(self, site: Site, *arguments: str, **options: Any) -> list[str]:
        return site.collect(*arguments, **options).splitlines()

    def test_is_one_line(self, site: Site) -> None:
        (line,) = self.lines(site)
        assert line.startswith("12 static files: 12 sent, 0 unchanged, 0 failed; 0.0 MB in 18 ")
        assert SUMMARY.fullmatch(line)
        (line,) = self.lines(site)
        assert line.startswith("12 static files: 0 sent, 12 unchanged, 0 failed; 0.0 MB in 3 ")

    def test_is_in_the_singular_for_one_file(self, make_site: MakeSite, moto: S3Server) -> None:
        site = make_site(moto, {"only.txt": "1"})
        site.use(PLAIN_CLASS)
        assert site.collect().startswith("1 static file: 1 sent,")

    def test_returns_the_summary(self, site: Site) -> None:
        result = call_command("collectstatic", interactive=False, stdout=io.StringIO())
        assert SUMMARY.fullmatch(result)

    def test_is_empty_at_verbosity_0(self, site: Site, capfd: pytest.CaptureFixture[str]) -> None:
        assert self.lines(site, verbosity=0) == []
        assert capfd.readouterr() == ("", "")

    def test_has_names_at_verbosity_2_and_3(self, site: Site) -> None:
        lines = self.lines(site, verbosity=2)
        assert set(lines[:-1]) == {f"Sent '{name}'" for name in site.names()}
        assert SUMMARY.fullmatch(lines[-1])
        assert len(self.lines(site, verbosity=2)) == 1
        site.write({"new.txt": "new"})
        lines = self.lines(site, verbosity=3)
        sent = {line for line in lines if line.startswith("Sent ")}
        assert {"Sent 'new.txt'", "Sent 'staticfiles.json'"} < sent
        assert len(sent) == 4
        assert {line for line in lines if line.startswith("Unchanged")} == {
            f"Unchanged '{name}'" for name in [*SMALL, *map(site.hashed, SMALL)]
        }

    def test_has_a_progress_bar_on_a_terminal(self, site: Site) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        site.proxy.rule = delayed(0.15, is_put)
        site.configure(HEROKUIFY_UPLOAD_CONCURRENCY=2)
        output = Terminal()
        call_command("collectstatic", interactive=False, stdout=output)
        *states, last = output.getvalue().split("\r")
        assert len([state for state in states if "to send" in state]) >= 3
        assert re.fullmatch(rf"\x1b\[K{SUMMARY.pattern}\n", last)


class TestOptions:
    def test_help_of_djangos_options(self) -> None:
        text = Command().create_parser("manage.py", "collectstatic").format_help()
        shown = " ".join(text.split())
        assert "List what would be done, without doing it." in shown
        assert "On S3: after publishing, remove files that collectstatic sent and that are" in shown
        assert "Create symbolic links instead of copies. Refused on S3." in shown
        assert "filesystem" not in shown

    def test_dry_run_changes_nothing_at_all(self, site: Site) -> None:
        with recorded(site.proxy) as traffic:
            output = site.collect("--dry-run")
        assert traffic.operations == {"ListObjects": 1, "GetObject": 1}
        assert not site.root.exists()
        lines = output.splitlines()
        # As many files as a real run sends, by their names.
        assert lines[-1].startswith("12 static files: 12 to send, 0 unchanged, 0 failed; 0.0 MB in")
        listed = {line.removeprefix("Would send ").strip("'") for line in lines[:-1]}
        site.collect()
        assert listed == site.names()
        before = tree(site.root), site.remote_tree(), site.index()
        site.write({"robots.txt": "changed"})
        site.remove("js/site.js")
        output = site.collect("--dry-run", "--clear", "--prune", "0")
        assert (tree(site.root), site.remote_tree(), site.index()) == before
        assert "Would send 'robots.txt'" in output
        assert "Would remove" not in output  # all that is there is the previous release's

    def test_dry_run_names_missing_references(self, site: Site) -> None:
        site.write({"css/site.css": "a { b: url(gone.png) }"})
        with pytest.raises(CommandError, match=r"css/gone\.png"):
            site.collect("--dry-run")

    def test_ignored_files_are_left_out(self, site: Site) -> None:
        site.collect("--ignore", "*.txt", "-i", "js", "--ignore=dot.*", "--no-post-process")
        assert site.names() == {"css/site.css", "css/base.css"}
        assert set(tree(site.root)) == {"css/site.css", "css/base.css"}

    def test_default_ignore_patterns(self, site: Site) -> None:
        site.write({".hidden": "1", "backup~": "2", "CVS/Root": "3"})
        site.collect()
        assert set(site.published()) == set(SMALL)
        site.collect("--no-default-ignore")
        assert set(site.published()) == {*SMALL, ".hidden", "backup~", "CVS/Root"}

    @pytest.mark.parametrize("arguments", [["--link"], ["-l", "--dry-run"]])
    def test_link_is_refused(self, site: Site, arguments: list[str]) -> None:
        with recorded(site.proxy) as traffic, pytest.raises(CommandError, match="symlink"):
            site.collect(*arguments)
        assert traffic.requests == []

    @pytest.mark.parametrize(("answer", "runs"), [("yes", True), ("no", False), ("", False)])
    def test_asks_for_confirmation(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, answer: str, runs: bool
    ) -> None:
        monkeypatch.setattr("builtins.input", lambda prompt: answer)
        refusal = pytest.raises(CommandError, match="cancelled")
        with nullcontext() if runs else refusal:
            call_command("collectstatic", stdout=io.StringIO())
        assert bool(site.names()) == runs

    @pytest.mark.parametrize("value", [0, -1, "64", 1.5, None])
    def test_wrong_concurrency_is_an_error(self, site: Site, value: object) -> None:
        site.configure(HEROKUIFY_UPLOAD_CONCURRENCY=value)
        with pytest.raises(ImproperlyConfigured, match="HEROKUIFY_UPLOAD_CONCURRENCY is "):
            site.collect()

    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_low_concurrency_works(self, site: Site, concurrency: int) -> None:
        site.configure(HEROKUIFY_UPLOAD_CONCURRENCY=concurrency)
        site.collect()
        site.assert_whole()
        assert len(site.names()) == 12


class TestReferences:
    """Heroku's buildpack recognizes messages on missing references and adds its advice."""

    @pytest.fixture
    def published(self, site: Site) -> Site:
        site.collect()
        return site

    def failure(self, site: Site) -> str:
        manifests = {name: site.read(name) for name in site.manifests()}
        local = (site.root / "staticfiles.json").read_bytes()
        with pytest.raises(CommandError) as caught:
            site.collect()
        assert {name: site.read(name) for name in site.manifests()} == manifests
        assert (site.root / "staticfiles.json").read_bytes() == local
        message = str(caught.value)
        assert "SyntaxError" not in message
        return message

    @pytest.mark.parametrize("reference", ["url(../img/gone.png)", '@import "../img/gone.png";'])
    def test_missing_file_is_an_error(self, published: Site, reference: str) -> None:
        published.write({"css/site.css": f"a {{}}\n{reference}"})
        message = self.failure(published)
        assert message.startswith(
            "The CSS file 'css/site.css' refers to 'img/gone.png', which no static files finder "
            f"has found (line 2: {reference.rstrip(';')})."
        )

    def test_missing_source_map_is_an_error(self, published: Site) -> None:
        published.write({"js/site.js": "1\n//# sourceMappingURL=gone.js.map"})
        assert self.failure(published).startswith(
            "The CSS file or script 'js/site.js' refers to 'js/gone.js.map', which no static files"
        )

    def test_quotes_in_names_are_shown(self, published: Site) -> None:
        published.write({"css/it's.css": 'a { b: url("it\'s gone.png") }'})
        message = self.failure(published)
        assert message.startswith('The CSS file "css/it\'s.css" refers to "css/it\'s gone.png"')

    def test_ignored_file_counts_as_missing(self, published: Site) -> None:
        with pytest.raises(CommandError, match=r"The CSS file 'css/site\.css' refers to 'img/dot"):
            published.collect("--ignore", "*.png")

    def test_other_encoding_is_an_error(self, published: Site) -> None:
        published.write({"css/latin.css": "/* \xe4 */".encode("latin-1")})
        message = self.failure(published)
        assert message.startswith("'css/latin.css' can't be hashed: 'utf-8' codec can't decode")
        assert "The CSS file" not in message
        assert "no static files finder" not in message

    def test_circle_is_an_error(self, published: Site) -> None:
        published.write({"css/a.css": '@import "b.css";', "css/b.css": '@import "a.css";'})
        message = self.failure(published)
        assert "can't be hashed: Max post-process passes exceeded." in message
        assert "The CSS file" not in message


class TestManifestName:
    def test_of_a_subclass_is_used(self, site: Site) -> None:
        site.use("tests.collect.storages.NamedStorage")
        site.collect()
        digest = json.loads(site.read("assets.json"))["hash"]
        assert {"assets.json", f"assets.{digest}.json"} < site.names()
        assert (site.root / "assets.json").read_bytes() == site.read("assets.json")
        assert site.names() & {"staticfiles.json"} == set()


class TestBucket:
    def test_missing_one_is_created_on_request(self, site: Site) -> None:
        remove_bucket(site.client, site.bucket)
        with pytest.raises(ImproperlyConfigured, match="AWS_AUTO_CREATE_BUCKET=true"):
            site.collect()
        site.configure(AWS_AUTO_CREATE_BUCKET=True)
        assert "12 to send" in site.collect("--dry-run")
        assert not [b for b in site.client.list_buckets()["Buckets"] if b["Name"] == site.bucket]
        site.collect()
        policy = json.loads(site.client.get_bucket_policy(Bucket=site.bucket)["Policy"])
        (statement,) = policy["Statement"]
        assert statement["Resource"] == [f"arn:aws:s3:::{site.bucket}/static/*"]
        site.assert_whole()

    def test_index_is_not_public(self, site: Site) -> None:
        """It is outside the location that the bucket's policy makes public."""
        site.collect()
        assert not INDEX.startswith("static/")
        assert {key for key in site.names("") if not key.startswith("static/")} == {INDEX}

    @pytest.mark.parametrize(
        ("prefix", "index"),
        [
            ("cube", "cube/.herokuify/static/index.json.gz"),
            ("a/b/", "a/b/.herokuify/static/index.json.gz"),
        ],
    )
    def test_index_is_below_the_prefix(self, site: Site, prefix: str, index: str) -> None:
        url = f"{site.proxy.url}/{site.bucket}/{prefix.strip('/')}/static/"
        site.configure(AWS_LOCATION=prefix, STATIC_URL=url)
        site.collect()
        site.collect("--clear")
        location = f"{prefix.strip('/')}/static/"
        assert {key for key in site.names("") if not key.startswith(location)} == {index}
        assert "12 static files: 0 sent, 12 unchanged" in site.output


class TestOtherStorages:
    """Django's own command runs for them, unchanged."""

    @pytest.mark.parametrize("storage", [StaticFilesStorage, ManifestStaticFilesStorage])
    @pytest.mark.parametrize(
        "arguments", [[], ["--clear"], ["--dry-run"], ["--no-post-process"], ["-i", "*.txt"]]
    )
    @pytest.mark.parametrize("verbosity", [0, 1, 2, 3])
    def test_result_is_djangos(
        self,
        site: Site,
        storage: type[StaticFilesStorage],
        arguments: list[str],
        verbosity: int,
    ) -> None:
        """Run twice, with a file that two finders find."""
        other = site.folder / "other"
        write(other, {"robots.txt": "hidden", "more.txt": "more"})
        site.configure(STATICFILES_DIRS=[site.source, other])
        results = []
        for kind in (DjangoCommand, Command):
            shutil.rmtree(site.root, ignore_errors=True)
            write(site.root, {"left-over.txt": "old"})
            output = io.StringIO()
            returned = []
            for command in (kind(), kind()):
                # Both use the same folder, so even paths in the output must be the same.
                command.storage = storage(location=site.root)
                returned.append(
                    call_command(
                        command, "--noinput", *arguments, stdout=output, verbosity=verbosity
                    )
                )
            # Folders are listed in any order, and so are the lines of --clear.
            results.append((returned, sorted(output.getvalue().splitlines()), tree(site.root)))
        django, ours = results
        assert ours == django
        assert site.names() == set()

    def test_link_works(self, site: Site) -> None:
        command = Command()
        command.storage = StaticFilesStorage(location=site.root)
        call_command(command, "--noinput", "--link", verbosity=0)
        assert (site.root / "robots.txt").is_symlink()

    def test_prune_is_refused(self, site: Site) -> None:
        command = Command()
        command.storage = StaticFilesStorage(location=site.root)
        with pytest.raises(
            CommandError, match="--prune works only with herokuify's static storages"
        ):
            call_command(command, "--noinput", "--prune", "30")
        assert not site.root.exists()

    @pytest.mark.parametrize("setting", ["HEROKUIFY_PRUNE_DAYS", "HEROKUIFY_COMPRESS"])
    def test_settings_are_for_herokuifys_storages(self, site: Site, setting: str) -> None:
        site.configure(**{setting: 1})
        command = Command()
        command.storage = StaticFilesStorage(location=site.root)
        call_command(command, "--noinput", verbosity=0)
        assert tree(site.root) == tree(site.source)


class TestHeaders:
    def test_types_and_caching(self, make_site: MakeSite, s3: S3Server) -> None:
        site = make_site(s3, {"a.woff2": "1", "a.mjs": "2", "a.map": "3", "a.unknown": "4"})
        site.use(MANIFEST_CLASS)
        site.configure(
            AWS_HEADERS={"x-amz-meta-by": "herokuify"},
            AWS_EXTRA_HEADERS=[(r"a\.map$", {"Cache-Control": "no-store"})],
        )
        site.collect()
        types = {name: site.head(name)["ContentType"] for name in site.published()}
        assert types == {
            "a.woff2": "font/woff2",
            "a.mjs": "text/javascript",
            "a.map": "application/json",
            "a.unknown": "application/octet-stream",
        }
        assert site.head("a.map")["CacheControl"] == "no-store"
        for name in site.published():
            head = site.head(site.hashed(name))
            assert head["CacheControl"] == "public, max-age=31536000, immutable"
            assert head["ContentType"] == types[name]
            assert head["Metadata"] == {"by": "herokuify"}

    def test_same_parameters_in_a_second_run(self, each_site: Site) -> None:
        site = each_site
        site.write(sites.NASTY)
        site.configure(
            AWS_HEADERS={"x-amz-meta-by": "herokuify", "Content-Language": "de"},
            AWS_EXTRA_HEADERS=[(r".*\.gif$", {"Content-Disposition": "inline; filename=a.gif"})],
        )
        site.collect()
        names = sorted(set(site.published().values()))
        heads = [site.head(name) for name in names]
        assert all(head["Metadata"] == {"by": "herokuify"} for head in heads)
        assert all(head["ContentLanguage"] == "de" for head in heads)
        # Sent anew without an index, every object is what it was: nothing differs.
        site.put_index(b"")
        with recorded(site.proxy) as traffic:
            site.collect()
        assert traffic.writes == [INDEX]


@pytest.mark.parametrize("verbosity", [0, 1, 2, 3])
@pytest.mark.parametrize("backend", [MANIFEST_CLASS, PLAIN_CLASS])
def test_collect_returns_what_djangos_does(site: Site, backend: str, verbosity: int) -> None:
    """And so does the message on files that two finders find, which Django 6.1 counts."""
    other = site.folder / "other"
    write(other, {"robots.txt": "hidden", "more.txt": "more"})
    site.configure(STATICFILES_DIRS=[site.source, other])
    site.use(backend)
    found: list[dict[str, list[str]]] = []

    def collected(kind: type[DjangoCommand], storage: Any) -> None:
        class Command(kind):  # type: ignore[misc, valid-type]
            def collect(self) -> dict[str, list[str]]:
                found.append(super().collect())
                return found[-1]

        output = io.StringIO()
        command = Command(stdout=output)
        command.storage = storage
        call_command(command, interactive=False, verbosity=verbosity)
        texts.append(output.getvalue())

    texts: list[str] = []
    is_hashed = backend == MANIFEST_CLASS
    local = ManifestStaticFilesStorage if is_hashed else StaticFilesStorage
    collected(DjangoCommand, local(location=site.folder / "django"))
    collected(Command, import_string(backend)())
    djangos, ours = ({kind: sorted(names) for kind, names in each.items()} for each in found)
    assert {kind: ours[kind] for kind in djangos} == djangos
    assert djangos["post_processed"] if is_hashed else not djangos["post_processed"]
    told = "1 skipped due to conflict" if "skipped" in djangos else "Found another file"
    assert [told in text for text in texts] == [verbosity > 0] * 2
    conflicts = [
        [line for line in text.splitlines() if line.startswith("Found another file")]
        for text in texts
    ]
    assert conflicts[0] == conflicts[1]
