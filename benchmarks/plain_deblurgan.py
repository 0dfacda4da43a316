"""The training step of DeblurGAN's authors, for comparison: our own port from the paper (Kupyn et al.
2018) and the description of their code, in plain torch and float32 as theirs.

Kept as it is there: Adam without fusing, a graph that is retained over the critic's updates, five
updates on one photo, a penalty on the norm over channels, the critic's weights learning along in the
generator's backward pass, the target's features taken with the restored photo's. Two-convolution
blocks, as in the paper: 11.38 M weights; the critic has 2.76 M.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from components.nets.modules.features import Features

CRITIC_UPDATES, PENALTY, CONTENT = 5, 10.0, 100.0


class Block(nn.Module):
    """Two 3×3 convolutions behind reflection, with dropout between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(True),
            nn.Dropout(0.5),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        result: Tensor = x_NCHW + self.body(x_NCHW)
        return result


class Generator(nn.Module):
    """ResNet of nine blocks between two halvings and two doublings, learning the residual."""

    def __init__(self) -> None:
        super().__init__()

        def rectified(layer: nn.Module, channels: int) -> list[nn.Module]:
            return [layer, nn.InstanceNorm2d(channels), nn.ReLU(True)]

        self.body = nn.Sequential(
            nn.ReflectionPad2d(3),
            *rectified(nn.Conv2d(3, 64, 7), 64),
            *rectified(nn.Conv2d(64, 128, 3, stride=2, padding=1), 128),
            *rectified(nn.Conv2d(128, 256, 3, stride=2, padding=1), 256),
            *(Block(256) for _ in range(9)),
            *rectified(nn.ConvTranspose2d(256, 128, 3, stride=2, padding=1, output_padding=1), 128),
            *rectified(nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1), 64),
            nn.ReflectionPad2d(3),
            nn.Conv2d(64, 3, 7),
            nn.Tanh(),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], same out."""
        return torch.clamp(x_NCHW + self.body(x_NCHW), -1.0, 1.0)


def critic() -> nn.Sequential:
    """70×70 PatchGAN with instance normalisation and a border of 2 px, as theirs: 35×35 values."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, stride=2, padding=2), nn.LeakyReLU(0.2, True)]
    for above, below, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [
            nn.Conv2d(above, below, 4, stride=stride, padding=2),
            nn.InstanceNorm2d(below),
            nn.LeakyReLU(0.2, True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, padding=2))


class PlainDeblurGAN:
    """One call is one step: five updates of the critic, one of the generator."""

    def __init__(self, vgg: Path, device: torch.device) -> None:
        torch.manual_seed(0)
        self.generator, self.critic = Generator().to(device), critic().to(device)
        for net in (self.generator, self.critic):
            for layer in net.modules():
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.normal_(layer.weight, 0.0, 0.02)
        self._features = Features("vgg19", "conv3_3", imagenet=False).load(vgg).to(device)
        self._of_generator = torch.optim.Adam(self.generator.parameters(), lr=1e-4, betas=(0.5, 0.999))
        self._of_critic = torch.optim.Adam(self.critic.parameters(), lr=1e-4, betas=(0.5, 0.999))

    def __call__(self, blurred: Tensor, sharp: Tensor) -> float:
        """(N, 3, 256, 256) in [-1, 1] each; gives the generator's loss, which waits for the device."""
        restored = self.generator(blurred)
        for _ in range(CRITIC_UPDATES):
            self._of_critic.zero_grad()
            loss = self.critic(restored.detach()).mean() - self.critic(sharp).mean()
            (loss + self._penalty(sharp, restored.detach())).backward(retain_graph=True)
            self._of_critic.step()
        self._of_generator.zero_grad()
        content = F.mse_loss(self._features(restored), self._features(sharp).detach())
        total = CONTENT * content - self.critic(restored).mean()
        total.backward()
        self._of_generator.step()
        return float(total.detach())

    def _penalty(self, sharp: Tensor, restored: Tensor) -> Tensor:
        mix = torch.rand(len(sharp), 1, 1, 1, device=sharp.device)
        between = (mix * sharp + (1 - mix) * restored).requires_grad_()
        values = self.critic(between)
        (slope,) = torch.autograd.grad(
            values, between, torch.ones_like(values), create_graph=True, retain_graph=True
        )
        penalty: Tensor = ((slope.norm(2, dim=1) - 1) ** 2).mean() * PENALTY
        return penalty
