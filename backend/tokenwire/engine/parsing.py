"""What an answer is made of, read by vLLM's own parsers: thoughts, function calls, and the text
around them.

One Parsers for each running model, chosen by its family; one reader for each answer that needs one.
Everything else stays on the way that knows only text. It refuses to know what becomes of the parts.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportPrivateUsage=false

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.parser import ParserManager

from tokenwire.engine.arguments import chat_tools
from tokenwire.engine.base import Call, Capabilities, Delta, Form, Prompt, Resume
from tokenwire.errors import InvalidRequest


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vllm.config import ModelConfig, VllmConfig
    from vllm.entrypoints.generate.base.protocol import DeltaMessage
    from vllm.parser.abstract_parser import Parser
    from vllm.sampling_params import StructuredOutputsParams
    from vllm.tokenizers import TokenizerLike

    from tokenwire.engine.families import ParserNames


log = logging.getLogger(__name__)

# vLLM makes an id of its own where the model's format has none.
_VLLM_CALL = "chatcmpl-tool-"
_HALF = "\ufffd"


@dataclass(frozen=True, slots=True)
class Constraints:
    """What of a form binds the sampling."""

    structured_outputs: StructuredOutputsParams | None = None
    keeps_special_tokens: bool = False


FREE = Constraints()


class Parsers:
    """What one running model can be asked for, and how its answers are read. A parser that does not
    suit the model's tokenizer raises TypeError where the names are `sure`, else it is as none.
    `reasoning`: the name of the one that reads its thoughts, if any.
    """

    def __init__(
        self, config: VllmConfig, tokenizer: TokenizerLike, names: ParserNames, *, sure: bool
    ) -> None:
        self._config: ModelConfig = config.model_config
        self._harmony = self._config.hf_config.model_type == "gpt_oss"
        if self._harmony:
            _load_vocabulary()
        self._tokenizer = tokenizer
        self._sure = sure
        self._without = self._parser(None, names.reasoning) if names.reasoning else None
        self.reasoning = names.reasoning if self._without else None
        self._with_tools = self._parser(names.tool, self.reasoning) if names.tool else None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            tools=self._with_tools is not None,
            reasoning=self.reasoning is not None,
            structured_output=True,
        )

    def check(self, form: Form) -> None:
        """Raises UnsupportedParameter for what this model can't do, and as `constraints` does."""
        self.capabilities.check(form)
        self.constraints(form)

    def constraints(self, form: Form) -> Constraints:
        """Raises InvalidRequest for a schema that can't be one."""
        if not form.offers_tools and not form.is_json:
            return FREE
        request = self._request(form)
        if form.offers_tools or (self._harmony and self._without is not None):
            request = cast("Any", self._new(form, request)).adjust_request(request)
        outputs = request.extract_structured_outputs()
        return Constraints(outputs, keeps_special_tokens=not request.skip_special_tokens)

    def reader(
        self, prompt: Prompt, resume: Resume | None, take: Callable[[Delta], None]
    ) -> Callable[[Delta], None]:
        """What has to be called with the plain deltas of an answer, so that `take` is called with
        what they are made of.
        """
        form = prompt.form
        if form.raw or (self._with_tools if form.offers_tools else self._without) is None:
            return take
        request = self._request(form)
        return Reader(self._new(form, request), request, prompt, resume, take).read

    def _new(self, form: Form, request: ChatCompletionRequest) -> Parser:
        kind = cast("type[Parser]", self._with_tools if form.offers_tools else self._without)
        tools: Any = request.tools
        keywords = {"model_config": self._config, "chat_template_kwargs": dict(form.template)}
        return kind(self._tokenizer, tools, **keywords)

    def _request(self, form: Form) -> ChatCompletionRequest:
        """The form in the words that vLLM's parsers read. The messages don't matter to them."""
        fields: dict[str, Any] = {"messages": [{"role": "user", "content": ""}]}
        if form.offers_tools:
            fields |= {
                "tools": chat_tools(form),
                "tool_choice": _choice(form),
                "parallel_tool_calls": form.parallel_tool_calls,
            }
        if form.is_json:
            fields["response_format"] = _response_format(form)
        try:
            return ChatCompletionRequest(**fields)
        except ValueError as error:
            raise InvalidRequest(f"The tools or the text format are refused: {error}") from error

    def _parser(self, tool: str | None, reasoning: str | None) -> type[Parser] | None:
        try:
            return ParserManager.get_parser(
                tool_parser_name=tool,
                reasoning_parser_name=reasoning,
                enable_auto_tools=tool is not None,
                model_name=self._config.model,
                is_harmony=self._harmony,
                tokenizer=self._tokenizer,
            )
        except TypeError as error:
            if self._sure:
                raise
            log.warning("The parser %s is not used: %s", tool or reasoning, error)
            return None


class Reader:
    """One answer, read as it comes."""

    def __init__(
        self,
        parser: Parser,
        request: ChatCompletionRequest,
        prompt: Prompt,
        resume: Resume | None,
        take: Callable[[Delta], None],
    ) -> None:
        self._parser = parser
        self._request = request
        self._parallel = prompt.form.parallel_tool_calls
        self._calls = prompt.form.offers_tools
        self._prompt_ids = list(prompt.token_ids)
        # The first delta says their text again.
        self._said = list(resume.token_ids) if resume else []
        self._take = take
        self._thought = 0
        self._done = False
        parser.set_prompt_token_ids(self._prompt_ids)

    def read(self, delta: Delta) -> None:
        if self._done:
            self._take(self._counted(delta))
            return
        ids = [*self._said, *delta.token_ids]
        self._said = []
        if not delta.text and not ids and delta.finish is None:
            self._take(delta)
            return
        reasoning, text = "", ""
        calls: list[Call] = []
        pieces = self._pieces(delta.text, ids)
        for number, (piece, piece_ids) in enumerate(pieces, 1):
            last = delta.finish is not None and number == len(pieces)
            message = self._parsed(piece, piece_ids, finished=last)
            if message is not None:
                reasoning += message.reasoning or ""
                text += message.content or ""
                calls += self._called(message.tool_calls)
        logprobs = delta.logprobs if text and not reasoning else ()
        made = msgspec.structs.replace(
            delta, text=text, reasoning=reasoning, calls=tuple(calls), logprobs=logprobs
        )
        self._take(self._counted(made))

    def _pieces(self, text: str, ids: list[int]) -> list[tuple[str, list[int]]]:
        """What vLLM's older parsers must be given token by token: of several at once they lose
        some.
        """
        if self._parser._engine_based or len(ids) < 2:
            return [(text, ids)]
        pieces: list[tuple[str, list[int]]] = []
        waiting: list[int] = []
        for id in ids:
            waiting.append(id)
            piece = self._parser.model_tokenizer.decode(waiting)
            if piece.endswith(_HALF):  # a character that the next token ends
                continue
            if not text.startswith(piece):
                break
            pieces.append((piece, waiting))
            text, waiting = text[len(piece) :], []
        told = sum(len(piece_ids) for _, piece_ids in pieces)
        rest = (text, ids[told:])
        return [*pieces, rest] if any(rest) or not pieces else pieces

    def _parsed(self, text: str, ids: list[int], *, finished: bool) -> DeltaMessage | None:
        message = self._parser.parse_delta(
            delta_text=text,
            delta_token_ids=ids,
            request=self._request,
            prompt_token_ids=self._prompt_ids,
            finished=finished,
        )
        counted: int | None = getattr(self._parser, "_num_reasoning_tokens", None)
        if counted is not None:  # Harmony counts by itself, and has no other state
            self._thought = counted
            return message
        ended = self._parser._stream_state.reasoning_ended
        said = message is not None and (message.content or message.tool_calls)
        if not ended and not said:
            self._thought += len(ids)
        elif message is not None and message.reasoning:
            self._thought += self._parser.count_reasoning_tokens(ids)
        # After its thoughts an answer without tools is nothing but text.
        self._done = ended and not self._calls
        return message

    def _counted(self, delta: Delta) -> Delta:
        if delta.finish is None or not self._thought:
            return delta
        return msgspec.structs.replace(delta, reasoning_tokens=self._thought)

    def _called(self, calls: Sequence[Any]) -> list[Call]:
        return [
            Call(
                call.index,
                (call.function.arguments if call.function else None) or "",
                _call_id(call.id or ""),
                (call.function.name if call.function else None) or "",
            )
            for call in calls
            if self._parallel or call.index == 0
        ]


def _load_vocabulary() -> None:
    """gpt-oss is read by its tokens, with OpenAI's own vocabulary, which is fetched unless a folder
    with it is named. Better said now than at the first answer.
    """
    from openai_harmony import HarmonyEncodingName, load_harmony_encoding

    try:
        load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)
    except Exception as error:
        raise RuntimeError(
            "gpt-oss needs OpenAI's vocabulary, and it can't be fetched: put o200k_base.tiktoken "
            "into a folder and name that in TIKTOKEN_ENCODINGS_BASE."
        ) from error


def _choice(form: Form) -> object:
    choice = form.tool_choice
    if isinstance(choice, str):
        return choice
    return {"type": "function", "function": {"name": choice["name"]}}


def _response_format(form: Form) -> object:
    if form.text_format["type"] == "json_object":
        return {"type": "json_object"}
    schema = {name: value for name, value in form.text_format.items() if name != "type"}
    return {"type": "json_schema", "json_schema": schema}


def _call_id(id: str) -> str:
    return f"call_{id.removeprefix(_VLLM_CALL)}" if id.startswith(_VLLM_CALL) else id
