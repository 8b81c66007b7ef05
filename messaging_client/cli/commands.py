"""Commands and their options. What a command needs is imported when it runs, so that `--help` is quick.

A command of a module of its own, whose top imports typer and `cli.options` only, is added by `app.command()(it)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from messaging_client.cli.chat import chat
from messaging_client.cli.choices import EventKind, Filter, Person
from messaging_client.cli.exit_codes import ExitCode, table
from messaging_client.cli.fleet import fleet, relay, work
from messaging_client.cli.options import JsonOption, ServerArguments, with_server
from messaging_client.cli.record import record
from messaging_client.cli.replay import replay

ConversationArgument = Annotated[str, typer.Argument(metavar="CONVERSATION", help="Id of the conversation.")]


class _Group(TyperGroup):
    """Commands whose own options are not looked at once a command is named, before which alone they can stand.

    Typer reads them with pydantic, whose import takes longer than all the rest of `COMMAND --help`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-"):
            self.params, self.add_help_option = [], False
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="messaging-client",
    cls=_Group,
    help="Secure medical messaging from the command line. The server and the user come from the variables "
    "MESSAGING_URL and MESSAGING_TOKEN, or from options of each command.",
    epilog=f"Exit codes:\n\n\b\n{table()}",
    # Plain text: no boxes in a pipe, and a third of the time.
    rich_markup_mode=None,
    # A traceback with local variables would show messages and tokens.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
token_app = typer.Typer(cls=_Group, help="Make a token for the embedded server, or look at one.", rich_markup_mode=None)
app.add_typer(token_app, name="token")


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    shows_version: Annotated[bool, typer.Option("--version", help="Print the version, and exit.")] = False,
) -> None:
    if shows_version:
        version()
        raise typer.Exit(ExitCode.OK)
    _without_command(context)


@token_app.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


@app.command()
def demo() -> None:
    """Show a patient and a doctor exchange messages, live.

    It runs on an embedded server of its own, and takes some seconds.
    """
    import asyncio

    from messaging_client.cli.demo import show_demo

    raise typer.Exit(ExitCode.OK if asyncio.run(show_demo()) else ExitCode.FAILED)


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535)] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    database: Annotated[str, typer.Option(help="SQLite file; without it, memory only.")] = ":memory:",
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the key that tokens are signed with, 32 bytes or more.")
    ] = None,
) -> None:
    """Run the embedded server, for development only.

    It runs until Ctrl-C, and prints tokens to try it with.
    """
    from messaging_client.cli.serve import run_server

    raise typer.Exit(run_server(host=host, port=port, database=database, secret_file=secret_file))


@app.command()
@with_server
async def inbox(
    server: ServerArguments,
    kind: Annotated[Filter, typer.Option("--filter", help="Only these conversations.")] = Filter.ALL,
    search: Annotated[
        str, typer.Option(help="Only where every word is found in names, title or last message.", show_default=False)
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """List the user's conversations.

    The most recently active come first; a dot marks those with messages that are not read, and says how many.
    """
    from messaging_client.cli.inbox import show_inbox

    return await show_inbox(server, kind=kind.value, search=search, as_json=as_json)


@app.command()
@with_server
async def tail(
    server: ServerArguments,
    conversation: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this conversation; may be given again. Without it, all of the user's."),
    ] = None,
    kind: Annotated[
        list[EventKind] | None,
        typer.Option(
            "--type",
            metavar="EVENT",
            help=f"Only these events, of {', '.join(EventKind)}; may be given again. Without it, all but sent, update "
            "and notification.",
        ),
    ] = None,
    own: Annotated[bool, typer.Option("--own", help="The user's own messages too.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Print what happens, as it happens.

    Messages with their text, who types, who comes and goes, and the state of the connection, until Ctrl-C.
    """
    from messaging_client.cli.tail import tail as show

    return await show(server, conversations=conversation or (), kinds=kind or (), own=own, as_json=as_json)


@app.command()
@with_server
async def send(
    server: ServerArguments,
    conversation: ConversationArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say; - reads it from standard input.")],
    timeout: Annotated[float, typer.Option(help="Seconds after which it is given up.", min=0.1)] = 60.0,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="SQLite file that keeps a message which is not sent yet; the next send with it sends that first.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Send a message, and print its id.

    The id is printed when the server has stored the message; until then it is tried, and nothing is sent twice by
    guesswork.
    """
    from messaging_client.cli.send import send as deliver

    return await deliver(server, conversation, text, timeout=timeout, store=store, as_json=as_json)


@app.command()
@with_server
async def diagnose(
    server: ServerArguments,
    conversation: Annotated[
        str | None,
        typer.Option(
            metavar="ID", show_default=False, help="Conversation whose room is entered; else the first of the list."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that each answer is waited for.", min=0.1, max=3600)] = 10.0,
    as_json: JsonOption = False,
) -> int:
    """Find out why it does not work.

    Looks at everything between the user and live messages, a step at a time, and says what to do. It disturbs nobody:
    nothing is marked read, and the typing event that it sends says that the user has stopped.
    """
    from messaging_client.cli.diagnose import show_diagnosis

    return await show_diagnosis(server, conversation=conversation, timeout=timeout, as_json=as_json)


@token_app.command()
def mint(
    user_type: Annotated[Person, typer.Argument(metavar="patient|medecin", help="Which kind of user.")],
    user_id: Annotated[int, typer.Argument(metavar="ID", help="The user's id.")],
    secret_file: Annotated[
        Path, typer.Option(metavar="FILE", help="The key, as given to serve --secret-file; 32 bytes or more.")
    ],
    expires_in: Annotated[float, typer.Option(metavar="SECONDS", help="How long it is valid.")] = 604800,
) -> None:
    """Print a token for the embedded server."""
    from messaging_client.cli import token

    raise typer.Exit(
        token.mint(user_type=user_type.value, user_id=user_id, secret_file=secret_file, expires_in=expires_in)
    )


@token_app.command()
@with_server
async def inspect(server: ServerArguments, as_json: JsonOption = False) -> int:
    """Print what a token says, without its signature.

    Whose it is, when it expires, and its claims. No server is asked.
    """
    from messaging_client.cli import token

    return token.inspect(server, as_json=as_json)


for each in (chat, record, replay, relay, work, fleet):
    app.command()(each)


@app.command()
def version() -> None:
    """Print the version."""
    from messaging_client._version import __version__

    typer.echo(__version__)
