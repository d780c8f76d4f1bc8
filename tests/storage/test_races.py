"""Eight processes save the same names at the same time; every file is kept."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.fault_proxy import delayed
from tests.project import SNIPPET, Project, clean_environment
from tests.replay import replay
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph

PROCESSES = 8
ROUNDS = 20
SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify"]
"""
SOURCE = """
import json, sys
from django.core.files.base import ContentFile
from herokuify.storage import S3MediaStorage

number, rounds = map(int, sys.argv[1:])
storage = S3MediaStorage()
storage.exists("warm-up.txt")
print("ready", flush=True)
sys.stdin.readline()
names = [
    storage.save(f"photo-{turn}.txt", ContentFile(b"%d of %d" % (turn, number)))
    for turn in range(rounds)
]
print(json.dumps(names))
"""


@pytest.mark.once
@on_ceph  # moto checks and writes in two steps
def test_every_save_is_kept(
    make_project: Callable[..., Project], s3: S3Server, bucket: str
) -> None:
    with replay(s3.endpoint_url) as proxy:
        proxy.rule = delayed(0.02)
        variables = {
            **s3.variables,
            "AWS_S3_ENDPOINT_URL": proxy.url,
            "AWS_STORAGE_BUCKET_NAME": bucket,
        }
        project = make_project(SETTINGS, env=variables)
        workers = [
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", SNIPPET + SOURCE, str(number), str(ROUNDS)],
                cwd=project.folder,
                env={**clean_environment(project.folder), **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(PROCESSES)
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n", worker.communicate()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        outputs = [worker.communicate(timeout=300) for worker in workers]
    saved = {
        f"media/{name}": f"{turn} of {number}".encode()
        for number, (output, errors) in enumerate(outputs)
        for turn, name in enumerate(json.loads(output or errors))
    }
    assert len(saved) == PROCESSES * ROUNDS
    client = client_of(s3)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = {entry["Key"] for page in pages for entry in page["Contents"]}
    assert keys == set(saved)
    for key, content in saved.items():
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    # The first to save a name gets it.
    assert {f"media/photo-{turn}.txt" for turn in range(ROUNDS)} <= keys
