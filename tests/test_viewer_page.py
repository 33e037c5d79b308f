"""The page that shows ``.gnc`` files, in a real browser, over golden files of all codecs.

onnxruntime-web is what npm fetches, or lies in the folder that ``GENCODEC_ORT_WEB`` names.
"""

import base64
import functools
import http.server
import io
import json
import os
import shutil
import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gencodec.codec import container, library, viewer
from gencodec.codec.errors import GencodecError, InputError
from gencodec.codec.modelfile import digest
from helpers.browser import PROGRAM, Browser

GOLDEN = Path(__file__).parent / "golden"
# Folder and files, and how far apart pixels may be.
CASES = {
    "autoencoder-1": (["q0", "grey", "alpha", "wide", "one-pixel"], 1),
    "flow-1": (["q50", "grey", "alpha", "one-pixel"], 0),
    "vqvae-1": (["q100", "alpha", "one-pixel"], 1),
    "graphics-1": (["alpha", "grey", "palette", "tiles", "png-colours", "png-bilevel"], 0),
    **{f"v1/{path.name}": (["photo"], 1) for path in sorted((GOLDEN / "v1").glob("[av]*"))},
}
FIRST = GOLDEN / "flow-1" / "q0.gnc"  # shown by ?src=

# Drops a file on the page and waits until it is shown or refused.
DROP = """(async (name, text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
  return await SETTLED;
})"""
SETTLED = """new Promise((done) => {
  const look = () => {
    const { state } = document.body.dataset;
    if (["busy", "starting", "ready"].includes(state)) setTimeout(look, 20);
    else done([state, document.getElementById("status").textContent]);
  };
  look();
})"""


ZOOM = """(() => {
  const image = document.getElementById("image");
  return [image.width, image.style.imageRendering, document.getElementById("zoom").textContent];
})()"""


# Keeps what links lead to, which a script may not fetch under the page's policy.
KEEP = """(() => {
  const create = URL.createObjectURL, kept = globalThis.kept = new Map();
  URL.createObjectURL = (blob) => {
    const address = create(blob);
    kept.set(address, blob);
    return address;
  };
})()"""
LINKED = """(async () => {
  const blob = kept.get(document.getElementById("save").href);
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
})()"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with the models of the golden files beside the shipped ones."""
    out = tmp_path_factory.mktemp("viewer")
    given = os.environ.get("GENCODEC_ORT_WEB")
    try:
        viewer.build(out, Path(given) if given else None)
    except GencodecError as error:
        pytest.skip(f"onnxruntime-web: {error}")
    table = json.loads((out / "models" / "models.json").read_text("utf-8"))
    for scheme in ("autoencoder", "flow", "vqvae"):
        (path,) = (GOLDEN / f"{scheme}-1").glob("*-decoder.onnx")
        shutil.copy(path, out / "models")
        table[scheme]["decoders"][digest(path.read_bytes()).hex()] = {"file": path.name}
    (out / "models" / "models.json").write_text(json.dumps(table), "utf-8")
    shutil.copy(FIRST, out / "first.gnc")
    return out


@pytest.fixture(scope="module")
def url(site: Path) -> Generator[str, None, None]:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def page(url: str, downloads: Path) -> Generator[Browser, None, None]:
    if PROGRAM is None:
        pytest.skip("no chromium here: install Debian's package to test the page in a browser")
    with Browser(f"{url}?src=first.gnc", downloads.with_name("profile")) as started:
        saving = {"behavior": "allow", "downloadPath": str(downloads)}
        started.call("Page.setDownloadBehavior", **saving)
        started.run(KEEP)
        yield started


def drop(page: Browser, name: str, data: bytes, wait: str = SETTLED) -> list[str]:
    """State and status of the page after a file was dropped on it."""
    text = base64.b64encode(data).decode()
    script = DROP.replace("SETTLED", wait)
    return page.run(f"{script}({json.dumps(name)}, {json.dumps(text)})")


def linked(page: Browser, name: str) -> Image.Image:
    """The picture that the link "save as PNG" leads to, and its name."""
    assert page.run("document.getElementById('save').download") == name
    with Image.open(io.BytesIO(base64.b64decode(page.run(LINKED)))) as image:
        image.load()
    return image


def saved(page: Browser, path: Path) -> Image.Image:
    """The picture that "save as PNG" writes; a busy machine takes its time."""
    page.run("document.getElementById('save').click()")
    end = time.monotonic() + 120
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    with Image.open(path) as image:
        image.load()
    return image


def gap(image: Image.Image, wanted_path: Path) -> int:
    with Image.open(wanted_path) as wanted:
        assert (image.mode, image.size) == (wanted.mode, wanted.size)
        return int(np.abs(np.asarray(image).astype(int) - np.asarray(wanted)).max())


def test_the_file_that_the_address_names(page: Browser, downloads: Path) -> None:
    assert page.run(SETTLED) == ["shown", "first.gnc"]
    facts = page.run("document.getElementById('facts').textContent")
    assert facts.startswith("70 x 65 pixels, flow, quality 0, 186 bytes, 0.33 bits per pixel,")
    assert gap(saved(page, downloads / "first.png"), FIRST.with_suffix(".png")) == 0
    zoomed = []
    for button in ("full", "in", "out", "fit"):
        page.run(f"document.getElementById('{button}').click()")
        zoomed.append(page.run(ZOOM))
    large, small = [2 * 70, "pixelated", "200 %"], [70, "auto", "100 %"]
    assert zoomed == [small, large, small, small]
    assert page.heard == []


@pytest.mark.parametrize("folder", CASES)
def test_golden_files_are_shown(folder: str, page: Browser) -> None:
    names, most = CASES[folder]
    for name in names:
        path = GOLDEN / folder / f"{name}.gnc"
        title = f"{path.parent.name}-{name}"  # one name twice could be taken for shown already
        assert drop(page, f"{title}.gnc", path.read_bytes()) == ["shown", f"{title}.gnc"]
        assert gap(linked(page, f"{title}.png"), path.with_suffix(".png")) <= most, path
    page.run("0")  # hears what was said until now
    assert page.heard == []


def with_size(data: bytes, width: int, height: int) -> bytes:
    """A file whose header claims another size."""
    header, _, segments = container.read(data)
    head = container.Header(
        header.scheme, header.flags, header.quality, header.decoder, width, height
    )
    return container.write(
        head, [container.Chunk(container.SEGMENT, segment) for segment in segments]
    )


def damaged_files() -> dict[str, bytes]:
    found = {"empty": b"", "other": b"GIF89a"}
    for scheme in ("autoencoder", "flow", "vqvae", "graphics"):
        name = "colours" if scheme == "graphics" else "q50"
        data = (GOLDEN / f"{scheme}-1" / f"{name}.gnc").read_bytes()
        header, _, (segment,) = container.read(data)
        wrong = bytearray(segment)
        wrong[len(wrong) // 2] ^= 4
        found[f"{scheme} cut off"] = data[: len(data) // 2]
        found[f"{scheme} other symbols"] = container.write(
            header, [container.Chunk(container.SEGMENT, bytes(wrong))]
        )
        found[f"{scheme} of other size"] = with_size(data, 14_000, 14_000)
        found[f"{scheme} too large"] = with_size(data, 1 << 20, 1 << 10)
    return found


def test_damaged_files_give_a_sentence(page: Browser) -> None:
    for name, data in damaged_files().items():
        state, text = drop(page, name, data)
        assert (state, text[-1]) == ("failed", "."), (name, text)
        assert text.startswith(f"{name}: ") and "cannot be decoded here" not in text, text
    data = (GOLDEN / "graphics-1" / "grey.gnc").read_bytes()
    assert drop(page, "whole.gnc", data) == ["shown", "whole.gnc"]
    assert page.heard == []


def test_a_file_takes_the_place_of_one_that_is_being_decoded(page: Browser) -> None:
    now = "document.body.dataset.state"
    slow = (GOLDEN / "flow-1" / "wide.gnc").read_bytes()
    soon = f"new Promise((done) => setTimeout(() => done([{now}]), 50))"
    assert drop(page, "slow.gnc", slow, soon) == ["busy"]
    data = (GOLDEN / "graphics-1" / "grey.gnc").read_bytes()
    assert drop(page, "other.gnc", data) == ["shown", "other.gnc"]
    page.run("0")
    assert page.heard == []


def test_the_folder_holds_what_the_page_asks_for(site: Path) -> None:
    table = json.loads((site / "models" / "models.json").read_text("utf-8"))
    for scheme in library.shipped():
        for about in table[scheme].get("decoders", {}).values():
            assert (site / "models" / about["file"]).is_file()
    assert {path.name for path in (site / "runtime").iterdir()} == set(viewer.RUNTIME_FILES)


def test_without_npm_a_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"install Node\.js, or pass --runtime DIR"):
        viewer.build(tmp_path / "page")
    with pytest.raises(InputError, match=r"There is no onnxruntime-web in .*npm install"):
        viewer.build(tmp_path / "page", tmp_path)
    assert not (tmp_path / "page").exists()
