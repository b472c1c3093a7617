"""The command line. The only file that prints or exits; it imports nothing heavy until the
forkserver runs.

Engine processes import this module again, so everything below happens in `main` and nothing at
import.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from tokenwire import __version__


FLAGS = ("host", "port", "model", "data_dir", "log_level")


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit status."""
    options = _parser().parse_args(arguments)
    return _serve(options)


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


def _refuse(sentence: str) -> int:
    print(f"tokenwire: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
