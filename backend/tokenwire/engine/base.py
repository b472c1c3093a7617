"""The Engine protocol and its values: what the rest of the house may ask of a model, and what it
gets back.

These are pure values and protocols. This file refuses to know vLLM, processes and the wire: a
scripted engine in the tests and `engine/vllm.py` stand behind the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from tokenwire.errors import InvalidRequest, UnsupportedParameter


if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tokenwire.engine.models import EngineTotals, LiveNumbers, ModelState, StageListener


FinishReason = Literal["stop", "length", "abort", "error"]
JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What an answer may be made of: what a chat template, a grammar and a parser must know of it.

    `tools` as {"type": "function", "name", "description", "parameters", "strict"}; `tool_choice` is
    "auto", "none", "required" or the name of the one that has to be called (as a JsonObject with
    `name`). `text_format` is {"type": "text"}, {"type": "json_object"} or {"type": "json_schema",
    "schema"}. `template` are keywords for the chat template; `continues`: the last message is the
    beginning of the answer. `raw`: what is said in the messages is the prompt, without a template.
    """

    tools: tuple[JsonObject, ...] = ()
    tool_choice: str | JsonObject = "auto"
    parallel_tool_calls: bool = True
    text_format: JsonObject = field(default_factory=lambda: JsonObject(type="text"))
    template: JsonObject = field(default_factory=JsonObject)
    continues: bool = False
    raw: bool = False

    @property
    def offers_tools(self) -> bool:
        return bool(self.tools) and self.tool_choice != "none"

    @property
    def is_json(self) -> bool:
        return self.text_format.get("type") != "text"


PLAIN = Form()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What answers of a model may be made of beside text; None where that isn't known."""

    tools: bool | None = None
    reasoning: bool | None = None
    structured_output: bool | None = None

    def check(self, form: Form) -> None:
        """Raises UnsupportedParameter for what the model is known not to do, and InvalidRequest
        for what none does.
        """
        if form.raw and form.offers_tools:
            raise InvalidRequest("A raw prompt has no tools.", param="tools")
        if form.offers_tools and self.tools is False:
            raise UnsupportedParameter(
                "This model can't call tools, or Tokenwire doesn't know how it writes its calls: "
                "then name its parser in the setting `parsers`.",
                param="tools",
            )


UNKNOWN = Capabilities()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt: the token ids that the model sees, and what its answer may be made of."""

    token_ids: tuple[int, ...]
    form: Form = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to choose tokens. None means the model's own default; `max_tokens` None means up to the
    context. `logprobs`: how many of the likeliest tokens are told beside each that was chosen; None
    tells of none. `before`: how many tokens of an answer that is resumed are counted neither for
    `max_tokens` nor for `min_tokens`.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    min_tokens: int = 0
    max_tokens: int | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[int, float] | None = None
    skip_special_tokens: bool = True
    priority: int = 0
    logprobs: int | None = None
    before: int = 0


class Call(msgspec.Struct, frozen=True):
    """The next piece of an answer's function call `index` (from 0): its first has the id and the
    name, any may have some of the arguments (JSON, as text).
    """

    index: int
    arguments: str = ""
    id: str = ""
    name: str = ""


class Delta(msgspec.Struct, frozen=True):
    """What one step added: what the model thought, then text, then function calls (nothing, while a
    character is incomplete), and the token ids of all of it.

    `finish` and `reasoning_tokens` are set on the last delta only. `cached_tokens` counts prompt
    tokens that came from the prefix cache, on the first delta. `logprobs` are those of the text's
    tokens, in the words of the Responses API.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    finish: FinishReason | None = None
    cached_tokens: int | None = None
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    logprobs: tuple[JsonObject, ...] = ()
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Resume:
    """Where an answer goes on that was begun before: the ids of its tokens so far."""

    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The bounds of a running engine, and what it can be asked for. `context_length` and
    `kv_tokens` in tokens.
    """

    context_length: int
    max_running: int
    kv_tokens: int
    defaults: dict[str, float | int] = field(default_factory=dict[str, float | int])
    capabilities: Capabilities = UNKNOWN


class Engine(Protocol):
    """A model that can generate."""

    @property
    def limits(self) -> EngineLimits: ...

    async def render(self, messages: list[dict[str, object]], form: Form = PLAIN) -> Prompt:
        """Apply the model's chat template to `messages` (role, content, and what chat completions
        have beside them) and open the answer.

        Raises InvalidRequest if the template refuses the messages, and UnsupportedParameter for a
        form that this model can't have.
        """
        ...

    async def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
    ) -> None:
        """Hand the answer to `take`, delta by delta, to its end. One that was begun before goes on
        where it was: then `prompt` and `sampling` are those it was begun with, and the first delta
        says again all that its tokens so far had said, without their ids.

        `take` is called where the engine's outputs are read, so that no task wakes for a token;
        what it raises ends this answer alone. A cancel aborts the answer in the engine and returns
        when the engine has let go of it. Raises InvalidRequest for a request that the engine
        refuses and EngineDead when the engine can't be kept alive.
        """
        ...


class RunningEngine(Engine, Protocol):
    """An engine with its process, as the supervisor owns it."""

    @property
    def alive(self) -> bool:
        """False once the engine process has ended."""
        ...

    def adapted(self, name: str) -> Engine:
        """The same engine with one of its model's LoRA adapters in each answer. Raises
        ModelUnavailable for one that it could not load.
        """
        ...

    def live(self) -> LiveNumbers:
        """What it does right now: nothing, while no request is unfinished."""
        ...

    def totals(self) -> EngineTotals:
        """What it has done since its start; no count ever falls."""
        ...

    async def close(self) -> None:
        """End the engine process. Idempotent."""
        ...


class Engines(Protocol):
    """All models of this machine, as `generation` sees them."""

    def resolve(self, name: str | None) -> str:
        """The id of the model `name` (None: the default one). Raises ModelNotFound."""
        ...

    def ready(self, model: str) -> Engine | None:
        """The engine of a model that can generate right now, else None."""
        ...

    def state(self, model: str) -> ModelState: ...

    def lease(
        self, model: str, on_stage: StageListener | None = None
    ) -> AbstractAsyncContextManager[Engine]:
        """Hold the model's engine, loading it if need be; `on_stage` hears of each loading stage
        and, as long as it is held, of each recovery.

        A leased engine is never unloaded. Raises ModelUnavailable when it can't be loaded.
        """
        ...
