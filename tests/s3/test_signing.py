"""Signed URLs: valid for the promised time, and stable for a while."""

import base64
import datetime
import json
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.core.files.base import ContentFile
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from pytest_django import Settings

from herokuify.exceptions import S3ConfigurationError
from herokuify.s3 import signing
from herokuify.s3.headers import put_parameters
from herokuify.s3.signing import Period, SignedUrls, Signer, UrlSigner, query_name
from herokuify.storage import S3BotoStorage, S3MediaStorage
from herokuify.storage.urls import make_url_signer
from tests.servers import S3Server
from tests.storage.helpers import NAMES, on_ceph, status

pytestmark = pytest.mark.no_django

KEYS: dict[str, Any] = {
    "access_key": "AKIDEXAMPLE",
    "secret_key": "marked-secret",
    "bucket_name": "my-bucket",
    "region_name": "eu-west-1",
}
NOON = 1_800_000_000
UPLOADED: list[dict[str, Any]] = [
    {},
    {"security_token": "token/with+signs="},
    {"endpoint_url": "http://127.0.0.1:9000", "addressing_style": "path"},
    {"bucket_name": "bucket.with.dots"},
]


def is_key(key: str) -> bool:
    """Return whether botocore keeps the key as a path: it strips a leading slash, for example."""
    return all(key.split("/")) and not {".", ".."} & set(key.split("/"))


class Clock:
    """Replaces the module ``time`` in herokuify.s3.signing."""

    def __init__(self) -> None:
        self.now = float(NOON)

    strftime = staticmethod(time.strftime)
    gmtime = staticmethod(time.gmtime)

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(signing, "time", clock)
    return clock


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def signed_on(url: str) -> float:
    stamp = datetime.datetime.strptime(query(url)["X-Amz-Date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    return stamp.timestamp()


@pytest.mark.usefixtures("no_sockets")
class TestSignature:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"security_token": "token/with+signs="},
            {"endpoint_url": "http://127.0.0.1:9000", "addressing_style": "path"},
            {"endpoint_url": "https://s3.example.com:443", "addressing_style": "virtual"},
            {"bucket_name": "bucket.with.dots"},
        ],
        ids=["aws", "token", "port", "usual port", "dots"],
    )
    def test_equals_botocores(self, name: str, options: dict[str, Any]) -> None:
        """For the same second."""
        storage = S3BotoStorage(**{**KEYS, **options})
        disposition = 'attachment; filename="a b+c.txt"'
        url = storage.client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": storage.bucket_name,
                "Key": name,
                "ResponseContentDisposition": disposition,
            },
            ExpiresIn=59,
        )
        signer = make_url_signer(storage)
        assert signer is not None
        parameters = {"response-content-disposition": disposition}
        ours = signer.sign(name, parameters, int(signed_on(url)), 59)
        assert query(ours) == query(url)
        assert ours.partition("?")[0] == url.partition("?")[0]

    @pytest.mark.parametrize("options", UPLOADED, ids=["aws", "token", "port", "dots"])
    @given(
        key=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(is_key),
        size=st.integers(0, 5 * 2**40),
        kind=st.from_regex(r"[a-z]+/[a-z0-9.+-]+", fullmatch=True),
        mark=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
        part=st.none() | st.integers(1, 10_000),
    )
    @hypothesis(deadline=None, max_examples=30)
    def test_of_an_upload_equals_botocores(
        self,
        options: dict[str, Any],
        key: str,
        size: int,
        kind: str,
        mark: str,
        part: int | None,
    ) -> None:
        storage = S3BotoStorage(**{**KEYS, **options})
        headers = {"content-length": str(size)}
        parameters: dict[str, Any] = {"Bucket": storage.bucket_name, "Key": key}
        numbers: dict[str, str] = {}
        if part is None:
            headers |= {"content-type": kind, "if-none-match": "*", "x-amz-meta-a": mark}
        else:
            numbers = {"partNumber": str(part), "uploadId": f"{mark}~/+="}
            parameters |= {"PartNumber": part, "UploadId": numbers["uploadId"]}
        url = storage.client.generate_presigned_url(
            "put_object" if part is None else "upload_part",
            Params={**parameters, **put_parameters(headers)},
            ExpiresIn=900,
        )
        signer = make_url_signer(storage)
        assert signer is not None
        ours = signer.sign_request("PUT", key, numbers, headers, int(signed_on(url)), 900)
        assert query(ours) == query(url)
        assert ours.partition("?")[0] == url.partition("?")[0]

    def test_time_is_an_argument(self) -> None:
        """Compared with botocore's own signer, which takes the date from the request."""
        keys = Signer("AKIDEXAMPLE", "marked-secret", "eu-west-1")
        signer = UrlSigner(keys, "https://my-bucket.s3.eu-west-1.amazonaws.com/", None)
        url = signer.sign("a b.txt", {}, NOON, 59)
        assert query(url)["X-Amz-Date"] == "20270115T080000Z"
        bare, _, signature = url.rpartition("&X-Amz-Signature=")
        auth = S3SigV4QueryAuth(
            Credentials("AKIDEXAMPLE", "marked-secret"), "s3", "eu-west-1", expires=59
        )
        request = AWSRequest("GET", bare, headers={"host": urlsplit(url).netloc})
        request.context["timestamp"] = query(url)["X-Amz-Date"]
        canonical = auth.canonical_request(request)
        assert auth.signature(auth.string_to_sign(request, canonical), request) == signature

    @pytest.mark.parametrize(
        "options",
        [
            {"signature_version": "s3"},
            {"access_key": None, "secret_key": None},
            {"client_config": Config(signature_version="s3")},
        ],
        ids=["version 2", "boto3's own keys", "version 2 in the Config"],
    )
    def test_urls_that_boto3_signs(
        self, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-the-chain")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "marked-secret")
        storage = S3MediaStorage(**{**KEYS, **options})
        assert make_url_signer(storage) is None
        assert "Signature=" in storage.url("a.jpg")

    @pytest.mark.parametrize("life", [3600, 600, 60, 604_800])
    def test_valid_for_at_least_half_the_time(self, clock: Clock, life: int) -> None:
        for step in range(50):
            now = NOON + step * life / 23
            for name in NAMES:
                period = Period(name, life, now)
                assert period.start <= now < period.end
                assert period.expiry - period.start == life
                assert period.expiry - now >= life / 2

    def test_urls_change_at_different_times(self) -> None:
        ends = {Period(f"{number}.jpg", 3600, NOON).end for number in range(100)}
        assert len(ends) > 80


class TestStability:
    @pytest.mark.usefixtures("no_sockets")
    def test_url_is_stable_for_a_while(self, clock: Clock) -> None:
        storage = S3MediaStorage(**KEYS)
        urls = []
        for _ in range(24):
            urls.append(storage.url("a.jpg"))
            assert NOON - 1800 < signed_on(urls[-1]) <= clock.now
            clock.now += 600
        assert len(set(urls)) in {8, 9}
        assert len({S3MediaStorage(**KEYS).url("a.jpg") for _ in range(3)}) == 1

    @pytest.mark.usefixtures("no_sockets")
    def test_url_is_the_same_in_every_process(self, clock: Clock) -> None:
        one, other = (S3MediaStorage(**KEYS) for _ in range(2))
        first = one.url("a.jpg")
        clock.now += 1
        assert other.url("a.jpg") in {first, one.url("a.jpg")}
        command = (
            "import django; from django.conf import settings; settings.configure()\n"
            "from herokuify.s3 import signing\n"
            "from herokuify.storage import S3MediaStorage\n"
            f"signing.time.time = lambda: {clock.now}\n"
            f"print(S3MediaStorage(**{KEYS!r}).url('a.jpg'))"
        )
        process = subprocess.run(
            [sys.executable, "-c", command], capture_output=True, text=True, check=True
        )
        assert process.stdout.strip() == other.url("a.jpg")

    @pytest.mark.usefixtures("no_sockets")
    def test_urls_are_signed_once(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        storage = S3MediaStorage(**KEYS)
        calls = []
        sign = UrlSigner.sign

        def count(signer: UrlSigner, *arguments: Any) -> str:
            calls.append(arguments)
            return sign(signer, *arguments)

        monkeypatch.setattr(UrlSigner, "sign", count)
        pages = [[storage.url(f"{number}.jpg") for number in range(100)] for _ in range(5)]
        assert len(calls) == 100
        assert all(page == pages[0] for page in pages)

    @pytest.mark.usefixtures("no_sockets")
    def test_what_changes_the_url(self, clock: Clock) -> None:
        storage = S3MediaStorage(**KEYS)
        urls = [
            storage.url("a.jpg"),
            storage.url("b.jpg"),
            storage.url("a.jpg", expire=7200),
            storage.url("a.jpg", parameters={"ResponseContentType": "image/x"}),
            storage.url("a.jpg", parameters={"ResponseContentType": "image/y"}),
            storage.url("a.jpg", http_method="HEAD"),
            S3MediaStorage(**KEYS, location="other").url("a.jpg"),
            S3MediaStorage(**{**KEYS, "secret_key": "other"}).url("a.jpg"),
        ]
        assert len(set(urls)) == len(urls)
        assert query(urls[2])["X-Amz-Expires"] == "7200"
        assert storage.url("folder/../a.jpg") == urls[0]

    @pytest.mark.usefixtures("no_sockets")
    def test_short_expiry_is_not_shortened(self) -> None:
        url = S3MediaStorage(**KEYS).url("a.jpg", expire=59)
        now = datetime.datetime.now(datetime.timezone.utc).timestamp()
        assert now - 30 < signed_on(url) <= now

    @pytest.mark.usefixtures("no_sockets")
    def test_urls_by_boto3s_own_credentials_are_not_kept(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The credentials may expire before the URL."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-the-chain")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "marked-secret")
        # No other test uses the region: the process keeps the client and its credentials.
        storage = S3MediaStorage(bucket_name="my-bucket", region_name="ap-south-2")
        storage.access_key = storage.secret_key = None
        storage.url("a.jpg")
        assert not storage._urls._signed._kept
        assert abs(signed_on(storage.url("a.jpg")) - NOON) > 10_000

    def test_cache_is_bounded(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(signing, "MOST_KEPT", 10)
        urls = SignedUrls()
        for number in range(100):
            assert urls.get(number, "name", 3600, lambda period: "url") == "url"
            assert len(urls._kept) <= 10

    @pytest.mark.usefixtures("no_sockets")
    def test_threads_get_the_same_url(self, clock: Clock) -> None:
        storage = S3MediaStorage(**KEYS)
        found: set[str] = set()
        threads = [
            threading.Thread(target=lambda: found.add(storage.url("a.jpg"))) for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 1

    def test_url_lacks_the_secret(self) -> None:
        assert "marked-secret" not in S3MediaStorage(**KEYS).url("a.jpg")


class TestOnServers:
    @pytest.mark.parametrize("name", NAMES)
    @on_ceph
    def test_valid(self, aws: S3Server, name: str) -> None:
        storage = S3MediaStorage()
        storage.save(name, ContentFile(b"content"))
        url = storage.url(name, {"ResponseContentDisposition": 'attachment; filename="ä ö.txt"'})
        with urlopen(url) as answer:
            assert answer.read() == b"content"
            assert "attachment" in answer.headers["Content-Disposition"]
        assert status(url.replace("attachment", "inline")) == 403

    @on_ceph
    def test_expires(self, aws: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        storage = S3MediaStorage()
        storage.save("a.txt", ContentFile(b"x"))
        assert status(storage.url("a.txt")) == 200
        clock = Clock()
        clock.now = datetime.datetime.now(datetime.timezone.utc).timestamp() - 3700
        monkeypatch.setattr(signing, "time", clock)
        assert status(S3MediaStorage().url("a.txt")) == 403

    def test_invalid_parameter_is_explained(self, aws: S3Server) -> None:
        with pytest.raises(S3ConfigurationError, match="content-disposition"):
            S3MediaStorage().url("a.txt", {"content-disposition": "attachment"})


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def signer(private_key: rsa.RSAPrivateKey) -> dict[str, str]:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return {"cloudfront_key_id": "K1", "cloudfront_key": pem.decode()}


@pytest.mark.usefixtures("no_sockets")
class TestCloudFront:
    def test_url_is_stable_for_a_while(
        self, clock: Clock, settings: Settings, signer: dict[str, str]
    ) -> None:
        settings.AWS_S3_CUSTOM_DOMAIN = "cdn.example.com"
        storage = S3MediaStorage(**KEYS, **signer)
        url = storage.url("a b.jpg")
        assert url.startswith("https://cdn.example.com/media/a%20b.jpg?Expires=")
        assert query(url)["Key-Pair-Id"] == "K1"
        expiry = int(query(url)["Expires"])
        assert clock.now + 1800 <= expiry <= clock.now + 3600
        clock.now = expiry - 1801
        assert S3MediaStorage(**KEYS, **signer).url("a b.jpg") == url
        clock.now = expiry - 1799
        assert storage.url("a b.jpg") != url

    def test_equals_django_storages(
        self, signer: dict[str, str], private_key: rsa.RSAPrivateKey
    ) -> None:
        storage = S3MediaStorage(**KEYS, **signer, custom_domain="cdn.example.com")
        url = storage.url("a.jpg", {"ResponseContentType": "image/x"}, expire=10)
        found = query(url)
        resource = url.partition("&Expires=")[0]
        assert resource == "https://cdn.example.com/media/a.jpg?response-content-type=image%2Fx"
        statement = {
            "Resource": resource,
            "Condition": {"DateLessThan": {"AWS:EpochTime": int(found["Expires"])}},
        }
        policy = json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()
        text = found["Signature"].replace("-", "+").replace("_", "=").replace("~", "/")
        private_key.public_key().verify(
            base64.b64decode(text), policy, padding.PKCS1v15(), hashes.SHA1()
        )

    @pytest.mark.parametrize(
        ("parameter", "name"),
        [
            ("ResponseContentDisposition", "response-content-disposition"),
            ("ResponseExpires", "response-expires"),
            ("v", "v"),
            ("response-content-type", "response-content-type"),
        ],
    )
    def test_query_names(self, parameter: str, name: str) -> None:
        assert query_name(parameter) == name
