"""Which settings of ingest decide what a PhotoSet holds, as its record tells them."""

from __future__ import annotations

from pydantic import JsonValue

from components.ingest.config import IngestConfig

# Where the photos lie is no identity, and what may be lost is a person's to agree to.
OF_NO_SET = {"photos", "max_left_out", "max_shrink"}


def settings_of(config: IngestConfig) -> dict[str, JsonValue]:
    """The settings that made the set: the same source with the same settings is the same set."""
    found: dict[str, JsonValue] = config.model_dump(mode="json", exclude=OF_NO_SET)
    return found
