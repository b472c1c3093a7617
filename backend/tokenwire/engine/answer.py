"""One answer where AsyncLLM's outputs are read: in the place of the queue that it has for each
request, and of the objects that it fills for each token of it.

It knows how vLLM collects a request's outputs; it refuses to know what becomes of them.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from tokenwire.engine.base import Delta, FinishReason, JsonObject
from tokenwire.errors import EngineDead


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vllm import RequestOutput
    from vllm.logprobs import Logprob
    from vllm.v1.engine.output_processor import (
        OutputProcessor,
        RequestOutputCollector,
        RequestState,
    )


ENDED = "The engine process ended while it was answering."


class Answer:
    """Hands what comes of one request to `take`, there and then; `top`: how many of the likeliest
    tokens it tells, where it tells of them.
    """

    def __init__(self, take: Callable[[Delta], None], top: int = 0) -> None:
        self._take = take
        self._top = top
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._logprobs_told = 0
        self.finished = False

    async def stand_in_for(self, queue: RequestOutputCollector, processor: OutputProcessor) -> None:
        """Wait for the end. Raises what ended it."""
        early = queue.get_nowait()
        queue.put = cast("Any", self._put)
        if early is not None:
            self._put(cast("RequestOutput", early))
        self._state: RequestState
        if (state := processor.request_states.get(queue.request_id)) is not None:
            self._state = state
            state.make_request_output = cast("Any", self._tell)
        await self._end
        # It holds us, too: what has ended well must not wait for the garbage collector. Where the
        # end is an error, an abort will ask us again.
        vars(self).pop("_state", None)

    def _put(self, output: RequestOutput | Exception) -> None:
        if isinstance(output, Exception):
            if not self._end.done():
                self._end.set_exception(output)
            return
        step = output.outputs[0]
        self._give(
            step.text,
            step.token_ids,
            step.finish_reason,
            step.stop_reason,
            output.num_cached_tokens,
            cast("Sequence[dict[int, Logprob]] | None", step.logprobs),
        )

    def _tell(
        self,
        new_token_ids: list[int],
        pooling_output: object,
        finish_reason: object,
        stop_reason: object,
        *_: object,
        **__: object,
    ) -> None:
        """What `RequestState.make_request_output` does, without two objects of thirty fields for
        each token: that nothing comes of it is what it says of a step that is not told of yet.
        """
        del new_token_ids, pooling_output
        state = self._state
        detokenizer = cast("Any", state.detokenizer)
        count, told = detokenizer.num_output_tokens(), state.sent_tokens_offset
        # As vLLM compares them: the interval knows no other way.
        due = count - told >= state.stream_interval
        if finish_reason is None and told and not due:
            return
        state.sent_tokens_offset = count
        self._give(
            detokenizer.get_next_output_text(finished=finish_reason is not None, delta=True),
            detokenizer.output_token_ids[told:],
            None if finish_reason is None else str(finish_reason),
            stop_reason,
            state.num_cached_tokens,
            self._new_logprobs(),
        )

    def _new_logprobs(self) -> Sequence[dict[int, Logprob]] | None:
        processor = self._state.logprobs_processor
        every = cast("Any", processor).logprobs if processor is not None else None
        if not every:
            return None
        told, self._logprobs_told = self._logprobs_told, len(every)
        return every[told:]

    def _give(
        self,
        text: str,
        ids: Sequence[int],
        finish: str | None,
        stop: object,
        cached: int | None,
        logprobs: Sequence[dict[int, Logprob]] | None,
    ) -> None:
        """Never raises: who calls reads the outputs of all."""
        if self._end.done():
            return
        # "error" is told by an exception, after what came with it.
        reason = cast("FinishReason | None", finish if finish != "error" else None)
        try:
            self._take(
                Delta(text, tuple(ids), reason, cached, logprobs=_told(ids, logprobs, self._top))
                if logprobs
                else Delta(text, tuple(ids), reason, cached)
            )
        except Exception as error:  # noqa: BLE001 the answer's own, told where it is waited for
            self._end.set_exception(error)
            return
        if finish is None:
            return
        self.finished = True
        if finish == "error":
            self._end.set_exception(EngineDead(str(stop or ENDED)))
        else:
            self._end.set_result(None)


def _told(
    ids: Sequence[int], found: Sequence[dict[int, Logprob]], top: int
) -> tuple[JsonObject, ...]:
    """How likely each token was, and the likeliest in its place, as the Responses API says it."""
    told: list[JsonObject] = []
    # Those that are not told of yet were chosen last.
    for id, place in zip(ids[len(ids) - len(found) :], found, strict=False):
        # vLLM has the chosen one beside the likeliest where it is not one of them.
        likeliest = sorted(place.values(), key=lambda one: one.rank or 1)[:top]
        told.append({**_likely(place[id]), "top_logprobs": [_likely(one) for one in likeliest]})
    return tuple(told)


def _likely(one: Logprob) -> JsonObject:
    text = one.decoded_token or ""
    return {"token": text, "logprob": one.logprob, "bytes": list(text.encode())}
