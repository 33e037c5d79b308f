"""The page of a comparison in a real browser: a headless Chromium, driven over its debugging pipe.

Debian's package is `chromium`; where there is none these tests are skipped (not in CI).
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from gencodec import cli
from gencodec.codec.comparison.html import SCENES

(MODEL,) = (Path(__file__).parent / "golden" / "autoencoder-0").glob("*-encoder.onnx")
WIDTH = 160  # of the picture

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")

# The browser reads from descriptor 3 and writes to 4, whatever is there before.
AS_3_AND_4 = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3]]
os.dup2(pipes[0], 3)
os.dup2(pipes[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


class Browser:
    """A page in a browser of its own.

    Attributes:
        heard: what the page complained of: errors, warnings and whatever it wrote to the console.
    """

    def __init__(self, page: Path, profile: Path, width: int = 1000, height: int = 900) -> None:
        assert PROGRAM is not None
        self.heard: list[str] = []
        self._ids = itertools.count(1)
        from_us, to_browser = os.pipe()
        from_browser, to_us = os.pipe()
        command = [sys.executable, "-c", AS_3_AND_4, str(from_us), str(to_us), PROGRAM, *OPTIONS]
        command += [f"--window-size={width},{height}", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [*command, "--remote-debugging-pipe", "about:blank"],
            pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._out, self._in = os.fdopen(to_browser, "wb"), os.fdopen(from_browser, "rb")
        self._pending = b""
        self._session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=page.as_uri())
        self.run(
            "new Promise((done) => document.readyState === 'complete' && location.protocol ==="
            " 'file:' ? done() : addEventListener('load', done))"
        )

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()  # the browser ends with its pipe
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._in.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the DevTools protocol; what else comes meanwhile is listened to."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self._listen(answer)

    def run(self, script: str) -> Any:
        """The value of an expression in the page, or that of the promise that it is."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A mouse event of the protocol: "mousePressed", "mouseMoved", "mouseWheel" ..."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, *points: tuple[float, float]) -> None:
        """Presses the mouse at the first point and lets it go at the last."""
        (first, *rest), last = points, points[-1]
        self.mouse("mouseMoved", *first)
        self.mouse("mousePressed", *first, button="left", buttons=1, clickCount=1)
        for point in rest:
            self.mouse("mouseMoved", *point, button="left", buttons=1)
        self.mouse("mouseReleased", *last, button="left", clickCount=1)

    def key(self, name: str) -> None:
        """Presses a key and lets it go."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            data = os.read(self._in.fileno(), 1 << 16)
            assert data, "the browser ended"
            self._pending += data
        message, _, self._pending = self._pending.partition(b"\0")
        return json.loads(message)

    def _listen(self, event: dict[str, Any]) -> None:
        if event.get("method") in (
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
        ):
            self.heard.append(json.dumps(event["params"])[:500])


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
    with Browser(page_file, page_file.with_name("profile")) as started:
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
    with Browser(page_file, page_file.with_name("other")) as other:
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
