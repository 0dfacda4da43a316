"""The table of rules that the parts of a training keep: each refuses a training that breaks it, in its
own words, with its remedy.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from small_training import LOGITS, config, settings

from components.train.config.fields import TrainFields
from components.train.config.rules import RULES

PHASE = {"name": "joint", "images": 2, "crop_px": 16, "batch": 2}
CONTENT = PHASE | {"adversarial": False}
ALONE = {"discriminators": [], "adversarial": None, "phases": [CONTENT]}
PATCH = {"kind": "patchgan", "layers": 1, "width": 4}
CYCLE = {"consistency": [{"kind": "l1", "weight": 10.0}]}

RESTORED = PATCH | {"kind": "temporal_patchgan", "neighbours": "restored"}
FLOW = {"kind": "video_flow", "width": 4, "depth": 1, "flow_levels": 2, "flow_shrink": 2}

# A training that breaks the rule of that name, and the sentence that says so.
BREACHES: dict[str, tuple[dict[str, Any], str]] = {
    "there is something to learn by": (
        {"content": []},
        "content needs at least 1 item where there is no cycle: name a content loss, or a cycle for pictures"
        " without partners",
    ),
    "a cycle has discriminators": (
        ALONE | {"cycle": CYCLE},
        "a cycle without discriminators is content when both generators change nothing: add a discriminator"
        " and adversarial, or leave cycle out",
    ),
    "a cycle keeps the size": (
        {"cycle": CYCLE | {"generator": {"kind": "srresnet"}}},
        "a cycle goes there and back between pictures of one size, and srresnet enlarges 4 times: choose a"
        " generator of scale 1, or leave cycle out",
    ),
    "what needs pairs has content losses beside it": (
        {"cycle": CYCLE, "content": [], "feature_matching": 1.0},
        "without content losses pictures have no partner, and feature_matching looks at an input beside its"
        " own target: set it to 0",
    ),
    "discriminators and their loss come together": (
        {"adversarial": None},
        "discriminators and adversarial go together: give both, or neither to train on the content losses"
        " alone",
    ),
    "an adversarial phase has discriminators": (
        {"discriminators": [], "adversarial": None},
        "a phase is adversarial, yet there are no discriminators: set its adversarial to false, or add a"
        " discriminator",
    ),
    "settings of discriminators have discriminators": (
        ALONE | {"history": {}, "split_updates": True},
        "history and split_updates changes what discriminators see or how they learn, and there are none:"
        " leave it out, or add a discriminator",
    ),
    "a loss that compares is not split": (
        {"split_updates": True, "adversarial": {"kind": "relativistic_average"}},
        "split_updates cannot go with relativistic_average: it judges real photos beside restored ones, so"
        " there is one step for both",
    ),
    "a gradient penalty has no batch normalisation": (
        {"discriminators": [PATCH | {"norm": "batch"}]},
        "a gradient penalty is taken per photo, which batch normalisation in patchgan mixes with the others"
        " (Gulrajani et al. 2017, sec. 4): set its norm to instance or none",
    ),
    "a slope at real photos has no batch normalisation": (
        LOGITS | {"r1": {}, "discriminators": [PATCH | {"norm": "batch"}]},
        "r1 is taken per photo, which batch normalisation in patchgan mixes with the others: set its norm to"
        " instance or none, or r1 to null",
    ),
    "a critic has one bound on its slope": (
        {"r1": {}},
        "r1 pulls slopes at real photos to 0, which is not what the critic of wgan_gp is bounded by: set r1"
        " to null, or take another adversarial loss",
    ),
    "a photo and its input are changed alike": (
        {
            "diff_augment": {},
            "generator": {"kind": "srresnet", "width": 4, "blocks": 1},
            "discriminators": [PATCH | {"conditional": True}],
        },
        "diff_augment moves a photo and its input alike, and what the conditional patchgan sees is 4 times"
        " smaller than the photo: set its conditional to false, or diff_augment to null",
    ),
    "simultaneous is one update of each": (
        {"simultaneous": True},
        "simultaneous means one step of each: set discriminator_updates to 1 and split_updates to false, or"
        " simultaneous to false",
    ),
    "a loss of logits gets logits": (
        {
            "discriminators": [{"kind": "patch_dense", "crop_px": 64}],
            "adversarial": {"kind": "hinge"},
            "phases": [PHASE | {"crop_px": 64}],
        },
        "hinge takes logits, and patch_dense ends in a sigmoid, which keeps them in 0 to 1: set its sigmoid"
        " to false, or take least_squares",
    ),
    "weights are clipped or normalised, not both": (
        {
            "discriminators": [PATCH | {"spectral_norm": True}],
            "adversarial": {"kind": "wasserstein", "clip": 0.01},
        },
        "adversarial.clip 0.01 cuts the weights that spectral_norm of patchgan divides afterwards, so it"
        " bounds nothing: keep one of the two",
    ),
    "discriminators have an adversarial phase": (
        {"phases": [CONTENT]},
        "there are discriminators, and no phase (joint) is adversarial: set adversarial of a phase to true,"
        " or leave discriminators and train.adversarial out",
    ),
    "a crop is a multiple of the generator's stride": (
        {"phases": [PHASE | {"crop_px": 17}]},
        "crop_px 17 of phase joint must be a multiple of 2, the generator's stride times its scale",
    ),
    "a batch divides over the workers": (
        {"workers": 4},
        "batch 2 of phase joint must divide evenly over 4 workers: change one of them",
    ),
    "a batch divides into its parts": (
        {"phases": [PHASE | {"accumulate": 3}]},
        "batch 2 of phase joint must be a multiple of accumulate 3: change one of them",
    ),
    "what looks at a whole batch is not given parts": (
        LOGITS | {"adversarial": {"kind": "relativistic_average"}, "phases": [PHASE | {"accumulate": 2}]},
        "relativistic_average looks at all photos of a batch at once, which accumulate of phase joint parts:"
        " set accumulate to 1, or choose another",
    ),
    "a crop holds what its content losses look at": (
        {"content": [{"kind": "ms_ssim"}]},
        "crop_px 16 of phase joint is too small for ms_ssim: it needs 161 px or more",
    ),
    "a dense head gets the crop it was made for": (
        {"discriminators": [{"kind": "patch_dense", "crop_px": 64, "norm": "instance"}]},
        "crop_px 16 of phase joint must be 64: the dense head of patch_dense takes that size alone",
    ),
    "a crop holds what its discriminators look at": (
        {"discriminators": [PATCH | {"layers": 5}]},
        "crop_px 16 of phase joint is too small for patchgan: it needs 96 px or more",
    ),
    "nothing is enlarged on the device": (
        {"synthesize_on": "device", "augment": {"enlarge": 1.5}},
        "augment.enlarge is 1.5, and enlarging before the crop has no form on the device: set synthesize_on"
        " to processor or auto, or enlarge to 1",
    ),
    "a rollback's sign has a limit": (
        {"rollback": {"on": ["diversity"]}, "health": {"diversity": None}},
        "rollback.on names diversity, which health.diversity has switched off: give it a limit, or take it"
        " out",
    ),
    "a critic may be sure": (
        {"rollback": {"on": ["discriminator_wins"]}},
        "rollback.on names discriminator_wins, which says nothing of a critic such as wgan_gp: take it out",
    ),
    "a rollback's sign of discriminators has discriminators": (
        ALONE | {"rollback": {"on": ["adversarial_share"]}},
        "rollback.on names adversarial_share, which tells of discriminators, and there are none: take it out",
    ),
    "averaged weights have no running statistics": (
        {
            "generator": {"kind": "resnet", "width": 4, "blocks": 1, "norm": "batch"},
            "average_last": 0.5,
        },
        "average_last takes the mean of weights, and running statistics of batch normalisation in resnet are"
        " no mean net's (Izmailov et al. 2018, sec. 3.2): set its norm to instance or none, its"
        " test_time_statistics to photo, or average_last to 0",
    ),
    "the last share of the last phase comes": (
        {"phases": [PHASE | {"early_stopping": {}}], "average_last": 0.25},
        "average_last is the last 0.25 of phase joint, which early_stopping may end before that: set its"
        " early_stopping to null (keep_best keeps the best), or average_last to 0",
    ),
    "several target frames have a window": (
        {"target_frames": 3},
        "target_frames is 3, and unet is given one photo, which has no neighbours: leave it out, or take a"
        " generator of video",
    ),
    "target frames have one in the middle": (
        {"target_frames": 4, "generator": FLOW},
        "target_frames is 4: an even number has no frame in the middle: take 3",
    ),
    "restored neighbours are restored": (
        {"generator": FLOW, "discriminators": [RESTORED]},
        "temporal_patchgan looks at three restored frames, and target_frames is 1: set target_frames to 3 or"
        " more, or its neighbours to input",
    ),
    "the frames of a clip stay together": (
        {"target_frames": 3, "generator": FLOW, "discriminators": [RESTORED]},
        "temporal_patchgan looks at three restored frames of one clip, and the penalty of wgan_gp goes photo"
        " by photo: leave that out, or set its neighbours to input",
    ),
    "time is reversed where there is some": (
        {"augment": {"reverse_time": 0.5}},
        "augment.reverse_time is 0.5, and unet is given one photo, which has no order in time: leave it out,"
        " or take a generator of video",
    ),
    "neighbours in time are there to be looked at": (
        {"discriminators": [PATCH | {"kind": "temporal_patchgan"}]},
        "temporal_patchgan looks at the frames beside the photo, and unet is given one photo: take a"
        " patchgan, or a generator of video",
    ),
    "a loss of flow has a flow": (
        {"content": [{"kind": "photometric"}]},
        "the content loss photometric looks at how a generator moves frames, and unet moves none: leave it"
        " out, or take video_flow",
    ),
    "a cycle maps single photos": (
        {"cycle": CYCLE | {"generator": FLOW}},
        "a cycle takes what was restored back to its input, and video_flow looks at 5 frames, of which one"
        " comes back: take a generator of photos, or leave cycle out",
    ),
    "a frame and its window are changed alike": (
        {"diff_augment": {}, "generator": FLOW, "discriminators": [PATCH | {"conditional": True}]},
        "diff_augment changes a photo and its input alike, and what patchgan sees is one of 5 frames of it:"
        " take a discriminator that looks at the photo alone, or set diff_augment to null",
    ),
    "a phase names content losses that are there": (
        {"phases": [PHASE | {"content": ["l2"]}, PHASE | {"name": "next"}]},
        "phase joint names the content loss l2; there are l1.",
    ),
    "a content loss counts in some phase": (
        {"content": [{"kind": "l1"}, {"kind": "l2"}], "phases": [PHASE | {"content": ["l1"]}]},
        "the content loss l2 counts in no phase: name it in a phase's content, or leave it out",
    ),
    "phases and metrics are named once": (
        {"phases": [PHASE, PHASE]},
        "phases has the name joint twice (joint, joint): each stands there once, so that it can be told from"
        " the others",
    ),
    "a validation metric is known": (
        {"validate_metrics": ["psnr"]},
        'no metric is called "psnr"; there are psnr_rgb,',
    ),
    "a validation looks at single frames": (
        {"validate_metrics": ["psnr_rgb", "tof_dis"]},
        "validate_metrics names tof_dis, which compares neighbouring frames, and a validation looks at"
        " frames of many clips: name it in evaluate.metrics",
    ),
    "a watched metric is validated": (
        {"keep_best": "lpips_alex"},
        "keep_best is lpips_alex, which is not validated: add it to validate_metrics, which has psnr_rgb,"
        " ssim_gauss11_rgb.",
    ),
}


def test_every_rule_has_a_training_that_breaks_it() -> None:
    assert [rule.name for rule in RULES] == list(BREACHES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_training_that_breaks_a_rule_is_refused_in_its_words(rule: Any) -> None:
    changes, sentence = BREACHES[rule.name]
    fields = TrainFields.model_validate(settings(**changes))
    broken = {each.name: list(each.broken(fields)) for each in RULES}
    assert len(broken[rule.name]) == 1
    assert broken[rule.name][0].startswith(sentence)
    with pytest.raises(ValidationError) as error:
        config(**changes)
    # What a recipe's reader is told is the first rule that is broken.
    assert next(sentences[0] for sentences in broken.values() if sentences) in str(error.value)


def test_a_training_whose_parts_agree_breaks_no_rule() -> None:
    fields = TrainFields.model_validate(settings())
    assert [sentence for rule in RULES for sentence in rule.broken(fields)] == []
