"""scripts/setup and scripts/serve in a small checkout whose Python, pip, npm and node are stand-ins
that write down how they were called: what is done, when it is done again, and the one sentence each
refusal says. That the real ones do their part is proved by scripts/test itself."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]
TOOLS = (
    "awk bash cat cp cut df dirname env find flock grep mkdir readlink rm sha256sum sort touch "
    "uname xargs"
)

PYTHON = """#!/usr/bin/env bash
case "$*" in
  *version_info*) echo 3.12 ;;
  *--version*) echo Python 3.12.1 ;;
  *"-m venv"*) mkdir -p .venv/bin .venv/lib/python3.12/site-packages && cp "$0" .venv/bin/python ;;
  *"-m pip"*) echo "pip ${*#* pip }" >>calls && [[ ! -e broken || "$*" != *"$(cat broken)"* ]] ;;
  *"-m tokenwire"*) shift && echo "$*" >>calls ;;
esac
"""
NODE = """#!/usr/bin/env bash
[[ $1 == -p ]] && echo 20 && exit
echo "node $*" >>calls && mkdir -p backend/tokenwire/web/page
echo page >backend/tokenwire/web/page/index.html
"""
NPM = "#!/usr/bin/env bash\necho npm $* >>calls && mkdir -p node_modules\n"
OLD_PYTHON = "#!/usr/bin/env bash\necho 3.9\n"
NO_VENV = "#!/usr/bin/env bash\n[[ $* == *ensurepip* ]] && exit 1\necho 3.11\n"
FULL_DISK = "#!/usr/bin/env bash\necho head\necho disk 1 1 1048576 99% /\n"
OLD_NODE = "#!/usr/bin/env bash\necho 18\n"
OTHER_SYSTEM = "#!/usr/bin/env bash\necho Darwin arm64\n"
GPU = "#!/usr/bin/env bash\necho GPU 0: NVIDIA H200\n"


class Checkout:
    """A folder with our real scripts and locks, and a PATH with only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS.split():
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        for name in ("requirements", "scripts/lib"):
            shutil.copytree(ROOT / name, self.folder / name)
        for name in ("scripts/setup", "scripts/serve", "scripts/build.mjs", "package.json"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        for name in ("package-lock.json", "frontend/page.js"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text("{}")
        for name, text in (("python3", PYTHON), ("node", NODE), ("npm", NPM)):
            self.put(name, text)

    def put(self, name: str, text: str) -> None:
        """Puts a stand-in on the PATH, or takes it away when the text is empty."""
        (self.bin / name).unlink(missing_ok=True)
        if text:
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def start(self, script: str = "setup", *arguments: str, **env: str) -> subprocess.Popen[str]:
        command = [str(self.folder / "scripts" / script), *arguments]
        clean = {"PATH": str(self.bin), "HOME": str(self.folder.parent)}
        return subprocess.Popen(
            command, env=clean | env, cwd=self.folder, stderr=subprocess.PIPE, text=True
        )

    def run(self, script: str = "setup", *arguments: str, **env: str) -> tuple[int, list[str]]:
        """(exit status, the lines that it said)"""
        with self.start(script, *arguments, **env) as process:
            _, said = process.communicate(timeout=30)
        return process.returncode, said.splitlines()

    def calls(self) -> list[str]:
        """The outside programs called since the last look."""
        path = self.folder / "calls"
        calls = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return calls


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_fresh_checkout_gets_all_that_serving_needs(checkout: Checkout) -> None:
    status, said = checkout.run()
    torch, rest, npm, node = checkout.calls()
    assert status == 0
    assert torch.endswith("-r requirements/cpu-torch.txt")
    assert rest.endswith("--no-deps --only-binary :all: --require-hashes -r requirements/cpu.txt")
    assert npm.startswith("npm ci --ignore-scripts")
    assert node == "node scripts/build.mjs"
    assert "tokenwire: setting up for the CPU with Python 3.12.1; this is done once." in said
    path_file = checkout.folder / ".venv/lib/python3.12/site-packages/tokenwire.pth"
    assert path_file.read_text().strip() == str(checkout.folder / "backend")


def test_a_second_run_does_nothing_and_says_nothing(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    assert checkout.run() == (0, [])
    assert checkout.calls() == []


def test_the_second_start_needs_neither_node_nor_an_outside_python(checkout: Checkout) -> None:
    checkout.run()
    for name in ("node", "npm", "python3"):
        checkout.put(name, "")
    assert checkout.run() == (0, [])


def test_serve_hands_its_options_to_the_server(checkout: Checkout) -> None:
    status, _ = checkout.run("serve", "--port", "9000", "--model", "a b")
    assert status == 0
    assert checkout.calls()[-1] == "tokenwire serve --port 9000 --model a b"


def test_an_interrupted_install_starts_over(checkout: Checkout) -> None:
    (checkout.folder / "broken").write_text("cpu.txt")
    status, said = checkout.run()
    assert status == 1
    assert said[-1].endswith("start again to go on.")
    half_made = checkout.folder / ".venv/half"
    half_made.touch()
    (checkout.folder / "broken").unlink()
    assert checkout.run()[0] == 0
    assert not half_made.exists()


def test_an_interrupted_install_of_test_packages_starts_over(checkout: Checkout) -> None:
    checkout.put("chromium", NPM)
    checkout.put("fc-match", "#!/usr/bin/env bash\necho DejaVuSans.ttf\n")
    (checkout.folder / "broken").write_text("test.txt")
    assert checkout.run("setup", "test")[0] == 1
    (checkout.folder / "broken").unlink()
    checkout.calls()
    assert checkout.run("setup", "test")[0] == 0
    locks = [call.split("/")[-1] for call in checkout.calls() if call.startswith("pip")]
    assert locks == ["cpu-torch.txt", "cpu.txt", "test.txt"]


def test_a_changed_lock_makes_the_environment_anew(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    with (checkout.folder / "requirements/cpu.txt").open("a") as lock:
        lock.write("# changed\n")
    assert checkout.run()[0] == 0
    assert [call.split()[0] for call in checkout.calls()] == ["pip", "pip"]


def test_a_changed_page_is_built_and_nothing_else_is_done(checkout: Checkout) -> None:
    checkout.run()
    checkout.calls()
    (checkout.folder / "frontend/page.js").write_text("changed")
    assert checkout.run()[0] == 0
    assert checkout.calls() == ["node scripts/build.mjs"]


def test_torch_comes_from_its_own_index_where_the_configured_ones_have_none(
    checkout: Checkout,
) -> None:
    (checkout.folder / "broken").write_text(":all: -r requirements/cpu-torch.txt")
    status, _ = checkout.run()
    first, second, *_ = checkout.calls()
    assert status == 0
    assert "--index-url" not in first
    assert "--index-url https://download.pytorch.org/whl/cpu" in second


@pytest.mark.parametrize(
    ("gpu", "wish", "lock"),
    [("", "", "cpu"), (GPU, "", "cuda"), (GPU, "cpu", "cpu"), ("", "cuda", "cuda")],
)
def test_the_device_chooses_the_lock(checkout: Checkout, gpu: str, wish: str, lock: str) -> None:
    checkout.put("nvidia-smi", gpu)
    env = {"TOKENWIRE_DEVICE": wish} if wish else {}
    if lock == "cuda":
        checkout.put("df", FULL_DISK.replace("1048576", "104857600"))
    assert checkout.run(**env)[0] == 0
    installed = {call.split("/")[-1] for call in checkout.calls() if call.startswith("pip")}
    assert installed == ({"cpu-torch.txt", "cpu.txt"} if lock == "cpu" else {"cuda.txt"})


@pytest.mark.parametrize(
    ("program", "instead", "sentence"),
    [
        ("python3", "", "Python 3.11, 3.12 or 3.13 is needed, and"),
        ("python3", OLD_PYTHON, "Python 3.11, 3.12 or 3.13 is needed, and"),
        ("python3", NO_VENV, "Python 3.11 here has no venv module: install it"),
        ("df", FULL_DISK, "Setting up needs 5 GB of free disk here, and there"),
        ("node", "", "Node 20 or newer is needed to build the page, and this machine has none"),
        ("node", OLD_NODE, "Node 20 or newer is needed to build the page, and this machine has 18"),
        ("npm", "", "npm is needed to build the page, and this machine has none"),
        ("uname", OTHER_SYSTEM, "Tokenwire runs on Linux on x86_64 or aarch64"),
    ],
)
def test_a_machine_that_lacks_something_is_told_in_one_sentence(
    checkout: Checkout, program: str, instead: str, sentence: str
) -> None:
    checkout.put(program, instead)
    status, said = checkout.run("serve")
    assert status == 1
    assert said[-1].startswith(f"tokenwire: {sentence}")
    assert said[-1].endswith(".")
    assert not any(line.startswith("tokenwire serve") for line in checkout.calls())


def test_a_missing_browser_is_installed_for_the_tests(checkout: Checkout) -> None:
    checkout.put("apt-get", '#!/usr/bin/env bash\necho "apt-get $*" >>calls\n')
    checkout.put("sudo", '#!/usr/bin/env bash\nshift && exec "$@"\n')
    checkout.put("true", "#!/usr/bin/env bash\n")
    assert checkout.run("setup", "test")[0] == 0
    update, install = checkout.calls()[-2:]
    assert update.startswith("apt-get update")
    assert "--no-install-recommends chromium fonts-dejavu-core" in install


def test_a_missing_browser_that_cannot_be_installed_is_spoken_of(checkout: Checkout) -> None:
    status, said = checkout.run("setup", "test")
    assert status == 0
    assert said[-1] == (
        "tokenwire: the page's tests need Chromium and will fail without it: "
        "install chromium and fonts-dejavu-core."
    )


def test_a_wrong_wish_is_refused(checkout: Checkout) -> None:
    assert checkout.run(TOKENWIRE_DEVICE="tpu")[1] == [
        "tokenwire: TOKENWIRE_DEVICE is 'tpu' but can only be cpu or cuda."
    ]
    assert "/no/python is none" in checkout.run(TOKENWIRE_PYTHON="/no/python")[1][-1]


def test_two_set_ups_take_turns(checkout: Checkout) -> None:
    with (checkout.folder / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with checkout.start() as second:
            assert second.stderr
            assert "another set-up is at work" in second.stderr.readline()
            assert checkout.calls() == []
            fcntl.flock(lock, fcntl.LOCK_UN)
            second.communicate(timeout=30)
    assert second.returncode == 0
    assert len(checkout.calls()) == 4


def test_the_scripts_work_from_any_folder(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "tokenwire"
    link.symlink_to(checkout.folder / "scripts/setup")
    env = {"PATH": str(checkout.bin), "HOME": str(tmp_path)}
    subprocess.run([link], env=env, cwd="/", check=True, capture_output=True, timeout=30)
    assert (checkout.folder / ".venv/bin/python").exists()
