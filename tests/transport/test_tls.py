from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from messaging_client.errors import ConfigurationError
from messaging_client.transport import tls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def test_one_context_for_everybody() -> None:
    context = tls.context_for()
    assert context is tls.context_for(True, None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_without_verification() -> None:
    context = tls.context_for(False)
    assert context is tls.context_for(False)
    assert context is not tls.context_for(True)
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname


def test_a_ca_file_is_read_once_until_it_changes(ca_file: str, authority: trustme.CA) -> None:
    context = tls.context_for(ca_file)
    assert context is tls.context_for(ca_file)
    assert len(context.get_ca_certs()) == 1
    Path(ca_file).write_bytes(authority.cert_pem.bytes() + trustme.CA().cert_pem.bytes())
    assert len(tls.context_for(ca_file).get_ca_certs()) == 2


def test_a_ca_directory(tmp_path: Path) -> None:
    assert tls.context_for(str(tmp_path)).verify_mode is ssl.CERT_REQUIRED


def test_the_users_own_context_is_left_alone() -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    before = own.minimum_version
    assert tls.context_for(own) is own
    assert own.minimum_version is before
    with pytest.raises(ConfigurationError, match="into it"):
        tls.context_for(own, "client.pem")


def test_client_certificates(authority: trustme.CA, tmp_path: Path) -> None:
    issued = authority.issue_cert("client.example.org")
    both, cert, key = (str(tmp_path / name) for name in ("both.pem", "cert.pem", "key.pem"))
    issued.private_key_and_cert_chain_pem.write_to_path(both)
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    assert tls.context_for(True, both) is tls.context_for(True, both)
    assert tls.context_for(True, (cert, key)) is not tls.context_for(True, both)
    assert tls.context_for(True, (cert, key, "unneeded"))
    assert tls.context_for(True) is not tls.context_for(True, both)
    with pytest.raises(ConfigurationError, match="belong together") as caught:
        tls.context_for(True, (key, cert, "hunter2"))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_an_encrypted_key_without_password_does_not_ask_on_the_terminal(authority: trustme.CA, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as s

    issued = authority.issue_cert("client.example.org")
    key = s.load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"hunter2"))
    (tmp_path / "key.pem").write_bytes(locked)
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    with pytest.raises(ConfigurationError, match="belong together"):
        tls.context_for(True, pair)
    assert tls.context_for(True, (*pair, "hunter2"))


@pytest.mark.parametrize("cert", [None, "missing.pem", ("missing.pem", "missing.pem")])
def test_files_that_are_not_there(cert: object) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        tls.context_for("missing.pem" if cert is None else True, cert)  # type: ignore[arg-type]


def test_a_path_that_cannot_be_one() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        tls.context_for("a\0b")


def test_a_file_that_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(ConfigurationError, match="no usable CA certificates"):
        tls.context_for(str(path))
    with pytest.raises(ConfigurationError, match="belong together"):
        tls.context_for(True, str(path))


@pytest.mark.parametrize(
    ("verify", "cert"), [(None, None), (5, None), (True, 5), (True, ()), (True, ("a", 5)), (True, ("a",) * 4)]
)
def test_what_is_no_setting_at_all(verify: object, cert: object) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        tls.context_for(verify, cert)  # type: ignore[arg-type]
