"""The training step of pix2pix' authors, for comparison: our own port from the paper (Isola et al. 2017)
and the description of their PyTorch code, in plain torch and float32 as theirs.

U-Net of eight halvings with dropout in the doublings 2, 3 and 4 (54.41 M weights), conditional 70×70
PatchGAN (2.77 M), cross-entropy plus L1 × 100, the discriminator first and halved, its weights resting
in the generator's step; Adam without fusing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CONTENT = 100.0


class Level(nn.Module):
    """One halving, what lies below it, and one doubling; joined with what came in."""

    def __init__(self, outer: int, inner: int, below: Level | None, *, dropout: bool = False) -> None:
        super().__init__()
        self.outermost = outer == 3
        down: list[nn.Module] = [] if self.outermost else [nn.LeakyReLU(0.2, True)]
        down.append(nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False))
        if below is not None and not self.outermost:
            down.append(nn.BatchNorm2d(inner))
        joined = inner if below is None else 2 * inner
        up: list[nn.Module] = [
            nn.ReLU(True),
            nn.ConvTranspose2d(joined, outer, 4, stride=2, padding=1, bias=self.outermost),
        ]
        up += [nn.Tanh()] if self.outermost else [nn.BatchNorm2d(outer)]
        if dropout:
            up.append(nn.Dropout(0.5))
        self.body = nn.Sequential(*down, *([] if below is None else [below]), *up)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """The body's output, behind what came in but at the outermost level."""
        made: Tensor = self.body(x_NCHW)
        return made if self.outermost else torch.cat([x_NCHW, made], 1)


def generator() -> Level:
    """unet_256."""
    level = Level(512, 512, None)
    for _ in range(3):
        level = Level(512, 512, level, dropout=True)
    for outer, inner in ((256, 512), (128, 256), (64, 128), (3, 64)):
        level = Level(outer, inner, level)
    return level


def discriminator() -> nn.Sequential:
    """70×70 PatchGAN on the photo behind its input, with batch normalisation."""
    layers: list[nn.Module] = [nn.Conv2d(6, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
    for above, below, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [
            nn.Conv2d(above, below, 4, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(below),
            nn.LeakyReLU(0.2, True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, padding=1))


class PlainPix2pix:
    """One call is one step: one update of the discriminator, one of the generator."""

    def __init__(self, device: torch.device) -> None:
        torch.manual_seed(0)
        self.generator, self.discriminator = generator().to(device), discriminator().to(device)
        for net in (self.generator, self.discriminator):
            for layer in net.modules():
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.normal_(layer.weight, 0.0, 0.02)
        self._of_generator = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._of_discriminator = torch.optim.Adam(
            self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999)
        )

    def __call__(self, input: Tensor, target: Tensor) -> float:
        """(N, 3, 256, 256) in [-1, 1] each; gives the generator's loss, which waits for the device."""
        made = self.generator(input)
        self.discriminator.requires_grad_(True)
        self._of_discriminator.zero_grad()
        on_made = self.discriminator(torch.cat([input, made.detach()], 1))
        on_real = self.discriminator(torch.cat([input, target], 1))
        ((_entropy(on_made, 0.0) + _entropy(on_real, 1.0)) * 0.5).backward()  # type: ignore[no-untyped-call]
        self._of_discriminator.step()
        self.discriminator.requires_grad_(False)
        self._of_generator.zero_grad()
        on_made = self.discriminator(torch.cat([input, made], 1))
        total = _entropy(on_made, 1.0) + CONTENT * F.l1_loss(made, target)
        total.backward()  # type: ignore[no-untyped-call]
        self._of_generator.step()
        return float(total.detach())


def _entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
