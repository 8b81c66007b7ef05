"""`messaging-client relay`, `work` and `fleet`: one bot account on many processes, around NATS JetStream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Annotated, cast

import typer

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import JsonOption, ServerArguments, keep_log_quiet, with_server
from messaging_client.errors import ConfigurationError

NatsOption = Annotated[
    str,
    typer.Option(
        "--nats",
        envvar="NATS_URL",
        metavar="URL",
        help="Address of the NATS server, with JetStream; those of a cluster with commas between them.",
    ),
]
CredentialsOption = Annotated[
    str | None,
    typer.Option("--nats-credentials", metavar="FILE", show_default=False, help="Credentials file for NATS."),
]
AccountOption = Annotated[str, typer.Option("--account", metavar="NAME", help="Name of the account; one stream each.")]
PartitionsOption = Annotated[
    int, typer.Option(min=1, max=1024, help="The same for all relays and workers of an account.")
]
DEFAULT_NATS = "nats://localhost:4222"


@with_server
async def relay(
    server: ServerArguments,
    account: AccountOption = "bot",
    nats: NatsOption = DEFAULT_NATS,
    nats_credentials: CredentialsOption = None,
    partitions: PartitionsOption = 32,
    duplicate_window: Annotated[
        float, typer.Option(min=1, max=86400, help="Seconds within which copies of other relays are dropped.")
    ] = 120.0,
    replicas: Annotated[int, typer.Option(min=1, max=5, help="Servers of a cluster that keep the stream.")] = 1,
) -> int:
    """Publish what the user is told, for workers on NATS.

    Run two or more of an account, and none is missed when one of them is down. Until Ctrl-C or SIGTERM.
    """
    _need_nats()
    from messaging_client.cli.output import say
    from messaging_client.fleet import Relay
    from messaging_client.signals import until_told_to_stop

    made = Relay(
        server.client(),
        nats,
        account,
        partitions=partitions,
        duplicate_window=duplicate_window,
        replicas=replicas,
        nats_options=_options(nats_credentials),
    )
    async with made:
        await until_told_to_stop(lambda: say(f"relaying {account}"))
    counted = made.stats()
    say(f"published {counted.published}, of these {counted.duplicates} known already")
    return ExitCode.OK


@with_server
async def work(
    server: ServerArguments,
    handler: Annotated[
        str, typer.Argument(metavar="MODULE:HANDLER", help="An async function of an event and its delivery.")
    ],
    account: AccountOption = "bot",
    nats: NatsOption = DEFAULT_NATS,
    nats_credentials: CredentialsOption = None,
    partitions: PartitionsOption = 32,
    concurrency: Annotated[int, typer.Option(min=1, help="Partitions that are worked off at a time.")] = 8,
    ack_wait: Annotated[
        float, typer.Option(min=0.5, max=3600, help="Seconds after which another worker has what a dead one had.")
    ] = 30.0,
    idempotency: Annotated[
        bool, typer.Option("--server-idempotency", help="The messaging server honours Idempotency-Key.")
    ] = False,
) -> int:
    """Handle the events of an account with a function of yours.

    Run as many as are needed; order within a conversation is kept. Until Ctrl-C or SIGTERM.
    """
    _need_nats()
    from messaging_client.cli.output import say
    from messaging_client.fleet import Worker
    from messaging_client.signals import until_told_to_stop

    function = _found(handler)
    client = server.client(server_idempotency=idempotency)
    made = Worker(
        nats,
        account,
        function,
        client=client,
        partitions=partitions,
        concurrency=concurrency,
        ack_wait=ack_wait,
        nats_options=_options(nats_credentials),
    )
    try:
        async with made:
            await until_told_to_stop(lambda: say(f"working for {account}"))
    finally:
        await client.aclose()
    counted = made.stats()
    say(f"handled {counted.handled}, failed {counted.failed}, set aside {counted.dead}")
    return ExitCode.OK


def fleet(
    account: AccountOption = "bot",
    nats: NatsOption = DEFAULT_NATS,
    nats_credentials: CredentialsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the events of an account stand on NATS.

    How many wait, in which partitions, how many came again, and how many were set aside.
    """
    _need_nats()
    import asyncio
    from dataclasses import asdict

    from messaging_client.cli.output import json_line, say
    from messaging_client.fleet import fleet_status

    keep_log_quiet()
    status = asyncio.run(fleet_status(nats, account, nats_options=_options(nats_credentials)))
    if as_json:
        say(json_line({"lag": status.lag} | asdict(status)))
        return
    say(f"{status.lag} wait, {status.in_hand} in hand, {status.redeliveries} delivered again, {status.dead} set aside")
    for partition, waiting in sorted(status.waiting.items()):
        say(f"  partition {partition}: {waiting} wait")


def _need_nats() -> None:
    if find_spec("nats") is None:
        raise ConfigurationError('Relays and workers need nats-py: pip install "messaging-client[nats]"')


def _options(credentials: str | None) -> dict[str, str]:
    return {} if credentials is None else {"user_credentials": credentials}


def _found(name: str) -> Callable[..., Awaitable[None]]:
    """Import a handler, from the folder that the command is run in first.

    Raises:
        ConfigurationError: there is none of that name.
    """
    import importlib
    import sys

    module, _, function = name.partition(":")
    if not module or not function:
        raise ConfigurationError("Name the handler as MODULE:FUNCTION, such as bot:handle.")
    sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), function, None)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"There is no module {error.name}, looked for from this folder.") from None
    if not callable(found):
        raise ConfigurationError(f"{module} has no function {function}.")
    return cast(Callable[..., Awaitable[None]], found)
