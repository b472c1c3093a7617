"""What could run on this machine and where more comes from: the catalogue and the downloads as one
thing, which is what the supervisor asks.

It joins the two and decides nothing; it refuses to know what is loaded.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tokenwire.engine.catalogue import find_models
from tokenwire.engine.downloads import DownloadPaused, DownloadRefused
from tokenwire.engine.models import DownloadStopped, ModelInfo
from tokenwire.errors import ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tokenwire.engine.downloads import Downloads
    from tokenwire.engine.models import TransferListener
    from tokenwire.engine.options import ModelOptions


class LocalLibrary:
    """The models of one data folder, of the Hugging Face cache, and of the hub. Raises LookupError
    where the default model that was named is nothing.
    """

    def __init__(
        self,
        data_dir: Path,
        downloads: Downloads,
        *,
        named: str | None = None,
        options: Mapping[str, ModelOptions],
        folders: tuple[str, ...] = (),
    ) -> None:
        self._downloads = downloads
        self._find = partial(find_models, data_dir, named, options, folders)
        self._architectures: frozenset[str] | None = None
        _, self.default = self._find()

    def learn(self, architectures: frozenset[str]) -> None:
        """From now on a model of another architecture has a problem."""
        self._architectures = architectures

    def models(self) -> list[ModelInfo]:
        models = {info.id: info for info in self._find(architectures=self._architectures)[0]}
        for repo in self._downloads.left():
            owner = repo.split("/", 1)[0]
            info = models.get(repo, ModelInfo(id=repo, path="", source="hub", owned_by=owner))
            if not info.path:
                models[repo] = replace(info, half=self._downloads.progress(repo))
        return list(models.values())

    async def fetch(self, model: str, tell: TransferListener) -> None:
        try:
            await self._downloads.fetch(model, tell)
        except (DownloadPaused, DownloadRefused) as error:
            raise DownloadStopped(str(error)) from error

    async def discard(self, model: str) -> None:
        try:
            await self._downloads.discard(model)
        except DownloadRefused:
            return  # of what has no such name there is nothing
        except DownloadPaused as error:
            raise ModelUnavailable(str(error), param="model") from error
