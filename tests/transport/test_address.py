from __future__ import annotations

import pytest

from messaging_client.errors import ConfigurationError
from messaging_client.transport.address import ProxyAddress, ServerAddress


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://localhost:3000", "http://localhost:3000", ""),
        ("http://localhost:3000/", "http://localhost:3000", ""),
        ("HTTPS://Example.ORG", "https://example.org", ""),
        ("https://example.org:8443/clinic/", "https://example.org:8443", "/clinic"),
        ("https://example.org/a/b%20c", "https://example.org", "/a/b%20c"),
        ("http://[::1]:3000", "http://[::1]:3000", ""),
        ("http://127.8.9.10", "http://127.8.9.10", ""),
        ("https://clinique-médicale.fr", "https://xn--clinique-mdicale-kqb.fr", ""),
        ("https://my_service:1", "https://my_service:1", ""),
        ("https://example.org.", "https://example.org.", ""),
        ("https://example.org:", "https://example.org", ""),
    ],
)
def test_usable_addresses(url: str, origin: str, path: str) -> None:
    address = ServerAddress.parse(url, allow_insecure=False)
    assert (address.origin, address.path) == (origin, path)
    assert address.base_url == str(address) == origin + path


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (None, "must be a text"),
        (b"http://localhost", "must be a text"),
        ("", "must be a text"),
        ("localhost:3000", "must start with http"),
        ("//localhost", "must start with http"),
        ("ftp://localhost", "must start with http"),
        ("ws://localhost", "Write the server's address with http://"),
        ("wss://example.org", "Write the server's address with https://"),
        ("http://", "no usable host"),
        ("http:///api", "no usable host"),
        ("http://:3000", "no usable host"),
        ("http:localhost", "no usable host"),
        ("http://a..b", "no usable host"),
        ("http://[::1", "no usable host"),
        ("http://[v1.x]", "no usable host"),
        ("http://%41", "no usable host"),
        ("http://*", "no usable host"),
        ("https://-", "no usable host"),
        ("https://" + "a" * 300, "no usable host"),
        ("https://é" + "a" * 80, "no usable host"),
        ("http://localhost:0", "port"),
        ("http://localhost:65536", "port"),
        ("http://localhost:abc", "port"),
        ("http://localhost:-1", "port"),
        ("http://localhost:٣", "port"),
        ("http://[::1]:x", "port"),
        ("http://localhost?", "before any ?"),
        ("http://localhost/?a=1", "before any ?"),
        ("http://localhost#x", "before any ?"),
        ("http://local host", "control character"),
        (" http://localhost", "control character"),
        ("http://localhost\n", "control character"),
        ("http://localhost\x00", "control character"),
        ("http://localhost\\@evil", "backslash"),
        ("http://localhost/../x", "path"),
        ("http://localhost/é", "path"),
    ],
)
def test_unusable_addresses(url: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says.replace("?", r"\?")):
        ServerAddress.parse(url, allow_insecure=True)


@pytest.mark.parametrize("url", ["http://ann:hunter2@localhost", "https://hunter2@example.org", "http://:hunter2@:0"])
def test_credentials_are_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ServerAddress.parse(url, allow_insecure=True)
    assert "hunter2" not in str(caught.value)
    assert "user name or password" in str(caught.value)


@pytest.mark.parametrize("before", ["ws://", "ftp://", "http://"])
@pytest.mark.parametrize("host", ["h", "h:x", "[h", "h℀"])
def test_no_other_fault_repeats_credentials_either(before: str, host: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ServerAddress.parse(f"{before}u:hunter2@{host}", allow_insecure=True)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.1.2", True),
        ("[::1]", True),
        ("example.org", False),
        ("192.168.1.1", False),
        ("0.0.0.0", False),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("[::2]", False),
        ("127.1", False),
        ("2130706433", False),
    ],
)
def test_plain_http_only_to_this_machine(host: str, loopback: bool) -> None:
    assert ServerAddress.parse(f"https://{host}", allow_insecure=False).is_loopback is loopback
    if loopback:
        ServerAddress.parse(f"http://{host}:3000", allow_insecure=False)
    else:
        with pytest.raises(ConfigurationError, match="allow_insecure=True"):
            ServerAddress.parse(f"http://{host}:3000", allow_insecure=False)
        assert ServerAddress.parse(f"http://{host}:3000", allow_insecure=True).port == 3000


def test_addresses_compare_and_cannot_change() -> None:
    one = ServerAddress.parse("https://example.org", allow_insecure=False)
    assert one == ServerAddress.parse("https://EXAMPLE.org/", allow_insecure=False)
    with pytest.raises(AttributeError):
        one.host = "other"  # type: ignore[misc]


def test_proxy_keeps_credentials_apart() -> None:
    proxy = ProxyAddress.parse("http://ann:hunter2@proxy.example.org:3128")
    assert (proxy.url, proxy.username, proxy.password) == ("http://proxy.example.org:3128", "ann", "hunter2")
    assert "hunter2" not in repr(proxy)
    assert not proxy.is_tls
    assert ProxyAddress.parse("https://proxy").is_tls


@pytest.mark.parametrize("url", [None, "", "socks5://u:hunter2@proxy", "proxy:3128", "http://", "http://u:hunter2@p:x"])
def test_unusable_proxies(url: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ProxyAddress.parse(url)
    assert "hunter2" not in str(caught.value)
