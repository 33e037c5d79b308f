"""What a user gets who names no codec, as the comparison shows it."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from gencodec.codec import api, metrics
from gencodec.codec.comparison.compare import compare
from gencodec.codec.comparison.text import legends, rate_tables, row_tables
from helpers.pictures import drawing

Pixels = NDArray[np.uint8]
DRAWING = drawing(320, 240)[:64, :64]


def test_compare_has_what_a_user_would_get() -> None:
    found = compare(DRAWING, against=["webp"], qualities=[50])
    learned, ours, _ = found.curves
    assert (learned.label, ours.label) == ("gencodec autoencoder", "gencodec auto")
    assert {point.psnr for point in ours.points} == {float("inf")}
    assert found.versions["gencodec auto"] == "graphics-00000000"
    assert api.quality_steps("auto") is None
    (report,) = found.pictures
    assert {(each.codec, each.quality) for each in report.chosen} == {("graphics", 100)}
    assert [each.setting for each in report.chosen] == [point.setting for point in ours.points]
    assert "auto took graphics at every quality." in report.notes
    assert legends(found) == {"gencodec auto": "gencodec auto (graphics)"}
    assert [row.codec for row in report.rows] == ["autoencoder", "auto"]
    assert [table.header[0][:12] for table in row_tables(report)][-1] == "auto, qualit"


def test_of_a_photo_auto_is_measured_and_shown_once(
    cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(cat) as image:
        photo = np.asarray(image.convert("RGB").crop((150, 60, 250, 140)))
    measured: list[Pixels] = []
    real = metrics.ssimulacra2
    monkeypatch.setattr(metrics, "ssimulacra2", lambda a, b: measured.append(b) or real(a, b))
    found = compare(photo, against=["jpeg"], qualities=[50])
    learned, ours, jpeg = found.curves
    assert ours.points == learned.points
    assert len(measured) == len(learned.points) + len(jpeg.points)
    (report,) = found.pictures
    assert {each.codec for each in report.chosen} == {"autoencoder"}
    assert [row.codec for row in report.rows] == ["autoencoder"]
    assert [table.title.split()[3] for table in rate_tables(found)] == ["gencodec"]
    assert "autoencoder" in rate_tables(found)[0].title


def test_plots_and_pages_say_what_auto_took(run: Callable[..., Result], photo: Path) -> None:
    Image.fromarray(DRAWING).save("drawing.png")
    files = ("--plot", "curves.svg", "--html", "page.html")
    told = run("compare", "drawing.png", str(photo), "--against", "webp", *files).stdout
    assert "drawing.png: auto took graphics at every quality." in told
    assert "photo.jpg: auto took autoencoder at every quality." in told
    page = Path("page.html").read_text("utf-8")
    assert "auto took graphics at every quality." in page
    (drawn,) = re.findall(r'data:image/svg\+xml;base64,([^"]+)', page)
    for svg in (base64.b64decode(drawn).decode(), Path("curves.svg").read_text("utf-8")):
        assert "gencodec auto (1 graphics, 1 autoencoder)" in svg  # as a comment beside its glyphs
    listed = json.loads(
        run("compare", "drawing.png", "--codecs", "auto", "--against", "webp", "--json").stdout
    )
    assert [curve["label"] for curve in listed["curves"]] == ["gencodec auto", "WebP 4:2:0"]
    assert {each["codec"] for each in listed["pictures"][0]["chosen"]} == {"graphics"}
