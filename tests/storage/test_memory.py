"""Files of 100 and 200 MB are saved and read within 64 MB of additional memory."""

import sys
from collections.abc import Callable

import pytest

from tests.project import Project
from tests.servers import S3Server

pytestmark = pytest.mark.once

SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
STATIC_URL = get_static_url()
STATIC_ROOT = "staticfiles"
COMPRESS_ROOT = "staticfiles"
"""
SOURCE = """
import hashlib, io, resource, sys
from django.core.files.base import ContentFile, File
import herokuify.storage

MEGABYTE = 2**20
SIZE = {size} * MEGABYTE

class Generated(io.RawIOBase):
    # Each megabyte repeats its own number.

    def __init__(self):
        self.position = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self.position

    def seek(self, offset, whence=0):
        self.position = offset + (0, self.position, SIZE)[whence]
        return self.position

    def readinto(self, buffer):
        number, start = divmod(self.position, MEGABYTE)
        length = min(len(buffer), MEGABYTE - start, SIZE - self.position)
        block = number.to_bytes(4, "big") * (MEGABYTE // 4)
        buffer[:length] = block[start : start + length]
        self.position += length
        return length

def peak():
    # In megabytes. getrusage() would include the memory before exec().
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE

def digest(chunks):
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()

storage = getattr(herokuify.storage, {storage_class!r})({options})
storage.save("warm-up.txt", ContentFile(b"x"))
with storage.open("warm-up.txt") as file:
    file.read()
before = peak()
name = storage.save("large.bin", File(io.BufferedReader(Generated())))
saved = peak()
assert storage.size(name) == SIZE or storage.gzip
with storage.open(name) as file:
    assert digest(file.chunks()) == digest(File(io.BufferedReader(Generated())).chunks())
read = peak()
print(f"{{saved - before:.0f}} {{read - before:.0f}}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no getrusage()")
@pytest.mark.parametrize(
    ("size", "storage_class", "options"),
    [
        (200, "S3MediaStorage", ""),
        (100, "CachedS3StaticStorage", ""),
        (100, "S3StaticStorage", "gzip=True, gzip_content_types=['application/octet-stream']"),
    ],
    ids=["media", "cached", "gzip"],
)
def test_extra_memory(
    make_project: Callable[..., Project],
    moto: S3Server,
    moto_bucket: str,
    size: int,
    storage_class: str,
    options: str,
) -> None:
    project = make_project(SETTINGS, env={**moto.variables, "AWS_STORAGE_BUCKET_NAME": moto_bucket})
    source = SOURCE.format(storage_class=storage_class, options=options, size=size)
    result = project.snippet(source)
    assert result.returncode == 0, result.stderr
    saving, reading = map(int, result.stdout.split())
    assert 0 <= saving <= 64
    assert 0 <= reading <= 64
