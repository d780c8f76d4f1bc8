"""The IAM policies: their documents, and that users on moto can do their work and no more.

moto checks actions and resources. It refuses statements with conditions, so tests remove these,
and it doesn't check the objects of DeleteObjects.
"""

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from pytest_django import Settings

from herokuify.buckets.desired import Desired, Options
from herokuify.buckets.iam import app_policy, build_policy
from herokuify.exceptions import S3ConfigurationError
from tests.buckets.conftest import MEDIA, Site, run
from tests.project import Project
from tests.servers import S3Server
from tests.storage.helpers import on_moto, read, write_and_fail
from tests.storages import Connect

pytestmark = pytest.mark.no_django

NameStorages = Callable[..., None]
DESIRED = Desired("b", "eu-west-1", ("static",), ("media",), Options(()))
LARGE = 9 * 2**20  # bytes; uploaded in parts
FILES = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]


def statements(policy: Any) -> dict[str, Any]:
    """Return a policy's statements by their IDs; check that these are unique."""
    assert policy["Version"] == "2012-10-17"
    found = {one["Sid"]: one for one in policy["Statement"]}
    assert len(found) == len(policy["Statement"])
    assert all(sid.isalnum() and one["Effect"] == "Allow" for sid, one in found.items())
    return found


class TestDocuments:
    def test_of_the_app(self) -> None:
        found = statements(app_policy([DESIRED], compresses=False))
        assert found == {
            "MediaFiles1": {
                "Sid": "MediaFiles1",
                "Effect": "Allow",
                "Action": FILES,
                "Resource": ["arn:aws:s3:::b/media/*"],
            },
            "MediaListing1": {
                "Sid": "MediaListing1",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::b",
                "Condition": {"StringLike": {"s3:prefix": ["media/*"]}},
            },
        }

    def test_of_the_build(self) -> None:
        found = statements(build_policy([DESIRED]))
        assert set(found) == {"StaticFiles1", "StaticListing1", "StaticIndex1"}
        assert found["StaticFiles1"]["Resource"] == ["arn:aws:s3:::b/static/*"]
        index = ["arn:aws:s3:::b/.herokuify/static/index.json.gz"]
        assert found["StaticIndex1"]["Resource"] == index
        assert found["StaticIndex1"]["Action"] == ["s3:GetObject", "s3:PutObject"]
        prefixes = found["StaticListing1"]["Condition"]["StringLike"]["s3:prefix"]
        assert prefixes == ["static/*", ".herokuify/static/*"]

    @pytest.mark.parametrize(
        ("region", "partition"),
        [
            (None, "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
        ],
    )
    def test_arns_have_the_regions_partition(self, region: str | None, partition: str) -> None:
        desired = replace(DESIRED, region=region, creates=True)
        for policy in (app_policy([desired], compresses=True), build_policy([desired])):
            for one in statements(policy).values():
                resource = one["Resource"]
                for arn in [resource] if isinstance(resource, str) else resource:
                    assert arn.startswith(f"arn:{partition}:s3:::b")

    def test_creation_only_with_the_setting(self) -> None:
        creating = replace(DESIRED, creates=True)
        assert "Creation1" not in statements(build_policy([DESIRED]))
        creation = statements(build_policy([creating]))["Creation1"]
        assert creation["Resource"] == "arn:aws:s3:::b"
        assert "s3:CreateBucket" in creation["Action"]
        assert "Creation1" not in statements(app_policy([creating], compresses=False))
        # Only the app writes to a bucket without static files.
        alone = statements(app_policy([replace(creating, public=())], compresses=False))
        assert alone["Creation1"]["Action"] == ["s3:CreateBucket", "s3:DeleteBucket"]

    def test_without_locations_there_are_none(self) -> None:
        assert app_policy([replace(DESIRED, private=())], compresses=False) is None
        assert build_policy([replace(DESIRED, public=())]) is None

    def test_public_uploads_belong_to_the_app(self) -> None:
        desired = replace(DESIRED, public=("public-media", "static"), uploads=("public-media",))
        app = statements(app_policy([replace(desired, creates=True)], compresses=False))
        assert set(app) == {"MediaFiles1", "MediaListing1"}
        below = ["arn:aws:s3:::b/media/*", "arn:aws:s3:::b/public-media/*"]
        assert app["MediaFiles1"]["Resource"] == below
        build = statements(build_policy([desired]))
        assert build["StaticFiles1"]["Resource"] == ["arn:aws:s3:::b/static/*"]
        # Without static files the build has no user, and the app creates bucket and policy.
        alone = replace(desired, public=("public-media",), creates=True)
        assert build_policy([alone]) is None
        created = statements(app_policy([alone], compresses=False))["Creation1"]
        assert "s3:PutBucketPolicy" in created["Action"]

    def test_bundles_at_run_time_belong_to_the_app(self) -> None:
        found = statements(app_policy([DESIRED], compresses=True))
        assert found["StaticFiles1"]["Resource"] == ["arn:aws:s3:::b/static/*"]
        alone = app_policy([replace(DESIRED, public=())], compresses=True)
        assert set(statements(alone)) == {"MediaFiles1", "MediaListing1"}

    def test_several_buckets_have_their_own_statements(self) -> None:
        other = replace(DESIRED, bucket="other", public=())
        found = statements(app_policy([DESIRED, other], compresses=False))
        assert found["MediaFiles2"]["Resource"] == ["arn:aws:s3:::other/media/*"]
        assert set(statements(build_policy([DESIRED, other]))) == {
            "StaticFiles1",
            "StaticListing1",
            "StaticIndex1",
        }

    def test_the_whole_bucket_needs_no_condition(self) -> None:
        found = statements(app_policy([replace(DESIRED, private=("",))], compresses=False))
        assert found["MediaFiles1"]["Resource"] == ["arn:aws:s3:::b/*"]
        assert "Condition" not in found["MediaListing1"]

    @pytest.mark.parametrize("location", ["media", "a*b", "a?b", "$x", "cube/media"])
    def test_prefixes_match_only_the_location(self, location: str) -> None:
        found = statements(app_policy([replace(DESIRED, private=(location,))], compresses=False))
        (pattern,) = found["MediaListing1"]["Condition"]["StringLike"]["s3:prefix"]
        for special in "*?$":  # how IAM escapes it; fnmatch uses brackets
            pattern = pattern.replace(f"${{{special}}}", f"[{special}]")
        assert fnmatchcase(f"{location}/", pattern)
        assert fnmatchcase(f"{location}/folder/a", pattern)
        for outside in ("", "static/", f"x{location}/", f"{location}x/", "axb/"):
            assert not fnmatchcase(outside, pattern)


class TestSettings:
    """Settings that change the policies; the command makes no requests."""

    @pytest.fixture
    def policies(
        self, site_settings: None, connect: Connect, no_sockets: None
    ) -> Callable[[], dict[str, Any]]:
        nowhere = S3Server("none", "http://127.0.0.1:9", "key", "secret")
        connect(nowhere, "b")
        return lambda: json.loads(run("--iam", "--json"))  # type: ignore[no-any-return]

    def test_text_has_both_policies(self, policies: Any) -> None:
        text = run("--iam")
        assert text.count('"Version": "2012-10-17"') == 2
        assert text.startswith("For the app's user: ")
        assert "\nFor the build's user: " in text

    @pytest.mark.parametrize(
        ("setting", "value", "action"),
        [
            ("AWS_DEFAULT_ACL", "public-read", "s3:PutObjectAcl"),
            ("AWS_HEADERS", {"x-amz-acl": "public-read"}, "s3:PutObjectAcl"),
            ("AWS_EXTRA_HEADERS", [(".*", {"x-amz-tagging": "a=b"})], "s3:PutObjectTagging"),
            ("AWS_S3_OBJECT_PARAMETERS", {"Tagging": "a=b"}, "s3:PutObjectTagging"),
        ],
    )
    def test_headers_may_need_more_permissions(
        self, policies: Any, settings: Settings, setting: str, value: Any, action: str
    ) -> None:
        setattr(settings, setting, value)
        found = policies()
        assert statements(found["build"])["StaticFiles1"]["Action"] == [*FILES, action]
        # The default ACL does not reach media.
        expected = FILES if setting == "AWS_DEFAULT_ACL" else [*FILES, action]
        assert statements(found["app"])["MediaFiles1"]["Action"] == expected

    def test_default_headers_need_no_more(self, policies: Any) -> None:
        found = policies()
        assert statements(found["build"])["StaticFiles1"]["Action"] == FILES
        assert statements(found["app"])["MediaFiles1"]["Action"] == FILES

    def test_automatic_creation_is_permitted(self, policies: Any, settings: Settings) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = True
        assert "Creation1" in statements(policies()["build"])

    def test_bundles_at_run_time_are_permitted(self, policies: Any, settings: Settings) -> None:
        settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
        settings.COMPRESS_ENABLED = True
        settings.COMPRESS_OFFLINE = True
        assert "StaticFiles1" not in statements(policies()["app"])
        settings.COMPRESS_OFFLINE = False
        assert "StaticFiles1" in statements(policies()["app"])

    def test_role_without_work_is_none(self, policies: Any, name_storages: NameStorages) -> None:
        name_storages(default=MEDIA)
        assert policies()["build"] is None
        assert run("--iam").endswith("release phase:\n\nnone\n")


@dataclass
class Account:
    """IAM on moto, which checks nobody's permissions until ``enforce(on=True)``."""

    server: S3Server

    def enforce(self, *, on: bool) -> None:
        body = b"0" if on else b"inf"
        url = f"{self.server.endpoint_url}/moto-api/reset-auth"
        with urlopen(Request(url, body, {"Content-Type": "text/plain"})) as answer:
            answer.read()

    def user(self, policy: Any) -> S3Server:
        """Return the server with the credentials of a new user, who has only this policy."""
        policy = copy.deepcopy(policy)
        for one in policy["Statement"]:
            one.pop("Condition", None)
        iam: Any = boto3.session.Session().client(
            "iam",
            endpoint_url=self.server.endpoint_url,
            region_name=self.server.region,
            aws_access_key_id=self.server.access_key,
            aws_secret_access_key=self.server.secret_key,
        )
        name = f"user-{uuid.uuid4().hex}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return replace(
            self.server, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"]
        )


@pytest.fixture
def account(moto: S3Server) -> Iterator[Account]:
    found = Account(moto)
    try:
        yield found
    finally:
        found.enforce(on=False)


def policies_of(role: str) -> Any:
    return json.loads(run("--iam", "--json"))[role]


def without(policy: Any, action: str) -> Any:
    policy = copy.deepcopy(policy)
    for one in policy["Statement"]:
        actions = [one["Action"]] if isinstance(one["Action"], str) else one["Action"]
        one["Action"] = [known for known in actions if known != action] or ["s3:none"]
    return policy


def save(storage: Any) -> None:
    storage.save("a.txt", ContentFile(b"content"))


def save_large(storage: Any) -> None:
    storage.save("large.bin", ContentFile(bytes(LARGE)))


def abandon(storage: Any) -> None:
    with pytest.raises(AttributeError), storage.open("half.bin", "w") as file:
        write_and_fail(file, "x" * LARGE)


ACTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "save": ("s3:PutObject", save),
    "save large": ("s3:PutObject", save_large),
    "open": ("s3:GetObject", lambda storage: read(storage, "there.txt")),
    "exists": ("s3:GetObject", lambda storage: storage.exists("there.txt")),
    "listdir": ("s3:ListBucket", lambda storage: storage.listdir("")),
    "delete": ("s3:DeleteObject", lambda storage: storage.delete("there.txt")),
}


@on_moto
class TestUsers:
    """Each user can do all of its work, and needs every permission for it."""

    @pytest.fixture
    def ready_site(self, bare_site: Site, account: Account, settings: Settings) -> Site:
        run("--apply")
        for alias in ("default", "staticfiles"):
            storages[alias].save("there.txt", ContentFile(b"there"))
        return bare_site

    def sign_in(
        self, account: Account, bucket: Site, connect: Connect, policy: Any, alias: str
    ) -> Storage:
        connect(account.user(policy), bucket.bucket)
        storages._storages.pop(alias, None)  # it has another user's credentials
        account.enforce(on=True)
        return storages[alias]

    @pytest.mark.parametrize(("role", "alias"), [("app", "default"), ("build", "staticfiles")])
    def test_may_do_all_its_work(
        self, account: Account, ready_site: Site, connect: Connect, role: str, alias: str
    ) -> None:
        storage = self.sign_in(account, ready_site, connect, policies_of(role), alias)
        for _, action in ACTIONS.values():
            action(storage)
        assert read(storage, "a.txt") == b"content"
        assert storage.size("large.bin") == LARGE
        assert not storage.exists("there.txt")
        abandon(storage)
        account.enforce(on=False)
        uploads = ready_site.client.list_multipart_uploads(Bucket=ready_site.bucket)
        assert not uploads.get("Uploads")

    @pytest.mark.parametrize(("role", "alias"), [("app", "default"), ("build", "staticfiles")])
    @pytest.mark.parametrize(("permission", "action"), ACTIONS.values(), ids=ACTIONS)
    def test_each_permission_is_needed(
        self,
        account: Account,
        ready_site: Site,
        connect: Connect,
        role: str,
        alias: str,
        permission: str,
        action: Callable[[Any], Any],
    ) -> None:
        policy = without(policies_of(role), permission)
        storage = self.sign_in(account, ready_site, connect, policy, alias)
        with pytest.raises(S3ConfigurationError, match=permission):
            action(storage)

    def test_removal_of_abandoned_uploads_needs_its_permission(
        self,
        account: Account,
        ready_site: Site,
        connect: Connect,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        policy = without(policies_of("app"), "s3:AbortMultipartUpload")
        abandon(self.sign_in(account, ready_site, connect, policy, "default"))
        assert "could not be removed" in caplog.text

    @pytest.mark.parametrize(("role", "alias"), [("build", "default"), ("app", "staticfiles")])
    @pytest.mark.parametrize("action", ["save", "open", "delete"])
    def test_may_not_do_the_others_work(
        self,
        account: Account,
        ready_site: Site,
        connect: Connect,
        role: str,
        alias: str,
        action: str,
    ) -> None:
        storage = self.sign_in(account, ready_site, connect, policies_of(role), alias)
        with pytest.raises(S3ConfigurationError, match="S3 denied access"):
            ACTIONS[action][1](storage)

    def test_build_may_create_the_bucket(
        self, account: Account, bare_site: Site, connect: Connect, settings: Settings
    ) -> None:
        settings.AWS_AUTO_CREATE_BUCKET = True
        storage = self.sign_in(account, bare_site, connect, policies_of("build"), "staticfiles")
        save(storage)
        assert read(storage, "a.txt") == b"content"
        account.enforce(on=False)
        assert "anyone may GET" not in "".join(
            line for line in run().splitlines() if line.strip().startswith("+")
        )


SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles", "django.contrib.admin",
    "django.contrib.auth", "django.contrib.contenttypes"]
STATIC_URL = get_static_url()
STATIC_ROOT = "staticfiles"
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.CachedS3ManifestStaticStorage"},
}
"""


@on_moto
@pytest.mark.parametrize("missing", [None, "s3:PutObject", "s3:ListBucket"])
def test_collectstatic_needs_the_builds_permissions(
    bare_site: Site,
    account: Account,
    make_project: Callable[..., Project],
    missing: str | None,
) -> None:
    run("--apply")
    policy = policies_of("build")
    user = account.user(without(policy, missing) if missing else policy)
    variables = {**user.variables, "AWS_STORAGE_BUCKET_NAME": bare_site.bucket}
    project = make_project(SETTINGS, env=variables)
    account.enforce(on=True)
    result = project.manage("collectstatic", "--noinput")
    assert user.secret_key not in result.stdout + result.stderr
    if missing:
        assert result.returncode != 0
        assert missing in result.stderr
        return
    assert result.returncode == 0, result.stderr
    assert "denied" not in (result.stdout + result.stderr).lower()
    second = project.manage("collectstatic", "--noinput")
    assert " 0 sent" in second.stdout, second.stdout + second.stderr
