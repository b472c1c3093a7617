"""Client messages, distrusted: a frame or a body becomes Create, Cancel, Attach ... or a refusal
that names the field.

Unknown fields of standard requests are tolerated, as the protocol moves fast; a known field that
this server can't honour is refused, never ignored. This file refuses to know who sent it.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, NamedTuple, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokenwire.errors import InvalidJson, InvalidRequest, InvalidStreamId, UnknownEventType
from tokenwire.wire.checked import JsonObject, convert, decode_object
from tokenwire.wire.continuing import check_bare, keep_given
from tokenwire.wire.inputs import InputItems
from tokenwire.wire.items import Item, canonical_input
from tokenwire.wire.schema import shown_as
from tokenwire.wire.spelled import Format, ToolChoice, Tools
from tokenwire.wire.steering import Steer
from tokenwire.wire.tools import (
    ReasoningFields,
    Scalar,
    parse_text_format,
    parse_tool_choice,
    parse_tools,
)


_STREAM_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,256}\Z")
_ONE_LINE_MAX: Final = 300
_TOKEN_ID: Final = re.compile(r"[0-9]{1,10}\Z")
MAX_STOPS: Final = 16
LOGPROBS: Final = "message.output_text.logprobs"
# Without an input there may still be something to read, or to go on from.
ENOUGH: Final = ("input", "generate", "prompt_cache_options", "previous_response_id", "tokenwire")
# What a chat template gets from us: a client that sets it would not get what it asked for.
_TEMPLATE_OWN: Final = ("tools", "messages", "documents", "add_generation_prompt", "tokenize")

Temperature = Annotated[float, Meta(ge=0, le=2)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
TopP = Annotated[float, Meta(gt=0, le=1)]
TopK = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
Repetition = Annotated[float, Meta(gt=0, le=10)]
MostTokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
ShortText = Annotated[str, Meta(max_length=512)]
Stop = Annotated[ShortText, shown_as({"minLength": 1})]
Stops = Annotated[list[Stop], Meta(max_length=MAX_STOPS)]
LaneName = Annotated[str, shown_as({"pattern": "^[A-Za-z0-9_.-]{1,256}$"})]
Bias = Annotated[float, Meta(ge=-100, le=100)]
Biases = Annotated[dict[str, Bias], shown_as({"propertyNames": {"pattern": "^[0-9]{1,10}$"}})]
Metadata = Annotated[dict[Annotated[str, Meta(max_length=64)], ShortText], Meta(max_length=16)]


class SamplingFields(msgspec.Struct, kw_only=True):
    """The sampling fields that responses, chat completions and completions share (vLLM's names)."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    min_p: Fraction | None = None
    seed: Seed | None = None
    stop: Stop | Stops | None = None
    stop_token_ids: Annotated[list[Count], Meta(max_length=256)] | None = None
    ignore_eos: bool | None = None
    min_tokens: Count | None = None
    repetition_penalty: Repetition | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Biases | None = None
    skip_special_tokens: bool | None = None
    priority: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    continue_final_message: bool | None = None
    chat_template_kwargs: dict[Annotated[str, Meta(max_length=64)], Scalar] | None = None


class ConversationRef(msgspec.Struct):
    id: str


class TokenwireFields(msgspec.Struct, kw_only=True):
    """Our own fields of a create. `raw`: the input is the prompt, without a chat template.
    `continues`: the cut response that is gone on with.
    """

    raw: bool = False
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    continues: ShortText | None = None


class CacheFields(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`prompt_cache_options`: whether the prompt is only to be read."""

    prewarm: bool | None = None


class TextFields(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`text`: its format, and how much of it is wished for."""

    format: Format | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Create(SamplingFields, kw_only=True):
    """`POST /v1/responses` and `response.create`: the standard body, flat."""

    # Required, but for what is kept of a create: its items lie beside it.
    input: str | InputItems | UnsetType = UNSET
    model: str | None = None
    instructions: str | None = None
    previous_response_id: str | UnsetType | None = UNSET
    conversation: str | ConversationRef | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_id: LaneName | None = None
    background: bool | None = None
    generate: bool | None = None
    max_output_tokens: MostTokens | None = None
    max_tool_calls: Count | None = None
    metadata: Metadata | None = None
    parallel_tool_calls: bool | None = None
    tool_choice: ToolChoice = None
    tools: Tools | None = None
    text: TextFields | None = None
    reasoning: ReasoningFields | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    service_tier: str | None = None
    safety_identifier: ShortText | None = None
    prompt_cache_key: ShortText | None = None
    prompt_cache_options: CacheFields | None = None
    user: ShortText | None = None
    tokenwire: TokenwireFields | None = None

    @property
    def items(self) -> list[Item]:
        """The canonical input, once it was parsed."""
        return cast("list[Item]", self.input)

    @property
    def parent_id(self) -> str | None:
        """The `previous_response_id`, if one is named. (Absent and null differ inside a
        conversation.)
        """
        return self.previous_response_id or None

    @property
    def conversation_id(self) -> str | None:
        ref = self.conversation
        return ref.id if isinstance(ref, ConversationRef) else ref

    @property
    def idempotency_key(self) -> str | None:
        return self.tokenwire.idempotency_key if self.tokenwire else None

    @property
    def continues(self) -> str | None:
        return self.tokenwire.continues if self.tokenwire else None

    @property
    def wants_logprobs(self) -> bool:
        return LOGPROBS in (self.include or ()) or bool(self.top_logprobs)

    @property
    def stops(self) -> tuple[str, ...]:
        stop = self.stop
        return (stop,) if isinstance(stop, str) else tuple(stop or ())


class Cancel(msgspec.Struct, kw_only=True):
    """`response.cancel`: the named response, or the one that runs on the lane."""

    response_id: str | None = None
    stream_id: LaneName | None = None


class Attach(msgspec.Struct, kw_only=True):
    """`tokenwire:response.attach`: read a response's log after a position, -1 for all. The mode
    "snapshot" is for who comes late: all text so far in one event, then the log.
    """

    response_id: str
    starting_after: Annotated[int, Meta(ge=-1)] = -1
    mode: Literal["events", "snapshot"] = "events"
    stream_id: LaneName | None = None


class Detach(msgspec.Struct, kw_only=True):
    """`tokenwire:response.detach`: stop reading on a lane. The response goes on."""

    stream_id: LaneName | None = None


class Ping(msgspec.Struct, kw_only=True):
    """`tokenwire:ping`: answered with the same `t`."""

    t: ShortText | float | None = None


class Ignored(msgspec.Struct):
    """A message that is legal and has no effect here."""


Command = Create | Steer | Cancel | Attach | Detach | Ping | Ignored

_STANDARD: Final[dict[str, type[Command]]] = {
    "response.create": Create,
    "response.steer": Steer,
    "response.cancel": Cancel,
    "response.processed": Ignored,
}
_EXTENSION: Final[dict[str, type[Command]]] = {
    "tokenwire:response.attach": Attach,
    "tokenwire:response.detach": Detach,
    "tokenwire:ping": Ping,
    "tokenwire:pong": Ignored,
}


def client_events(*, extension: bool) -> dict[str, type[Command]]:
    """What a client may say on a socket: the type of each event, and what it becomes."""
    return _STANDARD | _EXTENSION if extension else _STANDARD


def parse_create(body: JsonObject) -> Create:
    """A create, checked and made canonical. Raises InvalidRequest or UnsupportedParameter that
    names the field.
    """
    _check_lane(body)
    create = convert(body, Create)
    if create.prompt_cache_options is not None and create.prompt_cache_options.prewarm:
        create.generate = False
    bare = create.generate is False or create.parent_id is not None
    if create.continues is not None:
        check_bare(create)
    elif bare and (create.input is UNSET or create.input == []):
        create.input = []
    elif create.input is UNSET:
        raise InvalidRequest("`input` is required.", param="input")
    else:
        create.input = [*canonical_input(create.input)]
    check_create(create)
    if create.continues is not None:
        keep_given(create, body)
    return create


def check_create(create: Create) -> None:
    """What types alone can't say. Raises InvalidRequest or UnsupportedParameter."""
    if any(not _TOKEN_ID.match(key) for key in create.logit_bias or ()):
        raise InvalidRequest("The keys of `logit_bias` are token ids.", param="logit_bias")
    if "" in create.stops:
        raise InvalidRequest("A stop string can't be empty.", param="stop")
    if (create.min_tokens or 0) > (create.max_output_tokens or 2**31):
        raise InvalidRequest(
            "`min_tokens` is greater than the most that may be generated.", param="min_tokens"
        )
    if create.background and create.store is False:
        raise InvalidRequest("A background response must be stored.", param="background")
    for name in create.chat_template_kwargs or ():
        if name in _TEMPLATE_OWN:
            field = f"chat_template_kwargs.{name}"
            raise InvalidRequest(f"`{field}` can't be set.", param=field)
    create.tools = parse_tools(create.tools)
    create.tool_choice = parse_tool_choice(create.tool_choice, create.tools)
    create.text = create.text or TextFields()
    create.text.format = parse_text_format(create.text.format, "text.format")


def parse_frame(text: str, *, extension: bool) -> Command:
    """One client event of a socket; `extension` where the socket negotiated `tokenwire.v1`.

    Raises InvalidJson, UnknownEventType, InvalidStreamId, InvalidRequest or UnsupportedParameter.
    """
    body = decode_object(text)
    kind = body.get("type")
    command = client_events(extension=extension).get(kind) if isinstance(kind, str) else None
    if command is None:
        raise UnknownEventType(f"There is no client event {kind!r}.", param="type")
    if command is Create:
        return parse_create(body)
    _check_lane(body)
    return convert(body, command)


class Refused(NamedTuple):
    """What a refused frame still tells, where it is usable: its lane, as errors go to it, and the
    parent that a create named.
    """

    stream_id: str | None = None
    parent_id: str | None = None


def read_refused(text: str) -> Refused:
    """Never raises."""
    try:
        body = decode_object(text)
    except InvalidJson:
        return Refused()
    lane = body.get("stream_id")
    parent = body.get("previous_response_id") if body.get("type") == "response.create" else None
    return Refused(
        lane if isinstance(lane, str) and len(lane) <= _ONE_LINE_MAX else None,
        parent if isinstance(parent, str) else None,
    )


def _check_lane(body: JsonObject) -> None:
    lane = body.get("stream_id")
    if lane is not None and not (isinstance(lane, str) and _STREAM_ID.match(lane)):
        raise InvalidStreamId("A stream_id is 1 to 256 of A-Z a-z 0-9 _ . -", param="stream_id")
