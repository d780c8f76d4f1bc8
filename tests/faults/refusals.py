"""Faults that a request to S3 finds: connection, keys, permissions, the bucket."""

from tests.faults import servers
from tests.faults.configuration import NO_KEYS
from tests.faults.fault import Command, Fault, Means
from tests.projects.heroku import SECRETS
from tests.replay import (
    CLOCK_SKEW,
    EXPIRED_TOKEN,
    NO_ACLS,
    OTHERS_BUCKET,
    POLICY_BLOCKED,
    wrong_region,
)

AUTO_CREATE = {"AWS_AUTO_CREATE_BUCKET": "true"}
KEYS = "heroku config:set AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"
# As a view uses uploads.
MEDIA = "from django.core.files.storage import default_storage as media; media."
READ = Command(f"shell -c '{MEDIA}open(\"a.txt\").read()'")
DELETE = Command(f"shell -c '{MEDIA}delete(\"a.txt\")'")

ACCESS = [
    Fault(
        "No credentials",
        Means.CHECK,
        ("AWS_ACCESS_KEY_ID", KEYS),
        env=NO_KEYS,
        alone=True,
    ),
    Fault(
        "Unknown access key",
        Means.COMMAND,
        ("AWS_ACCESS_KEY_ID", KEYS),
        env={"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"},
        state=servers.ceph,
        alone=True,
    ),
    Fault(
        "Wrong secret access key",
        Means.COMMAND,
        ("AWS_SECRET_ACCESS_KEY", KEYS),
        env={"AWS_SECRET_ACCESS_KEY": SECRETS["AWS_SECRET_ACCESS_KEY"]},
        state=servers.ceph,
        alone=True,
    ),
    Fault(
        "The session token has expired",
        Means.COMMAND,
        ("AWS_SESSION_TOKEN", f"{KEYS} AWS_SESSION_TOKEN=…"),
        env={"AWS_SESSION_TOKEN": SECRETS["AWS_SESSION_TOKEN"]},
        state=servers.answering(answer=EXPIRED_TOKEN),
    ),
    Fault(
        "The clock is wrong",
        Means.COMMAND,
        ("clock", "Set the clock"),
        state=servers.answering(answer=CLOCK_SKEW),
    ),
    Fault(
        "The endpoint doesn't respond",
        Means.COMMAND,
        ("could not be reached", "AWS_S3_ENDPOINT_URL"),
        state=servers.nobody,
        is_configuration=False,
    ),
    Fault(
        "The endpoint's TLS certificate is not trusted",
        Means.COMMAND,
        ("certificate", "AWS_S3_VERIFY"),
        state=servers.untrusted,
    ),
]

BUCKET = [
    Fault(
        "The bucket does not exist",
        Means.COMMAND,
        ("does not exist", "heroku config:set AWS_AUTO_CREATE_BUCKET=true"),
        state=servers.no_bucket,
        alone=True,
    ),
    Fault(
        "The bucket belongs to another account",
        Means.COMMAND,
        ("another account", "heroku config:set AWS_STORAGE_BUCKET_NAME=…"),
        env=AUTO_CREATE,
        state=servers.answering("CreateBucket", answer=OTHERS_BUCKET, exists=False),
    ),
    Fault(
        "The bucket is in another region",
        Means.COMMAND,
        ("eu-west-1", "heroku config:set AWS_S3_REGION_NAME=eu-west-1"),
        state=servers.answering(answer=wrong_region("us-east-1", "eu-west-1")),
    ),
    Fault(
        "S3 refuses a public policy",
        Means.COMMAND,
        ("s3:PutBucketPolicy", "Block Public Access settings for this account"),
        env=AUTO_CREATE,
        state=servers.answering("PutBucketPolicy", answer=POLICY_BLOCKED, exists=False),
    ),
]

PERMISSIONS = [
    Fault(
        "Listing is denied",
        Means.COMMAND,
        ("s3:ListBucket", "IAM user of AWS_ACCESS_KEY_ID"),
        state=servers.forbidding("s3:ListBucket"),
    ),
    Fault(
        "Writing is denied",
        Means.COMMAND,
        ("s3:PutObject", "IAM user of AWS_ACCESS_KEY_ID"),
        state=servers.forbidding("s3:PutObject"),
    ),
    Fault(
        "Reading is denied",
        Means.COMMAND,
        ("s3:GetObject", "IAM user of AWS_ACCESS_KEY_ID"),
        state=servers.forbidding("s3:GetObject"),
        command=READ,
    ),
    Fault(
        "Deleting is denied",
        Means.COMMAND,
        ("s3:DeleteObject", "IAM user of AWS_ACCESS_KEY_ID"),
        state=servers.forbidding("s3:DeleteObject"),
        command=DELETE,
    ),
    Fault(
        "An ACL is refused",
        Means.COMMAND,
        ("AWS_DEFAULT_ACL", "Delete AWS_DEFAULT_ACL"),
        settings='AWS_DEFAULT_ACL = "public-read"\n',
        state=servers.answering("PutObject", answer=NO_ACLS),
    ),
]
