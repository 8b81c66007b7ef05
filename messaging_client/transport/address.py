"""The server's address, as users type it: checked once, in one place, before anything is sent to it."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from messaging_client.errors import ConfigurationError

DEFAULT_URL = "http://localhost:3000"
"""Where a server is while somebody works on it."""

_EXAMPLE = "such as https://messaging.example.org or http://localhost:3000"
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*\.?", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*", re.ASCII)


@dataclass(frozen=True)
class ServerAddress:
    """Where a server is.

    Attributes:
        scheme: `http` or `https`.
        host: name or IP address; an IPv6 address without its brackets, a name in its ASCII form.
        port: as written, or None for the scheme's own.
        path: what stands before every path of the server (`/clinic`), or the empty text.

    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""

    @classmethod
    def parse(cls, url: object, *, allow_insecure: bool) -> ServerAddress:
        """Read an address.

        Args:
            url: `http://` or `https://`, a host, and perhaps a port and a path prefix.
            allow_insecure: whether plain `http://` to another machine is allowed.

        Raises:
            ConfigurationError: it cannot be used; the text never repeats credentials that stood in it.

        """
        if not isinstance(url, str) or not url:
            raise ConfigurationError(f"The server's address must be a text, {_EXAMPLE}.")
        address = cls._read(url)
        if address.scheme == "http" and not address.is_loopback and not allow_insecure:
            raise ConfigurationError(
                f"http:// would send the token unencrypted to {address.host}: write https://, "
                "or set allow_insecure=True in MessagingConfig for a network that you trust."
            )
        return address

    @classmethod
    def _read(cls, url: str) -> ServerAddress:
        parts = _split(url, "The server's address")
        if parts.scheme in ("ws", "wss"):
            instead = {"ws": "http", "wss": "https"}[parts.scheme]
            raise ConfigurationError(
                f"Write the server's address with {instead}:// in place of {parts.scheme}://; "
                "the connection becomes a WebSocket by itself."
            )
        if parts.scheme not in ("http", "https"):
            raise ConfigurationError(f"The server's address must start with http:// or https://, {_EXAMPLE}.")
        if "@" in parts.netloc:
            raise ConfigurationError(
                "The server's address must not hold a user name or password: the token is given as token=."
            )
        if "?" in url or "#" in url:
            raise ConfigurationError(f"The server's address must end before any ? or #, {_EXAMPLE}.")
        host, port = _host(parts), _port(parts)
        path = parts.path.rstrip("/")
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise ConfigurationError("The path of the server's address holds characters that do not belong there.")
        return cls(parts.scheme, host, port, path)

    @property
    def origin(self) -> str:
        """Scheme, host and port (`http://localhost:3000`), without the path prefix."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.port is None else f"{self.scheme}://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The origin with the path prefix, without a slash at the end: what every path of the server is put after."""
        return self.origin + self.path

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine: `localhost`, `127.0.0.0/8` or `::1`."""
        return _is_loopback(self.host)

    def __str__(self) -> str:
        return self.base_url


@dataclass(frozen=True, repr=False)
class ProxyAddress:
    """Where an HTTP proxy is, and who one is to it; `repr` does not show the credentials."""

    url: str
    username: str | None = None
    password: str | None = None
    is_loopback: bool = False

    @classmethod
    def parse(cls, url: object) -> ProxyAddress:
        """Read the address of a proxy, `http://[user:password@]host:port`.

        Raises:
            ConfigurationError: it cannot be used; the text does not repeat it.

        """
        if not isinstance(url, str) or not url:
            raise ConfigurationError("proxy must be a text, such as http://proxy.example.org:3128.")
        parts = _split(url, "proxy")
        if parts.scheme not in ("http", "https"):
            raise ConfigurationError("proxy must start with http:// or https://; SOCKS proxies are not supported.")
        host, port = _host(parts), _port(parts)
        origin = ServerAddress(parts.scheme, host, port).origin
        return cls(origin, parts.username, parts.password, _is_loopback(host))

    def check_for(self, server: ServerAddress, *, allow_insecure: bool) -> None:
        """Refuse to hand what goes to a plain `http://` server to a proxy on another machine, which could read it.

        Raises:
            ConfigurationError: it would be so, and `allow_insecure` does not allow it.

        """
        if server.scheme == "http" and not self.is_loopback and not allow_insecure:
            raise ConfigurationError(
                "http:// through a proxy would show it the token: write https:// in the server's address, "
                "or set allow_insecure=True in MessagingConfig for a network that you trust."
            )

    @property
    def is_tls(self) -> bool:
        """Whether the way to the proxy itself is encrypted."""
        return self.url.startswith("https:")

    def __repr__(self) -> str:
        return f"ProxyAddress({self.url!r})"


def _split(url: str, what: str) -> SplitResult:
    """Cut an address in parts; control characters and spaces are refused first, for `urlsplit` drops some silently."""
    if _UNPRINTABLE.search(url):
        raise ConfigurationError(f"{what} holds a space, a backslash or a control character: write it without.")
    # The library's own exceptions repeat the address, credentials and all: ours are raised after theirs are gone.
    with contextlib.suppress(ValueError):
        return urlsplit(url)
    raise _unusable_host()


def _host(parts: SplitResult) -> str:
    host = ""
    with contextlib.suppress(ValueError):
        written = parts.hostname or ""
        if parts.netloc.rpartition("@")[2].startswith("["):
            return str(ipaddress.IPv6Address(written))
        host = written if written.isascii() else _ascii(written)
    if not _HOST.fullmatch(host):
        raise _unusable_host()
    return host


def _ascii(name: str) -> str:
    import httpx  # loaded for a name that needs it only: it takes as long as all of this package

    with contextlib.suppress(httpx.InvalidURL):
        return httpx.URL(scheme="https", host=name).raw_host.decode("ascii")
    return ""


def _port(parts: SplitResult) -> int | None:
    written = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")[2]
    if not written:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", written) or not 0 < int(written) < 65536:
        raise ConfigurationError("The port of the address must be a number from 1 to 65535.")
    return int(written)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unusable_host() -> ConfigurationError:
    return ConfigurationError(f"The address names no usable host: write scheme, host and perhaps a port, {_EXAMPLE}.")
