"""The router's decisions; tests/services/test_databases.py has them with real databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.local import Local
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connections, router

from herokuify import routers
from herokuify.db import get_db_config
from herokuify.routers import ReplicaRouter
from tests.testapp.models import Document

PRIMARY = "postgres://me@db.example.com/name"
REPLICAS = {"replica_amber", "replica_pink"}


def use(monkeypatch: pytest.MonkeyPatch, *colors: str) -> None:
    """Replace DATABASES: a primary with these followers, and another; nothing connects to them."""
    environ = {f"HEROKU_POSTGRESQL_{color}_URL": f"postgres://{color}/name" for color in colors}
    config = get_db_config({"DATABASE_URL": PRIMARY, **environ}, followers=True)
    config["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    monkeypatch.setattr(connections, "settings", connections.configure_settings(config))
    # Other tests must not find connections that were made with these settings.
    monkeypatch.setattr(connections, "_connections", Local(connections.thread_critical))
    monkeypatch.setattr(router, "routers", [ReplicaRouter()])


@pytest.fixture(autouse=True)
def nothing_written() -> Iterator[None]:
    """No write is remembered from earlier tests, nor for later ones."""
    token = routers._written.set(None)
    yield
    routers._written.reset(token)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "AMBER", "PINK")


def one_of(alias: str) -> Document:
    document = Document()
    document._state.db = alias
    return document


def test_without_followers_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    assert router.db_for_read(Document) == "default"
    assert router.db_for_write(Document) == "default"
    assert router.db_for_read(Document, instance=one_of("other")) == "other"
    assert router.allow_migrate("default", "testapp")
    assert not router.allow_relation(one_of("default"), one_of("other"))


@pytest.mark.usefixtures("followed")
class TestReads:
    def test_are_spread_over_the_followers(self) -> None:
        assert {router.db_for_read(Document) for _ in range(200)} == REPLICAS

    @pytest.mark.parametrize("model", [User, Group, Session])
    def test_of_users_and_sessions_use_the_primary(self, model: type[User]) -> None:
        assert {router.db_for_read(model) for _ in range(20)} == {"default"}

    def test_of_a_custom_user_model_use_the_primary(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Not the real setting, on which Django's own models depend.
        monkeypatch.setattr("herokuify.routers.settings.AUTH_USER_MODEL", "testapp.Document")
        assert {router.db_for_read(Document) for _ in range(20)} == {"default"}

    @pytest.mark.parametrize("alias", ["default", "other", *sorted(REPLICAS)])
    def test_use_the_database_of_the_instance(self, alias: str) -> None:
        found = {router.db_for_read(Document, instance=one_of(alias)) for _ in range(20)}
        assert found == {alias}

    def test_of_users_in_another_database_stay_there(self) -> None:
        user = User()
        user._state.db = "other"
        assert router.db_for_read(User, instance=user) == "other"

    def test_with_an_unsaved_instance_use_a_follower(self) -> None:
        assert router.db_for_read(Document, instance=Document()) in REPLICAS

    def test_of_more_apps_can_use_the_primary(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Router(ReplicaRouter):
            primary_apps = ReplicaRouter.primary_apps | {"testapp"}

        monkeypatch.setattr(router, "routers", [Router()])
        assert {router.db_for_read(Document) for _ in range(20)} == {"default"}


@pytest.mark.usefixtures("followed")
class TestAfterAWrite:
    @pytest.mark.parametrize("origin", [None, "default", "replica_pink"])
    def test_reads_use_the_primary_for_five_seconds(
        self, monkeypatch: pytest.MonkeyPatch, origin: str | None
    ) -> None:
        now = 100.0
        monkeypatch.setattr(routers.time, "monotonic", lambda: now)
        router.db_for_write(Document, **({"instance": one_of(origin)} if origin else {}))
        assert {router.db_for_read(Document) for _ in range(20)} == {"default"}
        now += 4.9
        assert {router.db_for_read(Document) for _ in range(20)} == {"default"}
        now += 0.2
        assert {router.db_for_read(Document) for _ in range(200)} == REPLICAS

    def test_pin_seconds_can_be_changed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Router(ReplicaRouter):
            pin_seconds = 0

        monkeypatch.setattr(router, "routers", [Router()])
        router.db_for_write(Document)
        assert router.db_for_read(Document) in REPLICAS

    def test_seconds_count_from_the_end_of_the_transaction(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(routers.time, "monotonic", lambda: now)
        monkeypatch.setattr(connections["default"], "in_atomic_block", True)
        router.db_for_write(Document)
        now += 60
        monkeypatch.setattr(connections["default"], "in_atomic_block", False)
        assert router.db_for_read(Document) == "default"
        now += 6
        assert router.db_for_read(Document) in REPLICAS

    @pytest.mark.parametrize("model", [User, Session])
    def test_to_users_and_sessions_reads_still_use_followers(self, model: type[User]) -> None:
        router.db_for_write(model)
        assert router.db_for_read(Document) in REPLICAS

    def test_to_another_database_reads_still_use_followers(self) -> None:
        router.db_for_write(Document, instance=one_of("other"))
        assert router.db_for_read(Document) in REPLICAS

    def test_other_threads_still_use_followers(self) -> None:
        router.db_for_write(Document)
        with ThreadPoolExecutor(1) as other:
            assert other.submit(router.db_for_read, Document).result() in REPLICAS


def test_without_followers_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    router.db_for_write(Document)
    assert routers._written.get() is None


@pytest.mark.usefixtures("followed")
class TestWritesRelationsAndMigrations:
    @pytest.mark.parametrize(
        ("alias", "expected"),
        [("default", "default"), ("replica_pink", "default"), ("other", "other")],
    )
    def test_writes_never_go_to_a_follower(self, alias: str, expected: str) -> None:
        assert router.db_for_write(Document, instance=one_of(alias)) == expected

    @pytest.mark.parametrize("alias", ["default", *sorted(REPLICAS)])
    def test_objects_of_one_database_can_be_related(self, alias: str) -> None:
        assert router.allow_relation(one_of(alias), one_of("default"))
        assert router.allow_relation(one_of("replica_pink"), one_of(alias))
        assert not router.allow_relation(one_of(alias), one_of("other"))

    def test_followers_are_not_migrated(self) -> None:
        allowed = [alias for alias in connections if router.allow_migrate(alias, "testapp")]
        assert allowed == ["default", "other"]
