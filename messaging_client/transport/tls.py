"""TLS contexts, made once and shared: one costs some 20 to 50 ms and close to a megabyte."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

import httpx

from messaging_client.errors import ConfigurationError

Verify = bool | str | ssl.SSLContext
"""True, False, a path to a file or directory of CA certificates, or a context of the user's own, as in httpx."""

Cert = str | tuple[str, str] | tuple[str, str, str]
"""A file with certificate and key, or (certificate, key), or (certificate, key, password), as in httpx."""


def context_for(verify: Verify = True, cert: Cert | None = None) -> ssl.SSLContext:
    """Give the context for these settings, the same object to everybody who has the same settings.

    `verify=True` trusts what httpx trusts: certifi's list, or what `SSL_CERT_FILE` or `SSL_CERT_DIR` name when the
    first context is made. Files that have changed on disk are read again. A context of the user's own is left as it
    is. The oldest protocol spoken is TLS 1.2.

    Raises:
        ConfigurationError: a file cannot be read or used.

    """
    if isinstance(verify, ssl.SSLContext):
        if cert is not None:
            raise ConfigurationError(
                "With an SSLContext as verify, load the client certificate into it, not into cert."
            )
        return verify
    if not isinstance(verify, (bool, str)):
        raise ConfigurationError("verify must be True, False, a path to CA certificates or an ssl.SSLContext.")
    names = _cert_parts(cert)
    files = [verify] if isinstance(verify, str) else []
    return _shared(verify, names, tuple(_changed_at(name) for name in (*files, *names[:2])))


def _cert_parts(cert: Cert | None) -> tuple[str, ...]:
    if cert is None:
        return ()
    parts = (cert,) if isinstance(cert, str) else cert
    if not isinstance(parts, tuple) or not 1 <= len(parts) <= 3 or not all(isinstance(part, str) for part in parts):
        raise ConfigurationError("cert must be a path, or (certificate, key), or (certificate, key, password).")
    return parts


def _changed_at(name: str) -> int:
    try:
        return Path(name).stat().st_mtime_ns
    except (OSError, ValueError):
        raise ConfigurationError(_unreadable(name)) from None


def _unreadable(name: str) -> str:
    return f"The certificate file {name!r} cannot be read: check the path in verify or cert, and its permissions."


@lru_cache(maxsize=32)
def _shared(verify: bool | str, cert: tuple[str, ...], changed_at: tuple[int, ...]) -> ssl.SSLContext:
    """Make a context; `changed_at` is there so that a changed file makes another one."""
    context = _trusting(verify)
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if cert:
        certificate = cert[0]
        key = cert[1] if len(cert) > 1 else None
        # An empty password in place of none: OpenSSL would ask for one on the terminal.
        password = cert[2] if len(cert) > 2 else ""
        try:
            context.load_cert_chain(certificate, key, password)
        except (OSError, ValueError):  # `ssl.SSLError` is an OSError
            raise ConfigurationError(
                f"The client certificate {certificate!r} cannot be used: check that certificate, key and password "
                "in cert belong together and are readable PEM files."
            ) from None
    return context


def _trusting(verify: bool | str) -> ssl.SSLContext:
    if isinstance(verify, bool):
        return httpx.create_ssl_context(verify=verify)
    try:
        if Path(verify).is_dir():
            return ssl.create_default_context(capath=verify)
        return ssl.create_default_context(cafile=verify)
    except OSError:
        raise ConfigurationError(f"{verify!r} in verify holds no usable CA certificates: give PEM files.") from None
