"""`refocus serve`: what goes in and comes out, what is refused and how, and that a model is followed."""

from __future__ import annotations

import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from listening import listening
from PIL import Image
from processes import wait_for
from registered import add

from components.core.decoding import decode
from components.core.encoding import FORMATS, Format, encoded
from components.core.errors import InputError, LineageError
from components.nets.generators import SRResNet, UNet
from components.nets.restore import load_restorer, save_generator
from components.services import tracking
from components.serving import model as of_model
from components.serving.app import models_of
from components.serving.model import ServedModel
from components.serving.models import Models, OneModel
from components.serving.settings import ServingSettings
from components.serving.statuses import MEANS, OF_A_PHOTO

TOKEN = "0123456789abcdef-token"


def noise(height: int = 40, width: int = 56, bits: int = 8) -> np.ndarray[Any, Any]:
    kind = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(3).integers(0, 1 << bits, (height, width, 3), kind)


def png(**size: int) -> bytes:
    return encoded("png", noise(**size))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    part = UNet(width=4, depth=1, widest=4)
    save_generator(tmp_path / "small", part, part.build(seed=0).state_dict())
    return tmp_path / "small"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_photo_of_each_format_comes_back_as_it_would_be_restored_here(
    served: Any, checkpoint: Path, form: Format, bits: int
) -> None:
    photo = encoded(form, noise(bits=bits))
    lossless = "tiff" if form == "tiff" else "png"
    address = served(ServingSettings(str(checkpoint)))
    answer = httpx.post(f"{address}/restore", content=photo, headers={"Accept": f"image/{lossless}"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{lossless}")
    restored = decode(answer.content).pixels
    expected = load_restorer(checkpoint, device="cpu").restore_pixels(decode(photo).pixels)
    assert restored.dtype == (np.uint16 if bits == 16 and form in ("png", "tiff") else np.uint8)
    assert np.array_equal(restored, expected)


def test_profile_and_exif_come_back(served: Any, checkpoint: Path) -> None:
    block = Image.Exif()
    block[0x010F], block[0x0112] = "Camera", 6
    stream = io.BytesIO()
    Image.fromarray(noise()).save(stream, "JPEG", exif=block, dpi=(300, 300))
    address = served(ServingSettings(str(checkpoint)))
    for form in FORMATS:
        answer = httpx.post(f"{address}/restore", params={"format": form}, content=stream.getvalue())
        with Image.open(io.BytesIO(answer.content)) as made:
            assert made.size == (40, 56), form  # turned upright
            assert (made.getexif()[0x010F], made.getexif()[0x0112]) == ("Camera", 1), form


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", {}, 415, "not a photo: the file is empty"),
        (b"hello there", {}, 415, "not a photo"),
        (b"x=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "--data-binary"),
        (b"x=1", {"Content-Type": "multipart/form-data; boundary=x"}, 415, "--data-binary"),
        (png()[:-20], {}, 422, "truncated"),
        (png(height=200, width=300), {}, 413, "megapixels"),
        (bytes(300_000), {}, 413, "at most 0.2 MB"),
    ],
)
def test_what_cannot_be_restored_is_refused_in_a_sentence(
    served: Any, checkpoint: Path, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    settings = ServingSettings(str(checkpoint), max_mb=0.2, max_megapixels=0.05)
    answer = httpx.post(f"{served(settings)}/restore", content=body, headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.headers["X-Refocus-Model"] == "small"


def test_a_body_that_does_not_say_its_length_is_refused_as_soon_as_it_is_too_long(
    served: Any, checkpoint: Path
) -> None:
    settings = ServingSettings(str(checkpoint), max_mb=0.01)
    pieces = (bytes(5_000) for _ in range(4))
    assert httpx.post(f"{served(settings)}/restore", content=pieces).status_code == 413


def test_a_photo_that_would_be_enlarged_beyond_the_limit_is_refused(served: Any, tmp_path: Path) -> None:
    part = SRResNet(width=4, blocks=1)
    save_generator(tmp_path / "x4", part, part.build(seed=0).state_dict())
    address = served(ServingSettings(str(tmp_path / "x4"), max_megapixels=0.02))
    answer = httpx.post(f"{address}/restore", content=png())
    assert (answer.status_code, "enlarges 4 times" in answer.json()["error"]) == (413, True)
    assert httpx.post(f"{address}/restore", content=png(height=20, width=30)).status_code == 200


def test_parameters_and_paths_that_are_none_are_told(served: Any, checkpoint: Path) -> None:
    address = served(ServingSettings(str(checkpoint)))
    wrong = httpx.post(f"{address}/restore", params={"format": "bmp"}, content=png())
    assert (wrong.status_code, "'png'" in wrong.json()["error"]) == (422, True)
    assert httpx.get(f"{address}/restore").status_code == 405
    assert "/docs" in httpx.get(f"{address}/nothing").json()["error"]
    other = httpx.post(f"{address}/restore", params={"model": "challenger"}, content=png())
    assert (other.status_code, "NAME@champion" in other.json()["error"]) == (404, True)


def test_a_token_opens_what_is_not_open_to_all(served: Any, checkpoint: Path) -> None:
    address = served(ServingSettings(str(checkpoint), host="0.0.0.0", token=TOKEN))
    for path in ("/", "/docs", "/healthz", "/openapi.json"):
        assert httpx.get(address + path).status_code == 200, path
    for path in ("/model", "/metrics"):
        assert httpx.get(address + path).status_code == 401, path
        asked = httpx.get(address + path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert asked.status_code == 200, path
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        assert httpx.post(f"{address}/restore", content=png(), headers=sent).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "gpu-7"])
def test_nothing_beyond_loopback_is_served_without_a_token(host: str) -> None:
    with pytest.raises(InputError, match="REFOCUS_SERVE_TOKEN"):
        ServingSettings("demo@champion", host=host).checked()
    with pytest.raises(InputError, match="at least 16"):
        ServingSettings("demo@champion", host=host, token="short").checked()


def test_another_sites_page_may_not_ask(served: Any, checkpoint: Path) -> None:
    address = served(ServingSettings(str(checkpoint)))
    for headers in ({"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}):
        assert httpx.post(f"{address}/restore", content=png(), headers=headers).status_code == 403
    same = httpx.post(f"{address}/restore", content=png(), headers={"Origin": address})
    assert same.status_code == 200


class Held(OneModel):
    """A model whose restorations wait until they are let go; counts how many were at work at once."""

    def __init__(self, folder: Path) -> None:
        self.go, self.begun = threading.Event(), threading.Event()
        self.now = self.most = 0
        found = of_model.of_folder(folder, device="cpu", tile_px=1024)
        whole = found.restorer._whole

        def held(photo: Any) -> Any:
            self.now += 1
            self.most = max(self.most, self.now)
            self.begun.set()
            self.go.wait(60)
            self.now -= 1
            return whole(photo)

        found.restorer._whole = held  # type: ignore[method-assign]
        super().__init__(lambda: found)


def test_one_is_restored_at_a_time_a_few_wait_and_the_rest_are_asked_to_come_again(
    served: Any, checkpoint: Path
) -> None:
    models = Held(checkpoint)
    address = served(ServingSettings(str(checkpoint), queue=2), models)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(httpx.post, f"{address}/restore", content=png(), timeout=60) for _ in range(3)]
        assert models.begun.wait(60)
        taken = "refocus_queue_places_taken 3.0"
        assert wait_for(lambda: taken in httpx.get(f"{address}/metrics").text, 60)
        refused = httpx.post(f"{address}/restore", content=png())
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}
        models.go.set()
        assert [each.result().status_code for each in asked] == [200, 200, 200]
    assert models.most == 1
    assert httpx.post(f"{address}/restore", content=png()).status_code == 200


def test_a_restoration_at_work_is_finished_when_the_service_is_stopped(
    checkpoint: Path, request: pytest.FixtureRequest
) -> None:
    models = Held(checkpoint)
    with ThreadPoolExecutor(1) as pool:
        with listening(ServingSettings(str(checkpoint)), models) as address:
            asked = pool.submit(httpx.post, f"{address}/restore", content=png(), timeout=60)
            assert models.begun.wait(60)
            threading.Timer(0.3, models.go.set).start()
        assert asked.result().status_code == 200


def test_readings_tell_answers_seconds_and_the_version(served: Any, checkpoint: Path) -> None:
    address = served(ServingSettings(str(checkpoint)))
    httpx.post(f"{address}/restore", content=png())
    httpx.post(f"{address}/restore", content=b"no photo")
    text = httpx.get(f"{address}/metrics").text
    assert 'refocus_answers_total{path="/restore",status="200"} 1.0' in text
    assert 'refocus_answers_total{path="/restore",status="415"} 1.0' in text
    assert "refocus_restore_seconds_count 1.0" in text
    assert "refocus_model_info{" in text
    assert "process_resident_memory_bytes" in text


def followed(name: str, alias: str = tracking.CHAMPION) -> tuple[ServingSettings, Models]:
    settings = ServingSettings(f"{name}@{alias}", follow_s=0.2, device="cpu")
    models = models_of(settings)
    assert isinstance(models, Models)
    return settings, models


def test_a_promotion_and_a_rollback_change_what_is_served_and_drop_no_request(
    served: Any, store: Path, tmp_path: Path
) -> None:
    versions = [add("followed", tmp_path, seed=seed) for seed in (1, 2)]
    tracking.set_alias("followed", tracking.CHAMPION, versions[0].number)
    address = served(*followed("followed"))
    photo, stop = png(height=64, width=64), threading.Event()
    seen: list[tuple[int, str, str]] = []

    def ask() -> None:
        while not stop.is_set():
            answer = httpx.post(f"{address}/restore", content=photo, timeout=60)
            headers = answer.headers
            seen.append((answer.status_code, headers["X-Refocus-Model"], headers["X-Refocus-Digest"]))

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for each in askers:
        each.start()
    try:
        for number in (2, 1):
            tracking.set_alias("followed", tracking.CHAMPION, number)
            assert wait_for(lambda: seen[-1:] and seen[-1][1] == f"followed:{number}", 30)  # noqa: B023
    finally:
        stop.set()
        for each in askers:
            each.join(60)
    assert {status for status, _, _ in seen} == {200}
    assert {(name, digest) for _, name, digest in seen} == {
        ("followed:1", f"{1:064x}"),
        ("followed:2", f"{2:064x}"),
    }


def test_a_version_that_does_not_reproduce_its_example_never_serves(
    served: Any, store: Path, tmp_path: Path
) -> None:
    good, bad = add("proved", tmp_path, seed=1), add("proved", tmp_path, seed=2, broken=True)
    tracking.set_alias("proved", tracking.CHAMPION, good.number)
    address = served(*followed("proved"))
    tracking.set_alias("proved", tracking.CHAMPION, bad.number)
    assert wait_for(lambda: httpx.get(f"{address}/model").json()["trouble"] is not None, 30)
    about = httpx.get(f"{address}/model").json()
    assert about["version"] == good.number
    assert "proved version 2 restores its stored example" in about["trouble"]
    assert httpx.post(f"{address}/restore", content=png()).headers["X-Refocus-Model"] == "proved:1"
    with pytest.raises(LineageError, match="not served"):
        models_of(ServingSettings("proved:2", device="cpu")).start()


def test_every_answer_names_the_precision_that_was_asked_for(
    served: Any, store: Path, tmp_path: Path, checkpoint: Path
) -> None:
    add("quick", tmp_path, seed=1)
    address = served(ServingSettings("quick:1", device="cpu", precision="bf16"))
    assert httpx.post(f"{address}/restore", content=png()).headers["X-Refocus-Precision"] == "bf16"
    assert httpx.get(f"{address}/model").json()["precision"] == "bf16"
    exact = served(ServingSettings(str(checkpoint)))
    assert httpx.get(f"{exact}/healthz").headers["X-Refocus-Precision"] == "fp32"


def test_weights_altered_in_the_registry_are_not_served(store: Path, tmp_path: Path) -> None:
    version = add("altered", tmp_path, seed=1)
    tracking.add_tags("altered", version.number, {"refocus.weights_sha256": "0" * 64})
    with pytest.raises(LineageError, match="altered in the registry"):
        models_of(ServingSettings("altered:1", device="cpu")).start()


def test_challenger_and_previous_can_be_asked_beside_the_champion(
    served: Any, store: Path, tmp_path: Path
) -> None:
    for seed, alias in ((1, tracking.PREVIOUS), (2, tracking.CHAMPION)):
        tracking.set_alias("beside", alias, add("beside", tmp_path, seed=seed).number)
    address = served(*followed("beside"))
    about = httpx.get(f"{address}/model").json()
    assert about["aliases"] == {"challenger": None, "champion": 2, "previous": 1}
    assert about["card"] == "# beside, from seed 2\n"
    asked = {
        alias: httpx.post(f"{address}/restore", params={"model": alias}, content=png())
        for alias in ("champion", "previous")
    }
    assert {alias: answer.headers["X-Refocus-Model"] for alias, answer in asked.items()} == {
        "champion": "beside:2",
        "previous": "beside:1",
    }
    assert asked["champion"].content != asked["previous"].content
    assert httpx.post(f"{address}/restore", params={"model": "challenger"}, content=png()).status_code == 404


def test_a_registry_that_stops_answering_does_not_stop_the_service(
    store: Path, tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.set_alias("alone", tracking.CHAMPION, add("alone", tmp_path, seed=1).number)
    _, models = followed("alone")
    models.get()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port}")
    models.look()
    assert models.trouble is not None
    assert models.get().number == 1


def test_the_interface_describes_itself(served: Any, checkpoint: Path) -> None:
    address = served(ServingSettings(str(checkpoint)))
    api = httpx.get(f"{address}/openapi.json").json()
    restore = api["paths"]["/restore"]["post"]
    assert set(restore["requestBody"]["content"]) == {f"image/{form}" for form in FORMATS}
    assert set(restore["responses"]) == {"200", *map(str, OF_A_PHOTO)}
    for path in ("/", "/docs"):
        page = httpx.get(address + path)
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "http://" not in page.text.replace("http://127.0.0.1:8000", "")
        assert "https://" not in page.text


def test_every_status_that_is_given_is_described(served: Any, checkpoint: Path) -> None:
    """Also of the paths that are asked for by a program; 405 is of what is no operation."""
    address = served(ServingSettings(str(checkpoint), token=TOKEN, max_mb=0.01, queue=0))
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    with_token = {"Authorization": f"Bearer {TOKEN}"}
    elsewhere = {"Origin": "https://elsewhere.example"}
    for method, path, status, asked in (
        ("POST", "/restore", 401, {}),
        ("POST", "/restore", 403, {"headers": elsewhere}),
        ("POST", "/restore", 404, {"headers": with_token, "params": {"model": "challenger"}}),
        ("POST", "/restore", 413, {"headers": with_token, "content": bytes(20_000)}),
        ("POST", "/restore", 415, {"headers": with_token, "content": b"no photo"}),
        ("POST", "/restore", 422, {"headers": with_token, "params": {"format": "bmp"}}),
        ("GET", "/model", 401, {}),
        ("GET", "/model", 404, {"headers": with_token, "params": {"model": "previous"}}),
        ("GET", "/model", 422, {"headers": with_token, "params": {"model": "none"}}),
        ("GET", "/metrics", 401, {}),
        ("GET", "/metrics", 403, {"headers": elsewhere}),
        ("GET", "/healthz", 403, {"headers": elsewhere}),
    ):
        answer = httpx.request(method, address + path, **asked)
        assert answer.status_code == status, (path, status)
        described = paths[path][method.lower()]["responses"][str(status)]
        assert described["content"]["application/json"]["schema"]["$ref"].endswith("/Refusal")
        assert list(answer.json()) == ["error"]


def test_the_list_of_statuses_is_whole_and_the_docs_have_it() -> None:
    root = Path(__file__).parents[2]
    text = "".join(path.read_text() for path in (root / "components" / "serving").glob("*.py"))
    given = set(map(int, re.findall(r"(?:told|RefusedError)\(\s*(\d{3})\b", text)))
    assert given >= {401, 403, 404, 408, 413, 415, 422, 499, 500, 503}
    assert given <= set(MEANS)
    described = re.findall(r"^\| (\d{3}) \|", (root / "docs" / "serving.md").read_text(), re.MULTILINE)
    assert {int(status) for status in described} == set(MEANS)


def test_a_served_model_is_shown_without_its_net() -> None:
    model = ServedModel("demo", 3, "d" * 64, "w" * 64, "", restorer=None)  # type: ignore[arg-type]
    assert model.words == "demo version 3"
    assert TOKEN not in repr(ServingSettings("demo", token=TOKEN))
