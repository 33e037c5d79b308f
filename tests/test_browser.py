"""The page of a comparison in a real browser.

Debian's package is `chromium`; where there is none these tests are skipped (not in CI).
"""

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from gencodec import cli
from gencodec.codec.comparison.html import SCENES
from helpers.browser import PROGRAM, Browser

(MODEL,) = (Path(__file__).parent / "golden" / "autoencoder-1").glob("*-encoder.onnx")
WIDTH = 160  # of the picture

LOOK = """(() => {
  const at = (id) => document.getElementById(id);
  const { x, y, width, height } = at("stage").getBoundingClientRect();
  return {
    stage: [x, y, width, height],
    under: getComputedStyle(at("under")).transform,
    over: getComputedStyle(at("over")).transform,
    sizes: ["under", "over"].map((id) => at(id).width + "x" + at(id).height),
    clip: at("cover").style.clipPath,
    line: at("line").style.left,
  };
})()"""

# Chooses every picture of every scene on the left and waits until it is drawn.
ALL_LAYERS = """(async () => {
  const shown = [], at = (id) => document.getElementById(id);
  for (const scene of at("scene").options) {
    at("scene").value = scene.value;
    at("scene").dispatchEvent(new Event("change"));
    for (const layer of [...at("left").options]) {
      at("left").value = layer.value;
      at("left").dispatchEvent(new Event("change"));
      await at("under").decode();
      shown.push([layer.textContent, at("leftText").textContent, at("under").naturalWidth]);
    }
  }
  return shown;
})()"""


@pytest.fixture(scope="module")
def page_file(cat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if PROGRAM is None:
        pytest.skip("no chromium here: install Debian's package to test the page in a browser")
    folder = tmp_path_factory.mktemp("browser")
    with Image.open(cat) as image:
        image.crop((150, 80, 150 + WIDTH, 180)).save(folder / "<b>&amp;.png")
    command = ["compare", str(folder / "<b>&amp;.png"), "--against", "jpeg,webp,avif,jpeg2000"]
    command += ["--model", str(MODEL), "--threads", "2", "--html", str(folder / "page.html")]
    result = CliRunner().invoke(cli.cli, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder / "page.html"


@pytest.fixture(scope="module")
def in_browser(page_file: Path) -> Generator[Browser, None, None]:
    with Browser(page_file.as_uri(), page_file.with_name("profile")) as started:
        yield started


@pytest.fixture
def opened(in_browser: Browser) -> Generator[Browser, None, None]:
    """The page as it is when opened; it must not complain of anything that a test does."""
    in_browser.run("document.getElementById('fit').click()")
    yield in_browser
    in_browser.run("0")  # hears what was said until now
    assert in_browser.heard == []


def view(found: dict[str, Any]) -> tuple[float, float, float]:
    """Scale, x and y of both pictures, which must be the same."""
    assert found["under"] == found["over"]
    assert len(set(found["sizes"])) == 1
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", found["under"])]
    return numbers[0], numbers[4], numbers[5]


def test_every_picture_is_shown(opened: Browser, page_file: Path) -> None:
    data = re.search(r'id="data">(.*?)</script>', page_file.read_text("utf-8"), re.S)
    assert data
    scenes = json.loads(data[1])["scenes"]
    assert len(scenes) == SCENES
    assert opened.run("document.querySelector('h1').textContent") == "<b>&amp;.png"
    assert opened.run(ALL_LAYERS) == [
        [layer["name"], f"{layer['name']}: {layer['caption']}", WIDTH]
        for scene in scenes
        for layer in scene["layers"]
    ]


def test_the_page_may_load_nothing(page_file: Path) -> None:
    with Browser(page_file.as_uri(), page_file.with_name("other")) as other:
        blocked = other.run("fetch('file:///').then(() => 'loaded', () => 'blocked')")
        assert blocked == "blocked"
        assert any("Content Security Policy" in text for text in other.heard)  # and is heard


def test_slider_and_line_move_the_split(opened: Browser) -> None:
    opened.run("slider.value = 250, slider.dispatchEvent(new Event('input'))")
    found = opened.run(LOOK)
    assert found["line"] == "25%" and "25%" in found["clip"]
    left, top, width, _ = found["stage"]
    opened.drag((left + width / 4, top + 50), (left + width / 2, top + 60), (left + 600, top + 60))
    found = opened.run(LOOK)
    assert float(found["line"].rstrip("%")) == pytest.approx(100 * 600 / width, abs=0.1)
    assert found["line"] in found["clip"]
    assert opened.run("slider.value") == str(round(1000 * 600 / width))


def test_both_sides_stay_in_step(opened: Browser) -> None:
    start = opened.run(LOOK)
    left, top, _, _ = start["stage"]
    scale, x, y = view(start)
    at_x, at_y = round(left + 100), round(top + 90)  # wheels report whole pixels
    opened.mouse("mouseWheel", at_x, at_y, deltaX=0, deltaY=-400)
    opened.run("new Promise(requestAnimationFrame)")
    zoomed, zoomed_x, zoomed_y = view(opened.run(LOOK))
    assert zoomed > 1.5 * scale
    # What was under the mouse still is.
    for now, before, mouse in ((zoomed_x, x, at_x - left), (zoomed_y, y, at_y - top)):
        assert (mouse - now) / zoomed == pytest.approx((mouse - before) / scale, abs=0.01)
    opened.drag((left + 100, top + 90), (left + 110, top + 90), (left + 130, top + 70))
    panned = view(opened.run(LOOK))
    assert panned == pytest.approx((zoomed, zoomed_x + 30, zoomed_y - 20), abs=0.01)
    opened.run("document.getElementById('stage').focus()")
    opened.key("ArrowRight")
    by_key = view(opened.run(LOOK))
    assert by_key == pytest.approx((zoomed, zoomed_x - 10, zoomed_y - 20), abs=0.01)
    opened.run("scene.value = 0, scene.dispatchEvent(new Event('change'))")
    assert view(opened.run(LOOK)) == by_key  # another file of the picture, at the same place
    opened.run("fit.click()")
    assert view(opened.run(LOOK)) == pytest.approx((scale, x, y), abs=0.01)
