"""What every route takes and answers, as a table: the routes themselves stand in the doors, and a
test holds the two against each other.

It refuses to know what a document looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenwire.errors import (
    ContextLengthExceeded,
    ConversationLocked,
    ConversationNotFound,
    EngineDead,
    InvalidRequest,
    InvalidStartingAfter,
    ModelNotFound,
    ModelUnavailable,
    NotFound,
    NotSaved,
    PreviousResponseNotFound,
    RateLimited,
    ResponseNotFound,
    ServerDraining,
    StreamExpired,
    TokenwireError,
    UnsupportedParameter,
    UpgradeRequired,
)
from tokenwire.web.conversations import ConversationCreate, ConversationUpdate
from tokenwire.web.feed import ClientEvents
from tokenwire.web.items import ItemsCreate
from tokenwire.web.models import ChosenModel
from tokenwire.web.parameters import (
    AFTER,
    ARCHIVED,
    AS_STREAM,
    CURSOR,
    KEY,
    LIMIT_20,
    LIMIT_40,
    ORDER,
    PART,
    PINNED,
    STARTING_AFTER,
    WORDS,
    Parameter,
)
from tokenwire.wire import answers, dialects, states
from tokenwire.wire.anthropic_messages import CountTokens, MessagesCreate
from tokenwire.wire.chat_completions import ChatCreate
from tokenwire.wire.commands import Create
from tokenwire.wire.compaction import Compact
from tokenwire.wire.completions import CompletionCreate
from tokenwire.wire.events import Response
from tokenwire.wire.server_events import PAGE_EVENTS, RESPONSE_EVENTS, SOCKET_EVENTS


if TYPE_CHECKING:
    import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. `answers`: the type of the JSON, or another media type, by status.
    `events`: what a stream is made of, where one can be asked for. `errors`: beside those of every
    operation.
    """

    summary: str
    answers: dict[int, object]
    body: type[msgspec.Struct] | None = None
    events: tuple[type[msgspec.Struct], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    errors: tuple[type[TokenwireError], ...] = ()


def _file(summary: str, media: str) -> Operation:
    return Operation(summary=summary, answers={200: media}, errors=(NotFound,))


# What may become of anything that is to be answered by a model.
ASKED: Final = (
    *(InvalidRequest, UnsupportedParameter, ContextLengthExceeded, ModelNotFound),
    *(RateLimited, EngineDead, ServerDraining),
)
CHAINED: Final = (*ASKED, PreviousResponseNotFound)
COUNTED: Final = (
    *(InvalidRequest, UnsupportedParameter, ContextLengthExceeded, ModelNotFound),
    *(EngineDead, ServerDraining, ModelUnavailable),
)
IN_CONVERSATION: Final = (InvalidRequest, ConversationNotFound)

OPERATIONS: Final[dict[str, Operation]] = {
    "POST /v1/responses": Operation(
        summary="Answer.",
        body=Create,
        answers={200: Response},
        events=RESPONSE_EVENTS,
        parameters=(KEY,),
        errors=(*CHAINED, ConversationNotFound, ResponseNotFound, StreamExpired, NotSaved),
    ),
    "GET /v1/responses": Operation(
        summary="The address of the WebSocket, which the AsyncAPI document describes.",
        answers={101: None},
        errors=(UpgradeRequired,),
    ),
    "GET /v1/responses/{response_id}": Operation(
        summary="Show a response, or read its events.",
        answers={200: Response},
        events=RESPONSE_EVENTS,
        parameters=(AS_STREAM, STARTING_AFTER),
        errors=(InvalidRequest, InvalidStartingAfter, ResponseNotFound, StreamExpired),
    ),
    "DELETE /v1/responses/{response_id}": Operation(
        summary="Forget a response, and what continues it.",
        answers={200: answers.Deleted},
        errors=(ResponseNotFound,),
    ),
    "POST /v1/responses/{response_id}/cancel": Operation(
        summary="End a running response; one that has ended stays as it is.",
        answers={200: Response},
        errors=(ResponseNotFound,),
    ),
    "GET /v1/responses/{response_id}/input_items": Operation(
        summary="List what a response was made from.",
        answers={200: answers.ItemPage},
        parameters=(LIMIT_20, ORDER, AFTER),
        errors=(InvalidRequest, ResponseNotFound),
    ),
    "POST /v1/responses/input_tokens": Operation(
        summary="Count the tokens of a prompt, whether or not it fits.",
        body=Create,
        answers={200: answers.InputTokens},
        errors=(*COUNTED, PreviousResponseNotFound, ConversationNotFound),
    ),
    "POST /v1/responses/compact": Operation(
        summary="Make a conversation short.",
        body=Compact,
        answers={200: answers.Compacted},
        errors=CHAINED,
    ),
    "GET /v1/events": Operation(
        summary="What a socket of `tokenwire.v1` is told, as a stream.",
        answers={200: "text/event-stream"},
        events=(*SOCKET_EVENTS, *PAGE_EVENTS),
    ),
    "POST /v1/events/{connection_id}": Operation(
        summary="What is said on a socket of `tokenwire.v1`, for a feed that is being read.",
        body=ClientEvents,
        answers={204: None},
        errors=(NotFound,),
    ),
    "POST /v1/chat/completions": Operation(
        summary="Answer, as Chat Completions.",
        body=ChatCreate,
        answers={200: dialects.ChatCompletion},
        events=(dialects.ChatChunk, dialects.StreamFailure),
        errors=(*ASKED, NotSaved),
    ),
    "POST /v1/completions": Operation(
        summary="Go on with a text, without a chat template.",
        body=CompletionCreate,
        answers={200: dialects.TextCompletion},
        events=(dialects.TextCompletion, dialects.StreamFailure),
        errors=ASKED,
    ),
    "POST /v1/messages": Operation(
        summary="Answer, as Anthropic Messages.",
        body=MessagesCreate,
        answers={200: dialects.Message},
        events=dialects.MESSAGE_EVENTS,
        errors=ASKED,
    ),
    "POST /v1/messages/count_tokens": Operation(
        summary="Count the tokens of a prompt, as Anthropic Messages.",
        body=CountTokens,
        answers={200: dialects.MessageTokens},
        errors=COUNTED,
    ),
    "GET /v1/conversations": Operation(
        summary="List the conversations, the last changed first.",
        answers={200: answers.ConversationPage},
        parameters=(LIMIT_40, ORDER, CURSOR, ARCHIVED, PINNED),
        errors=(InvalidRequest,),
    ),
    "POST /v1/conversations": Operation(
        summary="Make a conversation.",
        body=ConversationCreate,
        answers={200: answers.Conversation},
        errors=(UnsupportedParameter,),
    ),
    "GET /v1/conversations/search": Operation(
        summary="Find what was said, the newest first.",
        answers={200: answers.HitPage},
        parameters=(WORDS, LIMIT_20, CURSOR),
        errors=(InvalidRequest,),
    ),
    "GET /v1/conversations/{conversation_id}": Operation(
        summary="Show a conversation.",
        answers={200: answers.Conversation},
        errors=(ConversationNotFound,),
    ),
    "POST /v1/conversations/{conversation_id}": Operation(
        summary="Change a conversation: its title, its place, its settings, its head.",
        body=ConversationUpdate,
        answers={200: answers.Conversation},
        errors=IN_CONVERSATION,
    ),
    "DELETE /v1/conversations/{conversation_id}": Operation(
        summary="Forget a conversation and all that was said in it.",
        answers={200: answers.Deleted},
        errors=(ConversationNotFound,),
    ),
    "POST /v1/conversations/{conversation_id}/cancel": Operation(
        summary="End all answers that are being made in a conversation.",
        answers={200: answers.Conversation},
        errors=(ConversationNotFound,),
    ),
    "GET /v1/conversations/{conversation_id}/responses": Operation(
        summary="List the responses of a conversation, in all its branches, with their input.",
        answers={200: answers.ExchangePage},
        parameters=PART,
        errors=IN_CONVERSATION,
    ),
    "GET /v1/conversations/{conversation_id}/items": Operation(
        summary="List what was said on the way to the head.",
        answers={200: answers.ItemPage},
        parameters=(LIMIT_20, ORDER, AFTER),
        errors=IN_CONVERSATION,
    ),
    "POST /v1/conversations/{conversation_id}/items": Operation(
        summary="Add items at the head.",
        body=ItemsCreate,
        answers={200: answers.ItemPage},
        errors=(*IN_CONVERSATION, UnsupportedParameter, ConversationLocked),
    ),
    "GET /v1/conversations/{conversation_id}/items/{item_id}": Operation(
        summary="Show an item.",
        answers={200: answers.ListedItem},
        errors=(ConversationNotFound, NotFound),
    ),
    "DELETE /v1/conversations/{conversation_id}/items/{item_id}": Operation(
        summary="Forget an item, in every branch.",
        answers={200: answers.Conversation},
        errors=(ConversationNotFound, NotFound, ConversationLocked),
    ),
    "GET /v1/models": Operation(summary="List the models.", answers={200: states.ModelList}),
    "GET /v1/models/{model_id}": Operation(
        summary="Show where a model stands.", answers={200: states.Model}, errors=(ModelNotFound,)
    ),
    "POST /v1/models/load": Operation(
        summary="Load a model, if it is not.",
        body=ChosenModel,
        answers={202: states.Model},
        errors=(ModelNotFound, ModelUnavailable),
    ),
    "POST /v1/models/unload": Operation(
        summary="Unload a model, when its answers have ended.",
        body=ChosenModel,
        answers={202: states.Model},
        errors=(ModelNotFound,),
    ),
    "POST /v1/models/download": Operation(
        summary="Fetch a model of the hub, or go on with it.",
        body=ChosenModel,
        answers={202: states.Model},
        errors=(InvalidRequest,),
    ),
    "POST /v1/models/cancel": Operation(
        summary="Stop a download or a load.",
        body=ChosenModel,
        answers={202: states.Model},
        errors=(ModelNotFound,),
    ),
    "GET /healthz": Operation(summary="Alive.", answers={200: states.Health}),
    "GET /readyz": Operation(
        summary="Whether the default model can answer.",
        answers={200: states.Readiness, 503: states.Readiness},
    ),
    "GET /metrics": Operation(summary="Numbers for Prometheus.", answers={200: "text/plain"}),
    "GET /": _file("The page.", "text/html"),
    "GET /assets/{name}": _file("A file of the page.", "*/*"),
    "GET /favicon.svg": _file("Its icon.", "image/svg+xml"),
    "GET /favicon.ico": _file("Its icon, where browsers look first.", "image/svg+xml"),
    "GET /manifest.webmanifest": _file("What it is installed by.", "application/manifest+json"),
    "GET /sw.js": _file("What keeps it where the server is away.", "text/javascript"),
    "GET /docs": Operation(summary="This page.", answers={200: "text/html"}),
    "GET /docs/docs.css": Operation(summary="Its styles.", answers={200: "text/css"}),
    "GET /docs/openapi.json": Operation(
        summary="What goes over HTTP.", answers={200: "application/json"}
    ),
    "GET /docs/asyncapi.json": Operation(
        summary="What goes over the WebSocket.", answers={200: "application/json"}
    ),
}
