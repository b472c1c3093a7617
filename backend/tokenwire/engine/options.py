"""What a person may set for one model, as plain values.

It knows no settings file and refuses to import vLLM: the composition root makes these from the
settings, and every file of this room reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenwire.engine.families import ParserNames


class WrongSetting(ValueError):  # noqa: N818 - named for what is wrong
    """A setting of a model that can't be in force; the text says why, to stand after its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """`path` is a folder outside the usual places. `engine_args` go to AsyncEngineArgs as they are,
    over those of all models; `environment` is what its engine process finds in the environment
    beside what all find. `chat_template` is Jinja, or the path of a file of it. `sampling` are
    defaults by the names of `Sampling`; `system_prompt` is for chats that have none. `adapters` are
    LoRA adapters: their names, and their folders. `keep_alive_s` is how long it stays loaded while
    nobody uses it; None leaves that to the server's default.
    """

    path: str | None = None
    engine_args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    chat_template: str | None = None
    parsers: ParserNames | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    system_prompt: str | None = None
    aliases: tuple[str, ...] = ()
    pinned: bool = False
    keep_alive_s: float | None = None
    adapters: Mapping[str, str] = field(default_factory=dict[str, str])

    def template(self) -> str | None:
        """The text of the chat template, None where none is set. Raises WrongSetting where it is
        the path of a file that can't be read.
        """
        given = self.chat_template
        # No template says nothing of the messages, and hardly a path has a brace.
        if given is None or "{" in given:
            return given
        try:
            return Path(given).expanduser().read_text()
        except (OSError, ValueError) as error:
            raise WrongSetting(f"its chat_template can't be read: {error}") from error


NO_OPTIONS = ModelOptions()
