"""Frames as no client should send them, for Hypothesis: commands with something wrong in them and
texts that are none. It knows the protocol's words and refuses to know which frames a server takes.

Where a frame says @3@, whoever sends it puts in the id of a response that it knows: the newest for
0; from 5 on of those that began on the frame's own connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from hypothesis import strategies as st

from support.house import Json


Value = Any
Values = st.SearchStrategy[Value]
Path = tuple[str | int, ...]

KNOWN_ID = re.compile("@(\\d)@")
OWN = 5
KEYS = ("key-1", "key-2", "key-3")


def _among(*values: Value) -> Values:
    return st.sampled_from(values)


_ids = st.sampled_from(["@0@", "@1@", "@2@", "@5@", "@6@", "resp_none", ""])
_texts = st.sampled_from(["Hi", "", "long", "Grüße 🏔️", "\x00", "\u2028", "x" * 3000])
_small = st.integers(-2, 30)
_edges = st.sampled_from(
    [0, -1, 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 10**400]
)
_odd_floats = st.sampled_from([0.0, -0.0, 1e-9, 1.5, 1e308, float("nan"), float("inf")])
_odd_texts = st.sampled_from(
    ["", " ", "\ud800", "a\udc00b", "\x00", "\x7f", "null", "response.create", "x" * 600, "é" * 300]
) | st.text(max_size=8)


def nested(depth: int) -> Value:
    """Lists in lists."""
    value: Value = []
    for _ in range(depth):
        value = [value]
    return value


_scalars: Values = st.none() | st.booleans() | _edges | _odd_floats | _odd_texts
# Any JSON; deep enough here and there for a reader that calls itself.
junk: Values = (
    _scalars
    | st.lists(_scalars, max_size=3)
    | st.dictionaries(_odd_texts, _scalars, max_size=3)
    | _among([[]], {"id": {}}, [{}], {"type": "function", "name": []})
    | st.sampled_from([90, 140, 400, 950]).map(nested)
)

_parts = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["input_text", "output_text", "text", "refusal", "input_image"]),
        "text": _texts,
    }
)
_messages = st.fixed_dictionaries(
    {
        "type": st.just("message"),
        "role": st.sampled_from(["user", "assistant", "system", "developer"]),
        "content": _texts | st.lists(_parts, min_size=1, max_size=2),
    },
    optional={"phase": st.sampled_from([None, "commentary"]), "id": st.just("msg_1")},
)
_calls = st.sampled_from(
    [
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text"}]},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {"type": "compaction", "encrypted_content": "SGk="},
        {"type": "item_reference", "id": "msg_1"},
    ]
)
inputs: Values = _texts | st.lists(_messages | _calls, max_size=3)
_tools: Values = st.fixed_dictionaries(
    {"type": st.sampled_from(["function", "function", "web_search"]), "name": st.just("f")},
    optional={
        "parameters": _among({}, {"type": "object", "properties": {}}, None),
        "strict": st.booleans(),
    },
)
_formats: Values = st.sampled_from(
    [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
        {"type": "json_schema"},
        {"type": "xml"},
    ]
)
lanes: Values = st.sampled_from(["a", "b", "c", "x.y_Z-9"])

_CREATE: dict[str, Values] = {
    "model": st.sampled_from(["scripted", None, "none"]),
    "previous_response_id": _ids | st.none(),
    "instructions": _texts,
    "conversation": st.sampled_from(["conv_none", {"id": "conv_none"}, {}]),
    "store": st.booleans(),
    "stream": st.booleans(),
    "background": st.booleans(),
    "generate": st.booleans(),
    "temperature": st.floats(-1, 3),
    "top_p": st.floats(-1, 2),
    "top_k": _small,
    "seed": _edges,
    "stop": st.sampled_from(["x", "", [], ["a", "b"], ["x"] * 17]),
    "stop_token_ids": st.lists(_edges, max_size=2),
    "min_tokens": _small,
    "max_output_tokens": _small,
    "logit_bias": st.dictionaries(st.sampled_from(["1", "x", "99999999999"]), _small, max_size=2),
    "priority": _edges,
    "chat_template_kwargs": st.dictionaries(st.sampled_from(["k", "tools"]), _scalars, max_size=2),
    "metadata": st.dictionaries(_odd_texts, _odd_texts, max_size=3),
    "tools": st.lists(_tools, max_size=2),
    "tool_choice": st.sampled_from(["auto", "none", "required", {"type": "function", "name": "f"}]),
    "parallel_tool_calls": st.booleans(),
    "text": st.fixed_dictionaries({"format": _formats}),
    "reasoning": st.fixed_dictionaries({"effort": st.sampled_from(["low", "none", "vast"])}),
    "include": st.lists(st.sampled_from(["message.output_text.logprobs", "x"]), max_size=2),
    "truncation": st.sampled_from(["auto", "disabled", "x"]),
    "top_logprobs": _small,
    "user": _odd_texts,
    "tokenwire": st.fixed_dictionaries(
        {}, optional={"raw": st.booleans(), "idempotency_key": st.sampled_from(["", *KEYS])}
    ),
}
# What a client may send: the fields that it must have, and those that it may have.
COMMANDS: dict[str, tuple[dict[str, Values], dict[str, Values]]] = {
    "response.create": ({"input": inputs}, {"stream_id": lanes, **_CREATE}),
    "response.cancel": ({}, {"stream_id": lanes, "response_id": _ids}),
    "response.steer": ({"previous_response_id": _ids, "input": inputs}, {}),
    "response.processed": ({"response_id": _ids}, {}),
    "tokenwire:response.attach": (
        {"response_id": _ids},
        {
            "stream_id": lanes,
            "starting_after": _small | _edges | st.integers(-1, 9),
            "mode": st.sampled_from(["events", "snapshot", "all"]),
        },
    ),
    "tokenwire:response.detach": ({}, {"stream_id": lanes}),
    "tokenwire:ping": ({}, {"t": _odd_texts | _small | _edges}),
    "tokenwire:pong": ({}, {"t": _small}),
    "response.explode": ({}, {"stream_id": lanes}),
}


@st.composite
def command(draw: st.DrawFn, kind: str, **sure: Values) -> Json:
    """A command whose fields each may be right, with a few of those that may be left out."""
    must, may = COMMANDS[kind]
    body = {"type": kind, **{name: draw(values) for name, values in {**must, **sure}.items()}}
    names = draw(st.lists(st.sampled_from([*may]), max_size=3)) if may else []
    if "stream_id" in may and draw(st.booleans()):
        names.append("stream_id")
    return {**{name: draw(may[name]) for name in names}, **body}


# Most of what there is to get wrong is in a create.
_kinds = st.sampled_from([*COMMANDS, *["response.create"] * len(COMMANDS)])
right_texts = _kinds.flatmap(command).map(json.dumps)


@st.composite
def spoilt_texts(draw: st.DrawFn) -> str:
    """A command with one thing in it changed, left out or added."""
    body: Json = json.loads(draw(right_texts))
    match draw(st.sampled_from(["changed", "changed", "left out", "added"])):
        case "changed":
            return json.dumps(_with(body, draw(st.sampled_from(_spots(body))), draw(junk)))
        case "left out":
            del body[draw(st.sampled_from([*body]))]
        case _:
            body[draw(_odd_texts)] = draw(junk)
    return json.dumps(body)


@st.composite
def broken_texts(draw: st.DrawFn) -> str:
    """A command whose text is no longer that of one, or is not quite."""
    text = draw(right_texts)
    match draw(st.sampled_from(["cut", "before", "after", "twice", "inside"])):
        case "cut":
            return text[: draw(st.integers(0, len(text)))]
        case "before":
            return draw(st.sampled_from(["\ufeff", "[", "\t"])) + text
        case "after":
            return text + draw(st.sampled_from(["}", " ", "\n{}", "x"]))
        case "twice":
            # JSON does not say which of the values counts.
            return f'{{"type": "x", {text[1:-1]}, "stream_id": 1}}'
        case _:
            return f"[{text}]"


def _spots(value: Value, path: Path = ()) -> list[Path]:
    """Where each value stands that is inside this one."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in cast("Json", value).items():
            found += _spots(inner, (*path, key))
    elif isinstance(value, list) and len(path) < 6:
        for index, inner in enumerate(cast("list[Value]", value)):
            found += _spots(inner, (*path, index))
    return found


def _with(value: Value, path: Path, new: Value) -> Value:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: text or bytes, whole or in `pieces` fragments."""

    content: str | bytes
    pieces: int = 1

    def parts(self, known: Sequence[str], own: Sequence[str]) -> list[str] | list[bytes]:
        """The fragments as they are sent, with the ids of responses: all that are known, and those
        of the connection.
        """
        content = self.content
        if isinstance(content, bytes):
            return [content[at] for at in _slices(len(content), self.pieces)]

        def id_of(found: re.Match[str]) -> str:
            index = int(found[1])
            ids = known if index < OWN else own
            return ids[-1 - index % OWN % len(ids)] if ids else "resp_unknown"

        content = KNOWN_ID.sub(id_of, content)
        return [content[at] for at in _slices(len(content), self.pieces)]


def _slices(length: int, pieces: int) -> list[slice]:
    bounds = [length * piece // pieces for piece in range(pieces + 1)]
    return [slice(*bound) for bound in pairwise(bounds)]


_no_commands = st.text(max_size=20) | junk.map(json.dumps) | st.sampled_from(["", "{", "{}", "[]"])
_pieces = st.sampled_from([1, 1, 1, 2, 7])
_FRAMES: dict[str, st.SearchStrategy[Frame]] = {
    "right": st.builds(Frame, right_texts, _pieces),
    "spoilt": st.builds(Frame, spoilt_texts()),
    "broken": st.builds(Frame, broken_texts()),
    "text": st.builds(Frame, _no_commands, _pieces),
    "bytes": st.builds(Frame, st.binary(max_size=20), _pieces),
}


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """One in three is right, or nearly: what its fields hold may be too much."""
    kinds = ["right"] * 4 + ["spoilt"] * 4 + ["broken"] * 2 + ["text", "bytes"]
    return draw(_FRAMES[draw(st.sampled_from(kinds))])


def kind_of(content: str | bytes) -> str | None:
    """The type of a command, as a lenient reader has it; None for what is no object with one."""
    if isinstance(content, bytes):
        return None
    try:
        body: Value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    kind: Value = cast("Json", body).get("type") if isinstance(body, dict) else None
    return kind if isinstance(kind, str) else None
