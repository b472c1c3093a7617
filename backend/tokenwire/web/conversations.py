"""The HTTP door of the conversations: list, search, make, open, change, stop, delete. Tells the
other tabs of a page. What is said in one has doors of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType
from quart import Quart, Response, request

from tokenwire.errors import InvalidRequest
from tokenwire.generation.ids import new_id
from tokenwire.history.search import words_of
from tokenwire.history.values import Part, UnknownResponse, Which
from tokenwire.web.items import Given, exchanges_of, known
from tokenwire.web.objects import JsonObject, conversation_object
from tokenwire.web.reply import (
    json_body,
    json_response,
    list_object,
    query_filter,
    query_int,
    query_oldest_first,
)
from tokenwire.wire.chat_settings import ChatSettings
from tokenwire.wire.checked import convert
from tokenwire.wire.commands import Metadata


if TYPE_CHECKING:
    from collections.abc import Generator

    from tokenwire.history.values import Changes
    from tokenwire.web.parts import Parts

MAX_QUERY = 200


Title = Annotated[str, Meta(min_length=1, max_length=200)]


class ConversationCreate(msgspec.Struct, kw_only=True):
    """`POST /v1/conversations`: the standard body, and what this server adds."""

    title: Title | None = None
    metadata: Metadata | None = None
    settings: ChatSettings | None = None
    pinned: bool = False
    archived: bool = False
    items: Given | None = None


class ConversationUpdate(msgspec.Struct, kw_only=True):
    """`POST /v1/conversations/{id}`: what is to change, `metadata` and `settings` whole. Null
    empties those.
    """

    title: Title | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    settings: ChatSettings | UnsetType | None = UNSET
    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    active_response_id: str | UnsetType = UNSET


class ConversationsDoor:
    """The handlers, over the parts that they use."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._hub = parts.hub
        self._generations = parts.generations
        self._user_id = parts.user_id

    async def listing(self) -> Response:
        limit = query_int("limit", 40, low=1, high=100)
        which = Which(
            archived=query_filter("archived", "false"),
            pinned=query_filter("pinned", "all"),
            oldest_first=query_oldest_first(),
        )
        with _cursor_checked():
            found, cursor = await self._store.conversations(
                self._user_id,
                limit=limit,
                after=request.args.get("after") or None,
                which=which,
            )
        return _page([conversation_object(conversation) for conversation in found], cursor)

    async def search(self) -> Response:
        words = request.args.get("q", "")
        if not words_of(words) or len(words) > MAX_QUERY:
            raise InvalidRequest(f"`q` must be words of 1 to {MAX_QUERY} characters.", param="q")
        limit = query_int("limit", 20, low=1, high=100)
        with _cursor_checked():
            found, cursor = await self._store.search(
                self._user_id, words, limit=limit, after=request.args.get("after") or None
            )
        return _page([{"object": "conversation.hit", **asdict(hit)} for hit in found], cursor)

    async def create(self) -> Response:
        fields, conversation_id = convert(await json_body(), ConversationCreate), new_id("conv")
        made = await self._store.create_conversation(
            self._user_id,
            conversation_id,
            title=fields.title,
            metadata=fields.metadata or {},
            settings=_kept(fields.settings),
            pinned=fields.pinned,
            archived=fields.archived,
            exchanges=exchanges_of(fields.items, conversation_id) if fields.items else (),
        )
        self._hub.conversation_changed(self._user_id, made.id, "created")
        return json_response(conversation_object(made))

    async def retrieve(self, conversation_id: str) -> Response:
        found = await self._store.conversation(self._user_id, conversation_id)
        return json_response(conversation_object(known(found, conversation_id)))

    async def update(self, conversation_id: str) -> Response:
        changes = _changes(convert(await json_body(), ConversationUpdate))
        try:
            found = await self._store.update_conversation(self._user_id, conversation_id, **changes)
        except UnknownResponse as error:
            raise _no_response(error, "active_response_id") from error
        updated = conversation_object(known(found, conversation_id))
        self._hub.conversation_changed(self._user_id, conversation_id, "updated")
        return json_response(updated)

    async def cancel(self, conversation_id: str) -> Response:
        known(await self._store.conversation(self._user_id, conversation_id), conversation_id)
        await self._generations.cancel_conversation(self._user_id, conversation_id)
        return await self.retrieve(conversation_id)

    async def delete(self, conversation_id: str) -> Response:
        await self._generations.cancel_conversation(self._user_id, conversation_id, forget=True)
        deleted = await self._store.delete_conversation(self._user_id, conversation_id)
        known(deleted or None, conversation_id)
        self._hub.conversation_changed(self._user_id, conversation_id, "deleted")
        return json_response(
            {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
        )

    async def turns(self, conversation_id: str) -> Response:
        part = Part(
            limit=query_int("limit", 0, low=1, high=100) or None,
            after=request.args.get("after") or None,
            oldest_first=query_oldest_first("asc"),
        )
        try:
            found = await self._store.conversation_responses(self._user_id, conversation_id, part)
        except UnknownResponse as error:
            raise _no_response(error, "after") from error
        pairs, more = known(found, conversation_id)
        data: list[JsonObject] = [{"response": made, "input": items} for made, items in pairs]
        ends = list_object([made for made, _ in pairs], more=more)
        return json_response(ends | {"data": data})


def install(app: Quart, parts: Parts) -> None:
    door = ConversationsDoor(parts)
    path = "/v1/conversations"
    one = f"{path}/<conversation_id>"
    app.add_url_rule(path, "list_conversations", door.listing, methods=["GET"])
    app.add_url_rule(path, "create_conversation", door.create, methods=["POST"])
    app.add_url_rule(f"{path}/search", "search_conversations", door.search, methods=["GET"])
    app.add_url_rule(one, "retrieve_conversation", door.retrieve, methods=["GET"])
    app.add_url_rule(one, "update_conversation", door.update, methods=["POST"])
    app.add_url_rule(one, "delete_conversation", door.delete, methods=["DELETE"])
    app.add_url_rule(f"{one}/cancel", "cancel_conversation", door.cancel, methods=["POST"])
    app.add_url_rule(f"{one}/responses", "conversation_responses", door.turns, methods=["GET"])


def _changes(fields: ConversationUpdate) -> Changes:
    asked = {name: getattr(fields, name) for name in fields.__struct_fields__}
    changes = {name: value for name, value in asked.items() if value is not UNSET}
    if not changes:
        names = ", ".join(f"`{name}`" for name in asked)
        raise InvalidRequest(f"One of {names} is required.", param="metadata")
    if "metadata" in changes:
        changes["metadata"] = fields.metadata or {}
    if "settings" in changes:
        changes["settings"] = _kept(fields.settings or None)
    return cast("Changes", changes)


def _no_response(error: UnknownResponse, param: str) -> InvalidRequest:
    return InvalidRequest(f"There is no response {error.id!r} in this conversation.", param=param)


def _kept(settings: ChatSettings | None) -> JsonObject:
    return {} if settings is None else cast("JsonObject", msgspec.to_builtins(settings))


@contextmanager
def _cursor_checked() -> Generator[None]:
    try:
        yield
    except ValueError as error:
        raise InvalidRequest("`after` is not a cursor of this list.", param="after") from error


def _page(data: list[JsonObject], cursor: str | None) -> Response:
    """With the cursor of the next page, which nothing that moves meanwhile makes wrong."""
    return json_response(list_object(data, more=cursor is not None) | {"last_cursor": cursor})
