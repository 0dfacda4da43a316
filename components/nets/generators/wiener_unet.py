"""The small U-Net behind Wiener filters that the photo itself asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from components.nets.generators.unet import UNet

if TYPE_CHECKING:
    from torch import nn

BLOCK = 32  # px: the blocks that the photo's gradients are compared in


class WienerUNet(UNet):
    """U-Net that is shown the photo and, beside it, the photo deconvolved for the kernel that its gradients
    tell of; for one blur all over the photo, as a shaken camera makes it. Untrained it changes nothing.
    """

    kind: Literal["wiener_unet"] = "wiener_unet"  # type: ignore[assignment]
    kernel_px: int = Field(17, ge=3, le=31, description="side of the kernels it can tell, odd")
    hidden: int = Field(
        256, ge=4, le=4096, description="width of the two layers that tell the kernel from the gradients"
    )

    @property
    def looks_over_photo(self) -> bool:
        """Its kernel is the whole photo's."""
        return True

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this, in px."""
        return max(super().stride, BLOCK)

    def build(self, seed: int) -> nn.Module:
        """The net with He-normal weights; the U-Net's head and the filters' shares begin at zero."""
        from components.nets.modules.first_weights import draw_first_weights, generator_source
        from components.nets.modules.unet import SLOPE
        from components.nets.modules.wiener import BlindWiener, Deconvolving

        wiener = BlindWiener(self.kernel_px, self.hidden, block=BLOCK)
        body = self.body(channels_in=3 + 3 * wiener.filters)
        net = Deconvolving(wiener, body)
        draw_first_weights(net, "he", generator_source(seed), slope=SLOPE)
        body.begin_at_zero()
        wiener.begin_alike()
        return net

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.kernel_px % 2 == 0:
            raise ValueError(
                f"kernel_px is {self.kernel_px}, and a kernel has a middle px: set {self.kernel_px - 1} or"
                f" {self.kernel_px + 1}"
            )
        return self
