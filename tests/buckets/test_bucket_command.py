"""`manage.py herokuify bucket` against real servers."""

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError
from pytest_django import Settings

from herokuify.s3.policies import PUBLIC_SID
from tests import replay
from tests.buckets.conftest import MEDIA, STATIC, Site, run, states, steps
from tests.project import Project
from tests.replay import Answer, Proxy
from tests.servers import S3Server
from tests.storage.helpers import on_ceph, on_moto, read, status
from tests.storages import Connect

pytestmark = pytest.mark.no_django

NameStorages = Callable[..., None]
READING = [
    "HeadBucket",
    "GetPublicAccessBlock",
    "GetBucketOwnershipControls",
    "GetBucketLifecycle",
    "GetBucketAcl",
    "GetBucketPolicy",
    "GetBucketCors",
]
SOME = "block on public policies, policy, ownership, block on public ACLs"
PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}


def exists(site: Site) -> bool:
    try:
        site.client.head_bucket(Bucket=site.bucket)
    except ClientError:
        return False
    return True


def policy_of(site: Site) -> Any:
    return json.loads(site.client.get_bucket_policy(Bucket=site.bucket)["Policy"])


def asked_by_browser(url: str, origin: str) -> tuple[str | None, str | None]:
    """Return the origin that the bucket allows for a preflight request, and for a GET."""
    preflight = Request(
        url, method="OPTIONS", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
    )
    answers = []
    for request in (preflight, Request(url, headers={"Origin": origin})):
        try:
            with urlopen(request) as answer:
                answers.append(answer.headers["Access-Control-Allow-Origin"])
        except HTTPError as error:
            error.close()
            answers.append(None)
    return answers[0], answers[1]


class TestPlan:
    def test_changes_nothing(self, bare_site: Site) -> None:
        plan = run()
        assert not exists(bare_site)
        assert plan.splitlines()[1:3] == ["  bucket", f"    + {bare_site.bucket}"]
        assert f"    + anyone may GET arn:aws:s3:::{bare_site.bucket}/static/*" in plan
        assert "    + pages of https://*.example.org" in plan
        assert plan.splitlines()[-1].endswith(
            "nothing has been changed. To apply: manage.py herokuify bucket --apply"
        )

    def test_reads_only_what_it_shows(self, behind_proxy: Site, proxy: Proxy) -> None:
        run()
        assert proxy.operations == READING
        assert {request.method for request in proxy.requests} <= {"GET", "HEAD"}

    def test_is_available_as_json(self, bare_site: Site) -> None:
        (report,) = json.loads(run("--json"))["buckets"]
        assert (report["bucket"], report["applied"]) == (bare_site.bucket, False)
        assert report["steps"][0] == {
            "name": "bucket",
            "state": "change",
            "lines": [
                f"+ {bare_site.bucket}",
                "= steps that the service does for new buckets are skipped",
            ],
            "operation": "CreateBucket",
        }


class TestApply:
    def test_second_run_has_nothing_to_do(self, bare_site: Site) -> None:
        report = run("--apply", "--versioning", "--noncurrent-days", "30")
        assert "  bucket: done" in report
        assert report.splitlines()[-1] == "  Done."
        plan = run("--versioning", "--noncurrent-days", "30")
        assert "  There is nothing to do." in plan
        assert not [line for line in plan.splitlines() if line.strip()[0] in "+-!"]
        assert "There was nothing to do." in run("--apply", "--versioning")
        found = steps()
        assert "versioning" not in found
        assert not [name for name, step in found.items() if step["operation"]]

    @on_ceph
    @pytest.mark.parametrize("is_new", [True, False])
    def test_static_files_are_public_and_media_is_not(self, bare_site: Site, is_new: bool) -> None:
        if not is_new:
            bare_site.client.create_bucket(Bucket=bare_site.bucket)
        run("--apply")
        for alias in ("staticfiles", "default"):
            storages[alias].save("a b.txt", ContentFile(b"content"))
        assert status(storages["staticfiles"].url("a b.txt")) == 200
        media = storages["default"].url("a b.txt")
        assert status(media) == 200
        assert status(media.partition("?")[0]) == 403
        for path in ("", "?list-type=2", "?policy", "?acl", "/staticx", "/.herokuify/static"):
            assert status(bare_site.url + path) == 403, path

    @on_ceph  # moto doesn't answer preflight requests
    @pytest.mark.parametrize("origin", ["https://www.example.com", "https://a.b.example.org"])
    def test_pages_of_the_site_may_use_fonts(self, bare_site: Site, origin: str) -> None:
        run("--apply")
        storages["staticfiles"].save("a.woff2", ContentFile(b"font"))
        url = storages["staticfiles"].url("a.woff2")
        assert asked_by_browser(url, origin) == (origin, origin)
        assert asked_by_browser(url, "https://example.net") == (None, None)

    @on_moto
    def test_a_new_bucket_has_no_acls(self, bare_site: Site) -> None:
        run("--apply")
        block = bare_site.client.get_public_access_block(Bucket=bare_site.bucket)
        assert block["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": False,
        }
        controls = bare_site.client.get_bucket_ownership_controls(Bucket=bare_site.bucket)
        (rule,) = controls["OwnershipControls"]["Rules"]
        assert rule["ObjectOwnership"] == "BucketOwnerEnforced"

    def test_media_files_need_no_policy(self, bare_site: Site, name_storages: NameStorages) -> None:
        name_storages(default=MEDIA)
        assert "block on public policies: done" in run("--apply")
        storage = storages["default"]
        storage.save("a.txt", ContentFile(b"content"))
        assert read(storage, "a.txt") == b"content"
        assert status(storage.url("a.txt")) == 200
        with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
            policy_of(bare_site)
        assert "There is nothing to do." in run()

    def test_unsupported_step_is_no_failure(self, bare_site: Site) -> None:
        run("--apply")
        found = steps()
        expected = "unsupported" if bare_site.server.name == "ceph" else "same"
        assert found["ownership"]["state"] == expected
        if expected == "unsupported":
            assert found["ownership"]["lines"] == ["= not supported by this service"]

    def test_bucket_that_collectstatic_has_created(
        self, bare_site: Site, settings: Settings
    ) -> None:
        """Its CORS rule for any site is replaced, where the server keeps the rules' IDs."""
        settings.AWS_AUTO_CREATE_BUCKET = True
        storages["staticfiles"].save("a.txt", ContentFile(b"content"))
        assert states()["policy"] == "same"
        run("--apply")
        rules = bare_site.client.get_bucket_cors(Bucket=bare_site.bucket)["CORSRules"]
        if bare_site.server.name == "ceph":  # moto forgets the rules' IDs
            (rule,) = rules
            assert "*" not in rule["AllowedOrigins"]
        assert "There is nothing to do." in run()


class TestOthers:
    """Configuration that others have put into the bucket stays, and the plan lists it."""

    @pytest.fixture
    def shared(self, bare_site: Site) -> Site:
        client, name = bare_site.client, bare_site.bucket
        client.create_bucket(Bucket=name)
        statements = [
            {**PUBLIC, "Sid": "Theirs", "Resource": f"arn:aws:s3:::{name}/theirs/*"},
            {**PUBLIC, "Sid": PUBLIC_SID, "Resource": f"arn:aws:s3:::{name}/old/*"},
        ]
        document = {"Version": "2012-10-17", "Id": "theirs", "Statement": statements}
        client.put_bucket_policy(Bucket=name, Policy=json.dumps(document))
        client.put_bucket_cors(
            Bucket=name,
            CORSConfiguration={
                "CORSRules": [{"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://a.example"]}]
            },
        )
        client.put_bucket_lifecycle_configuration(
            Bucket=name,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "theirs",
                        "Status": "Enabled",
                        "Filter": {"Prefix": "tmp/"},
                        "Expiration": {"Days": 3},
                    },
                    {
                        "ID": "tagged",
                        "Status": "Enabled",
                        "Filter": {"Tag": {"Key": "kind", "Value": "x"}},
                        "Expiration": {"Days": 3},
                    },
                ]
            },
        )
        return bare_site

    def test_is_listed_and_kept(self, shared: Site) -> None:
        plan = run()
        name = shared.bucket
        assert f"- anyone may GET arn:aws:s3:::{name}/old/*" in plan
        assert (
            "! the statement 'Theirs', not herokuify's, stays: it lets anyone "
            f"s3:GetObject on arn:aws:s3:::{name}/theirs/*" in plan
        )
        assert "for https://a.example, not herokuify's, stays" in plan
        assert "= the rule theirs stays" in plan
        run("--apply")
        document = policy_of(shared)
        assert document["Id"] == "theirs"
        assert [one["Sid"] for one in document["Statement"]] == ["Theirs", PUBLIC_SID]
        assert document["Statement"][1]["Resource"] == [f"arn:aws:s3:::{name}/static/*"]
        rules = shared.client.get_bucket_cors(Bucket=name)["CORSRules"]
        assert ["PUT"] in [rule["AllowedMethods"] for rule in rules]
        lifecycle = shared.client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        found = {rule["ID"]: rule for rule in lifecycle}
        assert len(found) == 4
        assert found["theirs"]["Expiration"]["Days"] == 3
        assert found["tagged"]["Filter"]["Tag"]["Value"] == "x"
        assert "There is nothing to do." in run()

    @on_moto
    def test_statements_behind_a_block_do_not_become_effective(self, shared: Site) -> None:
        flags = "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"
        shared.client.put_public_access_block(
            Bucket=shared.bucket,
            PublicAccessBlockConfiguration=dict.fromkeys(flags, True),  # type: ignore[arg-type]
        )
        before = policy_of(shared)
        with pytest.raises(CommandError, match="Not done.*block on public policies, policy"):
            run("--apply")
        assert policy_of(shared) == before
        block = shared.client.get_public_access_block(Bucket=shared.bucket)
        assert block["PublicAccessBlockConfiguration"] == dict.fromkeys(flags, True)

    def test_acl_with_grants_blocks_steps(self, bare_site: Site) -> None:
        bare_site.client.create_bucket(Bucket=bare_site.bucket)
        bare_site.client.put_bucket_acl(Bucket=bare_site.bucket, ACL="public-read")
        if bare_site.server.name == "ceph":
            run("--apply")
            assert "There is nothing to do." in run()
            return
        with pytest.raises(CommandError, match="Not done.*ownership, block on public ACLs"):
            run("--apply")
        assert "! the bucket's ACL grants READ to AllUsers, which would be lost." in run()
        assert states()["policy"] == "same"
        bare_site.client.put_bucket_acl(Bucket=bare_site.bucket, ACL="private")
        run("--apply")
        assert "There is nothing to do." in run()

    @on_moto
    @pytest.mark.parametrize(
        "setting",
        [
            {"AWS_DEFAULT_ACL": "public-read"},
            {"AWS_S3_OBJECT_PARAMETERS": {"ACL": "public-read"}},
            {"AWS_HEADERS": {"x-amz-acl": "public-read"}},
            {"AWS_EXTRA_HEADERS": [(".*", {"x-amz-acl": "public-read"})]},
        ],
    )
    def test_storage_that_sends_acls_blocks_steps(
        self, bare_site: Site, settings: Settings, setting: dict[str, Any]
    ) -> None:
        for name, value in setting.items():
            setattr(settings, name, value)
        with pytest.raises(CommandError, match="Not done.*ownership, block on public ACLs"):
            run("--apply")
        lines = "\n".join(steps()["ownership"]["lines"])
        assert "! S3StaticStorage sends the ACL 'public-read', which S3 refuses" in lines


class TestRefusals:
    @pytest.mark.parametrize(
        ("operation", "permission"),
        {
            "HeadBucket": "s3:ListBucket",
            "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
            "GetBucketOwnershipControls": "s3:GetBucketOwnershipControls",
            "GetBucketLifecycle": "s3:GetLifecycleConfiguration",
            "GetBucketAcl": "s3:GetBucketAcl",
            "GetBucketPolicy": "s3:GetBucketPolicy",
            "GetBucketCors": "s3:GetBucketCORS",
            "GetBucketVersioning": "s3:GetBucketVersioning",
        }.items(),
    )
    def test_of_reading_names_the_permission(
        self, behind_proxy: Site, proxy: Proxy, operation: str, permission: str
    ) -> None:
        proxy.on(operation, replay.ACCESS_DENIED)
        if operation == "HeadBucket":
            proxy.on("ListObjects", replay.ACCESS_DENIED)
        for option in ((), ("--apply",)):
            with pytest.raises(CommandError) as caught:
                run("--versioning", *option)
            assert f"the permission {permission} is missing" in str(caught.value)
            assert "ImproperlyConfigured: S3" in str(caught.value)
        assert {request.method for request in proxy.requests} <= {"GET", "HEAD"}

    @pytest.mark.parametrize("operation", READING)
    def test_of_the_credentials_does_not_count_as_unsupported(
        self, behind_proxy: Site, proxy: Proxy, operation: str
    ) -> None:
        proxy.on(operation, replay.EXPIRED_TOKEN)
        proxy.on("ListObjects", replay.EXPIRED_TOKEN)
        with pytest.raises(CommandError, match="the temporary credentials have expired"):
            run()

    def test_of_reading_names_all_permissions(self, behind_proxy: Site, proxy: Proxy) -> None:
        for operation in READING[1:]:
            proxy.on(operation, replay.ACCESS_DENIED)
        with pytest.raises(CommandError) as caught:
            run()
        # The ACL is read only where the bucket is known to use ACLs.
        assert (
            "the permission s3:GetBucketPublicAccessBlock (and s3:GetBucketOwnershipControls, "
            "s3:GetLifecycleConfiguration, s3:GetBucketPolicy, s3:GetBucketCORS) is missing"
        ) in str(caught.value)

    @pytest.mark.parametrize(
        ("operation", "permission", "before"),
        [
            ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "nothing"),
            ("PutBucketPolicy", "s3:PutBucketPolicy", "block on public policies"),
            (
                "PutBucketOwnershipControls",
                "s3:PutBucketOwnershipControls",
                "block on public policies, policy",
            ),
            (
                "PutBucketCors",
                "s3:PutBucketCORS",
                SOME,
            ),
            (
                "PutBucketLifecycle",
                "s3:PutLifecycleConfiguration",
                f"{SOME}, CORS",
            ),
            (
                "PutBucketVersioning",
                "s3:PutBucketVersioning",
                f"{SOME}, CORS, lifecycle",
            ),
        ],
    )
    def test_of_a_step_can_be_continued_later(
        self,
        behind_proxy: Site,
        proxy: Proxy,
        operation: str,
        permission: str,
        before: str,
    ) -> None:
        behind_proxy.client.put_public_access_block(
            Bucket=behind_proxy.bucket,
            PublicAccessBlockConfiguration={"BlockPublicPolicy": True},
        )
        proxy.on(operation, replay.ACCESS_DENIED)
        with pytest.raises(CommandError) as caught:
            run("--apply", "--versioning")
        assert permission in str(caught.value)
        assert f"Completed before the error: {before}." in str(caught.value)
        assert caught.value.__cause__ is not None
        assert isinstance(caught.value.__cause__.__cause__, ClientError)
        assert exists(behind_proxy)
        proxy.on(operation, None)
        report = run("--apply", "--versioning")
        for done in before.split(", "):
            assert f"  {done}: done" not in report
        assert "There is nothing to do." in run("--versioning")

    @pytest.mark.parametrize("fault", [replay.Fault.DROPPED, replay.Fault.LOST])
    def test_broken_connection_can_be_continued_later(
        self,
        behind_proxy: Site,
        proxy: Proxy,
        no_pauses: list[float],
        fault: replay.Fault,
    ) -> None:
        proxy.on("PutBucketCors", fault)
        with pytest.raises(
            CommandError, match=r"could not be reached.*the error: policy, ownership"
        ):
            run("--apply")
        proxy.on("PutBucketCors", None)
        run("--apply")
        assert "There is nothing to do." in run()

    @pytest.mark.parametrize("operation", [*READING, "GetBucketVersioning"])
    def test_broken_connection_while_reading_is_an_error(
        self, behind_proxy: Site, proxy: Proxy, no_pauses: list[float], operation: str
    ) -> None:
        proxy.on(operation, replay.Fault.DROPPED)
        with pytest.raises(CommandError, match="could not be reached"):
            run("--versioning")

    def test_of_head_alone_names_the_permission(self, behind_proxy: Site, proxy: Proxy) -> None:
        proxy.on("HeadBucket", replay.ACCESS_DENIED)
        with pytest.raises(CommandError, match="s3:ListBucket is missing"):
            run()

    def test_by_the_accounts_block_is_explained(self, behind_proxy: Site, proxy: Proxy) -> None:
        proxy.on("PutBucketPolicy", replay.POLICY_BLOCKED)
        with pytest.raises(CommandError, match="Block Public Access settings for this account"):
            run("--apply")

    @pytest.mark.parametrize(
        "answer",
        [
            replay.NOT_IMPLEMENTED,
            Answer(replay.ERRORS, 405, "MethodNotAllowed", "No."),
            Answer(replay.ERRORS, 400, "InvalidArgument", "No."),
            Answer(replay.ERRORS, 404, "NoSuchKey", "No."),
            replay.Document(replay.ERRORS, b"<ListBucketResult></ListBucketResult>"),
        ],
    )
    def test_of_unsupported_reads_is_no_error(
        self, behind_proxy: Site, proxy: Proxy, no_pauses: list[float], answer: Answer
    ) -> None:
        for operation in READING[1:]:
            proxy.on(operation, answer)
        assert set(list(states().values())[1:]) == {"unsupported"}
        assert "There was nothing to do." in run("--apply")

    def test_of_unsupported_writes_is_no_error(
        self, behind_proxy: Site, proxy: Proxy, no_pauses: list[float]
    ) -> None:
        for operation in ("PutBucketOwnershipControls", "PutBucketLifecycle"):
            proxy.on(operation, replay.NOT_IMPLEMENTED)
        report = run("--apply")
        assert "  ownership: not supported" in report
        assert "  lifecycle: not supported" in report
        assert "  policy: done" in report

    def test_bucket_of_another_account_is_an_error(
        self, bare_site: Site, proxy: Proxy, connect: Connect
    ) -> None:
        connect(bare_site.server, bare_site.bucket, endpoint_url=proxy.url)
        proxy.on("HeadBucket", Answer(replay.ERRORS, 404, "NoSuchBucket", "No."))
        proxy.on("CreateBucket", replay.OTHERS_BUCKET)
        with pytest.raises(CommandError, match=r"belongs to another account.*the error: nothing"):
            run("--apply")

    def test_new_bucket_stays_when_a_later_step_fails(
        self, bare_site: Site, proxy: Proxy, moto: S3Server, connect: Connect
    ) -> None:
        connect(moto, f"{bare_site.bucket}-new", endpoint_url=proxy.url)
        proxy.on("PutBucketPolicy", replay.ACCESS_DENIED)
        with pytest.raises(CommandError, match=r"before the error: bucket\."):
            run("--apply")
        assert "DeleteBucket" not in proxy.operations
        proxy.on("PutBucketPolicy", None)
        report = run("--apply")
        assert "  bucket: done" not in report
        assert "  policy: done" in report

    @on_ceph
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY does not match"),
            ("AWS_ACCESS_KEY_ID", "does not know this AWS_ACCESS_KEY_ID"),
        ],
    )
    @pytest.mark.parametrize("options", [[], ["--apply"]])
    def test_of_wrong_credentials_is_explained(
        self, bare_site: Site, settings: Settings, setting: str, message: str, options: list[str]
    ) -> None:
        bare_site.client.create_bucket(Bucket=bare_site.bucket)
        setattr(settings, setting, "marked")
        with pytest.raises(CommandError, match=message) as caught:
            run(*options)
        assert "marked" not in str(caught.value)

    def test_wrong_region_is_an_error(
        self,
        moto: S3Server,
        moto_bucket: str,
        connect: Connect,
        settings: Settings,
        site_settings: None,
    ) -> None:
        """With AWS's own host names, which lead to moto as an HTTP proxy."""
        connect(moto, moto_bucket, endpoint_url=None)
        settings.AWS_S3_ADDRESSING_STYLE = None
        settings.AWS_S3_USE_SSL = False
        settings.AWS_S3_PROXIES = {"http": moto.endpoint_url}
        settings.STATIC_URL = f"https://{moto_bucket}.s3.amazonaws.com/static/"
        run("--apply")
        assert "There is nothing to do." in run()
        settings.AWS_S3_REGION_NAME = "eu-west-1"
        settings.STATIC_URL = f"https://{moto_bucket}.s3.eu-west-1.amazonaws.com/static/"
        with pytest.raises(CommandError, match="AWS_S3_REGION_NAME=us-east-1"):
            run()


class TestSettings:
    @pytest.mark.parametrize("option", ["--apply", "--iam", "--json"])
    @pytest.mark.parametrize("media", ["static/media", "static"])
    def test_private_files_in_a_public_location_are_an_error(
        self, bare_site: Site, name_storages: NameStorages, media: str, option: str
    ) -> None:
        name_storages(
            default={"BACKEND": MEDIA, "OPTIONS": {"location": media}}, staticfiles=STATIC
        )
        with pytest.raises(CommandError, match="S3MediaStorage keeps private files.*'static'"):
            run(option)
        assert not exists(bare_site)

    def test_without_a_storage_is_an_error(self, name_storages: NameStorages) -> None:
        name_storages()
        with pytest.raises(CommandError, match="name no herokuify storage"):
            run()

    @pytest.mark.parametrize(
        ("setting", "value", "message"),
        [
            ("AWS_STORAGE_BUCKET_NAME", None, "heroku config:set AWS_STORAGE_BUCKET_NAME=…"),
            ("AWS_SECRET_ACCESS_KEY", "", "heroku config:set AWS_SECRET_ACCESS_KEY=…"),
            ("AWS_S3_ENDPOINT_URL", "nonsense", "AWS_S3_ENDPOINT_URL"),
            ("AWS_S3_REGION_NAME", "no region", "AWS_S3_REGION_NAME"),
            ("STORAGES", {"default": {"BACKEND": "herokuify.nowhere"}}, 'a "nowhere"'),
        ],
    )
    def test_wrong_setting_is_an_error(
        self, bare_site: Site, settings: Settings, setting: str, value: Any, message: str
    ) -> None:
        setattr(settings, setting, value)
        storages.backends = settings.STORAGES
        with pytest.raises(CommandError) as caught:
            run()
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--noncurrent-days", "3"], "--noncurrent-days requires --versioning"),
            (["--versioning", "--noncurrent-days", "0"], "--noncurrent-days: invalid days value"),
        ],
    )
    def test_wrong_options_are_an_error(
        self, bare_site: Site, options: list[str], expected: str
    ) -> None:
        with pytest.raises(CommandError, match=expected):
            run(*options)

    def test_failure_of_the_second_bucket_keeps_the_first_report(
        self, bare_site: Site, name_storages: NameStorages, settings: Settings
    ) -> None:
        """If the second fails, the report of the first is still printed."""
        second = {"BACKEND": MEDIA, "OPTIONS": {"bucket_name": "not a name"}}
        name_storages(staticfiles=STATIC, default=MEDIA, other=second)
        # Buckets come in the order of STORAGES, after Django's two aliases.
        output = io.StringIO()
        with pytest.raises(CommandError, match='"not a name"'):
            run("--apply", output=output)
        assert exists(bare_site)
        assert f"s3://{bare_site.bucket}" in output.getvalue()
        assert "not a name" not in output.getvalue()

    def test_spellings_of_an_endpoint_are_one_bucket(
        self, bare_site: Site, name_storages: NameStorages
    ) -> None:
        """If it counted as two, the second's plan would remove the first's policy."""
        spelt = f"{bare_site.server.endpoint_url.replace('http', 'HTTP')}//"
        media: dict[str, Any] = {"BACKEND": MEDIA, "OPTIONS": {"endpoint_url": spelt}}
        name_storages(staticfiles=STATIC, default=media)
        public = [f"arn:aws:s3:::{bare_site.bucket}/static/*"]
        for _ in range(2):
            (report,) = json.loads(run("--apply", "--json"))["buckets"]
            assert report["bucket"] == bare_site.bucket
            assert policy_of(bare_site)["Statement"][0]["Resource"] in (public, public[0])
        media["OPTIONS"]["location"] = "static/invoices"
        name_storages(staticfiles=STATIC, default=media)
        with pytest.raises(CommandError, match="S3MediaStorage keeps private files.*'static'"):
            run("--apply")

    def test_storages_of_one_bucket_share_its_policy(
        self, bare_site: Site, name_storages: NameStorages, settings: Settings
    ) -> None:
        settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
        options = {"location": "assets", "base_url": f"{bare_site.url}/assets/"}
        assets = {"BACKEND": STATIC, "OPTIONS": options}
        name_storages(default=MEDIA, staticfiles=STATIC, assets=assets)
        assert steps()["policy"]["lines"] == [
            f"+ anyone may GET arn:aws:s3:::{bare_site.bucket}/assets/*",
            f"+ anyone may GET arn:aws:s3:::{bare_site.bucket}/static/*",
        ]


SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "marked-key"
USE_TZ = True
ALLOWED_HOSTS = ["www.example.com"]
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
STATIC_URL = get_static_url()
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.S3StaticStorage"},
}
"""


@on_ceph
@pytest.mark.once
def test_runs_as_a_command(
    s3: S3Server, bucket_name: str, make_project: Callable[..., Project]
) -> None:
    """In its own process; and no output contains a secret."""
    project = make_project(SETTINGS, env={**s3.variables, "AWS_STORAGE_BUCKET_NAME": bucket_name})
    for arguments in ([], ["--iam"], ["--apply"], ["--json"]):
        result = project.manage("herokuify", "bucket", *arguments)
        assert result.returncode == 0, result.stderr
        assert not result.stderr
        assert "marked" not in result.stdout
        assert s3.secret_key not in result.stdout
    wrong = {"AWS_SECRET_ACCESS_KEY": "marked-secret"}
    result = project.manage("herokuify", "bucket", "--apply", env=wrong)
    assert result.returncode == 1
    assert "CommandError: ImproperlyConfigured: " in result.stderr
    assert "Traceback" not in result.stderr
    assert "marked" not in result.stdout + result.stderr


def test_other_subcommands_do_not_import_boto3(make_project: Callable[..., Project]) -> None:
    project = make_project(
        "from herokuify.common import *\nUSE_TZ = True\nINSTALLED_APPS = ['herokuify']"
    )
    source = """
import sys
from django.core.management import call_command
call_command("herokuify", "env")
assert "boto3" not in sys.modules
"""
    assert project.snippet(source).returncode == 0
