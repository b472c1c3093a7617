"""Answers outlive the engine process: the real engine, killed, stopped and replaced under running
streams, against what it says when nobody disturbs it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from support.engines import POLICY, open_engines
from support.model import DEMO, make_model
from support.server import engines_of, wait_gone
from tokenwire.engine.base import Delta, Prompt, Resume, Sampling
from tokenwire.engine.launch import VllmEngines
from tokenwire.engine.ledger import RecoveryPolicy
from tokenwire.engine.models import ModelInfo, Stage
from tokenwire.engine.vllm import VllmEngine
from tokenwire.errors import EngineDead


pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

TOKENS = 120
BASE = Sampling(max_tokens=TOKENS, ignore_eos=True)
KINDS = {
    "greedy": replace(BASE, temperature=0.0),
    "seeded": replace(BASE, temperature=1.0, seed=7),
    "penalised": replace(
        BASE,
        temperature=0.9,
        seed=3,
        repetition_penalty=1.2,
        presence_penalty=0.8,
        frequency_penalty=0.4,
    ),
    "stops": replace(BASE, temperature=1.0, seed=5, stop=("no such text at all", "qqqq")),
}
ORDERS = [
    (Prompt(tuple(range(10 + number, 40 + 3 * number))), list(KINDS)[number % len(KINDS)])
    for number in range(32)
]


async def until(holds: Callable[[], bool]) -> None:
    """Return soon after `holds()`; a look now and then leaves the machine to the engine."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - tokens and stages set no event
            await asyncio.sleep(0.005)


@dataclass(slots=True)
class Room:
    """One engine, its process and what it told."""

    engine: VllmEngine
    stages: list[Stage]
    pid: int = 0

    def count(self, stage: str) -> int:
        return [each.name for each in self.stages].count(stage)

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, sign)

    async def follow(self) -> None:
        """Wait for the end of the recovery that follows a kill, and find the new process."""
        ready = self.count("ready")
        await until(lambda: self.count("ready") > ready)
        self.pid = max(engines_of(os.getpid()))


class Answer:
    """What a reader has of one answer, as it came."""

    def __init__(self, room: Room, number: int, sampling: Sampling | None = None) -> None:
        self.prompt, self.kind = ORDERS[number]
        self.sampling = sampling or KINDS[self.kind]
        self.deltas: list[Delta] = []
        self.answering = room.engine.generate(
            self.prompt, self.sampling, f"r{number}", self.deltas.append
        )

    async def read(self) -> Answer:
        await self.answering
        return self

    async def begun(self) -> asyncio.Task[Answer]:
        """Its reading, which has something already."""
        reading = asyncio.create_task(self.read())
        await until(lambda: bool(self.deltas))
        return reading

    @property
    def whole(self) -> tuple[str, tuple[int, ...], str | None]:
        return joined(self.deltas)


def joined(deltas: list[Delta]) -> tuple[str, tuple[int, ...], str | None]:
    text = "".join(delta.text for delta in deltas)
    return text, tuple(id for delta in deltas for id in delta.token_ids), deltas[-1].finish


async def leave(reading: asyncio.Task[Answer]) -> None:
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Generator[VllmEngines]:
    """The engine room, as the server opens it."""
    policy = replace(POLICY, stall_s=4.0)
    with open_engines(tmp_path_factory.mktemp("run"), policy=policy) as opened:
        yield opened


async def open_room(engines: VllmEngines, path: Path) -> Room:
    stages = list[Stage]()
    engine = await engines.start(
        ModelInfo(id="m", path=str(path), context_length=1024), stages.append
    )
    stages.clear()
    return Room(engine, stages, max(engines_of(os.getpid())))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(
    engines: VllmEngines, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Room]:
    """A model whose every token depends on all before it."""
    room = await open_room(engines, make_model(tmp_path_factory.mktemp("model")))
    yield room
    await room.engine.close()
    assert not wait_gone([room.pid], 10)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(room: Room) -> list[Answer]:
    # Each token alone, so that an answer can be cut anywhere, also inside a character.
    processor = room.engine._llm.output_processor  # pyright: ignore[reportPrivateUsage]
    interval, processor.stream_interval = processor.stream_interval, 1
    answers = [Answer(room, number) for number in range(len(ORDERS))]
    await asyncio.gather(*(answer.read() for answer in answers))
    processor.stream_interval = interval
    assert room.stages == []
    # Else the comparison would prove little.
    assert len({answer.whole for answer in answers}) == len(ORDERS)
    assert {len(answer.whole[1]) for answer in answers} == {TOKENS}
    return answers


async def test_32_answers_are_the_same_after_three_deaths(
    room: Room, undisturbed: list[Answer]
) -> None:
    answers = [Answer(room, number) for number in range(len(ORDERS))]

    def made() -> int:
        return sum(len(delta.token_ids) for answer in answers for delta in answer.deltas)

    async def murder() -> None:
        dice = random.Random()
        for low, high in ((0.0, 0.25), (0.3, 0.55), (0.6, 0.85)):
            at = dice.uniform(low, high) * TOKENS * len(ORDERS)
            await until(lambda at=at: made() >= at)
            room.kill()
            await room.follow()

    await asyncio.gather(murder(), *(answer.read() for answer in answers))
    same = [a.whole == b.whole for a, b in zip(answers, undisturbed, strict=True)]
    assert sum(same) == len(ORDERS), [a.kind for a, ok in zip(answers, same, strict=True) if not ok]
    assert (room.count("recovering"), room.count("ready")) == (3, 3)
    # Its loading is told too, between the two.
    assert room.count("init_device") == 3


async def test_an_answer_goes_on_from_any_record_of_it(
    room: Room, undisturbed: list[Answer]
) -> None:
    dice = random.Random(4)
    inside = 0
    going: list[tuple[Answer, int, list[Delta]]] = []
    for answer in undisturbed:
        silent = [n for n, delta in enumerate(answer.deltas[:-1], 1) if not delta.text]
        cuts = {1, len(answer.deltas) - 1, dice.randrange(2, len(answer.deltas) - 1)}
        if silent and answer.kind != "stops":
            cuts.add(dice.choice(silent))
            inside += 1
        going += [(answer, cut, []) for cut in cuts]
    assert inside > 8, "no answer was cut inside a character"

    async def go_on(number: int, answer: Answer, cut: int, rest: list[Delta]) -> None:
        _, ids, _ = joined(answer.deltas[:cut])
        resume = Resume(ids)
        name = f"again{number}"
        await room.engine.generate(answer.prompt, answer.sampling, name, rest.append, resume)

    await asyncio.gather(*(go_on(number, *each) for number, each in enumerate(going)))

    def expected(answer: Answer, cut: int) -> tuple[str, tuple[int, ...], str | None]:
        # All of the text, and the ids that are new.
        return (answer.whole[0], *joined(answer.deltas[cut:])[1:])

    wrong = [
        (answer.kind, cut, joined(rest), expected(answer, cut))
        for answer, cut, rest in going
        if joined(rest) != expected(answer, cut)
    ]
    assert not wrong, (len(wrong), len(going), wrong[0])


async def test_an_answer_that_had_ended_ends_at_once(room: Room, undisturbed: list[Answer]) -> None:
    answer = undisturbed[0]
    text, ids, _ = answer.whole

    async def rest(sampling: Sampling, count: int) -> list[Delta]:
        resume = Resume(ids[:count])
        deltas = list[Delta]()
        await room.engine.generate(answer.prompt, sampling, "e", deltas.append, resume)
        return deltas

    assert await rest(answer.sampling, TOKENS) == [Delta(text, (), "length")]
    stopped = replace(answer.sampling, stop_token_ids=(ids[4],))
    assert [(each.token_ids, each.finish) for each in await rest(stopped, 5)] == [((), "stop")]
    # The engine is none the worse for it.
    assert (await Answer(room, 0).read()).whole == answer.whole


async def test_a_cancelled_answer_is_out_of_the_engine_when_the_cancel_returns(
    room: Room,
) -> None:
    long = Answer(room, 0, replace(KINDS["greedy"], max_tokens=900))
    await leave(await long.begun())
    core = room.engine._core  # pyright: ignore[reportPrivateUsage]
    # The first answers may come before the worker has been told of the end.
    working = [await core.call_utility_async("has_work") for _ in range(3)]
    assert working[-1] is False


async def test_a_cancel_during_a_recovery_returns_at_once_and_stays(
    room: Room, undisturbed: list[Answer]
) -> None:
    leaving = Answer(room, 0, replace(KINDS["greedy"], max_tokens=900))
    staying = [Answer(room, number) for number in range(4)]
    reading = [asyncio.ensure_future(answer.read()) for answer in staying]
    left = await leaving.begun()
    recoveries = room.count("recovering")
    room.kill()
    await until(lambda: room.count("recovering") > recoveries)
    await leave(left)
    assert room.count("ready") == recoveries, "it waited for the next engine"
    late = asyncio.ensure_future(Answer(room, 4).read())
    await room.follow()
    answers = [*await asyncio.gather(*reading), await late]
    assert [each.whole for each in answers] == [each.whole for each in undisturbed[:5]]
    core = room.engine._core  # pyright: ignore[reportPrivateUsage]
    working = [await core.call_utility_async("has_work") for _ in range(3)]
    assert working[-1] is False


async def test_an_engine_that_stands_still_is_replaced(
    room: Room, undisturbed: list[Answer]
) -> None:
    answers = [Answer(room, number) for number in range(8)]
    reading = [asyncio.ensure_future(answer.read()) for answer in answers]
    await until(lambda: all(answer.deltas for answer in answers))
    room.kill(signal.SIGSTOP)
    await room.follow()
    await asyncio.gather(*reading)
    assert [each.whole for each in answers] == [each.whole for each in undisturbed[:8]]


async def test_each_model_has_its_own_deaths_and_a_death_beyond_the_budget_is_told(
    engines: VllmEngines, room: Room, undisturbed: list[Answer]
) -> None:
    options = engines._options  # pyright: ignore[reportPrivateUsage]
    mean = VllmEngines(replace(options, recovery=RecoveryPolicy(starts=1)))
    mean._started = 100  # pyright: ignore[reportPrivateUsage]
    demo = await open_room(mean, DEMO)
    try:
        recoveries = room.count("recovering")
        prompt = await demo.engine.render([{"role": "user", "content": "Count to 100."}])
        greedy = replace(KINDS["greedy"], max_tokens=300)
        alone, deltas = list[Delta](), list[Delta]()
        await demo.engine.generate(prompt, greedy, "alone", alone.append)

        def read() -> asyncio.Task[None]:
            return asyncio.create_task(demo.engine.generate(prompt, greedy, "demo", deltas.append))

        reading = read()
        other = asyncio.ensure_future(Answer(room, 0).read())
        await until(lambda: bool(deltas))
        demo.kill()
        await demo.follow()
        await reading
        assert joined(deltas) == joined(alone)
        assert (await other).whole == undisturbed[0].whole
        assert room.count("recovering") == recoveries

        deltas.clear()
        reading = read()
        await until(lambda: bool(deltas))
        demo.kill()
        with pytest.raises(EngineDead):
            await reading
        assert not demo.engine.alive
        assert demo.stages[-1].name == "dead"
    finally:
        await demo.engine.close()
        mean.close()
    assert not wait_gone([demo.pid], 10)
