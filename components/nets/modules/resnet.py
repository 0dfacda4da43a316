"""DeblurGAN's residual net: stem, two halvings, blocks, two doublings, head."""

from __future__ import annotations

from torch import Tensor, nn

from components.nets.attention import Attention
from components.nets.choices import Padding, Upsampling
from components.nets.modules.convolutions import conv, double
from components.nets.modules.dropout import BitDropout
from components.nets.norms import Norm


def resnet_body(
    *,
    width: int,
    blocks: int,
    norm: Norm,
    dropout: float,
    upsampling: Upsampling,
    padding: Padding,
    bias: bool,
    separable: bool,
    attention: Attention | None,
) -> nn.Sequential:
    """The layers in their order; the settings are those of `generators.resnet.ResNet`."""

    def rectified(layers: list[nn.Module], channels: int) -> list[nn.Module]:
        return [*layers, *norm.layers(channels), nn.ReLU(inplace=True)]

    def halve(channels: int) -> list[nn.Module]:
        wide = 2 * channels
        layers = conv(channels, wide, 3, stride=2, padding=padding, bias=bias, separable=separable)
        return rectified(layers, wide)

    def enlarge(channels: int) -> list[nn.Module]:
        narrow = channels // 2
        layers = double(upsampling, channels, narrow, 3, padding=padding, bias=bias, separable=separable)
        return rectified(layers, narrow)

    deep = 4 * width
    middle = (
        ResidualBlock(deep, norm=norm, dropout=dropout, bias=bias, separable=separable) for _ in range(blocks)
    )
    return nn.Sequential(
        *rectified(conv(3, width, 7, padding="reflect", bias=bias), width),
        *halve(width),
        *halve(2 * width),
        *middle,
        *([attention.layer(deep)] if attention else []),
        *enlarge(deep),
        *enlarge(2 * width),
        *conv(width, 3, 7, padding="reflect"),
    )


class ResidualBlock(nn.Module):
    """x + conv(dropout(relu(conv(x)))), both convolutions 3×3 behind reflection padding (Johnson et
    al. 2016).
    """

    def __init__(self, channels: int, *, norm: Norm, dropout: float, bias: bool, separable: bool) -> None:
        super().__init__()

        def normed() -> list[nn.Module]:
            layers = conv(channels, channels, 3, padding="reflect", bias=bias, separable=separable)
            return [*layers, *norm.layers(channels)]

        self.body = nn.Sequential(
            *normed(),
            nn.ReLU(inplace=True),
            *([BitDropout(dropout)] if dropout > 0 else []),
            *normed(),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        return x_NCHW + self.body(x_NCHW)  # type: ignore[no-any-return]
