"""Going on with a cut answer: what a create may say, and what it takes from the older one.

Pure values. It refuses to know where the older one is kept and who goes on with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec

from tokenwire.errors import InvalidRequest


if TYPE_CHECKING:
    from tokenwire.wire.checked import JsonObject
    from tokenwire.wire.commands import Create


FIELD: Final = "tokenwire.continues"
# What the tokens so far were read by: with another they would say something else.
_FORM: Final = (
    *("tools", "tool_choice", "parallel_tool_calls", "text", "reasoning"),
    *("chat_template_kwargs", "continue_final_message", "skip_special_tokens"),
)
# What a check fills in where a client said nothing.
_FILLED: Final = ("tools", "tool_choice", "text")
_INHERITED: Final = (
    *("temperature", "top_p", "top_k", "min_p", "seed", "stop", "stop_token_ids", "ignore_eos"),
    *("repetition_penalty", "presence_penalty", "frequency_penalty", "logit_bias"),
    *("priority", "instructions", "max_tool_calls", "include", "top_logprobs", "truncation"),
)


def check_bare(create: Create) -> None:
    """The input is the older one's. Raises InvalidRequest that names the field."""
    if create.input is not msgspec.UNSET and create.input not in ("", []):
        raise InvalidRequest(
            f"With `{FIELD}` the input is that of the response that is gone on with.",
            param="input",
        )
    if create.generate is False:
        raise InvalidRequest(f"With `{FIELD}` something is generated.", param="generate")
    create.input = []


def keep_given(create: Create, body: JsonObject) -> None:
    """Leave unsaid what the body does not say."""
    for name in _FILLED:
        if body.get(name) is None:
            setattr(create, name, None)


def merged(create: Create, old: Create, resource: JsonObject, *, least: int) -> Create:
    """The create that goes on with the response of `old`: it stands in the same place, and what it
    leaves unsaid is as in `old`. `least`: how many tokens more the older one had to have. Raises
    InvalidRequest that names the field.
    """
    conversation = cast("dict[str, str]", resource.get("conversation") or {}).get("id")
    parent = cast("str | None", resource.get("previous_response_id"))
    if create.previous_response_id not in (msgspec.UNSET, parent):
        raise _other("previous_response_id")
    if create.conversation_id not in (None, conversation):
        raise _other("conversation")
    raw = old.tokenwire is not None and old.tokenwire.raw
    own = create.tokenwire
    if own is not None and own.raw and not raw:
        raise _other("tokenwire.raw")
    fields = {name: _same(create, old, name) for name in _FORM}
    for name in _INHERITED:
        value = getattr(create, name)
        fields[name] = getattr(old, name) if value is None else value
    return msgspec.structs.replace(
        create,
        **fields,
        min_tokens=least if create.min_tokens is None else create.min_tokens,
        previous_response_id=parent,
        conversation=conversation,
        tokenwire=msgspec.structs.replace(own, raw=raw) if own else None,
    )


def _same(create: Create, old: Create, name: str) -> object:
    value, was = getattr(create, name), getattr(old, name)
    if value is not None and value != was:
        raise _other(name)
    return was


def _other(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"`{field}` must be that of the response that is gone on with, or be left out.",
        param=field,
    )
