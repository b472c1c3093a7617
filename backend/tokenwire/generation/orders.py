"""An order: a create that was accepted, as the engine needs it: its prompt, its sampling, its
limits.

It knows what came before a turn and refuses to know when the turn runs and who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec

from tokenwire.engine.base import Delta, Engine, EngineLimits, Form, Prompt, Sampling
from tokenwire.errors import ContextLengthExceeded
from tokenwire.wire.commands import Create
from tokenwire.wire.continuing import FIELD
from tokenwire.wire.messages import Message, chat_messages
from tokenwire.wire.offered import offer


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.events import Response
    from tokenwire.wire.items import Item


CHARACTERS_PER_TOKEN_MAX = 128
# Warming up gives way to whatever is answered (vLLM: the lower goes first).
WARM_PRIORITY = 1 << 20
NOTHING = Delta("")


@dataclass(frozen=True, slots=True)
class Kept:
    """What an answer begins with that goes on with another: all tokens of that, `told`, which is
    said whatever follows, and `held`, the end of its text, which may be read otherwise; and how
    long was thought, as `Thinking` has it.
    """

    token_ids: tuple[int, ...]
    told: tuple[Delta, ...] = ()
    held: Delta = NOTHING
    thought_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An accepted create: who asked, of which model, what came before and what is new."""

    create: Create
    user_id: str
    model: str
    context: list[Item]
    input: list[Item]
    durable: bool
    kept: Kept | None = None

    @property
    def kept_tokens(self) -> int:
        return len(self.kept.token_ids) if self.kept else 0

    def notes(self) -> dict[str, object]:
        """What is said of what it begins with, beside its response."""
        if self.kept is None:
            return {}
        return {"continues": self.create.continues, "kept_tokens": self.kept_tokens}

    @property
    def warms(self) -> bool:
        """Whether nothing is to be said: only what came before is read, and kept in the cache."""
        return self.create.generate is False

    def messages(self) -> list[dict[str, object]]:
        messages = chat_messages(self.create.instructions, [*self.context, *self.input])
        # Warmed up with nothing but tools, of which only a system message tells in a template.
        return messages or [{"role": "system", "content": ""}]

    def form(self) -> Form:
        create = self.create
        effort = create.reasoning.effort if create.reasoning else None
        template: dict[str, object] = {}
        if effort is not None:
            # As the templates of different families call it; each takes what it knows.
            thinks = effort not in ("none", "minimal")
            template |= {"enable_thinking": thinks, "thinking": thinks, "reasoning_effort": effort}
        choice = cast("str | dict[str, object]", create.tool_choice or "auto")
        tools, choice = offer(create.tools or (), choice)
        return Form(
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=create.parallel_tool_calls is not False,
            text_format=(create.text.format if create.text else None) or {"type": "text"},
            template=template | (create.chat_template_kwargs or {}),
            continues=bool(create.continue_final_message),
            raw=create.tokenwire is not None and create.tokenwire.raw,
        )

    def check_size(self, context_length: int) -> None:
        """Refuse what can't fit, without tokenizing: that takes seconds for megabytes, and no
        tokenizer makes so few tokens of so much text. Raises ContextLengthExceeded.
        """
        messages = self.messages()
        if self.create.truncation == "auto":
            messages = messages[turns(messages)[-1] :]
        characters = sum(map(_characters, messages))
        if characters > context_length * CHARACTERS_PER_TOKEN_MAX:
            raise ContextLengthExceeded(
                f"The prompt has {characters} characters, far beyond this model's context of "
                f"{context_length} tokens.",
                param="input",
            )


async def render(engine: Engine, order: Order) -> Prompt:
    """The prompt of an order. Raises ContextLengthExceeded when no token of an answer would fit."""
    order.check_size(engine.limits.context_length)
    if order.create.truncation == "auto":
        return await _render_end(engine, order)
    prompt = await engine.render(order.messages(), order.form())
    if len(prompt.token_ids) >= engine.limits.context_length - order.kept_tokens:
        raise _too_long(prompt, engine, order)
    return prompt


async def _render_end(engine: Engine, order: Order) -> Prompt:
    """With as few of the oldest turns left out as leaves room for an answer of as many tokens as it
    wants, or of a quarter of the context.
    """
    context = engine.limits.context_length - order.kept_tokens
    messages, form, wanted = order.messages(), order.form(), order.create.max_output_tokens
    room = context - max(1, min(wanted or context // 4, context // 2))
    starts = turns(messages)
    head = messages[: starts[0]]
    # What no tokenizer could fit is not worth being tokenized.
    size, low = 0, len(starts) - 1
    for index in range(len(starts) - 1, -1, -1):
        end = starts[index + 1] if index + 1 < len(starts) else len(messages)
        size += sum(map(_characters, messages[starts[index] : end]))
        if size > context * CHARACTERS_PER_TOKEN_MAX:
            break
        low = index
    high = len(starts) - 1
    fits: Prompt | None = None
    prompt = Prompt(())
    while low <= high:
        middle = low if fits is None and low == 0 else (low + high) // 2
        prompt = await engine.render([*head, *messages[starts[middle] :]], form)
        if len(prompt.token_ids) <= room or (middle == 0 and len(prompt.token_ids) < context):
            fits, high = prompt, middle - 1
        else:
            low = middle + 1
    if fits is None:
        raise _too_long(prompt, engine, order)
    return fits


def turns(messages: list[Message]) -> list[int]:
    """Where each turn begins: at what a user says. What stands before the first belongs to all."""
    starts = [index for index, message in enumerate(messages) if message["role"] == "user"]
    return starts or [0]


def _characters(message: Message) -> int:
    return len(str(message["content"])) + len(str(message.get("tool_calls", "")))


def _too_long(prompt: Prompt, engine: Engine, order: Order) -> ContextLengthExceeded:
    tokens, context = len(prompt.token_ids), engine.limits.context_length
    if (kept := order.kept_tokens) and tokens < context:
        return ContextLengthExceeded(
            f"The prompt has {tokens} tokens and the answer so far {kept}; this model's context is "
            f"{context}.",
            param=FIELD,
        )
    return ContextLengthExceeded(
        f"The prompt has {tokens} tokens; this model's context is {context}.", param="input"
    )


def plan_of(order: Order, item_id: str) -> dict[str, object]:
    """What `order_of` needs after a restart, as JSON, but for what is stored beside it."""
    create = msgspec.to_builtins(order.create)
    create.pop("input", None)
    return {
        "create": create,
        "model": order.model,
        "item": item_id,
        "kept": order.kept_tokens,
    }


def order_of(
    plan: dict[str, object],
    user_id: str,
    context: list[Item],
    own: list[Item],
    token_ids: Sequence[int],
    *,
    durable: bool,
) -> tuple[Order, str]:
    """The order of a plan, and its item's id. `token_ids`: those of the answer so far, with what it
    was begun with. Raises msgspec.ValidationError for a strange plan.
    """
    parts = msgspec.convert(plan, _Plan)
    kept = tuple(token_ids[: parts.kept])
    order = Order(
        create=parts.create,
        user_id=user_id,
        model=parts.model,
        context=context,
        input=own,
        durable=durable,
        kept=Kept(kept) if kept else None,
    )
    return order, parts.item


class _Plan(msgspec.Struct):
    create: Create
    model: str
    item: str
    kept: int = 0


def show_defaults(response: Response, create: Create, limits: EngineLimits | None) -> None:
    """Echo the sampling that is in force, the model's own where the client said nothing."""
    defaults = limits.defaults if limits else {}
    if create.temperature is None:
        response.temperature = float(defaults.get("temperature", 1.0))
    if create.top_p is None:
        response.top_p = float(defaults.get("top_p", 1.0))


def sampling_of(order: Order) -> Sampling:
    create, warms = order.create, order.warms
    bias = create.logit_bias
    return Sampling(
        temperature=create.temperature,
        top_p=create.top_p,
        top_k=create.top_k,
        min_p=create.min_p,
        seed=create.seed,
        stop=create.stops,
        stop_token_ids=tuple(create.stop_token_ids or ()),
        ignore_eos=bool(create.ignore_eos),
        min_tokens=0 if warms else create.min_tokens or 0,
        max_tokens=1 if warms else create.max_output_tokens,
        before=order.kept_tokens,
        repetition_penalty=create.repetition_penalty,
        presence_penalty=create.presence_penalty,
        frequency_penalty=create.frequency_penalty,
        logit_bias={int(token): value for token, value in bias.items()} if bias else None,
        skip_special_tokens=create.skip_special_tokens is not False,
        priority=WARM_PRIORITY if warms else create.priority or 0,
        logprobs=create.top_logprobs or 0 if create.wants_logprobs and not warms else None,
    )
