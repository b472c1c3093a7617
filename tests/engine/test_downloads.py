"""Downloads from a hub on loopback, by the real client in the real process: whole, interrupted in
every way, refused in every way, and taken away again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from support.hub import Hub, Repository, a_hub, blob_of
from support.server import descendants, wait_gone
from tokenwire.engine.catalogue import find_models
from tokenwire.engine.downloads import DownloadPaused, DownloadRefused, Downloads
from tokenwire.engine.fetch_words import Patience
from tokenwire.engine.hub_cache import CachedRepo
from tokenwire.engine.models import Transfer


REPO = "org/small"
WEIGHTS = "model.safetensors"
LENGTH = 1_000_000
SMALL = {
    "config.json": b"{}",
    "tokenizer.json": b'{"a": 1}',
    "README.md": b"# Small",
    "LICENSE": b"Yours",
    "chat_template.jinja": b"{{ messages }}",
}
OTHER = {"pytorch_model.bin": b"bin", "original/consolidated.pth": b"pth", "small.gguf": b"gguf"}


def weights(length: int = LENGTH, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(length)


def a_repository(length: int = LENGTH, seed: int = 0) -> Repository:
    return Repository({WEIGHTS: weights(length, seed), **SMALL, **OTHER})


@dataclass
class Told:
    """What a download told, and that nobody saw half a model meanwhile."""

    place: Place
    lines: list[tuple[str, Transfer, str]] = field(default_factory=list[tuple[str, Transfer, str]])

    def __call__(self, stage: str, transfer: Transfer, sentence: str) -> None:
        self.lines.append((stage, transfer, sentence))
        # The process may be further than what it tells.
        assert not visible(self.place.data_dir) or self.place.whole()

    @property
    def stages(self) -> list[str]:
        return list(dict.fromkeys(stage for stage, _, _ in self.lines))

    @property
    def done(self) -> list[int]:
        return [transfer.done for _, transfer, _ in self.lines]

    def first(self, stage: str) -> Transfer:
        return next(transfer for said, transfer, _ in self.lines if said == stage)


def visible(data_dir: Path, repo: str = REPO) -> bool:
    return repo in {info.id for info in find_models(data_dir)[0]}


@dataclass
class Place:
    """One machine with its cache and its hub."""

    hub: Hub
    data_dir: Path
    environment: dict[str, str]

    @property
    def cached(self) -> CachedRepo:
        return CachedRepo(REPO)

    @property
    def part(self) -> Path:
        return self.cached.part(blob_of(WEIGHTS, self.hub.repos[REPO].files[WEIGHTS]))

    def whole(self) -> bool:
        """Whether what people see is a model with all its files, of this revision or another."""
        folder = self.cached.main()
        assert folder is not None
        seen = {path.name: path.read_bytes() for path in folder.iterdir()}
        return len(seen.pop(WEIGHTS)) == len(self.hub.repos[REPO].files[WEIGHTS]) and seen == SMALL

    def downloads(self, patience: Patience | None = None, **environment: str) -> Downloads:
        quick = Patience(tries=3, pause_s=0.01, stall_s=10)
        return Downloads(patience or quick, {**self.environment, **environment})

    async def fetch(self, patience: Patience | None = None, **environment: str) -> Told:
        told = Told(self)
        await self.downloads(patience, **environment).fetch(REPO, told)
        assert told.done == sorted(told.done)
        return told

    async def refusal(self, **environment: str) -> str:
        with pytest.raises(DownloadRefused) as refused:
            await self.fetch(None, **environment)
        assert not self.cached.folder.exists()
        return str(refused.value)

    async def pause(self, patience: Patience | None = None) -> str:
        with pytest.raises(DownloadPaused) as paused:
            await self.fetch(patience)
        assert not visible(self.data_dir)
        return str(paused.value)

    async def interrupted_at(self, length: int, *, kill: bool = False) -> None:
        """A download that ends when so much of the weights is on disk."""
        self.hub.hold_at = length
        told = Told(self)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self._interrupted(told))
            await soon(lambda: self.part.exists() and self.part.stat().st_size == length)
            children = fetching()
            assert children
            if kill:
                os.kill(children[0], signal.SIGKILL)
            else:
                task.cancel()
        assert wait_gone(children, 0) == []
        self.hub.hold_at = None

    async def _interrupted(self, told: Told) -> None:
        with pytest.raises(DownloadPaused, match="resume to go on"):
            await self.downloads().fetch(REPO, told)


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Place, None]:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    async with a_hub() as hub:
        hub.repos[REPO] = a_repository()
        ours = {"HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1,localhost"}
        yield Place(hub, tmp_path, {**os.environ, **ours})


async def soon(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - it watches files and processes
            await asyncio.sleep(0.01)


def unheard(_stage: str, _transfer: Transfer, _sentence: str) -> None:
    pass


def fetching(pid: int | None = None) -> list[int]:
    """The processes that fetch, under one."""
    return [
        child
        for child in descendants(pid or os.getpid())
        if b"tokenwire.engine.fetch" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def test_a_model_is_fetched_checked_and_then_visible(place: Place) -> None:
    told = await place.fetch()

    folder = place.cached.main()
    assert folder is not None
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert content == {WEIGHTS: weights(), **SMALL}
    assert visible(place.data_dir)
    assert told.stages == ["resolving", "downloading", "verifying"]
    assert told.lines[-1][1] == Transfer(sum(map(len, content.values())), told.lines[-1][1].done)
    assert place.downloads().left() == []
    assert place.downloads().progress(REPO) is None
    assert sorted(path.name for path in place.cached.folder.iterdir()) == [
        "blobs",
        "refs",
        "snapshots",
    ]


async def test_what_is_whole_is_not_fetched_again(place: Place) -> None:
    await place.fetch()
    place.hub.sent.clear()

    told = await place.fetch()
    assert place.hub.sent == []
    assert told.first("downloading").done == told.lines[-1][1].total


async def test_a_connection_that_is_cut_at_every_tenth_loses_nothing(place: Place) -> None:
    length = 12_000_000
    place.hub.repos[REPO] = a_repository(length)
    place.hub.cuts = [length // 10] * 9

    told = await place.fetch()
    assert [sent.start for sent in place.hub.sent if sent.name == WEIGHTS] == [
        tenth * length // 10 for tenth in range(10)
    ]
    assert place.hub.bytes_of(WEIGHTS) == length
    assert any("trying again" in sentence for _, _, sentence in told.lines)
    assert visible(place.data_dir)


async def test_a_process_that_ends_at_every_tenth_loses_nothing(place: Place) -> None:
    there = 0
    for tenth in range(1, 10):
        await place.interrupted_at(tenth * LENGTH // 10, kill=tenth % 2 == 0)
        assert place.downloads().left() == [REPO]
        progress = place.downloads().progress(REPO)
        assert progress is not None
        assert progress.done == tenth * LENGTH // 10 + sum(map(len, SMALL.values())) > there
        there = progress.done

    told = await place.fetch()
    assert told.first("downloading").done == there
    assert [sent.start for sent in place.hub.sent if sent.name == WEIGHTS] == [
        tenth * LENGTH // 10 for tenth in range(10)
    ]
    assert all(place.hub.bytes_of(name) == len(content) for name, content in SMALL.items())
    assert visible(place.data_dir)


async def test_a_hub_without_ranges_sends_all_again(place: Place) -> None:
    await place.interrupted_at(LENGTH // 2)
    place.hub.ranges = False

    await place.fetch()  # and what is done doesn't go down
    assert visible(place.data_dir)


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
async def test_a_wrong_file_is_found_removed_and_fetched_again(name: str, place: Place) -> None:
    place.hub.wrong = name

    assert await place.pause() == (
        f"Checked and found wrong: {name}. What is wrong was removed; resume to fetch it again."
    )
    content = place.hub.repos[REPO].files[name]
    assert not place.cached.blob(blob_of(name, content)).exists()
    assert not (place.cached.snapshot("a" * 40) / name).is_symlink()
    place.hub.wrong = None
    place.hub.sent.clear()
    await place.fetch()
    assert [(sent.name, sent.count) for sent in place.hub.sent] == [(name, len(content))]


@pytest.mark.parametrize("newer", [False, True])
async def test_a_model_that_was_spoilt_on_disk_is_mended(newer: bool, place: Place) -> None:
    await place.fetch()
    blob_of_tokenizer = blob_of("tokenizer.json", SMALL["tokenizer.json"])
    place.cached.blob(blob_of_tokenizer).write_bytes(b"!" * len(SMALL["tokenizer.json"]))
    if newer:
        place.hub.repos[REPO] = replace(a_repository(seed=1), sha="b" * 40)

    with pytest.raises(DownloadPaused, match=r"found wrong: tokenizer\.json\."):
        await place.downloads().fetch(REPO, unheard)
    assert not visible(place.data_dir)
    assert place.downloads().left() == [REPO]
    await place.fetch()
    assert visible(place.data_dir)


async def test_a_part_that_was_spoilt_on_disk_is_found(place: Place) -> None:
    await place.interrupted_at(LENGTH // 2)
    with place.part.open("r+b") as part:
        part.write(b"spoilt")

    assert WEIGHTS in await place.pause()
    await place.fetch()


async def test_a_link_that_was_left_on_its_way_does_no_harm(place: Place) -> None:
    await place.interrupted_at(LENGTH // 2)
    place.part.rename(kept := place.part.with_name("kept"))
    (place.cached.folder / "tokenwire.new").symlink_to("blobs/kept")

    await place.fetch()
    assert kept.read_bytes() == weights()[: LENGTH // 2]


async def test_a_part_that_is_too_long_is_begun_anew(place: Place) -> None:
    await place.interrupted_at(LENGTH // 2)
    place.part.write_bytes(bytes(LENGTH + 1))

    await place.fetch()


async def test_a_disk_without_room_is_told_before_anything_is_fetched(place: Place) -> None:
    # More than any disk has, in files that the hub would hand out.
    many = {f"model-{n}.safetensors": str(n).encode() for n in range(2000)}
    place.hub.repos[REPO].files = {**SMALL, **many}
    place.hub.repos[REPO].told = dict.fromkeys(many, 50 * 10**9)

    why = await place.refusal()
    assert "There is no room for org/small: 100000.0 GB are missing" in why
    assert "536.9 MB must stay free" in why
    assert place.hub.sent == []


async def test_a_disk_that_gets_full_pauses(place: Place) -> None:
    place.part.parent.mkdir(parents=True)
    place.part.symlink_to("/dev/full")

    why = "The disk is full. What was fetched is kept; make room and resume."
    assert await place.pause() == why
    place.part.unlink()
    await place.fetch()


async def test_a_cache_that_can_not_be_written_is_told(place: Place) -> None:
    (place.data_dir / "hf").write_text("a file in the way")

    with pytest.raises(DownloadPaused, match=r"The cache can't be used: .*Not a directory"):
        await place.fetch()


async def test_a_model_that_is_not_there_is_told(place: Place) -> None:
    del place.hub.repos[REPO]

    why = "There is no model org/small on the hub. If it is private, set HF_TOKEN to a token"
    assert (await place.refusal()).startswith(why)
    assert "your token may not read it" in await place.refusal(HF_TOKEN="stranger")


async def test_a_private_model_needs_the_token(place: Place) -> None:
    place.hub.repos[REPO].private = True

    assert "If it is private, set HF_TOKEN" in await place.refusal()
    await place.fetch(HF_TOKEN="good")


async def test_a_gated_model_says_what_to_do(place: Place) -> None:
    place.hub.repos[REPO].gated = True

    assert await place.refusal() == (
        f"org/small is gated: accept its licence on {place.hub.url}/org/small, then set HF_TOKEN "
        "to a token of that account and start the server again."
    )
    assert "with the account that your token belongs to" in await place.refusal(HF_TOKEN="stranger")
    await place.fetch(HF_TOKEN="good")


async def test_a_token_that_is_wrong_is_told(place: Place) -> None:
    assert "does not know your token (401)" in await place.refusal(HF_TOKEN="nonsense")


async def test_a_hub_that_forbids_is_cited(place: Place) -> None:
    place.hub.always = 403

    assert await place.refusal() == "The hub does not hand out org/small (403)"


async def test_errors_that_pass_are_not_seen(place: Place) -> None:
    place.hub.statuses = [500, 503]
    await place.fetch()

    place.hub.repos[REPO] = replace(a_repository(seed=1), sha="b" * 40)
    await place.interrupted_at(LENGTH // 2)
    place.hub.statuses = [429]
    await place.fetch()


@pytest.mark.parametrize(
    ("asked", "longest", "waited"),
    [
        ({"Retry-After": "1"}, 9.0, 1),
        ({"RateLimit": '"resolvers";r=0;t=1'}, 9.0, 1),
        ({"Retry-After": "3600"}, 0.5, 0),
        # It has questions left.
        ({"RateLimit": '"resolvers";r=7;t=3600'}, 9.0, 0),
        ({"Retry-After": "Fri, 27 Nov 2026 09:00:00 GMT"}, 9.0, 0),
    ],
)
async def test_the_hub_is_waited_for_as_it_asks(
    asked: dict[str, str], longest: float, waited: int, place: Place
) -> None:
    place.hub.statuses, place.hub.patience = [429], asked
    began = time.monotonic()

    told = await place.fetch(Patience(tries=3, pause_s=0.01, longest_s=longest, stall_s=10))
    assert any(f"trying again in {waited} s" in sentence for _, _, sentence in told.lines)
    assert time.monotonic() - began >= waited


async def test_a_very_large_file_comes_in_parts(place: Place) -> None:
    part = 300_000
    place.hub.largest = part

    await place.fetch(Patience(tries=3, pause_s=0.01, stall_s=10, reply_bytes=part))
    assert [(sent.start, sent.count) for sent in place.hub.sent if sent.name == WEIGHTS] == [
        (start, min(part, LENGTH - start)) for start in range(0, LENGTH, part)
    ]
    assert visible(place.data_dir)


async def test_a_very_large_file_comes_whole_where_there_are_no_parts(place: Place) -> None:
    place.hub.ranges = False

    await place.fetch(Patience(tries=3, pause_s=0.01, stall_s=10, reply_bytes=LENGTH // 3))
    assert visible(place.data_dir)


@pytest.mark.parametrize(("status", "why"), [(503, "is not well"), (429, "wants fewer questions")])
async def test_errors_that_stay_pause(status: int, why: str, place: Place) -> None:
    place.hub.always = status

    assert (
        await place.pause()
        == f"The hub {why} ({status}). What was fetched is kept; resume to go on."
    )
    assert len(place.hub.asked) == 3


async def test_a_stalled_reply_is_tried_again_and_then_pauses(place: Place) -> None:
    place.hub.hold_at = LENGTH // 2

    why = await place.pause(Patience(tries=2, pause_s=0.01, stall_s=0.3))
    assert why.startswith(f"The connection to {place.hub.url} fails")
    assert place.part.stat().st_size == LENGTH // 2
    place.hub.hold_at = None
    await place.fetch()


async def test_no_hub_at_all_pauses(place: Place) -> None:
    place.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"

    assert "The connection to http://127.0.0.1:9 fails" in await place.pause()


async def test_something_that_is_no_hub_is_told(place: Place) -> None:
    place.hub.always = 200

    assert "can't be used" in await place.refusal()


async def test_offline_is_respected(place: Place) -> None:
    assert "HF_HUB_OFFLINE is set" in await place.refusal(HF_HUB_OFFLINE="1")
    assert place.hub.asked == []


@pytest.mark.parametrize("repo", ["", "a/b/c", "../a", "a--b", "--help", "a b", "a/../b"])
async def test_a_name_that_is_none_is_refused(repo: str, place: Place) -> None:
    with pytest.raises(DownloadRefused, match="is no name of a model on the hub"):
        await place.downloads().fetch(repo, Told(place))


async def test_a_repository_with_nothing_to_serve_is_refused(place: Place) -> None:
    place.hub.repos[REPO].files = {**SMALL, **OTHER}

    assert "its weights are only there as .gguf files" in await place.refusal()
    assert place.hub.sent == []


async def test_names_that_lead_out_of_the_cache_are_refused(place: Place) -> None:
    place.hub.repos[REPO].files = {**SMALL, "..\\x.json": b"{}", WEIGHTS: b"x"}

    assert "can't be used" in await place.refusal()
    assert place.hub.sent == []


async def test_a_slow_download_tells_its_rate_and_the_time_left(place: Place) -> None:
    place.hub.pause_s = 0.1

    told = await place.fetch()
    rates = [transfer for _, transfer, _ in told.lines if transfer.bytes_per_s]
    assert rates
    for transfer in rates:
        assert transfer.total is not None
        assert transfer.bytes_per_s is not None
        assert transfer.left_s == pytest.approx(
            (transfer.total - transfer.done) / transfer.bytes_per_s
        )
    assert 200_000 < (rates[-1].bytes_per_s or 0) < 800_000
    assert (rates[0].left_s or 0) > (rates[-1].left_s or 0)


async def test_what_another_revision_left_half_gives_what_it_can(place: Place) -> None:
    await place.interrupted_at(LENGTH // 2)
    old = place.part
    place.hub.repos[REPO] = replace(a_repository(seed=1), sha="b" * 40)
    place.hub.sent.clear()

    await place.fetch()
    assert [sent.name for sent in place.hub.sent] == [WEIGHTS]
    assert not old.exists()
    assert not place.cached.snapshot("a" * 40).exists()
    assert len(list((place.cached.folder / "blobs").iterdir())) == len(SMALL) + 1


async def test_an_older_revision_serves_while_a_newer_one_is_half(place: Place) -> None:
    await place.fetch()
    place.hub.repos[REPO] = replace(a_repository(seed=1), sha="b" * 40)
    await place.interrupted_at(LENGTH // 2)

    assert visible(place.data_dir)
    assert place.downloads().left() == []
    await place.downloads().discard(REPO)
    folder = place.cached.snapshot("a" * 40)
    assert place.cached.main() == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        WEIGHTS: weights(),
        **SMALL,
    }
    assert not place.cached.snapshot("b" * 40).exists()
    assert not place.part.exists()


async def test_a_newer_revision_takes_the_place_of_the_older_one(place: Place) -> None:
    await place.fetch()
    place.hub.repos[REPO] = replace(a_repository(seed=1), sha="b" * 40)

    await place.fetch()
    folder = place.cached.main()
    assert folder is not None
    assert (folder / WEIGHTS).read_bytes() == weights(seed=1)


async def test_a_discarded_download_leaves_nothing(place: Place) -> None:
    await place.interrupted_at(LENGTH // 2)
    # As if it had been killed while something was put in its place.
    (place.cached.folder / "tokenwire.new").write_text("{")

    await place.downloads().discard(REPO)
    assert not place.cached.folder.exists()
    assert place.downloads().left() == []
    await place.downloads().discard(REPO)


async def test_a_discard_leaves_what_others_have_put_there(place: Place) -> None:
    theirs = place.cached.snapshot("c" * 40) / "tokenizer.json"
    blob = place.cached.blob(blob_of("tokenizer.json", SMALL["tokenizer.json"]))
    blob.parent.mkdir(parents=True)
    blob.write_bytes(SMALL["tokenizer.json"])
    theirs.parent.mkdir(parents=True)
    theirs.symlink_to(f"../../blobs/{blob.name}")
    await place.interrupted_at(LENGTH // 2)

    await place.downloads().discard(REPO)
    assert theirs.read_bytes() == SMALL["tokenizer.json"]
    assert [path.name for path in blob.parent.iterdir()] == [blob.name]
    assert [path.name for path in (place.cached.folder / "snapshots").iterdir()] == ["c" * 40]


async def test_a_finished_model_is_not_discarded(place: Place) -> None:
    await place.fetch()

    await place.downloads().discard(REPO)
    assert visible(place.data_dir)


async def test_one_model_is_fetched_once_at_a_time(place: Place) -> None:
    place.hub.hold_at = LENGTH // 2
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(place.fetch())
        await soon(lambda: place.part.exists() and place.part.stat().st_size == LENGTH // 2)

        assert "Another process is fetching org/small already" in await place.pause()
        with pytest.raises(DownloadPaused, match="Another process is fetching"):
            await place.downloads().discard(REPO)
        place.hub.hold_at = None
    assert first.result().stages[-1] == "verifying"


SERVER = """
import asyncio, sys
from tokenwire.engine.downloads import Downloads
asyncio.run(Downloads().fetch(sys.argv[1], lambda *told: None))
"""


async def test_the_process_ends_with_the_server(place: Place) -> None:
    place.hub.hold_at = LENGTH // 2
    backend = {"PYTHONPATH": os.pathsep.join(sys.path)}
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, REPO, env={**place.environment, **backend}
    )
    await soon(lambda: place.part.exists() and place.part.stat().st_size == LENGTH // 2)
    children = fetching(server.pid)
    assert len(children) == 1

    server.kill()
    await server.wait()
    assert wait_gone(children, 5) == []
    place.hub.hold_at = None
    await place.fetch()
    assert place.hub.bytes_of(WEIGHTS) == LENGTH


def test_the_stub_names_contents_as_the_hub_does() -> None:
    assert blob_of("README.md", b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_of(WEIGHTS, b"") == hashlib.sha256().hexdigest()
