"""The plan's steps, from the desired and the current configuration; without a server."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herokuify.buckets.current import NOTHING, WITH_ACLS, WITHOUT_ACLS, Current
from herokuify.buckets.desired import Desired, Options
from herokuify.buckets.plan import changes, plan
from herokuify.buckets.step import State, Step
from herokuify.s3.policies import CORS_ID, PUBLIC_SID

pytestmark = pytest.mark.no_django

ORIGIN = "https://www.example.com"
SITE = Desired("b", "eu-west-1", ("static",), ("media",), Options((ORIGIN,)))
MEDIA_ALONE = replace(SITE, public=())
EMPTY = replace(NOTHING, exists=True)
OPEN_BLOCK = {
    "BlockPublicAcls": False,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}
FULL_BLOCK = dict.fromkeys(OPEN_BLOCK, True)
STATIC_ARN = "arn:aws:s3:::b/static/*"
#: Statements of others, none of which makes private files public.
FOREIGN: dict[str, Any] = {
    "ours by hand": {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": STATIC_ARN,
    },
    "a CDN": {
        "Sid": "CloudFront",
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::1:distribution/E"}},
    },
    "TLS alone": {
        "Sid": "Tls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    },
}
EXPOSING: dict[str, Any] = {
    "all": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"},
    "media": {
        "Sid": "Media",
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::b/media/*"],
    },
    "listing": {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [STATIC_ARN],
    },
    "more than static": {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/stat*",
    },
    "all but one": {
        "Effect": "Allow",
        "NotPrincipal": {"AWS": "arn:aws:iam::1:user/x"},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/media/*",
    },
    "all other resources": {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "NotResource": STATIC_ARN,
    },
    "all other actions": {
        "Effect": "Allow",
        "Principal": "*",
        "NotAction": "s3:PutObject",
        "Resource": STATIC_ARN,
    },
    "under a condition": {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/media/*",
        "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
    },
}


def policy(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Id": "theirs", "Statement": list(statements)}


def steps_of(current: Current, desired: Desired = SITE) -> dict[str, Step]:
    return {step.name: step for step in plan(current, desired)}


def requests_of(current: Current, desired: Desired = SITE) -> list[str]:
    return [step.operation for step in changes(plan(current, desired))]


def applied(current: Current, desired: Desired) -> Current:
    """Return the configuration after the plan's requests, according to S3's documentation."""
    for step in changes(plan(current, desired)):
        sent: Mapping[str, Any] = step.parameters
        match step.operation:
            case "CreateBucket":
                current = replace(current, exists=True)
            case "PutPublicAccessBlock":
                current = replace(current, block=sent["PublicAccessBlockConfiguration"])
            case "PutBucketOwnershipControls":
                (rule,) = sent["OwnershipControls"]["Rules"]
                current = replace(current, ownership=rule["ObjectOwnership"])
            case "PutBucketPolicy":
                current = replace(current, policy=json.loads(sent["Policy"]))
            case "DeleteBucketPolicy":
                current = replace(current, policy={})
            case "PutBucketCors":
                current = replace(current, cors=sent["CORSConfiguration"]["CORSRules"])
            case "PutBucketLifecycleConfiguration":
                current = replace(current, lifecycle=sent["LifecycleConfiguration"]["Rules"])
            case "PutBucketVersioning":
                current = replace(current, versioning=sent["VersioningConfiguration"]["Status"])
            case unknown:
                raise AssertionError(unknown)
    return current


class TestOrder:
    def test_of_steps_for_a_new_bucket(self) -> None:
        assert requests_of(NOTHING) == [
            "CreateBucket",
            "PutBucketPolicy",
            "PutBucketOwnershipControls",
            "PutPublicAccessBlock",
            "PutBucketCors",
            "PutBucketLifecycleConfiguration",
        ]

    def test_static_files_are_public_all_the_time(self) -> None:
        """The policy is put after the block on policies is off, and before ACLs are disabled."""
        blocked = {**OPEN_BLOCK, "BlockPublicPolicy": True}
        assert requests_of(replace(EMPTY, block=blocked))[:4] == [
            "PutPublicAccessBlock",
            "PutBucketPolicy",
            "PutBucketOwnershipControls",
            "PutPublicAccessBlock",
        ]
        first, *_, last = [
            step.parameters["PublicAccessBlockConfiguration"]
            for step in changes(plan(replace(EMPTY, block=blocked), SITE))
            if step.operation == "PutPublicAccessBlock"
        ]
        assert first == OPEN_BLOCK
        assert last == {**OPEN_BLOCK, "BlockPublicAcls": True, "IgnorePublicAcls": True}


RULES = st.sampled_from(
    [
        {"ID": "theirs", "AllowedMethods": ["PUT"], "AllowedOrigins": ["https://a.example"]},
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 3600},
        {"ID": CORS_ID, "AllowedMethods": ["GET"], "AllowedOrigins": ["https://old.example"]},
    ]
)
LIFECYCLES = st.sampled_from(
    [
        {"ID": "tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}},
        {
            "ID": "aborts",
            "Status": "Enabled",
            "Filter": {},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        },
        {
            "ID": "HerokuifyAbortIncompleteUploads-static",
            "Status": "Disabled",
            "Filter": {"Prefix": "static/"},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
)
STATEMENTS = st.sampled_from(
    [
        *FOREIGN.values(),
        *EXPOSING.values(),
        {**FOREIGN["ours by hand"], "Sid": PUBLIC_SID, "Resource": ["arn:aws:s3:::b/old/*"]},
    ]
)
CURRENT = st.builds(
    Current,
    exists=st.booleans(),
    block=st.fixed_dictionaries(dict.fromkeys(OPEN_BLOCK, st.booleans())) | st.none(),
    ownership=st.sampled_from([WITH_ACLS, WITHOUT_ACLS, "BucketOwnerPreferred", None]),
    grants=st.just(()) | st.just(("READ to AllUsers",)),
    policy=st.lists(STATEMENTS, max_size=3).map(lambda some: policy(*some)) | st.none(),
    cors=st.lists(RULES, max_size=2) | st.none(),
    lifecycle=st.lists(LIFECYCLES, max_size=2, unique_by=lambda rule: str(rule["ID"])) | st.none(),
    versioning=st.sampled_from(["", "Suspended", "Enabled", None]),
)
DESIRED = st.builds(
    Desired,
    st.just("b"),
    st.just("eu-west-1"),
    st.sampled_from([(), ("static",), ("",), ("cube/public/static", "static")]),
    st.sampled_from([(), ("media",), ("",)]),
    st.builds(Options, st.sampled_from([(), (ORIGIN,)]), st.booleans(), st.none() | st.just(30)),
    acls=st.sampled_from([(), ("S3StaticStorage sends the ACL 'public-read'",)]),
).filter(lambda desired: bool(desired.locations))


class TestAlways:
    @given(CURRENT, DESIRED)
    def test_nothing_is_left_to_do_afterwards(self, current: Current, desired: Desired) -> None:
        after = applied(current, desired)
        assert requests_of(after, desired) == []

    @given(CURRENT, DESIRED)
    def test_what_others_wrote_stays(self, current: Current, desired: Desired) -> None:
        after = applied(current, desired)
        for one in (current.policy or {}).get("Statement", ()):
            if one.get("Sid") != PUBLIC_SID:
                assert one in (after.policy or {})["Statement"]
        for rule in current.cors or ():
            if rule.get("ID") != CORS_ID:
                assert rule in (after.cors or ())
        for rule in current.lifecycle or ():
            if not rule["ID"].startswith("Herokuify"):
                assert rule in (after.lifecycle or ())

    @given(CURRENT, DESIRED)
    def test_only_the_public_locations_are_opened(self, current: Current, desired: Desired) -> None:
        after = applied(current, desired)
        for one in (after.policy or {}).get("Statement", ()):
            if one not in (current.policy or {}).get("Statement", ()):
                assert one["Action"] == "s3:GetObject"
                ours = {f"arn:aws:s3:::b/{where}/*".replace("//", "/") for where in desired.public}
                assert set(one["Resource"]) == ours
        before, now = current.block or {}, after.block or {}
        opened = {flag for flag in now if before[flag] and not now[flag]}
        assert opened <= {"BlockPublicPolicy", "RestrictPublicBuckets"}
        if "RestrictPublicBuckets" in opened:  # which must not make statements of others effective
            exposing = list(EXPOSING.values())
            assert desired.public
            if desired.public != ("",):
                before_it = (current.policy or {}).get("Statement", ())
                assert not [one for one in before_it if one in exposing]

    @given(CURRENT, DESIRED)
    def test_a_step_without_a_request_shows_no_change(
        self, current: Current, desired: Desired
    ) -> None:
        for step in plan(current, desired):
            has_changes = any(line.startswith(("+", "-")) for line in step.lines)
            assert has_changes == (step.state is State.CHANGE) or step.state is State.BLOCKED
            assert step.lines
            assert (step.state is State.CHANGE) == bool(step.operation)


class TestPolicy:
    @pytest.mark.parametrize("statement", FOREIGN.values(), ids=FOREIGN)
    def test_of_others_stays(self, statement: Any) -> None:
        step = steps_of(replace(EMPTY, policy=policy(statement)))["policy"]
        document = json.loads(step.parameters["Policy"])
        assert document["Statement"][0] == statement
        assert document["Id"] == "theirs"
        assert [line for line in step.lines if "not herokuify's, stays" in line]
        assert not [line for line in step.lines if line.startswith("!")]

    @pytest.mark.parametrize("statement", EXPOSING.values(), ids=EXPOSING)
    def test_of_others_that_exposes_is_shown(self, statement: Any) -> None:
        step = steps_of(replace(EMPTY, policy=policy(statement)))["policy"]
        (line,) = [line for line in step.lines if line.startswith("!")]
        assert "lets anyone" in line
        assert json.loads(step.parameters["Policy"])["Statement"][0] == statement

    @pytest.mark.parametrize("statement", EXPOSING.values(), ids=EXPOSING)
    def test_of_others_behind_a_block_does_not_become_effective(self, statement: Any) -> None:
        current = replace(EMPTY, block=FULL_BLOCK, policy=policy(statement))
        steps = steps_of(current)
        for name in ("block on public policies", "policy", "ownership", "block on public ACLs"):
            assert steps[name].state is State.BLOCKED, name
            assert not steps[name].operation
        assert "RestrictPublicBuckets is on" in " ".join(steps["block on public policies"].lines)

    def test_outdated_statement_behind_a_block_does_not_become_effective(self) -> None:
        ours = {**FOREIGN["ours by hand"], "Sid": PUBLIC_SID, "Resource": "arn:aws:s3:::b/old/*"}
        steps = steps_of(replace(EMPTY, block=FULL_BLOCK, policy=policy(ours)))
        assert steps["block on public policies"].state is State.BLOCKED
        now = {**ours, "Resource": [STATIC_ARN]}
        steps = steps_of(replace(EMPTY, block=FULL_BLOCK, policy=policy(now)))
        assert steps["block on public policies"].state is State.CHANGE

    def test_single_statement_may_be_without_a_list(self) -> None:
        current = replace(EMPTY, policy={"Statement": FOREIGN["a CDN"]})
        step = steps_of(current)["policy"]
        assert FOREIGN["a CDN"] in json.loads(step.parameters["Policy"])["Statement"]

    @pytest.mark.parametrize(
        "change",
        [
            {"Principal": {"AWS": "*"}, "Action": ["s3:GetObject"], "Resource": STATIC_ARN},
            {"Resource": [STATIC_ARN]},
        ],
    )
    def test_equivalent_statement_is_the_same(self, change: dict[str, Any]) -> None:
        ours = {**FOREIGN["ours by hand"], "Sid": PUBLIC_SID, **change}
        assert steps_of(replace(EMPTY, policy=policy(ours)))["policy"].state is State.SAME

    @pytest.mark.parametrize(
        "change",
        [
            {"Effect": "Deny"},
            {"Action": "s3:*"},
            {"Principal": {"AWS": "arn:aws:iam::1:root"}},
            {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        ],
    )
    def test_ours_is_restored_after_changes(self, change: dict[str, Any]) -> None:
        ours = {**FOREIGN["ours by hand"], "Sid": PUBLIC_SID, **change}
        current = replace(EMPTY, policy=policy(ours))
        step = steps_of(current)["policy"]
        assert step.lines[0] == f"+ the current version of the statement {PUBLIC_SID}"
        assert requests_of(applied(current, SITE)) == []

    def test_location_that_is_no_longer_public_is_removed(self) -> None:
        ours = {**FOREIGN["ours by hand"], "Sid": PUBLIC_SID, "Resource": "arn:aws:s3:::b/old/*"}
        step = steps_of(replace(EMPTY, policy=policy(ours)))["policy"]
        assert step.lines == (
            "- anyone may GET arn:aws:s3:::b/old/*",
            f"+ anyone may GET {STATIC_ARN}",
        )

    def test_statement_without_a_public_location_is_removed(self) -> None:
        ours = {**FOREIGN["ours by hand"], "Sid": PUBLIC_SID}
        step = steps_of(replace(EMPTY, policy=policy(ours)), MEDIA_ALONE)["policy"]
        assert step.operation == "DeleteBucketPolicy"
        step = steps_of(replace(EMPTY, policy=policy(ours, FOREIGN["a CDN"])), MEDIA_ALONE)[
            "policy"
        ]
        assert json.loads(step.parameters["Policy"])["Statement"] == [FOREIGN["a CDN"]]

    @pytest.mark.parametrize(
        ("location", "resource"),
        [("", "b/*"), ("a*b", "b/a${*}b/*"), ("$x?", "b/${$}x${?}/*")],
    )
    def test_special_characters_in_a_location_are_escaped(
        self, location: str, resource: str
    ) -> None:
        step = steps_of(EMPTY, replace(SITE, public=(location,)))["policy"]
        (statement,) = json.loads(step.parameters["Policy"])["Statement"]
        assert statement["Resource"] == [f"arn:aws:s3:::{resource}"]


class TestBlock:
    def test_is_full_without_public_files(self) -> None:
        current = replace(EMPTY, block=OPEN_BLOCK)
        assert applied(current, MEDIA_ALONE).block == FULL_BLOCK

    @pytest.mark.parametrize("statement", EXPOSING.values(), ids=EXPOSING)
    def test_of_restricted_policies_stays_off_for_statements_of_others(
        self, statement: Any
    ) -> None:
        current = replace(EMPTY, block=OPEN_BLOCK, policy=policy(statement))
        after = applied(current, MEDIA_ALONE).block or {}
        assert not after["RestrictPublicBuckets"]
        assert after["IgnorePublicAcls"]

    def test_of_acls_is_left_alone_where_acls_are_needed(self) -> None:
        current = replace(EMPTY, ownership=None)
        step = steps_of(current)["block on public ACLs"]
        assert step.state is State.SAME
        assert step.lines[-1] == "= left alone: this service uses ACLs"
        assert steps_of(current)["ownership"].state is State.UNSUPPORTED

    def test_of_acls_is_left_alone_without_policies(self) -> None:
        steps = steps_of(replace(EMPTY, policy=None))
        assert steps["ownership"].state is State.UNSUPPORTED
        assert steps["block on public ACLs"].state is State.SAME
        alone = steps_of(replace(EMPTY, policy=None), MEDIA_ALONE)
        assert alone["ownership"].state is State.CHANGE


class TestOwnership:
    @pytest.mark.parametrize(
        ("current", "desired", "reason"),
        [
            (
                replace(EMPTY, grants=("READ to AllUsers",)),
                SITE,
                "! the bucket's ACL grants READ to AllUsers, which would be lost.",
            ),
            (
                EMPTY,
                replace(SITE, acls=("S3StaticStorage sends the ACL 'public-read'",)),
                "! S3StaticStorage sends the ACL 'public-read', which S3 refuses without ACLs.",
            ),
        ],
    )
    def test_stays_while_acls_are_in_use(
        self, current: Current, desired: Desired, reason: str
    ) -> None:
        steps = steps_of(current, desired)
        for name in ("ownership", "block on public ACLs"):
            assert steps[name].state is State.BLOCKED
        assert reason in "\n".join(steps["ownership"].lines)
        assert steps["policy"].state is State.CHANGE

    def test_hint_has_the_command(self) -> None:
        lines = steps_of(replace(EMPTY, grants=("READ to AllUsers",)))["ownership"].lines
        assert "aws s3api put-bucket-acl --acl private --bucket b" in lines[-1]


class TestCors:
    def test_of_others_stays(self) -> None:
        theirs = {"ID": "up", "AllowedMethods": ["PUT"], "AllowedOrigins": ["https://a.example"]}
        step = steps_of(replace(EMPTY, cors=[theirs]))["CORS"]
        assert step.parameters["CORSConfiguration"]["CORSRules"][0] == theirs
        assert "= the rule up for https://a.example, not herokuify's, stays" in step.lines

    def test_changed_hosts_are_shown(self) -> None:
        ours = steps_of(EMPTY)["CORS"].parameters["CORSConfiguration"]["CORSRules"]
        desired = replace(SITE, options=Options(("https://new.example",)))
        step = steps_of(replace(EMPTY, cors=ours), desired)["CORS"]
        assert step.lines == (f"- pages of {ORIGIN}", "+ pages of https://new.example")

    def test_uploads_are_a_change_of_the_same_pages(self) -> None:
        ours = steps_of(EMPTY)["CORS"].parameters["CORSConfiguration"]["CORSRules"]
        desired = replace(SITE, pending=("pending",), upload_headers=("x-amz-checksum-sha256",))
        step = steps_of(replace(EMPTY, cors=ours), desired)["CORS"]
        assert step.lines == (f"- pages of {ORIGIN}", f"+ uploads from pages of {ORIGIN}")

    @pytest.mark.parametrize("origins", [(), ("*",)])
    def test_unknown_hosts_allow_any_site(self, origins: tuple[str, ...]) -> None:
        step = steps_of(EMPTY, replace(SITE, options=Options(origins)))["CORS"]
        assert step.lines[0] == "+ pages of any site"
        assert "heroku config:set ALLOWED_HOSTS=…" in step.lines[1]

    @pytest.mark.parametrize(
        "change", [{"AllowedMethods": ["GET"]}, {"MaxAgeSeconds": 1}, {"AllowedHeaders": ["*"]}]
    )
    def test_ours_is_restored_after_changes(self, change: dict[str, Any]) -> None:
        (ours,) = steps_of(EMPTY)["CORS"].parameters["CORSConfiguration"]["CORSRules"]
        step = steps_of(replace(EMPTY, cors=[{**ours, **change}]))["CORS"]
        assert step.lines[0] == f"+ the current version of the rule {CORS_ID}"

    def test_is_not_needed_for_media(self) -> None:
        assert steps_of(EMPTY, MEDIA_ALONE)["CORS"].state is State.SAME


ABORT = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}


class TestLifecycle:
    def test_has_a_rule_for_each_location(self) -> None:
        rules = steps_of(EMPTY)["lifecycle"].parameters["LifecycleConfiguration"]["Rules"]
        assert rules == [
            {
                "ID": f"HerokuifyAbortIncompleteUploads-{location}",
                "Status": "Enabled",
                "Filter": {"Prefix": f"{location}/"},
                **ABORT,
            }
            for location in ("static", "media")
        ]

    def test_rule_may_cover_the_whole_bucket(self) -> None:
        step = steps_of(EMPTY, replace(SITE, private=("",)))["lifecycle"]
        (rule,) = step.parameters["LifecycleConfiguration"]["Rules"]
        assert rule["Filter"] == {"Prefix": ""}

    def test_old_form_of_rules_is_kept(self) -> None:
        """AWS refuses a mixture of both forms."""
        theirs = {"ID": "x", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 1}}
        current = replace(EMPTY, lifecycle=[theirs])
        rules = steps_of(current)["lifecycle"].parameters["LifecycleConfiguration"]["Rules"]
        assert rules[0] == theirs
        assert [rule["Prefix"] for rule in rules] == ["tmp/", "static/", "media/"]
        assert not [rule for rule in rules if "Filter" in rule]
        assert requests_of(applied(current, SITE)) == []

    @pytest.mark.parametrize(
        ("change", "is_enough"),
        [
            ({"Filter": {"Prefix": ""}}, True),
            ({"Filter": {}}, True),
            ({"Prefix": ""}, True),
            ({"Filter": {"Prefix": ""}, "Status": "Disabled"}, False),
            ({"Filter": {"Prefix": "static/"}}, False),
            ({"Filter": {"Tag": {"Key": "a", "Value": "b"}}}, False),
            ({"Filter": {"And": {"Prefix": "", "Tags": []}}}, False),
            (
                {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 30}},
                False,
            ),
        ],
    )
    def test_rule_of_others_may_be_enough(self, change: dict[str, Any], is_enough: bool) -> None:
        theirs = {"ID": "theirs", "Status": "Enabled", **ABORT, **change}
        step = steps_of(replace(EMPTY, lifecycle=[theirs]))["lifecycle"]
        assert (step.state is State.SAME) == is_enough
        if is_enough:
            assert "(by the rule 'theirs')" in step.lines[0]

    def test_options_are_kept(self) -> None:
        """A PUT without them would reset them to their defaults."""
        options = {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
        step = steps_of(replace(EMPTY, lifecycle_options=options))["lifecycle"]
        assert step.parameters["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"


class TestVersioning:
    @pytest.mark.parametrize("state", ["", "Suspended", "Enabled"])
    def test_is_only_on_request(self, state: str) -> None:
        current = replace(EMPTY, versioning=state)
        assert "versioning" not in steps_of(current)
        desired = replace(SITE, options=Options((), versioning=True))
        assert steps_of(current, desired)["versioning"].state is (
            State.SAME if state == "Enabled" else State.CHANGE
        )

    def test_old_versions_expire_only_on_request(self) -> None:
        desired = replace(SITE, options=Options((ORIGIN,), versioning=True))
        assert "old versions" not in "".join(steps_of(EMPTY, desired)["lifecycle"].lines)
        desired = replace(SITE, options=Options((ORIGIN,), versioning=True, noncurrent_days=30))
        after = applied(EMPTY, desired)
        expiries = [
            (rule["Filter"]["Prefix"], rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
            for rule in after.lifecycle or ()
            if "NoncurrentVersionExpiration" in rule
        ]
        assert expiries == [("static/", 30), ("media/", 30)]
        # Without the option, the rules stay.
        assert requests_of(after) == []
