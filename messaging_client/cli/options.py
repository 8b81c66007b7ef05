"""What every command that talks to a server is given, and how a command is run."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from messaging_client.errors import AuthenticationError, ConfigurationError
from messaging_client.transport.address import DEFAULT_URL

if TYPE_CHECKING:
    from messaging_client.client import MessagingClient
    from messaging_client.config import MessagingConfig
    from messaging_client.transport.auth import Token

_STDIN = "-"

UrlOption = Annotated[str, typer.Option("--url", envvar="MESSAGING_URL", metavar="URL", help="Address of the server.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="JWT",
        show_default=False,
        help="The user's token, in place of the variable MESSAGING_TOKEN. Others on this machine can see what "
        "stands on a command line: better --token-file, or the variable.",
    ),
]
TokenFileOption = Annotated[
    str | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        show_default=False,
        help="File with the token, read again whenever a fresh one is needed; - for standard input.",
    ),
]
CaFileOption = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="FILE", show_default=False, help="Certificates of authorities to trust, as PEM."),
]
InsecureOption = Annotated[
    bool, typer.Option("--allow-insecure", help="Allow plain http:// to another machine, on a network that you trust.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One line of JSON for each thing, in place of words; its form is documented.")
]


@dataclass(frozen=True, repr=False)
class ServerArguments:
    """Which server, and who the user is."""

    url: str = DEFAULT_URL
    token: str | None = None
    token_file: str | None = None
    ca_file: Path | None = None
    allow_insecure: bool = False

    @property
    def reads_stdin(self) -> bool:
        """Whether the token comes from standard input."""
        return self.token_file == _STDIN

    def given_token(self) -> Token | None:
        """Give the token as the client takes it, or None where there is none.

        Raises:
            ConfigurationError: two were given.
            AuthenticationError: the file cannot be read.
        """
        if self.token is not None and self.token_file is not None:
            raise ConfigurationError("Give --token or --token-file, not both.")
        if self.token_file is None:
            return self.token or os.environ.get("MESSAGING_TOKEN") or None
        if self.reads_stdin:
            return sys.stdin.readline().strip()
        path = Path(self.token_file)
        read_token(path)  # one that is not there is told now
        return lambda: read_token(path)

    def needed_token(self) -> Token:
        """Give the token.

        Raises:
            AuthenticationError: there is none, or it is no JWT.
        """
        from messaging_client.transport.auth import usable_tokens

        token = self.given_token()
        if token is None:
            raise AuthenticationError("No token: set MESSAGING_TOKEN to the user's JWT, or give --token-file FILE.")
        try:
            usable_tokens(token() if callable(token) else token)
        except AuthenticationError:
            raise AuthenticationError(
                "The token is no JWT: three base64url parts with dots between, the first starting with eyJ, no more."
            ) from None
        return token

    def config(self, **settings: Any) -> MessagingConfig:
        """Give the settings of a client."""
        from messaging_client.config import MessagingConfig

        verify = True if self.ca_file is None else str(self.ca_file)
        return MessagingConfig(verify=verify, allow_insecure=self.allow_insecure, **settings)

    def client(self, *, store: Path | None = None, **settings: Any) -> MessagingClient:
        """Make a client, not yet connected."""
        from messaging_client.client import MessagingClient

        return MessagingClient(self.url, token=self.needed_token(), config=self.config(**settings), store=store)


def read_token(path: Path) -> str:
    """Read a token.

    Raises:
        AuthenticationError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise AuthenticationError(f"The token file {path} cannot be read: {reason_of(error)}.") from None


def reason_of(error: OSError | UnicodeError) -> str:
    """Say why a file cannot be read, without what stands in it."""
    return (error.strerror or type(error).__name__).lower() if isinstance(error, OSError) else "it is no text"


def signing_key_in(file: Path) -> str:
    """Read the key that the embedded server signs tokens with.

    Raises:
        ConfigurationError: it cannot be read, or is too short.
    """
    from messaging_client.testing.tokens import check_secret

    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"The key in {file} cannot be read: {reason_of(error)}; give the file of `serve --secret-file`."
        ) from None
    try:
        check_secret(key)
    except ConfigurationError:
        raise ConfigurationError(
            f"The key in {file} is too short: `head -c 32 /dev/urandom | base64 > FILE` makes one."
        ) from None
    return key


def keep_log_quiet() -> None:
    """Print no records: what is logged as a warning is told as an event or an error, and would be printed twice."""
    import logging

    logging.getLogger("messaging_client").addHandler(logging.NullHandler())


def with_server(command: Callable[..., Coroutine[Any, Any, int]]) -> Callable[..., None]:
    """Give a command the options of `ServerArguments`, as its first argument, and run it to its exit code."""
    own = inspect.signature(command, eval_str=True)
    common = inspect.signature(_common, eval_str=True)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        import asyncio

        keep_log_quiet()
        server = ServerArguments(**{name: given.pop(name) for name in common.parameters})
        raise typer.Exit(asyncio.run(command(server, **given)))

    parameters = [*list(own.parameters.values())[1:], *common.parameters.values()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _common(
    *,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    token_file: TokenFileOption = None,
    ca_file: CaFileOption = None,
    allow_insecure: InsecureOption = False,
) -> None:
    """What `with_server` adds."""
