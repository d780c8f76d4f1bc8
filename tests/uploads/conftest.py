"""A site on each S3 server, and its visitors."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.storage import Storage
from django.test import Client
from pytest_django import Settings

from tests.uploads import site
from tests.uploads.site import Browser


@pytest.fixture
def uploads(settings: Settings) -> None:
    """The settings for direct uploads, for any storage."""
    site.configure(settings)


@pytest.fixture
def storage(uploads: None, default_storage: Storage, db: None) -> Storage:
    """The site's storage, on each server."""
    return default_storage


@pytest.fixture
def visitor() -> Browser:
    """A visitor who has not logged in."""
    return Browser(Client())


@pytest.fixture
def log_in(db: None) -> Callable[..., Browser]:
    """Create and log in a user: ``log_in("ada", "testapp.add_document")``."""

    def log_in(name: str, *permissions: str) -> Browser:
        user = User.objects.create_user(name, is_staff=True)
        for one in permissions:
            label, codename = one.split(".")
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label=label, codename=codename)
            )
        client = Client()
        client.force_login(user)
        return Browser(client)

    return log_in


@pytest.fixture
def ada(log_in: Callable[..., Browser]) -> Browser:
    """A user who may add documents, albums and photos."""
    return log_in(
        *("ada", "testapp.add_document", "testapp.add_album", "testapp.change_album"),
        *("testapp.add_photo", "testapp.change_photo", "testapp.view_photo"),
    )
