"""Storages with overlapping locations share a policy; requests to Ceph show what is public."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from herokuify.buckets.apply import apply
from herokuify.buckets.desired import Options, desired_for
from herokuify.exceptions import ConfigurationError
from herokuify.storage import S3MediaStorage, S3PublicMediaStorage
from tests.buckets.conftest import Site
from tests.storage.helpers import on_ceph, status

pytestmark = pytest.mark.no_django

LOCATIONS = ["", "a", "ab", "a/b", "a/b/c", "a b", "b", "B"]
KEYS = [f"{one}/f.txt".lstrip("/") for one in LOCATIONS]
OTHERS = {
    "Sid": "Others",
    "Effect": "Allow",
    "Principal": {"AWS": ["*"]},
    "Action": ["s3:GetObject"],
}


def is_below(key: str, location: str) -> bool:
    return not location or key.startswith(f"{location}/")


@st.composite
def projects(draw: st.DrawFn) -> dict[str, bool]:
    """Draw locations, and whether each is public."""
    return draw(st.dictionaries(st.sampled_from(LOCATIONS), st.booleans(), min_size=1, max_size=4))


def statements(site: Site) -> list[Any]:
    try:
        policy = site.client.get_bucket_policy(Bucket=site.bucket)["Policy"]
    except ClientError:
        return []
    found: list[Any] = json.loads(policy)["Statement"]
    return found


@on_ceph
def test_only_public_locations_are_public(bare_site: Site) -> None:
    """Whatever an earlier project or others have made public before."""
    client, bucket = bare_site.client, bare_site.bucket
    client.create_bucket(Bucket=bucket)
    for key in KEYS:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")

    @hypothesis_settings(
        max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(projects(), st.sampled_from([None, "b", "a/b"]))
    def check(project: dict[str, bool], others: str | None) -> None:
        public = [location for location in project if project[location]]
        private = [location for location in project if not project[location]]
        storages: list[Any] = [S3PublicMediaStorage(location=one) for one in public]
        storages += [S3MediaStorage(location=one) for one in private]
        try:
            desired = desired_for(storages, Options(origins=()))
        except ConfigurationError:
            assert any(is_below(f"{inner}/", outer) for inner in private for outer in public)
            return
        # The previous example's policy is the current one.
        kept = [one for one in statements(bare_site) if one["Sid"] != OTHERS["Sid"]]
        if others:
            kept.append({**OTHERS, "Resource": f"arn:aws:s3:::{bucket}/{others}/*"})
        client.delete_bucket_policy(Bucket=bucket)
        client.delete_public_access_block(Bucket=bucket)  # which a project without public files has
        if kept:
            document = {"Version": "2012-10-17", "Statement": kept}
            client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        apply(client, storages[0].destination, desired)
        opened = [*public, *([others] if others else [])]
        found = {key for key in KEYS if status(f"{bare_site.url}/{quote(key)}") == 200}
        assert found == {key for key in KEYS if any(is_below(key, one) for one in opened)}

    check()
