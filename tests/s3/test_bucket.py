import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.request import Request, urlopen

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from pytest_django import Settings

from herokuify.exceptions import S3Error
from herokuify.s3.policies import public_policy
from herokuify.storage import S3BotoStorage, S3MediaStorage, S3StaticStorage
from tests import replay
from tests.project import Project
from tests.replay import Answer, Proxy
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph, read, status
from tests.storages import Connect

pytestmark = pytest.mark.no_django

NameStorages = Callable[..., None]
PROVISION = [
    "CreateBucket",
    "HeadBucket",
    "GetPublicAccessBlock",
    "PutBucketPolicy",
    "PutBucketCors",
]
NO_BUCKET = Answer(replay.ERRORS, 404, "NoSuchBucket", "The specified bucket does not exist.")


def exists(server: S3Server, bucket: str) -> bool:
    try:
        client_of(server).head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        return False
    return True


def policy_of(server: S3Server, bucket: str) -> Any:
    return json.loads(client_of(server).get_bucket_policy(Bucket=bucket)["Policy"])


def allowed(server: S3Server, bucket: str) -> list[str]:
    (statement,) = policy_of(server, bucket)["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Principal"] in ("*", {"AWS": "*"})
    assert statement["Action"] == "s3:GetObject"
    resources: list[str] = statement["Resource"]
    return resources


@pytest.fixture
def missing(s3: S3Server, bucket_name: str, connect: Connect) -> str:
    """The name of a missing bucket on each server, with AWS_AUTO_CREATE_BUCKET."""
    connect(s3, bucket_name, AWS_AUTO_CREATE_BUCKET=True)
    return bucket_name


@pytest.fixture
def missing_behind_proxy(moto: S3Server, proxy: Proxy, connect: Connect, moto_bucket: str) -> str:
    name = f"{moto_bucket}-missing"
    connect(moto, name, AWS_AUTO_CREATE_BUCKET=True, endpoint_url=proxy.url)
    return name


class TestCreation:
    @pytest.mark.parametrize("first", ["default", "staticfiles"])
    def test_bucket_is_set_up_for_all_its_storages(
        self, s3: S3Server, missing: str, name_storages: NameStorages, first: str
    ) -> None:
        name_storages(
            default="herokuify.storage.S3MediaStorage",
            staticfiles="herokuify.storage.S3StaticStorage",
        )
        storages[first].save("a.txt", ContentFile(b"content"))
        assert read(storages[first], "a.txt") == b"content"
        assert allowed(s3, missing) == [f"arn:aws:s3:::{missing}/static/*"]
        (rule,) = client_of(s3).get_bucket_cors(Bucket=missing)["CORSRules"]
        assert rule["AllowedOrigins"] == ["*"]
        assert set(rule["AllowedMethods"]) == {"GET", "HEAD"}

    @on_ceph
    @pytest.mark.parametrize("first", ["default", "staticfiles"])
    @pytest.mark.parametrize("prefixes", [(None, None), ("cube", None), ("cube", "cube/public")])
    def test_anyone_may_read_static_files_and_nothing_else(
        self,
        s3: S3Server,
        missing: str,
        settings: Settings,
        name_storages: NameStorages,
        first: str,
        prefixes: tuple[str | None, str | None],
    ) -> None:
        location, public = prefixes
        if location:
            settings.AWS_LOCATION = location
        if public:
            settings.AWS_PUBLIC_LOCATION = public
        root = f"{s3.endpoint_url}/{missing}"
        settings.STATIC_URL = "/".join(filter(None, [root, public or location, "static/"]))
        settings.AWS_HEADERS = {"Cache-Control": "max-age=60", "x-amz-meta-owner": "me"}
        name_storages(
            default="herokuify.storage.S3MediaStorage",
            staticfiles="herokuify.storage.S3StaticStorage",
        )
        order = [first, *({"default", "staticfiles"} - {first})]
        for alias in order:
            storages[alias].save("folder/a b.txt", ContentFile(b"content"))

        static, media = storages["staticfiles"], storages["default"]
        with urlopen(static.url("folder/a b.txt")) as answer:
            assert answer.read() == b"content"
            assert answer.headers["Cache-Control"] == "max-age=60"
            assert answer.headers["x-amz-meta-owner"] == "me"
        cross = Request(static.url("folder/a b.txt"), headers={"Origin": "https://example.com"})
        with urlopen(cross) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert status(media.url("folder/a b.txt")) == 200
        unsigned = media.url("folder/a b.txt").partition("?")[0]
        assert status(unsigned) == 403
        for listing in (root, f"{root}/", f"{root}?list-type=2", f"{root}?prefix=static/"):
            assert status(listing) == 403
        for detail in ("policy", "cors", "acl", "versions", "uploads"):
            assert status(f"{root}?{detail}") == 403
        assert status(f"{root}/staticx/a.txt") == 403
        assert status(static.url("folder/a b.txt") + "?acl") == 403

    @on_ceph
    def test_static_files_at_the_root(self, s3: S3Server, missing: str, settings: Settings) -> None:
        settings.STATIC_URL = f"{s3.endpoint_url}/{missing}/"
        storage = S3StaticStorage(location="")
        storage.save("a.txt", ContentFile(b"content"))
        assert status(storage.url("a.txt")) == 200
        assert status(f"{s3.endpoint_url}/{missing}?list-type=2") == 403

    def test_bucket_for_media_has_no_policy(self, s3: S3Server, missing: str) -> None:
        S3MediaStorage().save("a.txt", ContentFile(b"content"))
        with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
            policy_of(s3, missing)

    def test_no_acl_is_sent(
        self, missing_behind_proxy: str, proxy: Proxy, name_storages: NameStorages
    ) -> None:
        name_storages(staticfiles="herokuify.storage.S3StaticStorage")
        storages["staticfiles"].save("a.txt", ContentFile(b""))
        assert proxy.operations == ["PutObject", "HeadBucket", *PROVISION, "PutObject"]
        for request in proxy.requests:
            assert not [name for name in request.headers if "acl" in name or "grant" in name]

    def test_block_on_public_policies_is_removed(
        self,
        missing_behind_proxy: str,
        proxy: Proxy,
        caplog: pytest.LogCaptureFixture,
        connect: Connect,
    ) -> None:
        """It is kept for ACLs, and the change is logged."""
        proxy.on("GetPublicAccessBlock", replay.new_bucket_block())
        with caplog.at_level(logging.WARNING, "herokuify.s3"):
            S3StaticStorage().save("a.txt", ContentFile(b""))
        (change,) = [r for r in proxy.requests if r.operation == "PutPublicAccessBlock"]
        for name, value in {
            "BlockPublicAcls": "true",
            "IgnorePublicAcls": "true",
            "BlockPublicPolicy": "false",
            "RestrictPublicBuckets": "false",
        }.items():
            assert f"<{name}>{value}</{name}>" in change.body.decode()
        order = proxy.operations
        assert order.index("PutPublicAccessBlock") < order.index("PutBucketPolicy")
        log = caplog.text
        assert f"created the bucket {missing_behind_proxy}" in log
        assert "removed the block on public policies" in log
        assert f"anyone may read s3://{missing_behind_proxy}/static/" in log
        assert log.count("AWS_AUTO_CREATE_BUCKET") == 3

    def test_absent_block_is_not_changed(self, missing_behind_proxy: str, proxy: Proxy) -> None:
        proxy.on("GetPublicAccessBlock", replay.new_bucket_block(on=False))
        S3StaticStorage().save("a.txt", ContentFile(b""))
        assert "PutPublicAccessBlock" not in proxy.operations

    def test_block_is_kept_for_media(self, missing_behind_proxy: str, proxy: Proxy) -> None:
        proxy.on("GetPublicAccessBlock", replay.new_bucket_block())
        S3MediaStorage().save("a.txt", ContentFile(b""))
        creation = ["PutObject", "HeadBucket", "CreateBucket", "HeadBucket", "PutObject"]
        assert proxy.operations[-5:] == creation

    def test_policy_names_only_storages_of_the_bucket(
        self, s3: S3Server, missing: str, name_storages: NameStorages
    ) -> None:
        static = "herokuify.storage.S3StaticStorage"
        name_storages(
            default="herokuify.storage.S3MediaStorage",
            staticfiles={"BACKEND": static, "OPTIONS": {"location": "assets"}},
            other={"BACKEND": static, "OPTIONS": {"bucket_name": "other", "location": "other"}},
            elsewhere={
                "BACKEND": static,
                "OPTIONS": {"endpoint_url": "http://127.0.0.1:1", "location": "elsewhere"},
            },
            second={"BACKEND": static, "OPTIONS": {"location": "second/"}},
        )
        storages["default"].save("a.txt", ContentFile(b""))
        found = [arn.rpartition(f"{missing}/")[2] for arn in allowed(s3, missing)]
        assert found == ["assets/*", "second/*"]

    def test_policy_includes_compress_storage(
        self, s3: S3Server, missing: str, settings: Settings, name_storages: NameStorages
    ) -> None:
        settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
        name_storages(default="herokuify.storage.S3MediaStorage")
        storages["default"].save("a.txt", ContentFile(b""))
        assert allowed(s3, missing) == [f"arn:aws:s3:::{missing}/static/*"]

    @pytest.mark.parametrize("media", ["static/media", "static", "", "static/"])
    def test_private_location_inside_a_public_one_is_refused(
        self, s3: S3Server, missing: str, name_storages: NameStorages, media: str
    ) -> None:
        backend = "herokuify.storage.S3MediaStorage"
        name_storages(
            default={"BACKEND": backend, "OPTIONS": {"location": media}},
            staticfiles="herokuify.storage.S3StaticStorage",
        )
        if not media:  # it contains the public location, so its own files stay private
            storages["default"].save("a.txt", ContentFile(b""))
            assert allowed(s3, missing) == [f"arn:aws:s3:::{missing}/static/*"]
            return
        for alias in ("default", "staticfiles"):
            with pytest.raises(ImproperlyConfigured, match="S3MediaStorage.*'static'") as caught:
                storages[alias].save("a.txt", ContentFile(b""))
            assert missing in str(caught.value)
        assert not exists(s3, missing)

    def test_created_for_a_multipart_upload(self, s3: S3Server, missing: str) -> None:
        S3BotoStorage().save("a.bin", ContentFile(bytes(9 * 2**20)))
        assert S3BotoStorage().size("a.bin") == 9 * 2**20

    def test_created_by_open(self, s3: S3Server, missing: str) -> None:
        with S3BotoStorage().open("a.txt", "w") as file:
            file.write("content")
        assert read(S3BotoStorage(), "a.txt") == b"content"


class TestAutoCreateBucket:
    def test_off_by_default(self, s3: S3Server, missing: str, settings: Settings) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = False
        with pytest.raises(S3Error, match="AWS_AUTO_CREATE_BUCKET"):
            S3BotoStorage().save("a.txt", ContentFile(b""))
        assert not exists(s3, missing)

    def test_option(self, s3: S3Server, missing: str, settings: Settings) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = False
        S3BotoStorage(auto_create_bucket=True).save("a.txt", ContentFile(b""))
        assert exists(s3, missing)

    def test_class_attribute(self, s3: S3Server, missing: str, settings: Settings) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = False

        class Creating(S3BotoStorage):
            auto_create_bucket = True

        Creating().save("a.txt", ContentFile(b""))
        assert exists(s3, missing)

    def test_reading_creates_no_bucket(self, s3: S3Server, missing: str) -> None:
        storage = S3BotoStorage()
        assert not storage.exists("a.txt")
        for action in (lambda: storage.listdir(""), lambda: storage.delete("a.txt")):
            with pytest.raises(S3Error):
                action()
        assert not exists(s3, missing)

    def test_existing_bucket_is_not_changed(self, proxied: Proxy, settings: Settings) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = True
        for storage in (S3StaticStorage(), S3MediaStorage()):
            storage.save("a.txt", ContentFile(b""))
            storage.delete("a.txt")
        assert set(proxied.operations) == {"PutObject", "DeleteObject"}

    @pytest.mark.parametrize("refusal", [replay.ACCESS_DENIED, replay.moved("eu-west-1")])
    def test_inaccessible_bucket_is_not_created(
        self, proxied: Proxy, settings: Settings, refusal: Answer
    ) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = True
        proxied.on("PutObject", refusal)
        with pytest.raises(ImproperlyConfigured):
            S3StaticStorage().save("a.txt", ContentFile(b""))
        assert "CreateBucket" not in proxied.operations

    @pytest.mark.parametrize("answer", [replay.OWN_BUCKET, replay.CONFLICT])
    def test_bucket_that_another_process_creates_is_not_changed(
        self, proxied: Proxy, settings: Settings, answer: Answer
    ) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = True
        proxied.on("PutObject", NO_BUCKET, None)
        proxied.on("CreateBucket", answer)
        storage = S3StaticStorage()
        storage.save("a.txt", ContentFile(b"content"))
        assert read(storage, "a.txt") == b"content"
        assert not {"PutBucketPolicy", "PutBucketCors", "DeleteBucket"} & set(proxied.operations)

    def test_only_one_thread_creates_the_bucket(
        self, missing_behind_proxy: str, proxy: Proxy, moto: S3Server
    ) -> None:
        """Otherwise, a thread that fails could remove another thread's bucket."""
        proxy.on("PutBucketPolicy", replay.ACCESS_DENIED, None)
        together = Barrier(4)

        def save(number: int) -> str | None:
            storage = S3StaticStorage()
            together.wait(10)
            try:
                return str(storage.save(f"{number}.txt", ContentFile(b"content")))
            except S3Error:
                return None

        with ThreadPoolExecutor(4) as pool:
            saved = [name for name in pool.map(save, range(4)) if name]
        assert len(saved) == 3
        assert proxy.operations.count("CreateBucket") == 2
        assert allowed(moto, missing_behind_proxy)
        assert all(S3StaticStorage().exists(name) for name in saved)


class TestRegion:
    @pytest.mark.parametrize("region", ["eu-central-1", "eu-west-1", "us-west-2", "ap-south-1"])
    def test_configured_region(
        self,
        missing_behind_proxy: str,
        proxy: Proxy,
        moto: S3Server,
        settings: Settings,
        region: str,
    ) -> None:
        settings.AWS_S3_REGION_NAME = region
        S3BotoStorage().save("a.txt", ContentFile(b""))
        found = client_of(moto).get_bucket_location(Bucket=missing_behind_proxy)
        assert found["LocationConstraint"] == region

    @pytest.mark.parametrize("region", [None, "us-east-1"])
    def test_default_region_is_not_sent(
        self, missing_behind_proxy: str, proxy: Proxy, settings: Settings, region: str | None
    ) -> None:
        """S3 refuses us-east-1 as a LocationConstraint ("CreateBucket" in its API reference)."""
        settings.AWS_S3_REGION_NAME = region
        S3BotoStorage().save("a.txt", ContentFile(b""))
        (create,) = [r for r in proxy.requests if r.operation == "CreateBucket"]
        assert b"LocationConstraint" not in create.body

    @on_ceph
    def test_unknown_region_is_refused(
        self, s3: S3Server, missing: str, settings: Settings
    ) -> None:
        settings.AWS_S3_REGION_NAME = "nowhere-1"
        with pytest.raises(S3Error, match="AWS_S3_REGION_NAME") as caught:
            S3BotoStorage().save("a.txt", ContentFile(b""))
        assert isinstance(caught.value, ImproperlyConfigured)
        assert "nowhere-1" in str(caught.value)

    def test_arn_has_the_partition_of_the_region(self) -> None:
        """botocore's table of regions is the reference."""
        session = botocore.session.get_session()
        for partition in ("aws", "aws-cn", "aws-us-gov", "aws-eusc"):
            for region in session.get_available_regions("s3", partition):
                document = public_policy(region, "bucket", ["static"])
                (arn,) = document["Statement"][0]["Resource"]
                assert arn == f"arn:{partition}:s3:::bucket/static/*", region


REFUSALS: dict[str, tuple[str, Answer, list[str]]] = {
    "create": ("CreateBucket", replay.ACCESS_DENIED, ["s3:CreateBucket", "AWS_ACCESS_KEY_ID"]),
    "another's": (
        "CreateBucket",
        replay.OTHERS_BUCKET,
        ["belongs to another account", "heroku config:set AWS_STORAGE_BUCKET_NAME=…"],
    ),
    "name": (
        "CreateBucket",
        replay.INVALID_NAME,
        ["not a valid bucket name", "heroku config:set AWS_STORAGE_BUCKET_NAME=…"],
    ),
    "location": (
        "CreateBucket",
        replay.INVALID_LOCATION,
        ["us-east-1", "heroku config:set AWS_S3_REGION_NAME=…"],
    ),
    "get block": (
        "GetPublicAccessBlock",
        replay.ACCESS_DENIED,
        ["s3:GetBucketPublicAccessBlock", "AWS_ACCESS_KEY_ID"],
    ),
    "put block": (
        "PutPublicAccessBlock",
        replay.ACCESS_DENIED,
        ["s3:PutBucketPublicAccessBlock", "AWS_ACCESS_KEY_ID"],
    ),
    "put policy": (
        "PutBucketPolicy",
        replay.ACCESS_DENIED,
        ["s3:PutBucketPolicy", "Block Public Access settings for this account"],
    ),
    "account's block": (
        "PutBucketPolicy",
        replay.POLICY_BLOCKED,
        ["s3:PutBucketPolicy", "Block Public Access settings for this account"],
    ),
    "put cors": ("PutBucketCors", replay.ACCESS_DENIED, ["s3:PutBucketCORS", "AWS_ACCESS_KEY_ID"]),
}


class TestRefusals:
    @pytest.mark.parametrize(("operation", "answer", "parts"), REFUSALS.values(), ids=REFUSALS)
    def test_error_is_explained_and_bucket_removed(
        self,
        missing_behind_proxy: str,
        proxy: Proxy,
        moto: S3Server,
        operation: str,
        answer: Answer,
        parts: list[str],
    ) -> None:
        proxy.on("GetPublicAccessBlock", replay.new_bucket_block())
        proxy.on(operation, answer)
        storage = S3StaticStorage()
        with pytest.raises(S3Error) as caught:
            storage.save("a.txt", ContentFile(b""))
        assert isinstance(caught.value, ImproperlyConfigured)
        assert isinstance(caught.value.__cause__, ClientError)
        message = str(caught.value)
        for part in [*parts, "S3StaticStorage"]:
            assert part in message
        assert moto.secret_key not in message
        assert not exists(moto, missing_behind_proxy)

        # The next attempt succeeds.
        proxy.on(operation, replay.new_bucket_block() if operation.startswith("Get") else None)
        storage.save("a.txt", ContentFile(b"content"))
        assert allowed(moto, missing_behind_proxy)

    def test_unknown_error(self, missing_behind_proxy: str, proxy: Proxy, moto: S3Server) -> None:
        answer = Answer(replay.ERRORS, 400, "MalformedPolicy", "Your policy has an invalid ARN.")
        proxy.on("PutBucketPolicy", answer)
        with pytest.raises(S3Error, match="MalformedPolicy.*s3:PutBucketPolicy"):
            S3StaticStorage().save("a.txt", ContentFile(b""))
        assert not exists(moto, missing_behind_proxy)

    @pytest.mark.parametrize("operation", PROVISION[2:])
    def test_broken_connection(
        self, missing_behind_proxy: str, proxy: Proxy, moto: S3Server, operation: str
    ) -> None:
        proxy.on(operation, replay.Fault.DROPPED)
        quick = Config(retries={"total_max_attempts": 1})
        with pytest.raises(S3Error, match="could not be reached"):
            S3StaticStorage(client_config=quick).save("a.txt", ContentFile(b""))
        assert not exists(moto, missing_behind_proxy)

    def test_bucket_that_cannot_be_removed_is_logged(
        self,
        missing_behind_proxy: str,
        proxy: Proxy,
        moto: S3Server,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        proxy.on("PutBucketPolicy", replay.ACCESS_DENIED)
        proxy.on("DeleteBucket", replay.ACCESS_DENIED)
        with (
            caplog.at_level(logging.WARNING, "herokuify.s3"),
            pytest.raises(S3Error, match="s3:PutBucketPolicy"),
        ):
            S3StaticStorage().save("a.txt", ContentFile(b""))
        assert f"bucket {missing_behind_proxy} could not be set up" in caplog.text
        assert "AccessDenied" in caplog.text
        client_of(moto).delete_bucket(Bucket=missing_behind_proxy)

    def test_bucket_that_never_becomes_ready(
        self, missing_behind_proxy: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S3 keeps reporting that another request is creating it."""
        monkeypatch.setattr("botocore.waiter.time.sleep", lambda seconds: None)
        proxy.on("CreateBucket", replay.CONFLICT)
        with pytest.raises(S3Error, match=f"'{missing_behind_proxy}' is not ready yet"):
            S3StaticStorage().save("a.txt", ContentFile(b""))


RACE = """
import pathlib, time
from django.core.files.base import ContentFile
from django.core.files.storage import storages

storage = storages[{alias!r}]
storage.client
pathlib.Path("ready-{process}").touch()
while len(list(pathlib.Path().glob("ready-*"))) < {processes}:
    time.sleep(0.01)  # until all processes have started
for number in range(5):
    storage.save(f"{process}-{{number}}.txt", ContentFile(b"content"))
"""
SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
STATIC_URL = get_static_url()
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.S3StaticStorage"},
}
"""


class TestRaces:
    def test_threads(self, s3: S3Server, missing: str, name_storages: NameStorages) -> None:
        name_storages(
            default="herokuify.storage.S3MediaStorage",
            staticfiles="herokuify.storage.S3StaticStorage",
        )
        classes = [S3MediaStorage, S3StaticStorage] * 4

        def save(number: int) -> None:
            classes[number]().save(f"{number}.txt", ContentFile(str(number)))

        with ThreadPoolExecutor(len(classes)) as pool:
            list(pool.map(save, range(len(classes))))
        for number, storage_class in enumerate(classes):
            assert read(storage_class(), f"{number}.txt") == str(number).encode()
        assert allowed(s3, missing) == [f"arn:aws:s3:::{missing}/static/*"]

    def test_processes(
        self, s3: S3Server, bucket_name: str, make_project: Callable[..., Project]
    ) -> None:
        """The dynos of a first release start at the same time."""
        variables = {
            **s3.variables,
            "AWS_STORAGE_BUCKET_NAME": bucket_name,
            "AWS_AUTO_CREATE_BUCKET": "true",
        }
        project = make_project(SETTINGS, env=variables)
        aliases = ["default", "staticfiles", "default"]

        def run(number: int) -> Any:
            source = RACE.format(alias=aliases[number], process=number, processes=len(aliases))
            return project.snippet(source)

        with ThreadPoolExecutor(len(aliases)) as pool:
            results = list(pool.map(run, range(len(aliases))))
        for result in results:
            assert result.returncode == 0, result.stderr
        assert allowed(s3, bucket_name) == [f"arn:aws:s3:::{bucket_name}/static/*"]
        listing = client_of(s3).list_objects_v2(Bucket=bucket_name)
        assert listing["KeyCount"] == 15
