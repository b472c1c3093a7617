"""The command line. The only file that prints or exits, and that hands a terminal to who writes on
one; it imports nothing heavy until the forkserver runs.

Engine processes import this module again, so everything below happens in `main` and nothing at
import.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tokenwire import __version__


if TYPE_CHECKING:
    from rich.console import Console

    from tokenwire.terminal.client import Server

FLAGS = ("host", "port", "model", "data_dir", "log_level")
URL = "http://127.0.0.1:8000"
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    commands = {"serve": _serve, "chat": _chat, "run": _run_prompt, "models": _models}
    return commands[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tokenwire", description="Language models on your own machine, over WebSocket and SSE."
    )
    parser.add_argument("--version", action="version", version=f"tokenwire {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="start the server")
    serve.add_argument("--host", help="the address to listen on (127.0.0.1)")
    serve.add_argument("--port", help="the port to listen on, 0 for any free one (8000)")
    serve.add_argument("--model", help="the default model: an id, or a folder (tokenwire-demo)")
    serve.add_argument("--data-dir", help="where chats and models are (~/.local/share/tokenwire)")
    serve.add_argument("--config", type=Path, help="a settings file (TOML)")
    serve.add_argument("--log-level", help="debug, info, warning or error (info)")
    chat = commands.add_parser("chat", help="chat with a running server in the terminal")
    chat.add_argument(
        "--continue",
        dest="conversation",
        nargs="?",
        const="",
        metavar="CONVERSATION",
        help="go on with this chat, or with the newest",
    )
    run = commands.add_parser("run", help="answer one prompt, for scripts")
    run.add_argument("prompt", nargs="?", help="what is piped in follows it, or takes its place")
    run.add_argument("--json", action="store_true", help="write the response object at its end")
    run.add_argument("--store", action="store_true", help="keep it, and resume after a restart")
    models = commands.add_parser("models", help="list, load, unload and fetch models")
    models.add_argument(
        "act", nargs="?", choices=("list", "load", "unload", "download", "cancel"), default="list"
    )
    models.add_argument("name", nargs="?", help="the model: an id, or owner/name of the hub")
    for client in (chat, run, models):
        client.add_argument("--url", default=URL, help=f"where the server is ({URL})")
    for client in (chat, run):
        client.add_argument("--model", help="the model's id (the server's default)")
        client.add_argument("--system", metavar="TEXT", help="instructions to the model")
    return parser


def _serve(options: argparse.Namespace) -> int:
    from tokenwire.config import SettingsError, load_settings

    flags = {name: value for name in FLAGS if (value := getattr(options, name)) is not None}
    try:
        settings = load_settings(flags, os.environ, options.config)
    except SettingsError as error:
        return _refuse(str(error))
    # Other people's libraries are heard from WARNING on; ours as loudly as was asked.
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("tokenwire").setLevel(settings.log_level.upper())
    from tokenwire.engine import environment

    try:
        # With the folder that people put their models in, so that they find it.
        (settings.data_path / "models").mkdir(parents=True, exist_ok=True)
        run_dir = environment.run_directory(settings.data_path)
    except OSError as error:
        return _refuse(f"The data folder can't be used: {error}")
    environment.prepare(run_dir, log_level=settings.log_level)
    environment.start_forkserver()
    return _run(settings, run_dir)


def _run(settings: object, run_dir: Path) -> int:
    from tokenwire import serve
    from tokenwire.config import Settings
    from tokenwire.engine import environment
    from tokenwire.history.values import CannotOpen

    if not isinstance(settings, Settings):
        raise TypeError("settings are made by load_settings")
    try:
        listener = serve.listen(settings.host, settings.port)
    except OSError as error:
        return _refuse(
            f"Port {settings.port} on {settings.host} can't be opened: {error.strerror}."
        )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host

    def opened() -> None:
        print(f"Tokenwire is at http://{shown}:{port} and keeps its data in {settings.data_path}")
        sys.stdout.flush()

    try:
        serve.run(settings, run_dir, listener, opened)
    except (CannotOpen, LookupError) as error:
        return _refuse(str(error))
    # All is closed and saved. Leaving by the interpreter's own exit would wait for an engine start
    # under way and for the exit handlers of everything that vLLM imports.
    environment.stop_forkserver()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _chat(options: argparse.Namespace) -> int:
    with suppress(ImportError):
        # With it `input` edits lines and remembers them; not every Python has it.
        importlib.import_module("readline")
    from tokenwire.terminal.chat import Chat
    from tokenwire.terminal.client import ClientError

    try:
        chat = Chat(
            _server(options.url),
            _console(),
            input,
            model=options.model,
            system=options.system,
        )
        chat.talk(options.conversation)
    except ClientError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _run_prompt(options: argparse.Namespace) -> int:
    from tokenwire.terminal.client import ClientError
    from tokenwire.terminal.run import run

    try:
        # What is piped in may be anything.
        piped = "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode(errors="replace")
        prompt = "\n\n".join(part for part in (options.prompt, piped.rstrip("\n")) if part)
        if not prompt:
            return _refuse("There is no prompt: give one, or pipe one in.")
        create = {"input": prompt, "model": options.model, "instructions": options.system}
        create["store"] = options.store
        server = _server(options.url)
        return run(server, create, sys.stdout, _console(stderr=True), as_json=options.json)
    except ClientError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read it has enough. The interpreter would complain when it flushes the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _models(options: argparse.Namespace) -> int:
    from tokenwire.terminal.client import ClientError
    from tokenwire.terminal.models import act_on, list_models

    if options.act != "list" and options.name is None:
        return _refuse(f"There is no model named to {options.act}.")
    try:
        server = _server(options.url)
        if options.act == "list":
            return list_models(server, _console())
        return act_on(server, _console(), options.act, options.name)
    except ClientError as error:
        return _refuse(str(error))


def _server(url: str) -> Server:
    """Raises ClientError."""
    from tokenwire.terminal.client import Server

    return Server.at(url, os.environ.get("TOKENWIRE_API_KEY"))


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    # What others wrote is neither markup nor coloured by guesses.
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def _refuse(sentence: str) -> int:
    print(f"tokenwire: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
