import importlib
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import django
import pytest
from django.apps import apps
from django.conf import global_settings, settings
from django.core import checks
from django.core.checks.registry import registry
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

import herokuify
from herokuify import aws, env
from herokuify.aws import get_media_url, get_static_url, read_aws
from herokuify.conf import addons
from herokuify.db import get_db_config
from herokuify.env import get_stage
from herokuify.exceptions import ConfigurationError
from tests.errors import error_of

ROOT = Path(herokuify.__file__).parent.parent
DOCS = Path(__file__).parent.parent / "docs"
NOTHING = {
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
    "AWS_STORAGE_BUCKET_NAME": None,
}
PLAIN = {
    "AWS_ACCESS_KEY_ID": "plain-id",
    "AWS_SECRET_ACCESS_KEY": "plain-secret",
    "AWS_STORAGE_BUCKET_NAME": "plain-bucket",
}
PLAIN_KEYS = {name: PLAIN[name] for name in addons.KEYS}
BUCKETEER = {
    "BUCKETEER_AWS_ACCESS_KEY_ID": "bucketeer-id",
    "BUCKETEER_AWS_SECRET_ACCESS_KEY": "bucketeer-secret",
    "BUCKETEER_AWS_REGION": "eu-west-1",
    "BUCKETEER_BUCKET_NAME": "bucketeer-bucket",
}
CLOUDCUBE = {
    "CLOUDCUBE_ACCESS_KEY_ID": "cube-id",
    "CLOUDCUBE_SECRET_ACCESS_KEY": "cube-secret",
    "CLOUDCUBE_URL": "https://cloud-cube.s3.amazonaws.com/k4nvbd8",
}
OF_BUCKETEER = {
    "AWS_ACCESS_KEY_ID": "bucketeer-id",
    "AWS_SECRET_ACCESS_KEY": "bucketeer-secret",
    "AWS_STORAGE_BUCKET_NAME": "bucketeer-bucket",
    "AWS_S3_REGION_NAME": "eu-west-1",
}
OF_CLOUDCUBE = {
    "AWS_ACCESS_KEY_ID": "cube-id",
    "AWS_SECRET_ACCESS_KEY": "cube-secret",
    "AWS_STORAGE_BUCKET_NAME": "cloud-cube",
    "AWS_LOCATION": "k4nvbd8",
    "AWS_PUBLIC_LOCATION": "k4nvbd8/public",
}


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


class TestPlainNames:
    @pytest.mark.parametrize("environ", [{}, {"AWS_ACCESS_KEY_ID": "", "AWS_LOCATION": "/"}])
    def test_are_none_when_nothing_is_set(self, environ: dict[str, str]) -> None:
        assert read_aws(environ) == NOTHING

    @pytest.mark.parametrize(
        ("environ", "added"),
        [
            ({}, {}),
            ({"AWS_SESSION_TOKEN": "token"}, {"AWS_SESSION_TOKEN": "token"}),
            ({"AWS_DEFAULT_REGION": "eu-west-3"}, {"AWS_S3_REGION_NAME": "eu-west-3"}),
            (
                {"AWS_DEFAULT_REGION": "eu-west-3", "AWS_REGION": "eu-west-2"},
                {"AWS_S3_REGION_NAME": "eu-west-2"},
            ),
            (
                {"AWS_REGION": "eu-west-2", "AWS_S3_REGION_NAME": "eu-west-1"},
                {"AWS_S3_REGION_NAME": "eu-west-1"},
            ),
            (
                {"AWS_ENDPOINT_URL_S3": "https://b.example.com"},
                {"AWS_S3_ENDPOINT_URL": "https://b.example.com"},
            ),
            (
                {
                    "AWS_ENDPOINT_URL_S3": "https://b.example.com",
                    "AWS_S3_ENDPOINT_URL": "http://127.0.0.1:9000",
                },
                {"AWS_S3_ENDPOINT_URL": "http://127.0.0.1:9000"},
            ),
            (
                {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com:8443"},
                {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com:8443"},
            ),
            ({"AWS_S3_ADDRESSING_STYLE": "Virtual"}, {"AWS_S3_ADDRESSING_STYLE": "virtual"}),
            ({"AWS_LOCATION": "/my//app/"}, {"AWS_LOCATION": "my/app"}),
            ({"AWS_AUTO_CREATE_BUCKET": "yes"}, {"AWS_AUTO_CREATE_BUCKET": True}),
            ({"AWS_AUTO_CREATE_BUCKET": "off"}, {"AWS_AUTO_CREATE_BUCKET": False}),
        ],
    )
    def test_become_settings(self, environ: dict[str, str], added: dict[str, object]) -> None:
        assert read_aws(PLAIN | environ) == PLAIN | added

    def test_credentials_may_be_left_to_boto3(self) -> None:
        environ = {"AWS_STORAGE_BUCKET_NAME": "my-bucket"}
        assert read_aws(environ) == NOTHING | environ

    @pytest.mark.parametrize(
        ("environ", "missing"),
        [
            ({"AWS_ACCESS_KEY_ID": "x"}, "AWS_SECRET_ACCESS_KEY is not set"),
            ({"AWS_SECRET_ACCESS_KEY": "x"}, "AWS_ACCESS_KEY_ID is not set"),
            (
                {"AWS_SESSION_TOKEN": "x"},
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
            ),
            # An add-on never completes half a pair.
            (BUCKETEER | {"AWS_ACCESS_KEY_ID": "x"}, "AWS_SECRET_ACCESS_KEY is not set"),
        ],
    )
    def test_half_a_pair_is_refused(self, environ: dict[str, str], missing: str) -> None:
        with pytest.raises(ConfigurationError, match=missing):
            read_aws(environ)

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("AWS_STORAGE_BUCKET_NAME", "s3://bucket", "a bucket name such as"),
            ("AWS_STORAGE_BUCKET_NAME", "bucket/folder", "a bucket name such as"),
            ("AWS_STORAGE_BUCKET_NAME", "ab", "a bucket name such as"),
            ("AWS_S3_REGION_NAME", "EU (Ireland)", "a region code such as eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu.west.1", "a region code such as eu-west-1"),
            ("AWS_S3_ENDPOINT_URL", "fra1.example.com", "an http or https URL"),
            ("AWS_ENDPOINT_URL_S3", "s3://example.com", "an http or https URL"),
            ("AWS_S3_CUSTOM_DOMAIN", "https://cdn.example.com", "a host name such as"),
            ("AWS_S3_CUSTOM_DOMAIN", "cdn.example.com/", "a host name such as"),
            ("AWS_S3_CUSTOM_DOMAIN", "cdn.example.com/static", "a host name such as"),
            ("AWS_S3_CUSTOM_DOMAIN", "-cdn..example.com", "a host name such as"),
            ("AWS_S3_ADDRESSING_STYLE", "dns", "one of auto, virtual, path"),
            ("AWS_LOCATION", "../other", "a folder in the bucket"),
            ("AWS_LOCATION", "a/./b", "a folder in the bucket"),
            ("AWS_AUTO_CREATE_BUCKET", "maybe", "true, yes, on, 1 or false, no, off, 0"),
        ],
    )
    def test_are_refused_when_malformed(self, name: str, value: str, expected: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read_aws({name: value})
        message = str(caught.value)
        assert f": {name} is {value!r}; it must be {expected}" in message
        assert f"heroku config:set {name}=…" in message

    @pytest.mark.parametrize("name", ["AWS_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
    def test_an_endpoint_with_the_bucket_is_refused(self, name: str) -> None:
        environ = PLAIN | {name: "https://s3.example.com/plain-bucket/"}
        for read in (read_aws, lambda environ: get_static_url(environ=environ)):
            with pytest.raises(ConfigurationError) as caught:
                read(environ)
            message = str(caught.value)
            assert f"{name} is {environ[name]!r}" in message
            assert f"heroku config:set {name}=…" in message
            assert f"heroku config:unset {name}" in message
        assert read_aws(PLAIN | {name: "https://s3.example.com/storage/v1/s3"})

    def test_an_endpoint_that_is_not_used_may_have_the_bucket(self) -> None:
        unused = {"AWS_ENDPOINT_URL_S3": "https://s3.example.com/plain-bucket/"}
        environ = PLAIN | unused | {"AWS_S3_ENDPOINT_URL": "https://s3.example.com"}
        assert read_aws(environ)["AWS_S3_ENDPOINT_URL"] == "https://s3.example.com"


class TestAddons:
    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            (BUCKETEER, OF_BUCKETEER),
            (CLOUDCUBE, OF_CLOUDCUBE),
            (
                CLOUDCUBE | {"CLOUDCUBE_URL": "https://s3.eu-west-1.amazonaws.com/cloud-cube/a/"},
                OF_CLOUDCUBE
                | {
                    "AWS_S3_REGION_NAME": "eu-west-1",
                    "AWS_LOCATION": "a",
                    "AWS_PUBLIC_LOCATION": "a/public",
                },
            ),
        ],
    )
    def test_become_settings_too(self, environ: dict[str, str], expected: dict[str, str]) -> None:
        assert read_aws(environ) == expected

    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            # With all plain names set, add-ons are ignored, even incomplete ones.
            (PLAIN | BUCKETEER, PLAIN),
            (PLAIN | BUCKETEER | CLOUDCUBE, PLAIN),
            (PLAIN | without(BUCKETEER, "BUCKETEER_BUCKET_NAME"), PLAIN),
            # The credentials come from one source, and so does the bucket with its location.
            (PLAIN_KEYS | BUCKETEER, OF_BUCKETEER | PLAIN_KEYS),
            (
                PLAIN_KEYS | {"AWS_SESSION_TOKEN": "token"} | BUCKETEER,
                OF_BUCKETEER | PLAIN_KEYS | {"AWS_SESSION_TOKEN": "token"},
            ),
            (
                {"AWS_STORAGE_BUCKET_NAME": "mine"} | BUCKETEER,
                {name: OF_BUCKETEER[name] for name in addons.KEYS}
                | {"AWS_STORAGE_BUCKET_NAME": "mine"},
            ),
            (
                {"AWS_STORAGE_BUCKET_NAME": "mine", "AWS_LOCATION": "app"} | CLOUDCUBE,
                {name: OF_CLOUDCUBE[name] for name in addons.KEYS}
                | {"AWS_STORAGE_BUCKET_NAME": "mine", "AWS_LOCATION": "app"},
            ),
            # Each of the other plain names overrides the add-on's value.
            (
                {"AWS_REGION": "us-west-2", "AWS_LOCATION": "app"} | BUCKETEER,
                OF_BUCKETEER | {"AWS_S3_REGION_NAME": "us-west-2", "AWS_LOCATION": "app"},
            ),
            (
                {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"} | CLOUDCUBE,
                OF_CLOUDCUBE | {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"},
            ),
            # An add-on may lack variables that aren't used.
            (
                PLAIN_KEYS | without(BUCKETEER, "BUCKETEER_AWS_ACCESS_KEY_ID"),
                OF_BUCKETEER | PLAIN_KEYS,
            ),
            (
                {"AWS_STORAGE_BUCKET_NAME": "mine"} | without(BUCKETEER, "BUCKETEER_AWS_REGION"),
                {name: OF_BUCKETEER[name] for name in addons.KEYS}
                | {"AWS_STORAGE_BUCKET_NAME": "mine"},
            ),
        ],
    )
    def test_yield_to_plain_names(self, environ: dict[str, str], expected: dict[str, str]) -> None:
        assert read_aws(environ) == expected

    @pytest.mark.parametrize("addon", [BUCKETEER, CLOUDCUBE])
    @pytest.mark.parametrize("count", [1, 2])
    def test_incomplete_one_is_refused(self, addon: dict[str, str], count: int) -> None:
        missing = sorted(addon)[:count]
        environ = without(addon, *missing)
        with pytest.raises(ConfigurationError) as caught:
            read_aws(environ)
        message = str(caught.value)
        unset = re.search(r"but (.*) (?:is|are) not set", message)
        assert unset is not None
        assert sorted(re.split(", | and ", unset[1])) == missing
        assert all(f"{name}=…" in message for name in missing)
        assert not any(value in message for value in addon.values())

    @pytest.mark.parametrize("plain", [{}, PLAIN_KEYS, {"AWS_STORAGE_BUCKET_NAME": "mine"}])
    def test_two_are_refused(self, plain: dict[str, str]) -> None:
        half = without(CLOUDCUBE, "CLOUDCUBE_URL")
        with pytest.raises(ConfigurationError) as caught:
            read_aws(plain | BUCKETEER | half)
        message = str(caught.value)
        assert "Bucketeer and Cloudcube are both attached" in message
        assert (
            "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… "
            "AWS_STORAGE_BUCKET_NAME=…" in message
        )

    @pytest.mark.parametrize(
        "url",
        [
            "cloud-cube.s3.amazonaws.com/cube",
            "https://cloud-cube.s3.amazonaws.com/",
            "https://cdn.example.com/cube",
            "https://me:password@cloud-cube.s3.amazonaws.com/cube",
        ],
    )
    def test_refuses_a_malformed_cloudcube_url(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match=r"CLOUDCUBE_URL is .*; it must be") as caught:
            read_aws(CLOUDCUBE | {"CLOUDCUBE_URL": url})
        assert "password@" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "value"), [("BUCKETEER_BUCKET_NAME", "a b"), ("BUCKETEER_AWS_REGION", "a b")]
    )
    def test_refuses_a_malformed_bucketeer(self, name: str, value: str) -> None:
        with pytest.raises(ConfigurationError, match=f"{name} is 'a b'; it must be"):
            read_aws(BUCKETEER | {name: value})

    @pytest.mark.parametrize("location", ["app", "k4nvbd8/app", "/k4nvbd8/app/"])
    def test_location_is_inside_the_cube(self, location: str) -> None:
        settings = read_aws(CLOUDCUBE | {"AWS_LOCATION": location})
        assert settings["AWS_LOCATION"] == "k4nvbd8/app"
        assert settings["AWS_PUBLIC_LOCATION"] == "k4nvbd8/public/app"

    def test_location_may_be_the_cube_itself(self) -> None:
        assert read_aws(CLOUDCUBE | {"AWS_LOCATION": "k4nvbd8"}) == OF_CLOUDCUBE

    def test_location_that_begins_like_the_cube_is_a_folder_in_it(self) -> None:
        settings = read_aws(CLOUDCUBE | {"AWS_LOCATION": "k4nvbd8x"})
        assert settings["AWS_LOCATION"] == "k4nvbd8/k4nvbd8x"

    @pytest.mark.parametrize("location", ["public", "public/app", "k4nvbd8/public"])
    def test_media_in_the_public_folder_is_refused(self, location: str) -> None:
        with pytest.raises(ConfigurationError, match="media files would be public") as caught:
            read_aws(CLOUDCUBE | {"AWS_LOCATION": location})
        assert "heroku config:unset AWS_LOCATION" in str(caught.value)

    def test_another_addon_can_be_added(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def place(environ: Mapping[str, str]) -> dict[str, str]:
            return {
                "AWS_STORAGE_BUCKET_NAME": environ["EXAMPLE_BUCKET"],
                "AWS_S3_ENDPOINT_URL": f"https://{environ['EXAMPLE_HOST']}",
                "AWS_LOCATION": "confined",
            }

        example = addons.Addon(
            title="Example",
            keys=("EXAMPLE_KEY", "EXAMPLE_SECRET"),
            placement=("EXAMPLE_BUCKET", "EXAMPLE_HOST"),
            place=place,
        )
        monkeypatch.setattr(addons, "ADDONS", (*addons.ADDONS, example))
        environ = {
            "EXAMPLE_KEY": "id",
            "EXAMPLE_SECRET": "secret",
            "EXAMPLE_BUCKET": "my-bucket",
            "EXAMPLE_HOST": "objects.example.com",
            "AWS_LOCATION": "app",
        }
        assert read_aws(environ) == {
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_STORAGE_BUCKET_NAME": "my-bucket",
            "AWS_S3_ENDPOINT_URL": "https://objects.example.com",
            "AWS_LOCATION": "confined/app",
        }
        with pytest.raises(ConfigurationError, match="Bucketeer and Example are both attached"):
            read_aws(environ | BUCKETEER)


class TestUrls:
    @pytest.mark.parametrize(
        ("environ", "static", "media"),
        [
            ({}, "/static/", "/media/"),
            ({"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"}, "/static/", "/media/"),
            (
                PLAIN,
                "https://plain-bucket.s3.amazonaws.com/static/",
                "https://plain-bucket.s3.amazonaws.com/media/",
            ),
            (
                PLAIN | {"AWS_REGION": "eu-west-1", "AWS_LOCATION": "my app"},
                "https://plain-bucket.s3.eu-west-1.amazonaws.com/my%20app/static/",
                "https://plain-bucket.s3.eu-west-1.amazonaws.com/my%20app/media/",
            ),
            (
                PLAIN | {"AWS_S3_ENDPOINT_URL": "http://127.0.0.1:9000/"},
                "http://127.0.0.1:9000/plain-bucket/static/",
                "http://127.0.0.1:9000/plain-bucket/media/",
            ),
            (
                PLAIN | {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com", "AWS_LOCATION": "app"},
                "https://cdn.example.com/app/static/",
                "https://cdn.example.com/app/media/",
            ),
            (
                PLAIN | {"AWS_S3_ADDRESSING_STYLE": "path"},
                "https://s3.amazonaws.com/plain-bucket/static/",
                "https://s3.amazonaws.com/plain-bucket/media/",
            ),
            (
                BUCKETEER,
                "https://bucketeer-bucket.s3.eu-west-1.amazonaws.com/static/",
                "https://bucketeer-bucket.s3.eu-west-1.amazonaws.com/media/",
            ),
            (
                CLOUDCUBE,
                "https://cloud-cube.s3.amazonaws.com/k4nvbd8/public/static/",
                "https://cloud-cube.s3.amazonaws.com/k4nvbd8/media/",
            ),
        ],
    )
    def test_are_built_from_the_environment(
        self, environ: dict[str, str], static: str, media: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert get_static_url(environ=environ) == static
        assert get_media_url(environ=environ) == media
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert get_static_url() == static
        assert get_media_url() == media

    def test_location_is_an_argument(self) -> None:
        assert get_static_url("assets", environ={}) == "/assets/"
        assert get_media_url("up loads", environ={}) == "/up%20loads/"
        url = get_static_url("a/b", environ=PLAIN)
        assert url == "https://plain-bucket.s3.amazonaws.com/a/b/"

    def test_bucket_and_its_address_are_arguments(self) -> None:
        """A custom domain in the environment serves only the environment's bucket."""
        environ = {**PLAIN, "AWS_LOCATION": "app", "AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"}
        for build, folder in [(get_static_url, "static"), (get_media_url, "media")]:
            assert build(environ=environ) == f"https://cdn.example.com/app/{folder}/"
            url = f"https://assets.s3.amazonaws.com/app/{folder}/"
            assert build(bucket="assets", environ=environ) == url
            assert build(bucket="assets", environ={}) == url.replace("/app", "")
            assert build(bucket=PLAIN["AWS_STORAGE_BUCKET_NAME"], environ=environ).startswith(
                "https://cdn.example.com/"
            )
            assert build(bucket="assets", region="eu-west-1", environ={}) == (
                f"https://assets.s3.eu-west-1.amazonaws.com/{folder}/"
            )
            assert build(bucket="assets", custom_domain="a.example.com", environ=environ) == (
                f"https://a.example.com/app/{folder}/"
            )
            assert build(custom_domain="", environ=environ) == (
                f"https://plain-bucket.s3.amazonaws.com/app/{folder}/"
            )
            other = {**environ, "AWS_S3_ENDPOINT_URL": "https://s3.example.com"}
            assert build(bucket="assets", environ=other) == (
                f"https://s3.example.com/assets/app/{folder}/"
            )
            assert build(bucket="assets", endpoint_url="", environ=other) == url

    def test_have_the_public_endpoint(self) -> None:
        environ = {
            **PLAIN,
            "AWS_S3_ENDPOINT_URL": "http://minio:9000",
            "AWS_S3_PUBLIC_ENDPOINT_URL": "http://localhost:9000",
        }
        assert get_static_url(environ=environ) == "http://localhost:9000/plain-bucket/static/"
        assert get_media_url(environ=environ) == "http://localhost:9000/plain-bucket/media/"
        environ["AWS_S3_PUBLIC_ENDPOINT_URL"] += "/plain-bucket"
        with pytest.raises(ConfigurationError, match="AWS_S3_PUBLIC_ENDPOINT_URL"):
            get_static_url(environ=environ)


VARIABLES = sorted(
    {name for names, _ in aws.PLACEMENT.values() for name in names}
    | {name for addon in addons.ADDONS for name in (*addon.keys, *addon.placement)}
    | {*addons.KEYS, aws.TOKEN, "AWS_AUTO_CREATE_BUCKET"}
)
KEY = "κλειδί"  # occurs in no message


@given(
    st.dictionaries(
        st.sampled_from([*VARIABLES, "DATABASE_URL", "CI", "DYNO", "PORT", "SOURCE_VERSION"]),
        st.text()
        | st.sampled_from(["eu-west-1", "my-bucket", "https://b.s3.amazonaws.com/c", "true"])
        | st.builds("{}://{}:{}@{}".format, st.text(), st.text(), st.text(), st.text())
        | st.builds("https://{}".format, st.text()),
    )
)
def test_any_environment_is_read_or_improperly_configured(environ: dict[str, str]) -> None:
    get_stage(environ)
    for build in (read_aws, get_db_config, lambda e: get_static_url(environ=e)):
        error = error_of(build, environ)
        assert error is None or any(name in str(error) for name in (*VARIABLES, "DATABASE_URL"))


@given(
    st.dictionaries(
        st.sampled_from(VARIABLES),
        st.sampled_from(["eu-west-1", "my-bucket", "https://b.s3.amazonaws.com/c", "a b"]),
    ),
    st.sampled_from(["postgres://u:{}@h:p/n", "u:{}@h/n", "x://u:{}@h", "postgres://u:{}#@h/n"]),
    st.sampled_from(["{}", "{}/x", "x:{}", "https://{}"]),
)
def test_no_message_repeats_a_secret(
    environ: dict[str, str], database_url: str, shape: str
) -> None:
    secrets = {*addons.KEYS, aws.TOKEN} | {name for addon in addons.ADDONS for name in addon.keys}
    secret = shape.format(KEY)
    environ = {name: secret if name in secrets else value for name, value in environ.items()}
    environ["DATABASE_URL"] = database_url.format(secret)
    for build in (read_aws, get_db_config):
        error = error_of(build, environ)
        assert error is None or KEY not in "".join(traceback.format_exception(error))


@pytest.fixture
def fresh_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let a test reload herokuify.aws; restore the module afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    importlib.reload(aws)


OFFLINE = {"COMPRESS_OFFLINE_MANIFEST_STORAGE": "herokuify.storage.offline.OfflineManifestStorage"}


class TestModule:
    def names(self) -> dict[str, object]:
        namespace: dict[str, object] = {}
        exec("from herokuify.aws import *", namespace)
        return {name: value for name, value in namespace.items() if name.isupper()}

    def test_exports_what_is_set(self, fresh_aws: pytest.MonkeyPatch) -> None:
        for name, value in (PLAIN | {"AWS_LOCATION": "app"}).items():
            fresh_aws.setenv(name, value)
        importlib.reload(aws)
        assert self.names() == PLAIN | {"AWS_LOCATION": "app"} | OFFLINE
        fresh_aws.delenv("AWS_LOCATION")
        importlib.reload(aws)
        assert self.names() == PLAIN | OFFLINE
        assert not hasattr(aws, "AWS_LOCATION")

    def test_exports_none_and_the_helpers_when_nothing_is_set(
        self, fresh_aws: pytest.MonkeyPatch
    ) -> None:
        for name in VARIABLES:
            fresh_aws.delenv(name, raising=False)
        importlib.reload(aws)
        assert self.names() == NOTHING | OFFLINE
        assert set(vars(aws)["__all__"]) == {*NOTHING, *OFFLINE, "get_media_url", "get_static_url"}

    def test_annotates_everything_that_it_may_export(self) -> None:
        may = {*aws.ALWAYS, *aws.PLACEMENT, aws.TOKEN}
        may |= {"AWS_AUTO_CREATE_BUCKET", "AWS_PUBLIC_LOCATION"}
        assert {name for name in aws.__annotations__ if name.startswith("AWS_")} == may

    def test_registers_its_check_once(self, fresh_aws: pytest.MonkeyPatch) -> None:
        importlib.reload(aws)
        importlib.reload(aws)
        found = [
            check
            for check in registry.registered_checks
            if getattr(check, "__name__", "") == "check_legacy_settings"
        ]
        assert len(found) == 1
        assert found[0].tags == (checks.Tags.staticfiles,)


def run_python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), *(name for name in sys.path if name)])
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONUTF8": "1", **environ},
    )


@pytest.mark.django_versions(">=5.1")  # where Django no longer has these settings
class TestCheck:
    @pytest.fixture(autouse=True)
    def _not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apps, "is_installed", lambda name: name != "herokuify")

    def define(self, monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setattr(settings, name, value, raising=False)

    def test_passes_without_classic_settings(self) -> None:
        assert aws.check_legacy_settings() == []

    @pytest.mark.parametrize(
        "names",
        [
            ["STATICFILES_STORAGE"],
            ["DEFAULT_FILE_STORAGE"],
            ["STATICFILES_STORAGE", "DEFAULT_FILE_STORAGE"],
        ],
    )
    def test_reports_settings_that_django_ignores(
        self, names: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.define(monkeypatch, **dict.fromkeys(names, "herokuify.storage.S3StaticStorage"))
        [message] = aws.check_legacy_settings(app_configs=None, databases=None)
        assert message.id == "herokuify.E001"
        assert message.is_serious()
        assert "ImproperlyConfigured" in message.msg
        assert env.listed(names) in message.msg
        assert "local disk" in message.msg
        assert message.hint is not None
        assert 'INSTALLED_APPS = ["herokuify", …]' in message.hint

    def test_says_what_to_delete_when_storages_is_set(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.define(monkeypatch, STATICFILES_STORAGE="x.Y")
        with override_settings(STORAGES=global_settings.STORAGES):
            [message] = aws.check_legacy_settings()
        assert "contradict STORAGES" in message.msg
        assert message.hint is not None
        assert message.hint.startswith("Delete STATICFILES_STORAGE ")

    def test_passes_when_herokuify_is_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.define(monkeypatch, STATICFILES_STORAGE="herokuify.storage.S3StaticStorage")
        monkeypatch.setattr(apps, "is_installed", lambda name: name == "herokuify")
        assert aws.check_legacy_settings() == []


SETTINGS = """
from herokuify.aws import *

SECRET_KEY = "not-a-secret"
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = get_static_url()
STATIC_ROOT = "static-root"
STATICFILES_STORAGE = "django.contrib.staticfiles.storage.StaticFilesStorage"
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "django", "collectstatic", "--noinput"],
        ["-m", "django", "check"],
        [
            "-c",
            "import django, django.core.management as m; django.setup(); m.call_command('check')",
        ],
    ],
    ids=["collectstatic", "check", "call_command"],
)
def test_check_runs_in_every_process_that_runs_checks(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "classic_settings.py").write_text(SETTINGS, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT), *(name for name in sys.path if name)])
    result = run_python(*arguments, DJANGO_SETTINGS_MODULE="classic_settings", PYTHONPATH=path)
    if django.VERSION >= (5, 1):
        assert result.returncode != 0
        assert result.stderr.count("herokuify.E001") == 1
        assert "ImproperlyConfigured: the settings define STATICFILES_STORAGE" in result.stderr
    else:
        assert result.returncode == 0
        assert "herokuify.E001" not in result.stderr


def test_command_fails_with_the_name_of_the_missing_variable(tmp_path: Path) -> None:
    (tmp_path / "classic_settings.py").write_text(SETTINGS, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT), *(name for name in sys.path if name)])
    result = run_python(
        "-m",
        "django",
        "collectstatic",
        "--noinput",
        DJANGO_SETTINGS_MODULE="classic_settings",
        PYTHONPATH=path,
        AWS_ACCESS_KEY_ID=KEY,
    )
    assert result.returncode != 0
    assert "ImproperlyConfigured: Access to S3 needs" in result.stderr
    assert "AWS_SECRET_ACCESS_KEY is not set" in result.stderr
    assert KEY not in result.stderr
    assert "Unknown command" not in result.stderr


@pytest.mark.source_tree
class TestDocs:
    def test_list_every_variable_and_setting(self) -> None:
        page = (DOCS / "aws.md").read_text(encoding="utf-8")
        rows = [row for row in page.splitlines() if row.startswith("|")]
        listed = set(re.findall(r"`([A-Z0-9_]+)`", "".join(rows)))
        assert listed == {*VARIABLES, "AWS_PUBLIC_LOCATION"}

    def test_name_every_addon(self) -> None:
        page = (DOCS / "aws.md").read_text(encoding="utf-8")
        assert all(addon.title in page for addon in addons.ADDONS)
