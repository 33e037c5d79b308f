"""The comparison: fair sizes, qualities that were reached, and pictures of every odd kind."""

import dataclasses
import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin, features

import gencodec
from gencodec.codec import metrics
from gencodec.codec.comparison import compare, inputs, quality, reference_codecs, results, search
from gencodec.codec.comparison import text as tables
from helpers.pictures import noise

# A tiny model of its own: nothing here depends on how good the shipped one is.
(MODEL,) = (Path(__file__).parent / "golden" / "autoencoder-1").glob("*-encoder.onnx")


@pytest.fixture(scope="session")
def picture(cat: Path) -> np.ndarray:
    """A detail of the sample photo that is large enough for MS-SSIM."""
    with Image.open(cat) as image:
        return np.asarray(image.convert("RGB").crop((150, 60, 326, 226)))


@pytest.fixture(scope="session")
def found(picture: np.ndarray) -> results.Comparison:
    """That picture against everything, with all three searches."""
    return gencodec.compare(
        picture, qualities=(10, 90), measures=search.MEASURES, model=MODEL, threads=2
    )


def every_reference_codec(grey: bool = False) -> list[reference_codecs.ReferenceCodec]:
    return reference_codecs.available_codecs(reference_codecs.REFERENCE_CODECS, grey)[0]


# ---- fairness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [False, True])
def test_a_size_is_that_of_a_whole_file(picture: np.ndarray, grey: bool, tmp_path: Path) -> None:
    pixels = picture[..., 0] if grey else picture
    for reference in every_reference_codec(grey):
        setting = reference.quality_grid[3]
        sample = search.Trials(reference, pixels).sample(setting)
        path = tmp_path / reference.name
        path.write_bytes(sample.data)  # what counts is a file that any program opens by itself
        with Image.open(path) as image:
            decoded = np.asarray(image.convert("L" if grey else "RGB"))
        assert metrics.psnr(pixels, decoded) == sample.psnr
        with pytest.raises((OSError, SyntaxError)), Image.open(io.BytesIO(sample.data[4:])):
            pass  # it does begin with the header


def test_our_size_is_that_of_a_whole_file(found: results.Comparison, picture: np.ndarray) -> None:
    (report,) = found.pictures
    for row in report.rows:
        data = gencodec.compress(picture, quality=row.quality, model=MODEL)
        decoded = np.asarray(gencodec.decompress(data, model=MODEL))
        assert (len(data), metrics.psnr(picture, decoded)) == (row.point.bytes, row.point.psnr)


def test_metadata_is_left_out_of_all(picture: np.ndarray) -> None:
    plain = Image.fromarray(picture[:40, :40])
    exif = Image.Exif()
    exif[0x010E] = "a long description " * 50
    buffer = io.BytesIO()
    plain.save(buffer, "PNG", exif=exif.tobytes(), icc_profile=b"\0" * 500)
    buffer.seek(0)
    bare, full = (
        gencodec.compare(image, qualities=(), model=MODEL).pictures[0] for image in (plain, buffer)
    )
    assert bare.curves == full.curves


def test_the_subsampling_is_named_and_is_that_of_the_file() -> None:
    pixels = noise(64, 64, 3)
    for reference in every_reference_codec():
        data = reference.encode(pixels, reference.quality_grid[2])
        name, sampling = reference.label.rsplit(" ", 1)
        assert sampling == {"JPEG": jpeg, "WebP": webp, "AVIF": avif, "JPEG 2000": jp2}.get(
            name, lambda _: "4:4:4"
        )(data)
    labels = [reference.label for reference in every_reference_codec()]
    assert {"AVIF 4:4:4", "AVIF 4:2:0"} < set(labels)
    assert len(set(labels)) == len(labels)


def jpeg(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        return ("4:4:4", "4:2:2", "4:2:0")[JpegImagePlugin.get_sampling(image)]


def webp(data: bytes) -> str:
    assert b"VP8 " in data  # the lossy kind, which has no other
    return "4:2:0"


def avif(data: bytes) -> str:
    flags = data[data.index(b"av1C") + 6]
    return {0b0000: "4:4:4", 0b1000: "4:2:2", 0b1100: "4:2:0", 0b1_1100: "grey"}[flags & 0b1_1100]


def jp2(data: bytes) -> str:
    count = data.index(b"\xff\x4f\xff\x51") + 40
    assert struct.unpack_from(">H", data, count) == (3,)
    steps = {data[count + 3 + 3 * c : count + 5 + 3 * c] for c in range(3)}  # across, down
    return "4:4:4" if steps == {b"\1\1"} else "other"


def test_a_grey_picture_costs_no_colour() -> None:
    labels = [reference.label for reference in every_reference_codec(grey=True)]
    assert "AVIF grey" in labels and len(set(labels)) == len(reference_codecs.REFERENCE_CODECS)
    for reference in every_reference_codec(grey=True):
        data = reference.encode(noise(48, 48), reference.quality_grid[2])
        if reference.name == "avif":
            assert avif(data) == "grey"
        elif reference.name != "webp":  # whose colour planes are always there, and nearly free
            with Image.open(io.BytesIO(data)) as image:
                assert image.mode == "L"


def test_no_size_without_the_quality(found: results.Comparison, picture: np.ndarray) -> None:
    (report,) = found.pictures
    by_label = {reference.label: reference for reference in every_reference_codec()}
    reached = set()
    for row in report.rows:
        assert {match.label for match in row.matches} == set(by_label)
        for match in row.matches:
            assert match.target == getattr(row.point, match.measure)
            if match.point is None:
                assert match.saving is None
                continue
            reached.add(match.measure)
            data = by_label[match.label].encode(picture, match.point.setting)
            decoded = by_label[match.label].decode(data)
            assert match.point.bytes == len(data)
            value: float = len(data)
            if match.measure == "psnr":
                value = metrics.psnr(picture, decoded)
            elif match.measure == "ms_ssim":
                value = metrics.ms_ssim(picture, decoded)
            elif match.measure == "ssimulacra2":
                value = metrics.ssimulacra2(picture, decoded)
            assert value >= match.target
            if match.saving is not None:
                assert match.saving == 100 * (1 - row.point.bytes / len(data))
    assert reached == set(search.MEASURES)


# ---- pictures of every kind --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels", "grey"),
    [
        (noise(1, 1, 3), False),
        (noise(1, 1), True),
        (noise(1, 40, 3), False),
        (noise(24, 33), True),
        (noise(20, 30, 4), False),
        (np.full((24, 24, 3), 128, np.uint8), False),
    ],
    ids=["one-pixel", "one-grey-pixel", "one-row", "grey", "alpha", "flat"],
)
def test_odd_pictures_have_rows(pixels: np.ndarray, grey: bool) -> None:
    found = gencodec.compare([pixels], model=MODEL)
    (report,) = found.pictures
    assert report.grey == grey
    assert (report.height, report.width) == pixels.shape[:2]
    assert len(report.rows) == len(compare.TABLE)
    assert {match.measure for row in report.rows for match in row.matches} == {"psnr"}
    assert any("MS-SSIM is left out" in note for note in report.notes)
    measures = {"psnr"} if min(pixels.shape[:2]) < 8 else {"psnr", "ssimulacra2"}
    assert {rate.measure for rate in report.rates} == measures
    assert all((rate.percent is None) == bool(rate.reason) for rate in report.rates)
    assert ("Transparent" in " ".join(report.notes)) == (pixels.shape[-1] == 4)
    for table in (*tables.row_tables(report), *tables.rate_tables(found)):
        assert all(len(row) == len(table.header) for row in table.rows)


def test_every_measure_of_quality_is_a_field_of_a_point() -> None:
    fields = {field.name for field in dataclasses.fields(results.Point)}
    assert fields == {"setting", "bytes", "bpp"} | quality.QUALITY.keys()


def test_ssimulacra2_stands_beside_the_others(
    found: results.Comparison, picture: np.ndarray
) -> None:
    (report,) = found.pictures
    (table, *_) = tables.row_tables(report)
    (line,) = [row for row in table.rows if row[0] == "SSIMULACRA2"]
    for row, cell in zip(report.rows, line[1:], strict=True):
        data = gencodec.compress(picture, quality=row.quality, model=MODEL)
        score = metrics.ssimulacra2(picture, np.asarray(gencodec.decompress(data, model=MODEL)))
        assert row.point.ssimulacra2 == score and cell == f"{score:.1f}"
    points = [point for curve in found.curves for point in curve.points]
    assert all(point.ssimulacra2 is not None for point in points)
    assert "at equal SSIMULACRA2" in tables.rate_tables(found)[0].header


def test_a_grey_picture_has_a_score() -> None:
    grey = noise(24, 33)
    coarse = grey & np.uint8(0xF0)
    coloured = [np.stack([plane] * 3, -1) for plane in (grey, coarse)]
    assert quality.QUALITY["ssimulacra2"].measure(grey, coarse) == metrics.ssimulacra2(*coloured)


def test_transparency_is_laid_on_white() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[4:, :, 3] = 255
    laid = inputs.CompareInput.load(pixels, "half").pixels
    assert (laid[:4] == 255).all() and (laid[4:] == 0).all()


def test_the_same_picture_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(noise(20, 20, 3)).save(path)
    found = gencodec.compare([path, str(path)], against=["jpeg", "webp"], model=MODEL)
    first, second = found.pictures
    assert [first.name, second.name] == ["a.png", "a.png (2)"]
    assert first.curves == second.curves
    assert "same pixels as a.png" in second.notes[-1]
    assert [rate.pictures for rate in found.rates] == [2] * 4  # two codecs, two measures


def test_means_are_over_the_pictures_a_codec_can_hold() -> None:
    wide = noise(1, 16384, 3)[:, :, :] // 64
    found = gencodec.compare([wide, noise(20, 20, 3)], against=["jpeg", "webp"], model=MODEL)
    assert any("WebP 4:2:0 cannot hold this picture" in note for note in found.pictures[0].notes)
    rates = [rate for rate in found.rates if rate.measure == "psnr"]
    assert {rate.against: rate.pictures for rate in rates} == {
        "JPEG 4:2:0": 2,
        "WebP 4:2:0": 1,
    }


def test_means() -> None:
    def report(scale: float) -> results.Report:
        points = tuple(results.Point(q, 100 * q, scale * q, 20.0 + 3 * q) for q in (1, 2, 3))
        ours = results.Curve("ours", "ours", points)
        halved = tuple(dataclasses.replace(point, bpp=2 * point.bpp) for point in points)
        theirs = results.Curve("theirs", "theirs", halved)
        rates = (results.rate(ours, theirs, "psnr"),)
        return results.Report(str(scale), 9, 9, False, (), (ours, theirs), (), rates)

    reports = [report(1.0), report(3.0)]
    curve, _ = results.mean_curves(reports)
    assert [point.bpp for point in curve.points] == [2.0, 4.0, 6.0]
    (rate,) = results.mean_rates(reports)
    assert rate.percent == pytest.approx(-50)
    assert (rate.lo, rate.hi, rate.pictures) == (23.0, 29.0, 2)


def test_the_mean_of_pictures_is_of_those_that_have_a_rate() -> None:
    def report(percent: float | None, lo: float | None) -> results.Report:
        rates = (results.Rate("ours", "theirs", "psnr", percent, lo, lo and lo + 10),)
        return results.Report("", 9, 9, False, (), (), (), rates)

    reports = [report(-10.0, 20.0), report(None, None), report(-30.0, 24.0)]
    (rate,) = results.average_rates(reports)
    assert (rate.percent, rate.lo, rate.hi, rate.pictures) == (-20, 22, 32, 2)
    (none,) = results.average_rates(reports[1:2])
    assert none.percent is None and none.pictures == 0 and none.reason


def test_one_flavour_of_a_codec_by_its_label() -> None:
    (avif,), notes = reference_codecs.available_codecs(["AVIF 4:4:4"])
    assert avif.label == "AVIF 4:4:4" and notes == []
    assert "libavif" in reference_codecs.versions(["AVIF 4:4:4"])


def test_curves_that_never_meet_have_a_reason() -> None:
    low, high = (
        results.Curve(name, "ours", tuple(results.Point(0, 1, 1.0 + q, base + q) for q in range(3)))
        for name, base in (("low", 20.0), ("high", 40.0))
    )
    rate = results.rate(low, high, "psnr")
    assert rate.percent is None and "in common" in rate.reason


# ---- what is not there, and what is wrong --------------------------------------------------------


def test_codecs_that_pillow_lacks_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    found, notes = reference_codecs.available_codecs(["jpeg", "avif"])
    assert [reference.name for reference in found] == ["jpeg"]
    assert notes == ["AVIF is left out: this Pillow was built without it."]


def test_a_missing_plugin_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    found, (note,) = reference_codecs.available_codecs(["jxl"])
    assert found == [] and "pillow-jxl-plugin" in note and "'compare'" in note


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"against": ["gif"]}, "'gif'"),
        ({"codecs": ["nothing"]}, "'nothing'"),
        ({"codecs": []}, "autoencoder"),
        ({"measures": ["beauty"]}, "'beauty'"),
        ({"qualities": [101]}, "101"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(gencodec.InputError, match=text):
        gencodec.compare(noise(8, 8, 3), model=MODEL, **arguments)
    with pytest.raises(gencodec.InputError, match="at least one picture"):
        gencodec.compare([])


def test_progress_rises_to_the_end() -> None:
    shares: list[float] = []
    gencodec.compare(
        [noise(8, 8, 3), noise(8, 9, 3)], against=["jpeg"], model=MODEL, progress=shares.append
    )
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_names_are_short_and_unlike() -> None:
    images = ["a/cat.jpg", Path("b/cat.jpg"), "dog.jpg", noise(1, 1), "dog.jpg"]
    assert inputs.names(images) == [
        "a/cat.jpg",
        str(Path("b/cat.jpg")),
        "dog.jpg",
        "picture 4",
        "dog.jpg (2)",
    ]
