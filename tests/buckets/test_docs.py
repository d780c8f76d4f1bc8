"""docs/bucket.md lists exactly the permissions that the command needs."""

import re
from pathlib import Path

import pytest

import herokuify
from herokuify.buckets import access, cors_lifecycle, current, plan
from herokuify.s3.errors import permission_of

pytestmark = [pytest.mark.no_django, pytest.mark.source_tree]

PAGE = Path(herokuify.__file__).parent.parent / "docs" / "bucket.md"


def test_required_permissions_are_listed() -> None:
    sources = [
        Path(str(module.__file__)).read_text() for module in (access, cors_lifecycle, current, plan)
    ]
    operations = re.findall(r'"((?:Get|Put|Delete|Create)[A-Z]\w+)"', "".join(sources))
    asked = {permission_of(operation) for operation in operations} | {"s3:ListBucket"}
    page = PAGE.read_text(encoding="utf-8")
    _, _, section = page.partition("## Required permissions\n")
    section = section.partition("\n## ")[0]
    assert set(re.findall(r"`(s3:\w+)`", section)) == asked
