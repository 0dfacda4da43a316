"""One clean resize: what published super-resolution figures rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, JsonValue

from components.optics.downscale.part import DownscalePart

if TYPE_CHECKING:
    from components.core.images import Floats


class Downscale(DownscalePart):
    """Shrink by a whole factor, after the blur and before the camera's noise.

    bicubic: antialiased as MATLAB's imresize, the convention of published figures (with
    camera.linear_light false, noise and jpeg null).
    bilinear_plain: OpenCV's default without antialiasing, as a published guide makes its photos; it
    leaves false patterns to learn.
    """

    kind: Literal["plain"] = "plain"
    kernel: Literal["bicubic", "bilinear_plain"] = Field("bicubic", description="how pixels are weighed")
    random: ClassVar[bool] = False
    has_camera: ClassVar[bool] = False

    @property
    def words(self) -> str:
        """How pixels are weighed."""
        return self.kernel

    @property
    def reach(self) -> int:
        """Two px of the small photo each way, as the cubic kernel."""
        return 2

    @property
    def pair_kind(self) -> str:
        """What its pairs are called."""
        return "downscale"

    @property
    def drawn(self) -> dict[str, JsonValue]:
        """Its settings: nothing is drawn."""
        return self.model_dump(mode="json")

    @property
    def severity_px(self) -> float:
        """No blur but that of the smaller size."""
        return 0.0

    def draw(self, seed: int) -> Self:
        """The same for every pair."""
        return self

    def apply(self, light: Floats, *, linear: bool = True) -> Floats:
        """(H, W) or (H, W, C) with H and W multiples of the scale, to 1/scale of it each way; not
        clipped.
        """
        # The picture codecs take a tenth of a second to import; settings alone must not wait for
        # them.
        from components.core.resize import bicubic, bilinear_plain

        resize = bicubic if self.kernel == "bicubic" else bilinear_plain
        return resize(light, light.shape[1] // self.scale, light.shape[0] // self.scale)
