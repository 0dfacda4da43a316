"""FID and KID: the mathematics on arrays with known answers, then the road from photos through a
stand-in InceptionV3. Never downloaded.

The stand-in weights are drawn from a seed: they prove the wiring, not the published values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

import components.metrics.inception as module
from components.core.errors import InputError, WeightsError
from components.core.files import sha256_of_file
from components.metrics import (
    SET_METRICS,
    any_metric,
    frechet_distance,
    kernel_distance,
    measurable_sets,
    metric_named,
    set_metric_named,
)
from components.metrics.inception import FILES, inception_features, inception_missing

BOTH = pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])


def drawn(seed: int, count: int, features: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, features))


def with_moments(sample: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The sample moved and stretched until its own mean and covariance are exactly the wanted ones."""
    centred = sample - sample.mean(0)
    whitened = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred, rowvar=False))).T
    return whitened @ np.linalg.cholesky(covariance).T + mean


def test_the_distance_of_two_gaussians_along_the_axes_is_by_hand() -> None:
    # Means 3 and 4 apart: 25. Deviations 1, 2 against 2, 5: (1 - 2)² + (2 - 5)² = 10.
    made = with_moments(drawn(0, 60, 2), np.zeros(2), np.diag([1.0, 4.0]))
    wanted = with_moments(drawn(1, 80, 2), np.array([3.0, 4.0]), np.diag([4.0, 25.0]))
    assert frechet_distance(made, wanted) == pytest.approx(35.0)


def test_the_distance_of_two_tilted_gaussians_is_the_formula_of_the_paper() -> None:
    mixed = [np.random.default_rng(seed).normal(size=(5, 5)) for seed in (2, 3)]
    first, second = (mix @ mix.T + np.eye(5) for mix in mixed)
    mean = np.arange(5.0)
    made, wanted = with_moments(drawn(4, 40, 5), mean, first), with_moments(drawn(5, 50, 5), -mean, second)
    paper = 4 * mean @ mean + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(made, wanted) == pytest.approx(paper, rel=1e-9)


def test_fewer_photos_than_features_need_no_root_of_a_singular_matrix() -> None:
    made, wanted = drawn(6, 7, 40), drawn(7, 9, 40) + 0.5
    spread = np.cov(made, rowvar=False), np.cov(wanted, rowvar=False)
    # The same through eigenvalues, which for singular matrices come out a little off, and complex.
    shared = np.sqrt(np.linalg.eigvals(spread[0] @ spread[1]).astype(complex)).real.sum()
    paper = (
        np.sum((made.mean(0) - wanted.mean(0)) ** 2) + np.trace(spread[0]) + np.trace(spread[1]) - 2 * shared
    )
    assert frechet_distance(made, wanted) == pytest.approx(paper, rel=1e-5)


def test_sets_of_one_kind_seem_far_apart_when_small_and_near_when_large() -> None:
    far, near = (frechet_distance(drawn(8, count, 16), drawn(9, count, 16)) for count in (20, 5000))
    assert far > 5 > 0.2 > near > 0


@BOTH
def test_a_set_is_near_itself_and_order_does_not_matter(distance) -> None:
    made, wanted = drawn(10, 30, 6), drawn(11, 20, 6) + 1
    assert distance(made, wanted) == pytest.approx(distance(wanted, made))
    assert distance(made, wanted) == pytest.approx(distance(made[::-1], np.roll(wanted, 3, axis=0)))
    assert distance(made, made) < 1e-9 < distance(made, wanted)


def test_kernel_distance_of_a_small_example_is_by_hand() -> None:
    # d = 1. made 0, 1: one pair, (0·1 + 1)³ = 1. wanted 1, 2: (2 + 1)³ = 27. Across: 0·1, 0·2 -> 1,
    # 1; 1·1 -> 8; 1·2 -> 27; mean 37/4.
    assert kernel_distance(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])) == pytest.approx(
        1 + 27 - 2 * 37 / 4
    )


def test_kernel_distance_of_sets_of_one_kind_is_zero_on_average_however_small() -> None:
    values = [kernel_distance(drawn(2 * seed, 6, 4), drawn(2 * seed + 1, 6, 4)) for seed in range(600)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert min(values) < 0 < max(values)


def test_both_agree_with_the_library_that_published_values_come_from() -> None:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    made, wanted = np.abs(drawn(12, 60, 8)), np.abs(drawn(13, 60, 8)) * 1.3
    x, y = torch.from_numpy(made), torch.from_numpy(wanted)
    theirs = fid_statistics_to_metric(fid_features_to_statistics(x), fid_features_to_statistics(y), False)[
        KEY_METRIC_FID
    ]
    assert frechet_distance(made, wanted) == pytest.approx(theirs, rel=1e-9)
    whole = kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=60, verbose=False)[
        KEY_METRIC_KID_MEAN
    ]
    assert kernel_distance(made, wanted) == pytest.approx(whole, rel=1e-9)


@BOTH
@pytest.mark.parametrize(
    ("made", "wanted", "words"),
    [
        (np.zeros((1, 4)), np.zeros((5, 4)), "at least 2 photos, got 1 and 5"),
        (np.zeros((5, 4)), np.zeros((5, 3)), r"as many features, got \(5, 4\) and \(5, 3\)"),
        (np.zeros(4), np.zeros(4), "are .photos, features."),
        (np.full((5, 4), np.nan), np.zeros((5, 4)), "must be finite"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(
    distance, made: np.ndarray, wanted: np.ndarray, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        distance(made, wanted)


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture(scope="module")
def drawn_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The true shapes, filled from a seed."""
    import torch_fidelity.feature_extractor_inceptionv3 as library

    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.setattr(library, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(library.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        state = library.FeatureExtractorInceptionV3("stand-in", ["2048"]).state_dict()
    path = tmp_path_factory.mktemp("weights") / "drawn.pth"
    torch.save(state, path)
    return path


@pytest.fixture(params=FILES)
def stand_in(
    request: pytest.FixtureRequest, empty_hub: Path, drawn_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The drawn weights under either of the file's names."""
    empty_hub.mkdir(parents=True)
    (empty_hub / request.param).symlink_to(drawn_weights)
    monkeypatch.setattr(module, "SHA256_START", sha256_of_file(drawn_weights)[:8])
    return empty_hub


def test_a_photo_of_any_size_becomes_2048_features_the_same_each_time(stand_in: Path) -> None:
    assert inception_missing() is None
    photo = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    features = inception_features(photo)
    assert (features.shape, features.dtype) == ((2048,), np.float64)
    assert features.min() >= 0
    assert np.array_equal(inception_features(photo), features)
    assert not np.allclose(inception_features(255 - photo), features)


def test_without_weights_both_are_skipped_with_the_reason_and_the_remedy(empty_hub: Path) -> None:
    measured, skipped = measurable_sets(tuple(SET_METRICS), photos=40)
    assert measured == ()
    assert set(skipped) == {"fid_inception", "kid_inception"}
    for reason in skipped.values():
        assert FILES[0] in reason
        assert "copy the file there" in reason
    with pytest.raises(WeightsError, match="copy the file there"):
        inception_features(np.zeros((8, 8, 3), np.uint8))
    assert not empty_hub.exists()


def test_a_damaged_weights_file_is_told_from_a_missing_one(empty_hub: Path) -> None:
    empty_hub.mkdir(parents=True)
    (empty_hub / FILES[0]).write_bytes(b"half a download")
    assert "damaged" in str(inception_missing())
    assert "6726825d" in str(inception_missing())


def test_a_file_of_the_right_checksum_that_would_run_code_is_refused(
    empty_hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    empty_hub.mkdir(parents=True)
    torch.save({"fc.weight": Trap()}, empty_hub / FILES[0])
    monkeypatch.setattr(module, "SHA256_START", sha256_of_file(empty_hub / FILES[0])[:8])
    with pytest.raises(WeightsError, match="holds no InceptionV3 weights that can be read"):
        inception_features(np.zeros((8, 8, 3), np.uint8))
    assert not (tmp_path / "sprung").exists()


def test_a_set_of_one_photo_is_skipped_and_said(stand_in: Path) -> None:
    measured, skipped = measurable_sets(("fid_inception",), photos=1)
    assert measured == ()
    assert "at least 2 test photos, there is 1" in skipped["fid_inception"]


def test_every_metric_of_sets_says_its_variant_and_its_weakness() -> None:
    for name, metric in SET_METRICS.items():
        assert metric.name == name
        assert "2048 features" in metric.words
        assert len(metric.weakness) > 40
        assert any_metric(name) is metric
        assert metric.gain(restored=20.0, do_nothing=50.0) == 30.0


def test_metrics_of_photos_and_of_sets_are_not_taken_for_each_other() -> None:
    with pytest.raises(InputError, match=r"name it in evaluate\.set_metrics"):
        metric_named("fid_inception")
    with pytest.raises(InputError, match='Did you mean "fid_inception"'):
        set_metric_named("fid_inceptoin")
