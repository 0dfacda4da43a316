"""Aliases that are asked for and not held yet: loaded aside, so that a registry that does not answer
keeps nobody waiting but who asked for them.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from components.core.errors import ServiceError
from components.serving.model import ServedModel
from components.serving.models import Models, OneModel

PATIENCE_S = 20.0


class Loads:
    """Each alias is loaded once at a time, in a thread that does not keep the process from ending. Of
    one event loop.
    """

    def __init__(self, models: Models | OneModel, patience_s: float = PATIENCE_S) -> None:
        self._models, self._patience_s = models, patience_s
        self._loading: dict[str | None, Future[ServedModel]] = {}

    async def get(self, alias: str | None) -> ServedModel:
        """What an alias serves (None: what is served). Raises what loading raises, and ServiceError when
        that takes longer than one may wait; it goes on, for who asks again.
        """
        held = self._models.held(alias)
        if held is not None:
            return held
        loading = self._loading.get(alias)
        if loading is None or loading.done():
            loading = self._loading[alias] = self._begun(alias)
        waited = asyncio.wrap_future(loading)
        waited.add_done_callback(lambda each: each.cancelled() or each.exception())  # also of nobody's
        done, _ = await asyncio.wait([waited], timeout=self._patience_s)
        if not done:
            raise ServiceError(
                f"{alias} is not loaded after {self._patience_s:g} s: the registry is slow or does not"
                " answer; ask again later, or leave model out"
            )
        return loading.result()

    def _begun(self, alias: str | None) -> Future[ServedModel]:
        found = Future[ServedModel]()

        def load() -> None:
            try:
                found.set_result(self._models.get(alias))
            except BaseException as error:  # whoever asked is told
                found.set_exception(error)

        threading.Thread(target=load, name=f"load {alias}", daemon=True).start()
        return found
