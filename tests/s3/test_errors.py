"""The messages for errors of S3, from Ceph where it produces the error."""

import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from pytest_django import Settings

from herokuify.exceptions import S3Error
from herokuify.s3.destination import Destination
from herokuify.s3.errors import explain
from herokuify.storage import S3BotoStorage, S3MediaStorage, S3StaticStorage
from tests import replay
from tests.replay import Answer, Proxy, Request
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph, read
from tests.storages import Connect

pytestmark = pytest.mark.no_django

SECRET = "marked-secret"
TOKEN = "marked-token"
KEYS = ["heroku config:set", "AWS_ACCESS_KEY_ID=…", "AWS_SECRET_ACCESS_KEY=…"]
BUCKET = "heroku config:set AWS_STORAGE_BUCKET_NAME=…"
REGION = "heroku config:set AWS_S3_REGION_NAME="

ACTIONS: dict[str, Callable[[Any], Any]] = {
    "save": lambda storage: storage.save("a.txt", ContentFile(b"x")),
    "open": lambda storage: storage.open("a.txt"),
    "exists": lambda storage: storage.exists("a.txt"),
    "size": lambda storage: storage.size("a.txt"),
    "modified": lambda storage: storage.get_modified_time("a.txt"),
    "delete": lambda storage: storage.delete("a.txt"),
    "listdir": lambda storage: storage.listdir(""),
}
#: Actions that send HEAD requests, whose responses have no body, and so no error code.
HEADS = ["open", "exists", "size", "modified"]


def refusal(
    action: Callable[[], Any], *parts: str, kind: type[Exception] = ImproperlyConfigured
) -> str:
    """Return the message of the action's error, and check what holds for all messages."""
    with pytest.raises(S3Error) as caught:
        action()
    error = caught.value
    assert isinstance(error, kind)
    assert isinstance(error, OSError)
    assert isinstance(error.__cause__, (ClientError, BotoCoreError))
    message = str(error)
    for part in parts:
        assert part in message, message
    # Heroku's buildpack searches the log for the word.
    assert ("ImproperlyConfigured" in message) == (kind is ImproperlyConfigured)
    for text in (message, repr(error), "".join(traceback.format_exception(error))):
        assert SECRET not in text
        assert TOKEN not in text
    return message


class TestUnset:
    @pytest.mark.parametrize("storage_class", [S3BotoStorage, S3MediaStorage, S3StaticStorage])
    @pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
    @pytest.mark.parametrize(
        ("missing", "part"),
        [
            ("AWS_STORAGE_BUCKET_NAME", BUCKET),
            ("AWS_ACCESS_KEY_ID", "heroku config:set AWS_ACCESS_KEY_ID=…"),
            ("AWS_SECRET_ACCESS_KEY", "heroku config:set AWS_SECRET_ACCESS_KEY=…"),
        ],
    )
    @pytest.mark.usefixtures("no_sockets")
    def test_message_names_the_setting(
        self, settings: Settings, storage_class: Any, action: Any, missing: str, part: str
    ) -> None:
        settings.STATIC_URL = "https://my-bucket.s3.amazonaws.com/static/"
        settings.AWS_STORAGE_BUCKET_NAME = "my-bucket"
        settings.AWS_ACCESS_KEY_ID = "key"
        settings.AWS_SECRET_ACCESS_KEY = SECRET
        setattr(settings, missing, None)
        with pytest.raises(ImproperlyConfigured) as caught:
            action(storage_class())
        message = str(caught.value)
        assert part in message
        assert f"{missing} is not set" in message
        assert storage_class.__name__ in message
        assert SECRET not in message

    @pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
    @pytest.mark.usefixtures("no_sockets")
    def test_neither_key_is_set(self, action: Any) -> None:
        storage = S3BotoStorage(bucket_name="bucket", region_name="us-east-1")
        refusal(lambda: action(storage), "S3BotoStorage", "not set", *KEYS)

    @pytest.mark.parametrize(
        ("option", "value", "setting"),
        [
            ("bucket_name", "my bucket!", "AWS_STORAGE_BUCKET_NAME"),
            ("bucket_name", "s3://my-bucket/", "AWS_STORAGE_BUCKET_NAME"),
            ("endpoint_url", "no-url", "AWS_S3_ENDPOINT_URL"),
            ("region_name", "Europe (Ireland)", "AWS_S3_REGION_NAME"),
            ("addressing_style", "paths", "AWS_S3_ADDRESSING_STYLE"),
            ("session_profile", "missing", "AWS_S3_SESSION_PROFILE"),
        ],
    )
    @pytest.mark.usefixtures("no_sockets")
    def test_invalid_values(self, option: str, value: str, setting: str) -> None:
        keys = {"access_key": "key", "secret_key": SECRET}
        options = {"bucket_name": "bucket", "region_name": "us-east-1", **keys, option: value}
        if option == "session_profile":
            options = {"bucket_name": "bucket", "session_profile": value}
        storage = S3BotoStorage(**options)
        with pytest.raises(ImproperlyConfigured, match=setting) as caught:
            storage.save("a.txt", ContentFile(b"x"))
        assert SECRET not in str(caught.value)


class TestCredentials:
    @on_ceph
    @pytest.mark.parametrize("action", ["save", "delete", "listdir"])
    def test_wrong_secret(self, aws: S3Server, settings: Settings, action: str) -> None:
        settings.AWS_SECRET_ACCESS_KEY = SECRET
        storage = S3BotoStorage()
        refusal(lambda: ACTIONS[action](storage), "does not match", *KEYS)

    @on_ceph
    @pytest.mark.parametrize("action", ["save", "delete", "listdir"])
    def test_unknown_key(self, aws: S3Server, settings: Settings, action: str) -> None:
        settings.AWS_ACCESS_KEY_ID = "unknown"
        settings.AWS_SECRET_ACCESS_KEY = SECRET
        storage = S3BotoStorage()
        refusal(lambda: ACTIONS[action](storage), "AWS_ACCESS_KEY_ID", *KEYS)

    @on_ceph
    @pytest.mark.parametrize(
        ("wrong", "action"),
        [("AWS_ACCESS_KEY_ID", "open"), ("AWS_SECRET_ACCESS_KEY", "exists")],
    )
    def test_responses_without_an_error_code(
        self, aws: S3Server, settings: Settings, action: str, wrong: str
    ) -> None:
        """A 403 without a body may mean wrong keys as well as a missing permission."""
        setattr(settings, wrong, SECRET)
        storage = S3BotoStorage()
        refusal(lambda: ACTIONS[action](storage), *KEYS)

    @on_ceph
    def test_presigned_urls_hide_the_secret(self, aws: S3Server, settings: Settings) -> None:
        settings.AWS_SECRET_ACCESS_KEY = SECRET
        assert SECRET not in S3BotoStorage().url("a.txt")


class TestMissingBucket:
    @pytest.mark.parametrize("action", ["save", "delete", "listdir"])
    def test_message(self, s3: S3Server, bucket_name: str, connect: Connect, action: str) -> None:
        connect(s3, bucket_name, AWS_SECRET_ACCESS_KEY=s3.secret_key)
        storage = S3BotoStorage()
        refusal(
            lambda: ACTIONS[action](storage),
            f"'{bucket_name}' does not exist at {s3.endpoint_url}",
            "heroku config:set AWS_AUTO_CREATE_BUCKET=true",
            BUCKET,
        )

    def test_missing_bucket_contains_no_files(
        self, s3: S3Server, bucket_name: str, connect: Connect
    ) -> None:
        """A HEAD can't tell a missing bucket from a missing object."""
        connect(s3, bucket_name)
        storage = S3BotoStorage()
        assert not storage.exists("a.txt")
        with pytest.raises(FileNotFoundError):
            storage.open("a.txt")


@pytest.fixture
def deny(aws: S3Server, bucket: str) -> Callable[[str], None]:
    """Deny everyone an action on the bucket and its objects."""

    def deny(action: str) -> None:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        client_of(aws).put_bucket_policy(Bucket=bucket, Policy=policy)

    return deny


@on_ceph
class TestPermissions:
    @pytest.mark.parametrize(
        ("permission", "action"),
        [
            ("s3:PutObject", "save"),
            ("s3:DeleteObject", "delete"),
            ("s3:ListBucket", "listdir"),
            *(("s3:GetObject", action) for action in HEADS),
        ],
    )
    def test_message_names_the_permission(
        self, deny: Callable[[str], None], bucket: str, permission: str, action: str
    ) -> None:
        storage = S3BotoStorage()
        storage.save("a.txt", ContentFile(b"x"))
        deny(permission)
        parts = [permission, "AWS_ACCESS_KEY_ID", "AWS_STORAGE_BUCKET_NAME", bucket]
        refusal(lambda: ACTIONS[action](storage), *parts)

    def test_reading_after_opening(self, deny: Callable[[str], None]) -> None:
        storage = S3BotoStorage()
        storage.save("a.txt", ContentFile(b"x"))
        file = storage.open("a.txt")
        deny("s3:GetObject")
        refusal(file.read, "s3:GetObject")
        file.close()

    def test_large_uploads(self, deny: Callable[[str], None]) -> None:
        deny("s3:PutObject")
        storage = S3BotoStorage()
        content = ContentFile(bytes(9 * 2**20))
        refusal(lambda: storage.save("a.bin", content), "s3:PutObject")
        assert not content.closed


@on_ceph
class TestAnothersBucket:
    """Unsigned requests, because they don't come from the owner of the bucket."""

    @pytest.fixture
    def unsigned_storage(self, aws: S3Server, bucket: str) -> S3BotoStorage:
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        client_of(aws).put_bucket_policy(Bucket=bucket, Policy=policy)
        client_of(aws).put_object(Bucket=bucket, Key="there.txt", Body=b"x")
        return S3BotoStorage(client_config=Config(signature_version=UNSIGNED))

    @pytest.mark.parametrize("action", HEADS)
    def test_missing_objects_without_list_bucket(self, unsigned_storage: Any, action: str) -> None:
        """S3 answers 403 instead of 404 (django-storages' issues 1104, 1241 and 296)."""
        message = refusal(lambda: ACTIONS[action](unsigned_storage), "s3:ListBucket", "a.txt")
        assert "403" in message
        assert "404" in message

    def test_existing_objects_without_list_bucket(self, unsigned_storage: Any) -> None:
        assert unsigned_storage.exists("there.txt")
        assert unsigned_storage.size("there.txt") == 1
        assert read(unsigned_storage, "there.txt") == b"x"

    @pytest.mark.parametrize(
        ("permission", "action"),
        [("s3:PutObject", "save"), ("s3:DeleteObject", "delete"), ("s3:ListBucket", "listdir")],
    )
    def test_writing(self, unsigned_storage: Any, permission: str, action: str) -> None:
        refusal(
            lambda: ACTIONS[action](unsigned_storage),
            *(permission, "belongs to another account", "AWS_STORAGE_BUCKET_NAME"),
        )


#: Responses, and what the messages must contain.
ANSWERS: dict[str, tuple[Answer, list[str]]] = {
    "moved": (
        replay.moved("eu-west-1"),
        [f"{REGION}eu-west-1", "not in the region us-east-1", "it is in eu-west-1"],
    ),
    "wrong region": (
        replay.wrong_region("us-east-1", "eu-west-1"),
        [f"{REGION}eu-west-1", "not in the region us-east-1"],
    ),
    "clock": (replay.CLOCK_SKEW, ["clock"]),
    "expired": (replay.EXPIRED_TOKEN, ["expired", "AWS_SESSION_TOKEN", *KEYS]),
    "invalid token": (replay.INVALID_TOKEN, ["AWS_SESSION_TOKEN", *KEYS]),
    "unknown key": (replay.UNKNOWN_KEY, ["AWS_ACCESS_KEY_ID", *KEYS]),
    "wrong secret": (replay.WRONG_SECRET, ["AWS_SECRET_ACCESS_KEY", *KEYS]),
    "acl": (replay.NO_ACLS, ["ACL", "AWS_DEFAULT_ACL", "x-amz-acl", "bucket policy"]),
    "denied": (replay.ACCESS_DENIED, ["s3:PutObject", "s3://", "/a.txt"]),
    "invalid name": (replay.INVALID_NAME, [BUCKET]),
    "all access disabled": (
        Answer(replay.ERRORS, 403, "AllAccessDisabled", "All access to it has been disabled."),
        ["s3:PutObject"],
    ),
}


class TestAnswers:
    @pytest.mark.parametrize(("answer", "parts"), ANSWERS.values(), ids=ANSWERS)
    @pytest.mark.parametrize("size", [1, 9 * 2**20], ids=["small", "large"])
    def test_put(
        self, proxied: Proxy, settings: Settings, answer: Answer, parts: list[str], size: int
    ) -> None:
        settings.AWS_SECRET_ACCESS_KEY = SECRET
        settings.AWS_SESSION_TOKEN = TOKEN
        proxied.rule = lambda request: answer
        storage = S3BotoStorage()
        refusal(lambda: storage.save("a.txt", ContentFile(bytes(size))), *parts, "S3BotoStorage")

    @pytest.mark.parametrize(
        ("answer", "parts"),
        [
            (replay.moved("eu-west-1"), [f"{REGION}eu-west-1"]),
            (replay.wrong_region("us-east-1", "eu-west-1"), [f"{REGION}eu-west-1"]),
            (replay.EXPIRED_TOKEN, ["expired", "AWS_SESSION_TOKEN", *KEYS]),
            (replay.CLOCK_SKEW, ["clock"]),
            (replay.UNKNOWN_KEY, KEYS),
            (replay.WRONG_SECRET, KEYS),
            (replay.ACCESS_DENIED, ["s3:GetObject", "s3:ListBucket"]),
        ],
        ids=["moved", "region", "expired", "clock", "unknown key", "wrong secret", "denied"],
    )
    @pytest.mark.parametrize("action", ["exists", "open"])
    def test_head(
        self,
        proxied: Proxy,
        settings: Settings,
        answer: Answer,
        parts: list[str],
        action: str,
    ) -> None:
        settings.AWS_SECRET_ACCESS_KEY = SECRET
        settings.AWS_SESSION_TOKEN = TOKEN
        proxied.rule = lambda request: answer
        storage = S3BotoStorage()
        refusal(lambda: ACTIONS[action](storage), *parts)

    def test_redirect_that_botocore_follows(self, proxied: Proxy) -> None:
        """A wrong region is not an error if S3 names the right one."""
        answer = replay.wrong_region("us-east-1", "eu-west-1")

        def rule(request: Request) -> Answer | None:
            return answer if "/us-east-1/s3/" in request.headers["authorization"] else None

        proxied.rule = rule
        S3BotoStorage().save("a.txt", ContentFile(b"x"))
        signed = [request.headers["authorization"] for request in proxied.requests]
        assert "/us-east-1/s3/" in signed[0]
        assert "/eu-west-1/s3/" in signed[-1]

    @pytest.mark.parametrize("region", [None, "eu-central-1"])
    def test_message_names_both_regions(
        self, proxied: Proxy, settings: Settings, region: str | None
    ) -> None:
        settings.AWS_S3_REGION_NAME = region
        proxied.rule = lambda request: replay.moved("eu-west-1")
        storage = S3BotoStorage()
        refusal(
            lambda: storage.save("a.txt", ContentFile(b"x")),
            region or "us-east-1 (the default)",
            f"{REGION}eu-west-1",
        )

    def test_response_without_the_region(self, proxied: Proxy) -> None:
        proxied.on("PutObject", replace(replay.moved(""), headers={}, elements={}))
        proxied.on("HeadBucket", replay.ACCESS_DENIED)
        storage = S3BotoStorage()
        refusal(lambda: storage.save("a.txt", ContentFile(b"x")), f"{REGION}…", "in another")

    def test_unknown_error(self, proxied: Proxy) -> None:
        answer = Answer(replay.ERRORS, 400, "EntityTooLarge", "Your proposed upload is too large.")
        proxied.on("PutObject", answer)
        storage = S3BotoStorage()
        refusal(
            lambda: storage.save("a.txt", ContentFile(b"x")),
            *("S3BotoStorage", "400", "EntityTooLarge", "too large", "s3:PutObject", "/a.txt"),
            kind=OSError,
        )

    def test_response_of_another_web_server(self, proxied: Proxy, no_pauses: list[float]) -> None:
        proxied.rule = lambda request: replay.Document("", b"<html>404</html>", status=404)
        storage = S3BotoStorage()
        assert not storage.exists("a.txt")
        with pytest.raises(S3Error):
            storage.save("a.txt", ContentFile(b"x"))


@pytest.mark.usefixtures("no_pauses")
class TestUnreachable:
    QUICK = Config(retries={"total_max_attempts": 1}, connect_timeout=2)

    @pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
    def test_closed_port(self, closed_port: int, action: Any) -> None:
        endpoint = f"http://127.0.0.1:{closed_port}"
        storage = S3BotoStorage(
            bucket_name="bucket",
            access_key="key",
            secret_key=SECRET,
            endpoint_url=endpoint,
            client_config=self.QUICK,
        )
        refusal(
            lambda: action(storage),
            *(endpoint, "could not be reached", "AWS_S3_ENDPOINT_URL", "s3://bucket/"),
            kind=OSError,
        )

    def test_server_without_tls(self, moto: S3Server) -> None:
        storage = S3BotoStorage(
            bucket_name="bucket",
            access_key="key",
            secret_key=SECRET,
            endpoint_url=moto.endpoint_url.replace("http:", "https:"),
            client_config=self.QUICK,
        )
        refusal(lambda: storage.exists("a.txt"), "TLS", "AWS_S3_ENDPOINT_URL")

    def test_broken_connection(self, proxied: Proxy) -> None:
        proxied.rule = lambda request: replay.Fault.DROPPED
        storage = S3BotoStorage(client_config=self.QUICK)
        refusal(
            lambda: storage.save("a.txt", ContentFile(b"x")),
            *(proxied.url, "could not be reached", "s3:PutObject"),
            kind=OSError,
        )


class TestExplain:
    """explain(), which callers such as the collect engine use directly."""

    DESTINATION = Destination("S3StaticStorage", "my-bucket", "eu-west-1")

    @pytest.mark.parametrize(
        ("operation", "permission"),
        [
            ("PutObject", "s3:PutObject"),
            ("UploadPart", "s3:PutObject"),
            ("CompleteMultipartUpload", "s3:PutObject"),
            ("HeadObject", "s3:GetObject"),
            ("ListObjectsV2", "s3:ListBucket"),
            ("DeleteObjects", "s3:DeleteObject"),
        ],
    )
    def test_permission_of_an_operation(self, operation: str, permission: str) -> None:
        answer: Any = {
            "Error": {"Code": "AccessDenied", "Message": "Access Denied"},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }
        error = explain(ClientError(answer, operation), self.DESTINATION, "static/a.css")
        assert isinstance(error, ImproperlyConfigured)
        assert permission in str(error)
        assert "s3://my-bucket/static/a.css" in str(error)

    def test_request_without_a_response(self) -> None:
        error = explain(
            EndpointConnectionError(endpoint_url="https://s3.example.com"), self.DESTINATION
        )
        assert isinstance(error, S3Error)
        assert not isinstance(error, ImproperlyConfigured)
        assert "could not be reached" in str(error)


def test_etags_that_are_not_md5(proxied: Proxy) -> None:
    """As with SSE-KMS: uploads must not be verified by comparing ETags with MD5 sums."""
    proxied.has_kms_etags = True
    storage = S3BotoStorage()
    for size in (10, 17 * 2**20):
        body = bytes(size)
        storage.save("a.bin", ContentFile(body))
        assert storage.exists("a.bin")
        assert read(storage, "a.bin") == body
