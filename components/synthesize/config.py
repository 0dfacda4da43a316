"""The recipe's section `synthesize`: which blurs, which camera, how many pairs; or a smaller scale,
or a translation, for the other tasks.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from components.core.parts import Part, digest_of
from components.core.quarantine import MAX_LEFT_OUT
from components.core.records import Baseline, PairSet, Photo, PhotoMap, Task
from components.optics.blurs import Blur, NoBlur, RandomTrajectory, map_of
from components.optics.camera import Camera
from components.optics.clip_shake import ClipShake
from components.optics.degradation import Degradation
from components.optics.downscale import SMALLEST_PX, Downscaling
from components.optics.light import shrunk_size
from components.synthesize.translate import Translate

Delivery = Literal["offline", "on_the_fly"]
SeverityClass = Literal["mild", "medium", "strong"]
Radius = Annotated[float, Field(gt=0)]


def _usual_blurs(input: dict[str, Any]) -> tuple[Blur, ...]:
    """Camera shake for deblurring; the other tasks have none unless the recipe says so."""
    others = any(input.get(name) for name in ("downscale", "translate", "clip"))
    return (NoBlur(),) if others else (RandomTrajectory(),)


def _usual_camera(input: dict[str, Any]) -> Camera:
    """Noise and JPEG, but for a translation, whose pictures no camera takes, and for a downscale
    that is a camera itself.
    """
    return (
        Camera(noise=None, jpeg=None)
        if input.get("translate") or getattr(input.get("downscale"), "has_camera", False)
        else Camera()
    )


class SynthesizeConfig(Part):
    """How photos become pairs: blurred ones, small ones (downscale), or parted ones (translate)."""

    seed: int = Field(0, ge=0, description="another seed draws other blurs and noise for the same photos")
    downscale: Downscaling | None = Field(
        None, description="make the input smaller, for super-resolution; after the blur, before the noise"
    )
    translate: Translate | None = Field(
        None,
        description="take input and target from the photo itself, for paired translation; excludes all else",
    )
    # Not written where it is none, so that settings and sets keep their digest.
    clip: ClipShake | None = Field(
        None,
        exclude_if=lambda clip: clip is None,
        description="make clips of photos, each frame blurred along one path of a camera, for nets of video",
    )
    blurs: tuple[Blur, ...] = Field(
        default_factory=_usual_blurs,
        min_length=1,
        description=(
            "kinds of blur; one is drawn per pair, by weight. Left out: random_trajectory, or none with"
            " downscale or translate"
        ),
    )
    camera: Camera = Field(
        default_factory=_usual_camera,
        description=(
            "what the camera adds after the blur. Left out: its defaults, or nothing with translate or"
            " downscale second_order"
        ),
    )
    # Likewise.
    delivery: Delivery = Field(
        "offline",
        exclude_if=lambda way: way == "offline",
        description=(
            "offline: training pairs are files; on_the_fly: training makes them as it goes, a new blur each"
            " time. Those to measure with are files"
        ),
    )
    pictures: Literal["files", "shards"] = Field(
        "files",
        exclude_if=lambda place: place == "files",
        description=(
            "files: in the set's folder; shards: in the team's store (REFOCUS_STORE), for sets larger than a"
            " disk: made and read there, and the folder has their list. The pairs are the same"
        ),
    )
    pairs_per_photo: int = Field(
        1, ge=1, le=99, description="pairs from each training photo, each with a blur of its own"
    )
    pairs_per_eval_photo: int = Field(1, ge=1, le=99, description="pairs from each validation and test photo")
    max_side_px: int | None = Field(
        None,
        ge=16,
        description=(
            "photos with a longer side are shrunk to it first (a blur of 15 px cannot be seen at 12"
            " megapixels); null keeps every size"
        ),
    )
    severity_bounds_px: tuple[Radius, Radius] = Field(
        (2.0, 5.0), description="RMS radius of the blur where mild ends and where strong begins"
    )
    max_left_out: float = MAX_LEFT_OUT
    workers: int = Field(
        0,
        ge=0,
        le=4096,
        description="Ray workers; 0 works in the stage's own process. The pairs are the same whatever it is",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        mild, strong = self.severity_bounds_px
        if mild > strong:
            raise ValueError(f"severity_bounds_px is [{mild:g}, {strong:g}]: the smaller radius comes first")
        if self.max_side_px is not None and self.max_side_px < self.largest_blur_px:
            raise ValueError(
                f"max_side_px is {self.max_side_px}, but a blur of these settings may be"
                f" {self.largest_blur_px} px wide; raise max_side_px or make {self.largest_blur} smaller"
            )
        if self.max_side_px is not None and self.max_side_px < self.smallest_px:
            raise ValueError(
                f"max_side_px is {self.max_side_px}, but a photo must be at least {self.smallest_px} px a"
                f" side to be shrunk {self.scale} times"
            )
        return self

    @model_validator(mode="after")
    def _clips_have_their_own_blur(self) -> Self:
        others = {
            "downscale": self.downscale is not None,
            "translate": self.translate is not None,
            "blurs": self.blurred,
            "delivery on_the_fly": self.delivery == "on_the_fly",
        }
        if self.clip is not None and (asked := [name for name, on in others.items() if on]):
            raise ValueError(f"clip makes frames with a blur of their own: leave {', '.join(asked)} out")
        return self

    @model_validator(mode="after")
    def _one_task(self) -> Self:
        if self.translate is not None:
            if self.downscale is not None:
                raise ValueError("translate and downscale are two tasks: keep one of them")
            if self.blurred:
                kinds = ", ".join(blur.kind for blur in self.blurs)
                raise ValueError(
                    "translate takes its input from the photo as it is, so there is nothing to blur: leave"
                    f" blurs out; got {kinds}"
                )
            if self.camera.steps:
                raise ValueError(
                    "translate takes its input from the photo as it is: leave camera out, or set its"
                    f" {' and '.join(self.camera.steps)} to null"
                )
        if (
            self.downscale is not None
            and self.downscale.has_camera
            and (self.camera.steps or self.camera.bits != 8)
        ):
            steps = " and ".join(
                [
                    *(f"{name}: null" for name in self.camera.steps),
                    *(["bits: 8"] if self.camera.bits != 8 else []),
                ]
            )
            raise ValueError(
                f"{self.downscale.kind} has noise and JPEG of its own, twice, and a camera would be a third:"
                f" leave camera out, or set {steps} in it"
            )
        drawn = self.downscale is not None and self.downscale.random
        if (
            not (self.blurred or self.camera.steps or drawn or self.clip)
            and max(self.pairs_per_photo, self.pairs_per_eval_photo) > 1
        ):
            raise ValueError(
                "nothing is drawn (no blur, no camera), so all pairs of a photo would be the same: set"
                f" pairs_per_photo and pairs_per_eval_photo to 1; got {self.pairs_per_photo} and"
                f" {self.pairs_per_eval_photo}"
            )
        return self

    @model_validator(mode="after")
    def _on_the_fly(self) -> Self:
        if self.delivery == "on_the_fly":
            if self.translate is not None:
                raise ValueError(
                    "delivery is on_the_fly, but a translation draws nothing that could differ from time to"
                    " time: set delivery to offline"
                )
            if self.pairs_per_photo != 1:
                raise ValueError(
                    f"pairs_per_photo is {self.pairs_per_photo}, but with delivery on_the_fly training makes"
                    " as many pairs of a photo as it asks for: leave pairs_per_photo out, or set delivery to"
                    " offline"
                )
            for blur in self.blurs:
                if (kind := map_of(blur)) is not None:
                    raise ValueError(
                        f"delivery is on_the_fly, but {blur.kind} with {kind}: given takes each photo's own"
                        f" {kind}, which does not come to training: set its {kind} to drawn, or delivery to"
                        " offline"
                    )
        return self

    @property
    def degradation(self) -> Degradation:
        """What is done to a photo, as it is drawn from."""
        return Degradation(blurs=self.blurs, downscale=self.downscale, camera=self.camera)

    def maps_of(self, photo: Photo) -> tuple[PhotoMap, ...]:
        """Those of a photo's maps that a blur takes."""
        kinds = {map_of(blur) for blur in self.blurs}
        return tuple(each for each in photo.maps if each.kind in kinds)

    def target_size(self, photo: Photo) -> tuple[int, int]:
        """Width and height of a photo's target, before it is cut to a multiple of the scale."""
        size = (
            (photo.width, photo.height)
            if self.translate is None
            else self.translate.size(photo.width, photo.height)
        )
        return shrunk_size(*size, self.max_side_px)

    @property
    def asks_for_blur(self) -> tuple[str, ...]:
        """Settings of what is made of sharp photos, when they are not the usual ones: nothing that
        real pairs could heed.
        """
        usual = SynthesizeConfig()
        heeded = {"seed", "severity_bounds_px", *PairSet.UNHEEDED}
        return tuple(
            name
            for name in SynthesizeConfig.model_fields
            if name not in heeded and getattr(self, name) != getattr(usual, name)
        )

    @property
    def blurred(self) -> bool:
        """Whether any pair may be blurred."""
        return any(not isinstance(blur, NoBlur) for blur in self.blurs)

    @property
    def task(self) -> Task:
        """What a net trained on the pairs does."""
        return (
            "translation"
            if self.translate is not None
            else "super_resolution"
            if self.downscale is not None
            else "deblurring"
        )

    @property
    def scale(self) -> int:
        """Sharp size over input size."""
        return 1 if self.downscale is None else self.downscale.scale

    @property
    def baseline(self) -> Baseline:
        """What a result is measured against."""
        return (
            "bicubic"
            if self.downscale is not None
            else "input"
            if self.translate is None
            else self.translate.baseline
        )

    @property
    def smallest_px(self) -> int:
        """No side of a target may be shorter: the blur must fit, and a small photo keeps 16 px."""
        small = 1 if self.downscale is None and self.translate is None else SMALLEST_PX * self.scale
        return max(self.largest_blur_px, small)

    @property
    def largest_blur_px(self) -> int:
        """No kernel is wider or higher than this."""
        return max(blur.largest_px for blur in self.blurs)

    @property
    def largest_blur(self) -> str:
        """The kind that may be that large, and what makes it smaller."""
        kind = max(self.blurs, key=lambda blur: blur.largest_px).kind
        return f"{kind} (canvas_px and max_len_px)" if kind == "random_trajectory" else kind

    @property
    def identity(self) -> str:
        """Digest of everything that the pairs depend on: all settings but those that change none."""
        return digest_of(self.model_dump(mode="json", exclude=set(PairSet.UNHEEDED)))

    def severity_class(self, severity_px: float) -> SeverityClass:
        """The class of a blur by its RMS radius in px."""
        mild, strong = self.severity_bounds_px
        return "mild" if severity_px < mild else "medium" if severity_px < strong else "strong"
