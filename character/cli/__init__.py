"""The command line. Subcommands are imported when they are called, so that help answers at once."""

from __future__ import annotations

import io
import json
import sys
from importlib import import_module
from typing import NoReturn

import click

from character._version import __version__
from character.cli.options import commands, refused
from character.errors import CharacterError, InputError

_MOVED = {"demo": "python examples/closed_loop --out FOLDER"}
"""Commands of earlier versions, and what does the same in a clone of the repository."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, texts in commands().items() if "short" in texts]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _MOVED:
            raise refused(InputError, "moved", name=cmd_name, instead=_MOVED[cmd_name])
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"character.cli.{cmd_name.replace('-', '_')}_command").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, commands()[name]["short"]) for name in self.list_commands(ctx)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="character")
def cli() -> None:
    """Character training as one program: traits in, preference pairs out.

    Exit codes: 0 done, 2 bad input or configuration, 3 stopped at the budget, 4 paused because a
    backend is down or refuses the key, 5 a model cannot be read, 130 stopped by Ctrl-C.
    """


def main() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except CharacterError as error:
        _fail(_redacted(str(error)), error.exit_code)
    except click.ClickException as error:
        error.show()
        _fail("", error.exit_code, error.format_message())
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped. What is finished is kept; the same command goes on from there.", err=True)
        _fail("", 130, "stopped")
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `| head` does
        sys.exit(0)


def _fail(message: str, exit_code: int, reason: str = "") -> NoReturn:
    """Say what went wrong on stderr, and as the one JSON document on stdout where that was asked for."""
    if message:
        click.echo(f"Error: {message}", err=True)
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": message or reason, "exit_code": exit_code}, ensure_ascii=False))
    sys.exit(exit_code)


def _redacted(text: str) -> str:
    if "character.backends.secrets" not in sys.modules:
        return text
    from character.backends.secrets import redact

    return redact(text)
