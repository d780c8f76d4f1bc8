import pytest

from herokuify.conf.hosts import LOCAL_HOSTS, site_origins

pytestmark = pytest.mark.no_django


@pytest.mark.parametrize(
    ("allowed_hosts", "trusted", "expected"),
    [
        ([], [], []),
        (["www.example.com"], [], ["https://www.example.com"]),
        ([".example.com"], [], ["https://example.com", "https://*.example.com"]),
        (["[2001:db8::1]"], [], ["https://[2001:db8::1]"]),
        (["a.example", "*"], ["https://b.example"], ["*"]),
        (LOCAL_HOSTS, [], []),
        (["a.example"], ["http://b.example:8000"], ["https://a.example", "http://b.example:8000"]),
        (["a.example", "a.example"], ["https://a.example"], ["https://a.example"]),
    ],
)
def test_origins_of_allowed_hosts_and_trusted_origins(
    allowed_hosts: list[str], trusted: list[str], expected: list[str]
) -> None:
    assert site_origins(allowed_hosts, trusted) == expected
