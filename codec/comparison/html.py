"""A comparison as one page that needs no network: tables, curves, and a viewer of two pictures.

The page is ``page.html`` with its marks filled in.  Whatever comes from outside (names of files,
messages) is escaped: in HTML by `html.escape`, in the viewer's data as JSON that the page puts in
as text.  A content security policy forbids the page to load anything.

The viewer shows the very files of codecs that browsers know.  What they do not know (ours, JPEG
2000, JPEG XL) is decoded here and stored as lossless WebP, or, where that is too much, as AVIF of
such a quality that the loss is far below what is to be seen; the page states it.  Where even that
is too much, all show the same detail of the picture, so that the page stays under `LARGEST`.
"""

import base64
import html
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import metrics
from . import plot as chart
from .compare import Comparer
from .inputs import CompareInput
from .reference_codecs import available_codecs
from .results import Comparison, Match, Report, Row
from .search import Coder
from .text import Table, caption, legends, rate_tables, row_tables

__all__ = ["LARGEST", "SCENES", "render"]

TEMPLATE = Path(__file__).with_name("page.html")
LARGEST = 5_800_000  # bytes of the whole page
SCENES = 3  # what the viewer has to choose from: three qualities, or three pictures
# How AVIF stands in for exact copies that would be too large.
NEARLY = {"quality": 95, "speed": 10, "subsampling": "4:4:4", "max_threads": 1}
SMALLEST_DETAIL = 64
EXACT_COST, NEARLY_COST = 1.7, 0.7  # characters that a pixel of a photo takes, about

Pixels = NDArray[np.uint8]


def render(comparison: Comparison, inputs: Sequence[CompareInput], comparer: Comparer) -> str:
    """The page's text.

    Arguments:
        comparison: of `comparer`, with rows that were searched for "psnr" and "bytes".
        inputs: the first pictures of the comparison; only these can be viewed.
        comparer: what writes the files that the viewer shows, once more.

    Raises:
        GencodecError: matplotlib is not installed.
    """
    svg = chart.draw(comparison.curves, "svg", _title(comparison), legends(comparison))
    marks = {
        "title": html.escape(_title(comparison)),
        "chart": "data:image/svg+xml;base64," + base64.b64encode(svg).decode(),
        "rates": "".join(map(_table, rate_tables(comparison))),
        "rows": "".join(_table(t) for report in comparison.pictures for t in row_tables(report)),
        "notes": "".join(f"<li>{html.escape(note)}</li>" for note in _notes(comparison)),
        "versions": html.escape(", ".join(f"{k} {v}" for k, v in comparison.versions.items())),
    }
    text = TEMPLATE.read_text("utf-8")
    for name, value in marks.items():
        text = text.replace(f"<!--{name}-->", value)
    room = LARGEST - len(text.encode())
    return text.replace("<!--data-->", _viewer(comparison, inputs, comparer, room))


# --- the viewer's data --------------------------------------------------------------------------


@dataclass
class _Layer:
    """A picture that can be chosen, as a file of its codec, or the original."""

    name: str
    caption: str
    coder: Coder | None
    data: bytes


@dataclass
class _Scene:
    """What can be compared with one file of ours."""

    name: str
    pixels: Pixels
    layers: list[_Layer] = field(default_factory=list)


def _viewer(
    comparison: Comparison, inputs: Sequence[CompareInput], comparer: Comparer, room: int
) -> str:
    scenes = [
        _scene(report, row, picture, comparer)
        for report, row, picture in _choose(comparison.pictures, inputs)
    ]
    for share, exact in _tries(scenes, room):
        data = _json(_draw(scenes, share, exact))
        sides = [math.sqrt(share * _area(scene.pixels)) for scene in scenes]
        if len(data) <= room or max(sides) <= SMALLEST_DETAIL:
            return data
    return _json(_draw([], 1, True))  # pictures of nothing: there are no rows to choose from


def _tries(scenes: Sequence[_Scene], room: int) -> Iterator[tuple[float, bool]]:
    """Shares of the pictures to show, and whether exactly; the estimates only save tries."""
    files = stored = 0
    for scene in scenes:
        for layer in scene.layers:
            if _is_known(layer.coder):
                files += 4 * len(layer.data) // 3
            else:
                stored += _area(scene.pixels)
    if not scenes:
        return
    if files + EXACT_COST * stored < 1.5 * room:
        yield 1.0, True
    if files + NEARLY_COST * stored < 1.5 * room:
        yield 1.0, False
    everything = sum(len(scene.layers) * _area(scene.pixels) for scene in scenes)
    share = min(room / (NEARLY_COST * everything), 0.9)
    while True:
        yield share, False
        share *= 0.7


def _area(pixels: Pixels) -> int:
    return pixels.shape[0] * pixels.shape[1]


def _is_known(coder: Coder | None) -> bool:
    """Whether browsers open its files."""
    return coder is not None and coder.browsers is not None


def _choose(
    reports: Sequence[Report], inputs: Sequence[CompareInput]
) -> list[tuple[Report, Row, CompareInput]]:
    pairs = [(r, s) for r, s in zip(reports, inputs, strict=False) if r.rows]
    if len(pairs) > 1:
        return [(report, report.rows[len(report.rows) // 2], s) for report, s in pairs[:SCENES]]
    found = []
    for report, picture in pairs:
        last = len(report.rows) - 1
        picks = sorted({round(last * i / (SCENES - 1)) for i in range(SCENES)})
        found = [(report, report.rows[pick], picture) for pick in picks]
    return found


def _scene(report: Report, row: Row, picture: CompareInput, comparer: Comparer) -> _Scene:
    pixels = picture.pixels
    (codec,) = (codec for codec in comparer.ours if codec.name == row.codec)
    theirs = {
        each.label: each for each in available_codecs(comparer.against, grey=pixels.ndim == 2)[0]
    }
    scene = _Scene(f"{report.name}, {codec.label} at quality {row.quality:g}", pixels)
    original = f"{report.width} x {report.height}"
    scene.layers.append(_Layer("original", original, None, b""))
    data = comparer.file(picture, codec, row.quality)
    scene.layers.append(_Layer(codec.label, caption(row.point), codec, data))
    for match in row.matches:
        if match.point is not None and match.measure in ("psnr", "bytes"):
            coder = theirs[match.label]
            data = comparer.file(picture, coder, match.point.setting)
            scene.layers.append(_Layer(_layer_name(match), _layer_caption(match), coder, data))
    return scene


def _layer_name(match: Match) -> str:
    return f"{match.label}, {'same size' if match.measure == 'bytes' else 'same PSNR'}"


def _layer_caption(match: Match) -> str:
    assert match.point is not None
    text = f"{caption(match.point)}, its quality {match.point.setting:g}"
    return f"{text}, the lowest" if match.lowest else text


def _draw(scenes: Sequence[_Scene], share: float, exact: bool) -> dict[str, Any]:
    """The data, with that share of each picture's pixels shown."""
    images: dict[str, int] = {}  # content -> index: what is shown twice is stored once
    worst = math.inf
    drawn = []
    for scene in scenes:
        box = _box(scene.pixels.shape[:2], share)
        layers = []
        for layer in scene.layers:
            if layer.coder is not None and layer.coder.browsers and share == 1:
                uri = _uri(layer.coder.browsers, layer.data)
            else:
                pixels = scene.pixels
                if layer.coder is not None:
                    pixels = layer.coder.decode(layer.data, pixels.ndim == 2)
                left, top, right, bottom = box
                pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
                # The original stays exact: it is what the others are judged by.
                uri, fidelity = _stored(pixels, exact or layer.coder is None)
                worst = min(worst, fidelity)
            index = images.setdefault(uri, len(images))
            layers.append({"name": layer.name, "caption": layer.caption, "image": index})
        width, height = box[2] - box[0], box[3] - box[1]
        drawn.append({"name": scene.name, "width": width, "height": height, "layers": layers})
    return {"scenes": drawn, "images": list(images), "note": _viewer_note(share, worst)}


def _viewer_note(share: float, worst: float) -> str:
    if share < 1:
        text = "A detail from the middle of the picture is shown; sizes are those of the whole. "
    else:
        text = "JPEG, WebP and AVIF are shown from their own files. "
    if math.isinf(worst):
        return text + "What browsers do not open is shown exactly as it was decoded."
    return text + (
        "What this page could not hold exactly is shown as AVIF 4:4:4, at"
        f" {worst:.1f} dB or more from what was decoded."
    )


def _box(shape: tuple[int, ...], share: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the middle that has that share of the pixels."""
    height, width = (max(round(side * math.sqrt(share)), 1) for side in shape)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    return left, top, left + width, top + height


def _stored(pixels: Pixels, exact: bool) -> tuple[str, float]:
    """A data URI, and how many dB it is from those pixels."""
    image, buffer = Image.fromarray(pixels).convert("RGB"), io.BytesIO()
    if exact and max(image.size) > 16383:  # more than WebP takes
        image.save(buffer, "PNG")
        return _uri("image/png", buffer.getvalue()), math.inf
    if exact:
        image.save(buffer, "WEBP", lossless=True, exact=True, quality=60, method=4)
        return _uri("image/webp", buffer.getvalue()), math.inf
    image.save(buffer, "AVIF", **NEARLY)
    with Image.open(buffer) as stored:
        fidelity = metrics.psnr(np.asarray(image), np.asarray(stored.convert("RGB")))
    return _uri("image/avif", buffer.getvalue()), fidelity


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _json(value: Any) -> str:
    """For a script element, whose text ends at the first ``</script`` wherever that is."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# --- HTML ---------------------------------------------------------------------------------------


def _title(comparison: Comparison) -> str:
    if len(comparison.pictures) == 1:
        return comparison.pictures[0].name
    return f"Means over {len(comparison.pictures)} pictures"


def _notes(comparison: Comparison) -> list[str]:
    many = len(comparison.pictures) > 1
    notes = list(comparison.notes)
    for report in comparison.pictures:
        notes += [f"{report.name}: {note}" if many else note for note in report.notes]
    return notes


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.header)
    body = ""
    for first, *cells in table.rows:
        body += f'<tr><th scope="row">{html.escape(first)}</th>'
        body += "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
    foot = f"<p>{html.escape(table.foot)}</p>" if table.foot else ""
    return (
        f"<table><caption>{html.escape(table.title)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}\n"
    )
