"""A few words to say in a type's JSON schema what is checked by hand, after the type.

It refuses to know what is described, and checks nothing.
"""

from __future__ import annotations

from typing import Final

from msgspec import Meta


Schema = dict[str, object]

REF: Final = "#/components/schemas/"


def ref(name: str) -> Schema:
    """The schema of the struct of this name."""
    return {"$ref": REF + name}


def any_of(*names: str) -> Schema:
    return {"anyOf": [ref(name) for name in names]}


def shown_as(schema: Schema) -> Meta:
    """For a type that takes more than it should at first: what is left after the checks by hand."""
    return Meta(extra_json_schema=schema)
