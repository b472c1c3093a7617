"""The HTTP door of what is said in a conversation: its items, listed, added, shown, deleted. Tells
the other tabs of a page.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

from tokenwire.errors import ConversationLocked, ConversationNotFound, InvalidRequest, NotFound
from tokenwire.generation.ids import named, new_id
from tokenwire.history.values import Exchange, StillRunning, UnknownConversation
from tokenwire.web.objects import conversation_object
from tokenwire.web.reply import item_page, json_body, json_response, list_object
from tokenwire.wire.checked import convert
from tokenwire.wire.exchanges import exchanges, given_response
from tokenwire.wire.inputs import InputItem
from tokenwire.wire.items import Item, canonical_input
from tokenwire.wire.schema import shown_as


if TYPE_CHECKING:
    from collections.abc import Generator

    from quart import Quart, Response

    from tokenwire.web.parts import Parts

T = TypeVar("T")
MAX_ITEMS = 20

Given = Annotated[list[InputItem], shown_as({"maxItems": MAX_ITEMS})]


class ItemsCreate(msgspec.Struct, kw_only=True):
    """`POST /v1/conversations/{id}/items`: the standard body."""

    items: Annotated[Given, shown_as({"minItems": 1})]


class ItemsDoor:
    """The handlers, over the parts that they use."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._hub = parts.hub
        self._user_id = parts.user_id

    async def listing(self, conversation_id: str) -> Response:
        return json_response(item_page(await self._items(conversation_id)))

    async def add(self, conversation_id: str) -> Response:
        added = exchanges_of(convert(await json_body(), ItemsCreate).items, conversation_id)
        with _refused(conversation_id):
            await self._store.add_to_conversation(self._user_id, conversation_id, added)
        self._hub.conversation_changed(self._user_id, conversation_id, "items")
        data = [item for exchange in added for item in (*exchange.input, *exchange.output)]
        return json_response(list_object(data, more=False))

    async def retrieve(self, conversation_id: str, item_id: str) -> Response:
        items = await self._items(conversation_id)
        found = next((item for item in items if item.get("id") == item_id), None)
        if found is None:
            raise _no_item(item_id)
        return json_response(found)

    async def delete(self, conversation_id: str, item_id: str) -> Response:
        with _refused(conversation_id):
            if not await self._store.delete_item(self._user_id, conversation_id, item_id):
                raise _no_item(item_id)
        self._hub.conversation_changed(self._user_id, conversation_id, "items")
        found = await self._store.conversation(self._user_id, conversation_id)
        return json_response(conversation_object(known(found, conversation_id)))

    async def _items(self, conversation_id: str) -> list[Item]:
        found = await self._store.conversation_items(self._user_id, conversation_id)
        return known(found, conversation_id)


def install(app: Quart, parts: Parts) -> None:
    door = ItemsDoor(parts)
    path = "/v1/conversations/<conversation_id>/items"
    one = f"{path}/<item_id>"
    app.add_url_rule(path, "list_items", door.listing, methods=["GET"])
    app.add_url_rule(path, "add_items", door.add, methods=["POST"])
    app.add_url_rule(one, "retrieve_item", door.retrieve, methods=["GET"])
    app.add_url_rule(one, "delete_item", door.delete, methods=["DELETE"])


def exchanges_of(items: list[object], conversation_id: str) -> list[Exchange]:
    """The `items` of a body, as they go into a conversation, each under an id of its own. Raises
    InvalidRequest or UnsupportedParameter, naming the field.
    """
    if len(items) > MAX_ITEMS:
        raise InvalidRequest(f"`items` can have {MAX_ITEMS} at a time.", param="items")
    mine = [named(item) for item in canonical_input(items, "items")]
    now = int(time.time())
    made: list[Exchange] = []
    for said_to, said_by in exchanges(mine):
        response = given_response(new_id("resp"), conversation_id, now)
        made.append(Exchange(response.id, response.to_json(), said_to, said_by))
    return made


def known(found: T | None, conversation_id: str) -> T:
    """What was asked for in a conversation that may not be there. Raises ConversationNotFound."""
    if found is None:
        raise _no_conversation(conversation_id)
    return found


@contextmanager
def _refused(conversation_id: str) -> Generator[None]:
    try:
        yield
    except UnknownConversation as error:
        raise _no_conversation(conversation_id) from error
    except StillRunning as error:
        raise ConversationLocked(
            f"An answer is still being written in conversation {conversation_id!r};"
            " try again when it has ended.",
            param="conversation",
        ) from error


def _no_conversation(conversation_id: str) -> ConversationNotFound:
    return ConversationNotFound(
        f"Conversation with id {conversation_id!r} not found.", param="conversation"
    )


def _no_item(item_id: str) -> NotFound:
    return NotFound(f"There is no item {item_id!r} in this conversation.", param="item_id")
