"""The page of a comparison: complete in itself, escaped, and alive in a real browser."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gencodec import cli
from gencodec.codec.comparison.compare import Comparer
from gencodec.codec.comparison.html import SCENES, render
from gencodec.codec.comparison.inputs import CompareInput

(MODEL,) = (Path(__file__).parent / "golden" / "autoencoder-1").glob("*-encoder.onnx")
NASTY = "a <b>'\"&amp;</script><img src=x onerror=alert(1)>$x^2$.png"


def make(
    *inputs: CompareInput,
    qualities: tuple[float, ...] = (10, 50, 90),
    against: tuple[str, ...] = ("jpeg", "webp", "avif", "jpeg2000"),
) -> str:
    comparer = Comparer(
        None, against, qualities, ("psnr", "bytes"), model=MODEL, threads=2, keep_files=True
    )
    comparison = comparer.summary([comparer.measure(picture) for picture in inputs])
    return render(comparison, inputs, comparer)


@pytest.fixture(scope="module")
def photo_page(cat: Path) -> str:
    """The page of a photo with a hostile name."""
    with Image.open(cat) as image:
        pixels = np.asarray(image.convert("RGB").crop((150, 80, 310, 180)))
    return make(CompareInput(NASTY, pixels, ("A note with <i>markup</i>.",)))


def viewer_data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found[1])


class Reader(HTMLParser):
    """What a browser would see: tags with their attributes, and the text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_names_and_notes_are_escaped(photo_page: str) -> None:
    reader = Reader(photo_page)
    assert not {"b", "i"} & {tag for tag, _ in reader.tags}
    assert not any("onerror" in attributes for _, attributes in reader.tags)
    assert photo_page.count("</script>") == photo_page.count("<script") == 2
    assert NASTY in reader.text and "<i>markup</i>" in reader.text
    assert viewer_data(photo_page)["scenes"][0]["name"].startswith(NASTY)


def test_nothing_comes_from_elsewhere(photo_page: str) -> None:
    reader = Reader(photo_page)
    for tag, attributes in reader.tags:
        for name in ("src", "href", "data", "action", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
    assert not re.search(r"https?://", photo_page)
    assert "default-src 'none'" in photo_page
    svg = next(a["src"] for t, a in reader.tags if t == "img" and a.get("class") == "chart")
    assert svg and b"<svg" in base64.b64decode(svg.partition(",")[2])


def test_ssimulacra2_is_on_the_page(photo_page: str) -> None:
    assert "at equal SSIMULACRA2" in Reader(photo_page).text
    for scene in viewer_data(photo_page)["scenes"]:
        captions = {layer["name"]: layer["caption"] for layer in scene["layers"]}
        for name in ("gencodec autoencoder", "JPEG 4:2:0, same size"):
            assert "SSIMULACRA2 " in captions[name]


def test_the_chart_has_a_panel_for_each_measure(photo_page: str) -> None:
    svg = next(a["src"] for t, a in Reader(photo_page).tags if t == "img" and "class" in a)
    assert svg
    chart = base64.b64decode(svg.partition(",")[2])
    # 100 rows are too few for MS-SSIM; matplotlib writes each text as a comment too.
    assert b"<!-- SSIMULACRA2 -->" in chart and b"<!-- MS-SSIM" not in chart


def test_marks_are_all_filled_in(photo_page: str) -> None:
    assert not re.findall(r"<!--\w+-->", photo_page)


def test_the_viewer_has_every_match(photo_page: str) -> None:
    data = viewer_data(photo_page)
    assert len(data["scenes"]) == SCENES
    for scene in data["scenes"]:
        names = [layer["name"] for layer in scene["layers"]]
        assert names[:2] == ["original", "gencodec autoencoder"]
        assert "JPEG 4:2:0, same size" in names and "AVIF 4:4:4, same PSNR" in names
        assert len(set(names)) == len(names)
        assert all(0 <= layer["image"] < len(data["images"]) for layer in scene["layers"])
    assert "exactly as it was decoded" in data["note"]


def test_a_large_picture_shows_a_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gencodec.codec.comparison.html.LARGEST", 400_000)
    pixels = np.random.default_rng(3).integers(0, 256, (300, 400, 3), np.uint8)
    text = make(CompareInput("noise", pixels), qualities=(50,), against=("jpeg", "jpeg2000"))
    assert len(text.encode()) <= 400_000
    (scene,) = viewer_data(text)["scenes"]
    assert 0 < scene["width"] < 400 and 0 < scene["height"] < 300
    assert "A detail" in viewer_data(text)["note"]


def test_tiny_grey_and_many(cat: Path) -> None:
    inputs = [CompareInput.load(np.full((1, 1), 9, np.uint8), "dot"), CompareInput.load(cat, "cat")]
    scenes = viewer_data(make(*inputs, qualities=(50,), against=("jpeg",)))["scenes"]
    assert [scene["name"].partition(",")[0] for scene in scenes] == ["dot", "cat"]
    assert (scenes[0]["width"], scenes[1]["width"]) == (1, 451)


def test_command_writes_the_page(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    command = ["compare", str(photo), "--against", "jpeg", "--model", str(MODEL), "--html"]
    result = CliRunner().invoke(cli.cli, [*command, str(target)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "at least as large as ours" in result.output
    assert viewer_data(target.read_text("utf-8"))["scenes"]
