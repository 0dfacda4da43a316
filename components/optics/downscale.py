"""Super-resolution's small photos: the sharp photo, smaller by a whole factor, which a net then has to make large again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.core.parts import Part

if TYPE_CHECKING:
    from components.core.images import Floats, Pixels

SMALLEST_PX = 16  # of the small photo's shorter side


class Downscale(Part):
    """Shrink by a whole factor, after the blur and before the camera's noise.

    bicubic: antialiased as MATLAB's imresize, the convention of published figures (with camera.linear_light false, noise and jpeg null).
    bilinear_plain: OpenCV's default without antialiasing, as a published guide makes its photos; it leaves false patterns to learn.
    """

    scale: int = Field(4, ge=2, le=8, description="sharp size over small size, each side; sharp photos are cut to a multiple of it at their right and bottom")
    kernel: Literal["bicubic", "bilinear_plain"] = Field("bicubic", description="how pixels are weighed")

    @property
    def reach(self) -> int:
        """How far a pixel of the small photo looks, in pixels of the small photo: two of them each way, as the cubic kernel, from its middle."""
        return 2

    def cut(self, picture: Pixels) -> Pixels:
        """The part of a (H, W, ...) picture, from its top left, whose sides are multiples of the scale (the field's modcrop)."""
        height, width = (side // self.scale * self.scale for side in picture.shape[:2])
        return picture[:height, :width]

    def apply(self, light: Floats) -> Floats:
        """(H, W) or (H, W, C) with H and W multiples of the scale, to 1/scale of it each way; not clipped."""
        # The picture codecs take a tenth of a second to import; settings alone must not wait for them.
        from components.core.resize import bicubic, bilinear_plain

        resize = bicubic if self.kernel == "bicubic" else bilinear_plain
        return resize(light, light.shape[1] // self.scale, light.shape[0] // self.scale)
