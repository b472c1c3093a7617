"""The walls of the house, read from the code's syntax trees: which room may import which, which
foreign library lives where, and how long a file or a function may grow before it is asked why.
Knows the code only as text; it never imports the product. ARCHITECTURE.md explains the tables."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest


ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "backend" / "tokenwire"

# A room is a folder of the package, or a file beside them. What each may import of ours: a room, or
# one module of it. Every room may import itself and the two leaves.
LEAVES = {"errors", "metrics"}
ARROWS: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {
        "config",
        "serve",
        "history",
        "wire",
        "engine.catalogue",
        "engine.environment",
        "terminal",
    },
    "memory": {"wire", "generation", "history"},
    "numbers": {"generation", "engine"},
    "choices": {"config", "engine"},
    "serve": {
        "config",
        "memory",
        "numbers",
        "choices",
        "compat",
        "wire",
        "generation",
        "engine",
        "history",
        "web",
    },
    "config": set(),
    "compat": set(),
    "errors": set(),
    "metrics": set(),
    "wire": set(),
    "engine": set(),
    "generation": {"wire", "engine.base", "engine.models"},
    "history": {"wire"},
    "web": {"wire", "generation", "history", "engine.base", "engine.models", "compat"},
    "terminal": {"wire"},
    "demo_model": set(),
}

# A foreign library and the only places that may import it.
VLLM = {
    f"engine.{name}"
    for name in (
        "vllm",
        "launch",
        "answer",
        "core",
        "recovery",
        "hooks",
        "executor",
        "parsing",
        "preload",
    )
}
HOMES: dict[str, set[str]] = {
    "vllm": VLLM,
    "torch": VLLM,
    "transformers": VLLM,
    "quart": {"web", "compat"},
    "werkzeug": {"web", "compat"},
    "jinja2": {"web"},
    "hypercorn": {"serve", "compat"},
    "uvloop": {"serve", "__main__"},
    "sqlmodel": {"history"},
    "sqlalchemy": {"history"},
    "aiosqlite": {"history"},
    "alembic": {"history"},
    "websockets": {"terminal"},
    "rich": {"terminal", "__main__"},
    "huggingface_hub": {"engine.fetch"},
    "httpx2": {"engine.fetch"},
}

# Rooms that stay away from parts of the standard library: wire is pure, generation has no sockets.
WORLD = {"asyncio", "http", "io", "os", "pathlib", "select", "socket", "ssl", "subprocess"}
BANNED: dict[str, set[str]] = {
    "wire": WORLD | {"datetime", "random", "sqlite3", "tempfile", "threading", "time"},
    "generation": WORLD - {"asyncio"} | {"sqlite3", "threading"},
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
MAX_FILE, MAX_FUNCTION = 300, 40
# What is longer, and why: a number here is raised in a commit of its own.
LONGER: dict[str, tuple[int, str]] = {
    "backend/tokenwire/generation/generation.py": (440, "one answer's life, told in order"),
    "backend/tokenwire/generation/generations.py": (418, "every way to an answer by its id"),
    "backend/tokenwire/wire/commands.py": (320, "one struct for each client message"),
    "backend/tokenwire/wire/session.py": (365, "one connection's state"),
}


def module_of(path: Path) -> str:
    """`wire.events` for backend/tokenwire/wire/events.py, `wire` for its __init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.split(".")[0]


def is_in(module: str, places: set[str]) -> bool:
    """True when the module is one of the places or inside one of them."""
    return any(module == place or module.startswith(place + ".") for place in places)


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that the code imports, anywhere in it, also by name at run time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (imported(node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
            yield from (
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def imported(module: str, name: str) -> str:
    """What `from module import name` imports: one of our modules, else the module of the name."""
    inner = f"{module}.{name}"
    return inner if inner.removeprefix("tokenwire.") in SOURCES else module


def called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


SOURCES = {
    module_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if "/page/" not in str(path)
}
TREES = {module: ast.parse(path.read_text()) for module, path in SOURCES.items()}
MODULES = pytest.mark.parametrize("module", sorted(TREES))


def arrow_faults(module: str, tree: ast.AST) -> list[str]:
    """Imports of our own that the table does not allow."""
    room = room_of(module)
    allowed = ARROWS.get(room, set()) | LEAVES | {room}
    ours = {
        name.removeprefix("tokenwire.") for name in imports(tree) if name.startswith("tokenwire.")
    }
    return sorted(name for name in ours if not is_in(name, allowed))


def foreign_faults(module: str, tree: ast.AST) -> list[str]:
    """Imports of foreign libraries outside their home, and of the world in a room that is pure."""
    tops = {name.split(".")[0] for name in imports(tree)}
    away = {top for top in tops if top in HOMES and not is_in(module, HOMES[top])}
    return sorted(away | tops & BANNED.get(room_of(module), set()))


def lengths(path: Path, tree: ast.AST) -> Iterator[tuple[str, int, int]]:
    """Each (name, lines, bound): the file, then its functions. A revision is a list of columns."""
    name = str(path.relative_to(ROOT))
    yield name, len(path.read_text().splitlines()), MAX_FILE
    if "/migrations/versions/" in name:
        return
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield f"{name}:{node.name}", own_lines(node), MAX_FUNCTION


def own_lines(function: Function) -> int:
    """The lines of a function without its docstring and the functions inside it."""
    docstring = len((ast.get_docstring(function, clean=False) or "").splitlines())
    return span(function) - docstring - sum(span(inner) for inner in inner_functions(function))


def inner_functions(node: ast.AST) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child
        else:
            yield from inner_functions(child)


def span(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_every_room_is_in_the_table() -> None:
    assert {room_of(module) for module in TREES} <= set(ARROWS)
    assert {"wire", "generation", "engine", "history", "web"} <= {
        room_of(module) for module in TREES
    }


@MODULES
def test_a_room_imports_only_what_the_arrows_allow(module: str) -> None:
    assert arrow_faults(module, TREES[module]) == []


@MODULES
def test_a_foreign_library_stays_in_its_room(module: str) -> None:
    assert foreign_faults(module, TREES[module]) == []


@MODULES
def test_a_file_opens_with_what_it_is(module: str) -> None:
    assert module == "history.migrations.env" or ast.get_docstring(TREES[module])


@MODULES
def test_only_the_command_line_exits(module: str) -> None:
    exits = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)]
    names = {ast.unparse(node.func) for node in exits}
    assert module == "__main__" or not names & {"sys.exit", "exit", "quit", "SystemExit"}


@MODULES
def test_no_task_is_without_an_owner(module: str) -> None:
    calls = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)]
    assert not {ast.unparse(node.func) for node in calls} & {
        "asyncio.create_task",
        "asyncio.ensure_future",
    }


@MODULES
def test_nothing_is_longer_than_it_says_why(module: str) -> None:
    for name, lines, bound in lengths(SOURCES[module], TREES[module]):
        assert lines <= LONGER.get(name, (bound, ""))[0], f"{name} has {lines} lines"


@pytest.mark.parametrize(
    ("module", "code", "fault"),
    [
        ("wire.events", "from tokenwire.generation import log", "generation.log"),
        ("generation.log", "def f():\n    import tokenwire.web.sse", "web.sse"),
        ("generation.generation", "from tokenwire.engine.vllm import Machine", "engine.vllm"),
        ("history.store", "from tokenwire import serve", "serve"),
        ("web.models", "from tokenwire.engine import supervisor", "engine.supervisor"),
        ("terminal.chat", "from tokenwire.history.store import Store", "history.store"),
    ],
)
def test_a_forbidden_arrow_is_found(module: str, code: str, fault: str) -> None:
    assert fault in arrow_faults(module, ast.parse(code))


@pytest.mark.parametrize(
    ("module", "code", "fault"),
    [
        ("generation.log", "import sqlmodel", "sqlmodel"),
        ("engine.supervisor", "from vllm.config import VllmConfig", "vllm"),
        (
            "web.socket",
            "import importlib\nimportlib.import_module('hypercorn.asyncio')",
            "hypercorn",
        ),
        ("wire.session", "from time import monotonic", "time"),
        ("serve", "if TYPE_CHECKING:\n    from quart import Quart", "quart"),
        ("web.socket", "import websockets", "websockets"),
    ],
)
def test_a_strayed_library_is_found(module: str, code: str, fault: str) -> None:
    assert fault in foreign_faults(module, ast.parse(code))


def test_an_allowed_arrow_is_no_fault() -> None:
    code = "from tokenwire.engine import base\nimport tokenwire.engine.base, tokenwire.errors"
    assert arrow_faults("generation.generation", ast.parse(code)) == []
    assert foreign_faults("engine.vllm", ast.parse("import torch, vllm")) == []
