"""What our flows tell Prefect's server, and what about."""

from __future__ import annotations

PHOTOS_UPDATED = "photos.updated"  # a watched set changed and settled
PHOTOS_DRIFTED = "photos.drifted"  # photos, or the champion on them, are not what they were


def photos_resource(recipe: str) -> str:
    """What events call the photos of a recipe."""
    return f"refocus.photos.{recipe}"
