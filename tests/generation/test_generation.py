"""One answer's life: every way to end closes its log once, saved, with one last event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support.scripted import ScriptedEngine, say
from support.waiting import until
from support.workshop import (
    PLAIN,
    Workshop,
    assert_whole,
    bodies,
    ended,
    last_response,
    open_workshop,
    text,
    types,
)
from tokenwire.engine.base import Delta, Form, Prompt, Resume, Sampling
from tokenwire.errors import EngineDead, InvalidRequest, ModelUnavailable, NotSaved
from tokenwire.generation import generation as life
from tokenwire.generation import generations as house
from tokenwire.generation import notices
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generation import Generation
from tokenwire.generation.log import Log


ONE_AT_A_TIME = AdmissionLimits(max_running=1)


def engine_that(*steps: Delta | Exception) -> ScriptedEngine:
    return ScriptedEngine(lambda _text, _sampling: [*steps])


def extras(log: Log) -> list[dict[str, object]]:
    """The `tokenwire` fields of each lifecycle event."""
    found: list[dict[str, object]] = []
    for body in bodies(log):
        response = body.get("response")
        if isinstance(response, dict):
            found.append(response["tokenwire"])  # pyright: ignore[reportUnknownArgumentType]
    return found


def reason_of(response: dict[str, object]) -> object:
    """Why it ended: the reason of an incomplete one, the code of a failed one, else None."""
    reasons: list[object] = []
    for details in (response["incomplete_details"], response["error"]):
        if isinstance(details, dict):
            reasons += [details[name] for name in ("reason", "code") if name in details]
    assert len(reasons) <= 1
    return reasons[0] if reasons else None


async def held_at(shop: Workshop, delta: int) -> Generation:
    """An answer whose engine waits before its delta number `delta`."""
    shop.engine.hold_at = delta
    generation = await shop.order()
    async with asyncio.timeout(10):
        await shop.engine.holding.wait()
    return generation


def assert_nothing_runs(shop: Workshop) -> None:
    assert shop.engine.running == set()
    assert shop.engines.leases == 0
    assert (shop.generations.running, shop.generations.waiting) == (0, 0)


async def test_an_answer_is_told_from_created_to_completed() -> None:
    async with open_workshop() as shop:
        generation = await shop.answer()

        assert_whole(generation.log)
        told = types(generation.log)
        assert told[:4] == [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
        ]
        assert told[-4:] == [
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
        assert text(generation.log) == "Hello, world."
        assert_nothing_runs(shop)


async def test_the_first_text_is_told_at_once_and_the_rest_is_paced() -> None:
    async with open_workshop() as shop:
        generation = await held_at(shop, 3)

        assert text(generation.log) == "Hello"
        await until(lambda: text(generation.log) == "Hello, world")
        shop.engine.go.set()
        await ended(generation)
        assert types(generation.log).count("output_text.delta") == 3


async def test_the_last_event_tells_usage_and_times() -> None:
    engine = engine_that(
        Delta("a", (1,), cached_tokens=2), Delta("b", (2, 3)), Delta("", (4,), "stop")
    )
    async with open_workshop(engine) as shop:
        generation = await shop.answer("one two three")

        last = last_response(generation.log)
        assert last["usage"] == {
            "input_tokens": 4,
            "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 8,
        }
        timing = extras(generation.log)[-1]["timing"]
        assert isinstance(timing, dict)
        assert set(timing) == {"queue_ms", "ttft_ms", "decode_ms", "tok_per_s", "reasoning_ms"}  # pyright: ignore[reportUnknownArgumentType]


ENDINGS: list[tuple[list[Delta | Exception], str, str, str | None]] = [
    (say("a", "b"), "completed", "completed", None),
    ([Delta("", (1,), "stop")], "completed", "completed", None),
    (
        [Delta("a", (1,)), Delta("b", (2,), "length")],
        "incomplete",
        "incomplete",
        "max_output_tokens",
    ),
    ([Delta("a", (1,), "abort")], "incomplete", "incomplete", "interrupted"),
    ([Delta("a", (1,), "error")], "failed", "failed", "server_error"),
    ([Delta("a", (1,))], "failed", "failed", "server_error"),
    ([], "failed", "failed", "server_error"),
    ([Delta("a", (1,)), EngineDead("It died.")], "failed", "failed", "engine_error"),
    ([EngineDead("It died.")], "failed", "failed", "engine_error"),
    ([InvalidRequest("No.", param="top_k")], "failed", "failed", "invalid_prompt"),
    ([Delta("a", (1,)), ValueError("a bug")], "failed", "failed", "server_error"),
]


@pytest.mark.parametrize(("steps", "status", "terminal", "why"), ENDINGS)
async def test_however_the_engine_ends_the_log_ends_once_and_is_saved(
    steps: list[Delta | Exception], status: str, terminal: str, why: str | None
) -> None:
    async with open_workshop(engine_that(*steps)) as shop:
        generation = await shop.answer()

        assert_whole(generation.log)
        assert types(generation.log)[-1] == terminal
        last = last_response(generation.log)
        assert last["status"] == status == generation.status
        assert reason_of(last) == why
        assert (last["completed_at"] is None) == (status != "completed")
        row = shop.records.rows[generation.id]
        assert (row.status, row.resource) == (status, last)
        assert_nothing_runs(shop)


async def test_an_answer_that_was_cut_keeps_what_was_said_as_incomplete() -> None:
    async with open_workshop(engine_that(Delta("Hel", (1,)), EngineDead("It died."))) as shop:
        generation = await shop.answer()

        (item,) = generation.response.output
        assert item["status"] == "incomplete"
        assert text(generation.log) == "Hel"


async def test_created_comes_first_even_when_it_is_cancelled_before_its_first_step() -> None:
    async with open_workshop() as shop:
        shop.records.add_conversation("ann", "conv_1")
        # It is heard of in the moment between `response.created` and its first step.
        shop.generations.subscribe(lambda _what, begun: begun.cancel())
        generation = await shop.answer(conversation="conv_1")

        assert_whole(generation.log)
        assert types(generation.log) == ["created", "incomplete"]
        assert last_response(generation.log)["incomplete_details"] == {"reason": "cancelled"}
        assert shop.engine.started == []
        assert_nothing_runs(shop)


async def test_it_can_be_cancelled_in_the_line() -> None:
    async with open_workshop(limits=ONE_AT_A_TIME) as shop:
        first = await held_at(shop, 0)
        second, third = await shop.order(), await shop.order()
        await asyncio.sleep(0)
        second.cancel()
        await ended(second)

        assert_whole(second.log)
        assert last_response(second.log)["status"] == "cancelled"
        assert last_response(second.log)["output"] == []
        shop.engine.go.set()
        await ended(first, third)
        assert (first.status, third.status) == ("completed", "completed")
        assert_nothing_runs(shop)


async def test_it_can_be_cancelled_while_its_model_loads() -> None:
    async with open_workshop(ready=False) as shop:
        generation = await shop.order()
        await until(lambda: shop.engines.leases == 1)
        generation.cancel()
        await ended(generation)

        assert_whole(generation.log)
        assert generation.status == "cancelled"
        assert_nothing_runs(shop)


@pytest.mark.parametrize(("delta", "said"), [(0, ""), (1, "Hello"), (2, "Hello, ")])
async def test_it_can_be_cancelled_in_prefill_and_in_decode(delta: int, said: str) -> None:
    async with open_workshop() as shop:
        generation = await held_at(shop, delta)
        generation.cancel()
        generation.cancel()
        await ended(generation)

        assert_whole(generation.log)
        assert text(generation.log) == said
        assert types(generation.log)[-1] == "incomplete"
        assert last_response(generation.log)["status"] == "cancelled"
        assert shop.engine.aborted == [generation.id]
        assert shop.records.rows[generation.id].status == "cancelled"
        assert_nothing_runs(shop)


class ClingingEngine(ScriptedEngine):
    """Lets go of a request only a while after it was aborted."""

    async def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
    ) -> None:
        try:
            await super().generate(prompt, sampling, request_id, take, resume)
        finally:
            await asyncio.sleep(0.05)


def freed_ms(generation: Generation) -> float:
    cancel = extras(generation.log)[-1]["cancel"]
    assert isinstance(cancel, dict)
    return float(cancel["freed_ms"])  # pyright: ignore[reportUnknownArgumentType]


async def test_a_cancel_says_how_long_it_took_until_the_engine_let_go() -> None:
    async with open_workshop(ClingingEngine()) as shop:
        generation = await held_at(shop, 1)
        generation.cancel()
        await ended(generation)

        assert freed_ms(generation) >= 50


async def test_a_cancel_of_what_waits_frees_nothing_and_says_so() -> None:
    async with open_workshop(ClingingEngine(), limits=ONE_AT_A_TIME) as shop:
        await held_at(shop, 0)
        waiting = await shop.order()
        await asyncio.sleep(0)
        waiting.cancel()
        await ended(waiting)

        assert freed_ms(waiting) >= 0
        assert waiting.id not in shop.engine.started


async def test_an_end_that_is_no_cancel_tells_of_none() -> None:
    async with open_workshop() as shop:
        generation = await shop.answer()

        assert "cancel" not in extras(generation.log)[-1]


async def test_a_recovery_of_its_engine_is_told_once_and_its_end_too() -> None:
    async with open_workshop() as shop:
        generation = await held_at(shop, 1)
        await until(lambda: text(generation.log) == "Hello")
        for stage in ("recovering", "init_device", "weights"):
            shop.engines.tell("recovering", stage)
        shop.engines.tell("ready")
        await until(lambda: types(generation.log)[-2:] == ["in_progress", "in_progress"])
        told = [extra.get("model") for extra in extras(generation.log)]
        shop.engine.go.set()
        await ended(generation)

        assert [model["state"] for model in told if isinstance(model, dict)] == ["recovering"]  # pyright: ignore[reportUnknownVariableType]
        assert told[-1] is None
        assert_whole(generation.log)


async def test_a_cancel_while_it_is_saved_comes_too_late() -> None:
    async with open_workshop() as shop:
        shop.records.can_finish.clear()
        generation = await shop.order()
        await shop.records.finishing.wait()
        generation.cancel()
        generation.interrupt()
        shop.records.can_finish.set()
        await ended(generation)

        assert_whole(generation.log)
        assert generation.status == "completed"


async def test_a_cancel_after_the_end_changes_nothing() -> None:
    async with open_workshop() as shop:
        generation = await shop.answer()
        before = types(generation.log)
        generation.cancel()
        await asyncio.sleep(0)

        assert types(generation.log) == before


async def test_an_interrupt_ends_a_plain_answer_as_incomplete() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        generation = await shop.order(asker=PLAIN)
        await shop.engine.holding.wait()
        generation.interrupt()
        await ended(generation)

        assert_whole(generation.log)
        assert last_response(generation.log)["status"] == "incomplete"
        assert last_response(generation.log)["incomplete_details"] == {"reason": "interrupted"}


async def test_the_last_event_comes_only_after_the_answer_was_saved() -> None:
    async with open_workshop() as shop:
        shop.records.can_finish.clear()
        generation = await shop.order()
        await shop.records.finishing.wait()

        assert text(generation.log) == "Hello"
        assert not any(event.is_terminal for event in generation.log.after(-1))
        assert not generation.log.closed
        shop.records.can_finish.set()
        await ended(generation)
        row = shop.records.rows[generation.id]
        assert row.events == [event.json for event in generation.log.after(-1)]


@pytest.mark.parametrize("lost", [NotSaved("The disk is full."), ValueError("a bug")])
async def test_an_answer_that_could_not_be_saved_is_delivered_and_says_so(lost: Exception) -> None:
    async with open_workshop() as shop:
        shop.records.lose = lost
        generation = await shop.answer()

        assert_whole(generation.log)
        assert text(generation.log) == "Hello, world."
        assert last_response(generation.log)["store"] is False
        assert last_response(generation.log)["status"] == "completed"
        shop.records.lose = None
        assert (await shop.answer()).response.store


async def test_what_is_not_stored_is_never_given_to_the_memory() -> None:
    async with open_workshop() as shop:
        generation = await shop.answer(store=False)

        assert_whole(generation.log)
        assert shop.records.rows == {}
        assert last_response(generation.log)["store"] is False


async def test_its_successor_continues_from_all_its_items_when_it_is_not_stored() -> None:
    async with open_workshop() as shop:
        loose = await shop.answer("Hi", store=False)
        stored = await shop.answer("Hi")

        chain = loose.chain()
        assert chain is not None
        assert [item["role"] for item in chain] == ["user", "assistant"]
        assert stored.chain() is None


async def test_a_prompt_beyond_the_context_fails_when_the_model_had_to_be_loaded_first() -> None:
    async with open_workshop(ScriptedEngine(context=5), ready=False) as shop:
        generation = await shop.order("one two three four five")
        shop.engines.ready_event.set()
        await ended(generation)

        assert_whole(generation.log)
        assert last_response(generation.log)["error"] == {
            "code": "invalid_prompt",
            "message": "The prompt has 6 tokens; this model's context is 5.",
        }


class UnloadableEngine(ScriptedEngine):
    """Renders nothing: its model can't be loaded."""

    async def render(self, messages: list[dict[str, object]], form: Form | None = None) -> Prompt:
        raise ModelUnavailable("There is no memory for it.")


async def test_a_model_that_cannot_be_loaded_fails_the_answer_with_the_reason() -> None:
    async with open_workshop(UnloadableEngine(), ready=False) as shop:
        generation = await shop.order()
        shop.engines.ready_event.set()
        await ended(generation)

        assert_whole(generation.log)
        assert last_response(generation.log)["error"] == {
            "code": "server_error",
            "message": "There is no memory for it.",
        }


# What it says while it waits


async def test_who_waits_in_line_is_told_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "TELL_EVERY_S", 0.0)
    async with open_workshop(limits=ONE_AT_A_TIME) as shop:
        first = await held_at(shop, 0)
        second, third = await shop.order(), await shop.order()
        await until(lambda: "queued" in types(second.log) and "queued" in types(third.log))
        shop.engine.go.set()
        await ended(first, second, third)

        queues: list[dict[str, object]] = [
            extra["queue"] for extra in extras(third.log) if "queue" in extra
        ]  # pyright: ignore[reportAssignmentType]
        # The first had to end before anyone could know how long one takes.
        assert [queue.pop("eta_s") is None for queue in queues] == [True, False]
        assert queues == [{"position": 2, "length": 2}, {"position": 1, "length": 1}]
        assert '"status":"queued"' in third.log.after(-1)[0].json
        assert_whole(third.log)


async def test_who_waits_for_a_model_is_told_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "TELL_EVERY_S", 0.0)
    async with open_workshop(ready=False) as shop:
        generation = await shop.order()
        await until(lambda: "queued" in types(generation.log))
        shop.engines.ready_event.set()
        await ended(generation)

        assert extras(generation.log)[1] == {
            "model": {"state": "loading", "stage": None, "progress": None, "detail": None}
        }
        assert_whole(generation.log)


async def test_places_that_change_fast_are_told_at_most_four_times_a_second() -> None:
    async with open_workshop(limits=ONE_AT_A_TIME) as shop:
        first = await held_at(shop, 0)
        others = [await shop.order() for _ in range(20)]
        last = await shop.order()
        for other in others:
            other.cancel()
        await ended(*others)

        assert types(last.log).count("queued") <= 1
        shop.engine.go.set()
        await ended(first, last)


async def test_after_a_silence_its_status_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "HEARTBEAT_S", 0.0)
    monkeypatch.setattr(house, "HOUSEKEEPING_S", 0.0)
    async with open_workshop() as shop:
        generation = await held_at(shop, 2)
        await until(lambda: types(generation.log)[-2:] == ["in_progress", "in_progress"])
        shop.engine.go.set()
        await ended(generation)

        assert_whole(generation.log)
        assert text(generation.log) == "Hello, world."


# Who reads it


async def test_the_last_reader_of_a_plain_client_ends_the_answer_by_leaving() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        generation = await shop.order(asker=PLAIN)
        generation.join()
        generation.join()
        await shop.engine.holding.wait()
        generation.leave()
        await asyncio.sleep(0)
        assert not generation.ended
        generation.leave()
        await ended(generation)

        assert_whole(generation.log)
        assert generation.status == "cancelled"
        assert shop.engine.aborted == [generation.id]


async def test_a_durable_answer_goes_on_without_readers() -> None:
    async with open_workshop() as shop:
        generation = await held_at(shop, 1)
        generation.join()
        generation.leave()
        shop.engine.go.set()
        await ended(generation)

        assert generation.status == "completed"


async def test_an_answer_in_the_background_goes_on_without_readers() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        generation = await shop.order(asker=PLAIN, background=True)
        generation.join()
        generation.leave()
        shop.engine.go.set()
        await ended(generation)

        assert generation.status == "completed"


async def test_who_comes_back_within_the_grace_finds_the_answer_running() -> None:
    async with open_workshop(grace_s=60) as shop:
        shop.engine.hold_at = 1
        generation = await shop.order(asker=PLAIN)
        generation.join()
        generation.leave()
        generation.join()
        shop.engine.go.set()
        await ended(generation)

        assert generation.status == "completed"


async def test_readers_who_leave_after_the_end_change_nothing() -> None:
    async with open_workshop() as shop:
        generation = await shop.order(asker=PLAIN)
        generation.join()
        await ended(generation)
        generation.leave()
        await asyncio.sleep(0)

        assert generation.status == "completed"


async def test_a_plain_answer_that_nobody_comes_to_read_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(house, "HOUSEKEEPING_S", 0.0)
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        unread, durable = await shop.order(asker=PLAIN), await shop.order()
        read = await shop.order(asker=PLAIN)
        read.join()
        monkeypatch.setattr(life, "UNREAD_S", -1.0)
        await ended(unread)

        assert unread.status == "cancelled"
        assert not read.ended
        assert not durable.ended


async def test_a_reader_that_waits_for_the_end_may_give_up() -> None:
    async with open_workshop() as shop:
        generation = await held_at(shop, 1)
        waiting = asyncio.create_task(generation.finished())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert not generation.ended


# What the engine is asked


async def test_the_engine_is_asked_for_what_the_client_asked_for() -> None:
    asked: list[Sampling] = []

    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        asked.append(sampling)
        return say("a")

    async with open_workshop(ScriptedEngine(script)) as shop:
        await shop.answer(
            temperature=0.5,
            top_p=0.9,
            top_k=5,
            min_p=0.1,
            seed=7,
            stop=["x"],
            stop_token_ids=[3],
            ignore_eos=True,
            min_tokens=1,
            max_output_tokens=9,
            repetition_penalty=1.1,
            presence_penalty=0.2,
            frequency_penalty=0.3,
            logit_bias={"5": -1},
            skip_special_tokens=False,
            priority=2,
        )
        await shop.answer()

    assert asked == [
        Sampling(
            temperature=0.5,
            top_p=0.9,
            top_k=5,
            min_p=0.1,
            seed=7,
            stop=("x",),
            stop_token_ids=(3,),
            ignore_eos=True,
            min_tokens=1,
            max_tokens=9,
            repetition_penalty=1.1,
            presence_penalty=0.2,
            frequency_penalty=0.3,
            logit_bias={5: -1.0},
            skip_special_tokens=False,
            priority=2,
        ),
        Sampling(),
    ]


async def test_the_sampling_that_is_in_force_is_shown() -> None:
    async with open_workshop() as shop:
        plain, chosen = await shop.answer(), await shop.answer(temperature=0.2, top_p=0.5)

        assert (plain.response.temperature, plain.response.top_p) == (1.0, 1.0)
        assert (chosen.response.temperature, chosen.response.top_p) == (0.2, 0.5)


async def test_what_is_saved_is_what_was_generated() -> None:
    async with open_workshop(engine_that(Delta("a", (7,)), Delta("b", (8, 9), "stop"))) as shop:
        generation = await shop.answer(seed=5)

        finish = shop.records.rows[generation.id].finish
        assert finish is not None
        assert [*finish.token_ids] == [7, 8, 9]
        assert (finish.finish_reason, finish.seed, finish.prompt_tokens) == ("stop", 5, 2)


async def test_a_slow_disk_is_not_taken_for_a_reader_that_never_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(house, "HOUSEKEEPING_S", 0.0)
    monkeypatch.setattr(life, "UNREAD_S", -1.0)
    async with open_workshop() as shop:
        shop.records.can_begin.clear()
        asked = asyncio.create_task(shop.order(asker=PLAIN))
        await shop.records.beginning.wait()
        await asyncio.sleep(0.05)
        monkeypatch.setattr(life, "UNREAD_S", 5.0)
        shop.records.can_begin.set()
        generation = await asked
        await ended(generation)

        assert generation.status == "completed"


async def test_a_far_place_is_told_less_often_than_a_near_one() -> None:
    async with open_workshop(limits=ONE_AT_A_TIME) as shop:
        first = await held_at(shop, 0)
        waiting = await shop.order()
        await until(lambda: types(waiting.log) == ["created"])
        told = waiting._notices  # pyright: ignore[reportPrivateUsage]

        def due() -> float:
            assert told._later is not None  # pyright: ignore[reportPrivateUsage]
            return told._later.when() - asyncio.get_running_loop().time()  # pyright: ignore[reportPrivateUsage]

        told.tell()
        told.moved(40)
        assert 1 < due() <= 2.5
        told.moved(100)
        assert due() <= 2.5
        told.moved(2)
        assert due() <= 0.25
        shop.engine.go.set()
        await ended(first, waiting)
