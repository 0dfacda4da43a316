"""A recipe of video through the stages, in order, as `refocus` calls them: from photos to clips, a net that
looks at windows of them, a report with a clip that a browser plays, a registered model that restores a
video.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from one_stage import run_stage
from photosets import photoset_of
from tiny_clone import TINY

from components import recipes
from components.console import commands
from components.console.restore_video import restored_frames
from components.core.images import read_rgb
from components.core.levels import at_bits
from components.core.record import Record
from components.core.records import Checkpoint, EvalReport, PairSet, Provenance
from components.core.video.reading import facts_of_video, frames_of_video
from components.core.video.writing import VideoWriter
from components.core.windows import Windows, clips_of
from components.nets.restore import load_restorer
from components.pipeline import registering, stages
from components.pipeline.project import Project, Run

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))
from browser import needs_browser, opened


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Record]]:
    """The records of every stage."""
    root = tmp_path_factory.mktemp("video")
    source = photoset_of(root / "source", sizes=((96, 80), (80, 96), (90, 70), (88, 72)))
    for number, photo in enumerate(source.photos()):
        place = root / "photos" / ("train", "val", "train", "test")[number] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((source.folder / photo.file).read_bytes())
    plain = yaml.safe_load(TINY)
    plain["ingest"]["photos"] = str(root / "photos")
    plain["synthesize"] = {
        "seed": 1,
        "clip": {"frames": 5, "turn_deg_per_s": [1, 2], "pan_deg_per_s": [0, 1]},
    }
    plain["train"]["generator"] = {
        **{"kind": "video_flow", "frames": 3, "width": 4, "depth": 1, "widest": 8},
        **{"flow_width": 4, "flow_levels": 2, "flow_shrink": 2},
    }
    plain["train"]["discriminators"] = [{"kind": "temporal_patchgan", "layers": 1, "width": 4}]
    plain["train"]["content"] += [{"kind": "photometric", "weight": 0.1}]
    plain["train"]["phases"][0]["images"] = 240
    plain["train"] |= {"validate_every": 128, "augment": {"reverse_time": 0.5}}
    plain["evaluate"]["metrics"] += ["warping_error_dis", "tof_dis"]
    # What a net of seconds gains is not the matter here, but it has to gain something to serve.
    plain["register"]["gate"]["margins"] |= {
        "ssim_gauss11_rgb": 1.0,
        "warping_error_dis": 50.0,
        "tof_dis": 50.0,
    }
    (root / "dvc.yaml").touch()  # a checkout's sign, where models of a registry are looked for
    path = root / "components" / "recipes" / "tiny.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(plain))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        run = Run.of(Project.at(root), recipes.load("tiny", root=root).name)
        return run, [run_stage(stage.name, run) for stage in stages.STAGES]


@pytest.mark.services
def test_clips_go_from_photos_to_a_report_with_measures_between_frames(
    made: tuple[Run, list[Record]],
) -> None:
    _, (_, pairset, checkpoint, report) = made
    assert isinstance(pairset, PairSet)
    assert isinstance(checkpoint, Checkpoint)
    assert isinstance(report, EvalReport)
    assert {len(clip) for clip in clips_of(pairset.pairs())} == {5}
    assert set(report.restored) == {"psnr_rgb", "ssim_gauss11_rgb", "warping_error_dis", "tof_dis"}
    assert all(np.isfinite(value) for value in (*report.restored.values(), *report.do_nothing.values()))
    # What is measured is what a video would show: the middle of a window, beside doing nothing.
    restorer = load_restorer(checkpoint.folder, device="cpu")
    clip = clips_of(pairset.pairs("test"))[0]
    frames = [read_rgb(pairset.folder / pair.input) for pair in clip]
    shown = list(restored_frames(frames, restorer))
    for number, pair in enumerate(clip):
        window = [read_rgb(pairset.folder / each.input) for each in Windows(clip, 3)[pair]]
        assert np.array_equal(shown[number], restorer.restore_pixels(np.concatenate(window, axis=2)))


@pytest.mark.services
def test_a_promoted_net_of_video_restores_a_clip_by_its_alias(
    made: tuple[Run, list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, (_, pairset, checkpoint, _) = made
    assert isinstance(pairset, PairSet)
    assert isinstance(checkpoint, Checkpoint)
    monkeypatch.chdir(run.root)
    version = stages.register(run, Provenance(git_commit="0" * 40, dvc={}))
    decision = registering.decide(run, version)
    assert decision.promoted, decision.words
    clip = clips_of(pairset.pairs("test"))[0]
    frames = [read_rgb(pairset.folder / pair.input) for pair in clip]
    with VideoWriter(tmp_path / "clip.mkv", "mkv", 12.5, (frames[0].shape[1], frames[0].shape[0])) as video:
        for frame in frames:
            video.write(at_bits(frame, 8))
    asked = [
        "restore",
        str(tmp_path / "clip.mkv"),
        "--model",
        "tiny@champion",
        "--out",
        str(tmp_path / "out"),
    ]
    assert commands.run(asked) == 0
    shown = list(frames_of_video(tmp_path / "out" / "clip.mkv"))
    wanted = list(restored_frames(frames, load_restorer(checkpoint.folder, device="cpu")))
    assert all(np.array_equal(one, at_bits(two, 8)) for one, two in zip(shown, wanted, strict=True))
    assert facts_of_video(tmp_path / "out" / "clip.mkv").fps == 12.5


@pytest.mark.services
def test_the_report_has_a_clip_of_before_and_after(made: tuple[Run, list[Record]]) -> None:
    _, (_, pairset, _, report) = made
    assert isinstance(pairset, PairSet)
    frames = list(frames_of_video(report.folder / "sheets" / "clip.webm"))
    assert len(frames) == 5
    page = (report.folder / "report.html").read_text()
    assert 'autoplay loop muted playsinline controls aria-label="blurred and restored side by side"' in page
    assert "warping error" in page
    assert "tOF" in page


@pytest.mark.services
@needs_browser
def test_a_browser_plays_the_clip_in_a_loop(made: tuple[Run, list[Record]]) -> None:
    _, (*_, report) = made
    with opened() as browser:
        page = browser.new_page()
        page.goto((report.folder / "report.html").as_uri())
        video = page.locator("video.clip")
        page.wait_for_function("document.querySelector('video.clip').readyState >= 2")
        assert video.evaluate("video => video.error") is None
        assert video.evaluate("video => [video.videoWidth > 100, video.loop, video.muted]") == [True] * 3
        video.scroll_into_view_if_needed()  # what is out of sight does not play by itself
        page.wait_for_function("document.querySelector('video.clip').currentTime > 0")


@pytest.mark.services
def test_the_registered_net_of_video_loads_elsewhere_and_is_exported(
    made: tuple[Run, list[Record]], tmp_path: Path
) -> None:
    run, (_, pairset, checkpoint, _) = made
    from components.exports.made import Weights, make
    from components.nets.formats import Onnx
    from components.register.gate import GatePolicy

    assert isinstance(pairset, PairSet)
    assert isinstance(checkpoint, Checkpoint)
    (found,) = make(
        [Onnx()],
        Weights(checkpoint.folder, checkpoint.digest),
        pairset,
        tmp_path,
        gate=GatePolicy(),
        metrics=("psnr_rgb", "tof_dis"),
        tile_px=256,
    )
    assert found.passed, found.words
    assert found.pairs == 5
    assert found.versions["window"] == "3"
    assert run.name == "tiny"
