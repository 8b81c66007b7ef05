"""The entry point of the command line: everything that can go wrong ends here, as one line and an exit code."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_IN_CODE = {
    "set allow_insecure=True in MessagingConfig": "give --allow-insecure",
    "and was given up: retry or discard it": "and was given up: it is not on the server",
}
"""What errors advise to those who write Python, and what it is here."""


def run() -> None:
    """Run the command line; the entry point of the package."""
    missing = [name for name in ("typer", "rich", "uvicorn", "starlette") if find_spec(name) is None]
    if missing:
        sys.exit(f'The command line needs {", ".join(missing)}: pip install "messaging-client[cli]"')
    from messaging_client.cli.exit_codes import ExitCode
    from messaging_client.cli.output import OutputGone, let_go, prepare

    prepare()
    try:
        code = _run()
        sys.stdout.flush()
    except (BrokenPipeError, OutputGone):
        let_go()
        code = ExitCode.BROKEN_PIPE
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    sys.exit(code)


def _run() -> int:
    import typer

    from messaging_client.cli.commands import app
    from messaging_client.cli.exit_codes import ExitCode, code_of
    from messaging_client.cli.output import OutputGone, complain, without_tokens
    from messaging_client.errors import MessagingError

    try:
        return int(app(standalone_mode=False) or ExitCode.OK)
    except MessagingError as error:
        text = str(error)
        for written, here in _IN_CODE.items():
            text = text.replace(written, here)
        complain(text)
        return code_of(error)
    except SystemExit as ended:  # typer's own: at a broken pipe, and after it has shown what completes
        if isinstance(ended.__context__, BrokenPipeError):
            raise OutputGone from None
        return int(ended.code or 0)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, OutputGone, typer.Exit):
        raise
    except Exception as error:  # noqa: BLE001 - a traceback could show a token or a message
        usage = getattr(error, "ctx", None)
        explain = getattr(error, "format_message", None)
        if explain is None:
            places = "; ".join(getattr(error, "__notes__", ()))
            complain(f"An unexpected {type(error).__name__}; please report it. {places}")
            return ExitCode.FAILED
        if usage is not None:
            sys.stderr.write(f"{usage.get_usage()}\nTry '{usage.command_path} --help' for help.\n")
        said = explain().replace("Value error, ", "")  # pydantic's word, with which typer reads what is given
        sys.stderr.write(f"error: {without_tokens(said)}\n")
        return ExitCode.USAGE
