"""The discriminators of a training: their nets, their weights in the loss, and what they say of a
photo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from components.nets.discriminators import Discriminator
from components.nets.modules.dead_biases import last_bias
from components.nets.modules.discriminator_view import discriminator_view
from components.nets.modules.norms import mixes_photos
from components.train.compiled import compiled
from components.train.step.terms import Batch


class DiscriminatorGroup:
    """Nets that look at the same photos, each in its own way; none in a training on the content losses
    alone.
    """

    def __init__(
        self,
        parts: Sequence[Discriminator],
        seed: int,
        device: torch.device,
        layout: torch.memory_format = torch.contiguous_format,
        frames: int = 1,
        *,
        compiling: bool = False,
    ) -> None:
        """seed: of their first weights. layout: of their convolutions' weights. frames: of each clip that
        photos come from, all first ones before all second ones. compiling: what they say of photos is
        compiled.
        """
        self._parts, self._frames = tuple(parts), frames
        self.nets: list[nn.Module] = [
            part.build(seed, index).to(device, memory_format=layout)  # type: ignore[call-overload]
            for index, part in enumerate(self._parts)
        ]
        self._forwards = [compiled(net, wanted=compiling) for net in self.nets]
        self._mix = [mixes_photos(net) for net in self.nets]

    def members(self) -> Iterator[tuple[int, float, nn.Module]]:
        """Place, weight in the adversarial loss, net."""
        for index, (part, net) in enumerate(zip(self._parts, self.nets, strict=True)):
            yield index, part.weight, net

    def parameters(self) -> list[nn.Parameter]:
        """The weights of all nets."""
        return [parameter for net in self.nets for parameter in net.parameters()]

    def last_biases(self) -> list[Tensor]:
        """Those that are added to logits; to none that are squeezed into 0..1 behind it."""
        pairs = zip(self._parts, self.nets, strict=True)
        return [bias for part, net in pairs if not part.bounded for bias in last_bias(net)]

    def raw(self, index: int, photo: Tensor, input: Tensor) -> Tensor:
        """What one net gives for photos (N, 3, H, W) beside the generator's input, in the precision it
        was computed in; never compiled by itself, so that its slope has a slope.
        """
        logits: Tensor = self.nets[index](self._view(index, photo, input))
        return logits

    def logits(self, index: int, photo: Tensor, input: Tensor) -> Tensor:
        """The same in float32."""
        logits: Tensor = self._forwards[index](self._view(index, photo, input))
        return logits.float()

    def logits_alone(self, index: int, photo: Tensor, input: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `features` gives them, without any feature."""
        return self.logits(index, photo, input), []

    def _view(self, index: int, photo: Tensor, input: Tensor) -> Tensor:
        return discriminator_view(self._parts[index], photo, input, self._frames)

    def of_both(self, index: int, real: Batch, restored: Batch) -> tuple[Tensor, Tensor]:
        """The logits of real and of restored photos, each (input, photo); in one pass where no photo
        changes what is said of another.
        """
        apart = self._mix[index] or self._parts[index].beside == "restored"
        if apart or real[1].shape != restored[1].shape or real[0].shape != restored[0].shape:
            return self.logits(index, real[1], real[0]), self.logits(index, restored[1], restored[0])
        photos = torch.cat([real[1], restored[1]])
        inputs = torch.cat([real[0], restored[0]]) if self.looks_beside(index) else photos
        on_real, on_restored = self.logits(index, photos, inputs).chunk(2)
        return on_real, on_restored

    def looks_beside(self, index: int) -> bool:
        """Whether a net looks at the input too, be it at the frames beside the photo alone."""
        return self._parts[index].beside in ("input", "neighbours")

    def features(self, index: int, photo: Tensor, input: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The logits in float32, and what each rectifier of the net gives on the way to them."""
        found: list[Tensor] = []
        layers = [layer for layer in self.nets[index].modules() if isinstance(layer, nn.LeakyReLU)]
        hooks = [layer.register_forward_hook(lambda _, __, out: found.append(out)) for layer in layers]
        try:
            return self.raw(index, photo, input).float(), found
        finally:
            for hook in hooks:
                hook.remove()

    def requires_grad_(self, wanted: bool) -> None:
        """Let the weights learn, or rest."""
        for net in self.nets:
            net.requires_grad_(wanted)

    def state(self) -> list[dict[str, Any]]:
        """The weights of each net."""
        return [net.state_dict() for net in self.nets]

    def load_state(self, state: list[dict[str, Any]]) -> None:
        """Take the weights of a state."""
        for net, kept in zip(self.nets, state, strict=True):
            net.load_state_dict(kept)
