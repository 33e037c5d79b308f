"""``gencodec evaluate``: figures from real files, by the comparison's own measures."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

import gencodec
from gencodec.codec import metrics
from gencodec.codec.comparison import butteraugli, reference_codecs, results
from gencodec.training import evaluate, rate_distortion
from helpers.pictures import drawing, saved

# A tiny model of its own: nothing here depends on how good the shipped one is.
(MODEL,) = (Path(__file__).parent / "golden" / "autoencoder-1").glob("*-encoder.onnx")

Run = Callable[..., Result]

needs_libjxl = pytest.mark.skipif(
    not butteraugli.is_available(), reason=f"libjxl: {butteraugli.VARIABLE} names no program"
)


@pytest.fixture(scope="module")
def data(cat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two details of the sample photo that are large enough for MS-SSIM."""
    folder = tmp_path_factory.mktemp("data")
    with Image.open(cat) as image:
        for number, left in enumerate((100, 220)):
            image.convert("RGB").crop((left, 60, left + 170, 226)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def found(data: Path) -> dict[str, Any]:
    """Figures of the tiny model, without Butteraugli."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(butteraugli.VARIABLE, raising=False)
        return evaluate.run("autoencoder", data, MODEL)


def pictures(data: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(data.iterdir())]


def test_points_are_means_of_real_files(found: dict[str, Any], data: Path) -> None:
    (point,) = [each for each in found["points"] if each["quality"] == 50]
    rows = []
    for pixels in pictures(data):
        file = gencodec.compress(pixels, "autoencoder", 50, model=MODEL)
        decoded = np.asarray(gencodec.decompress(file, model=MODEL))
        measured = [metrics.bpp(len(file), 170, 166), metrics.psnr(pixels, decoded)]
        measured += [metrics.ms_ssim(pixels, decoded), metrics.ssimulacra2(pixels, decoded)]
        rows.append(measured)
    names = ("bpp", "psnr", "ms_ssim", "ssimulacra2")
    assert [point[name] for name in names] == pytest.approx(np.mean(rows, 0).tolist(), abs=1e-4)
    assert 0 < point["estimate_bpp"] < point["bpp"]
    assert "butteraugli" not in point


@pytest.mark.parametrize("codec", ["jpeg", "avif"])
def test_others_are_those_of_the_comparison(found: dict[str, Any], data: Path, codec: str) -> None:
    (reference,), _ = reference_codecs.available_codecs([rate_distortion.AGAINST[codec]])
    assert [each["quality"] for each in found[codec]] == list(reference.quality_grid)
    row = found[codec][4]
    sizes = [len(reference.encode(pixels, row["quality"])) for pixels in pictures(data)]
    assert row["bpp"] == pytest.approx(8 * np.mean(sizes) / (170 * 166), abs=1e-5)


def test_rates_are_of_pictures_and_of_mean_curves(found: dict[str, Any]) -> None:
    measures = ("psnr", "ms_ssim", "ssimulacra2")
    wanted = {
        (other, measure, of)
        for other in rate_distortion.AGAINST.values()
        for measure in measures
        for of in ("mean of pictures", "mean curves")
    }
    rates = {(each["against"], each["measure"], each["of"]): each for each in found["rates"]}
    assert rates.keys() == wanted
    assert found["bd_rate"] == rates["JPEG 4:2:0", "psnr", "mean curves"]["percent"]
    for (other, measure, of), rate in rates.items():
        each = [
            row["percent"]
            for row in found["by_picture"]
            if (row["against"], row["measure"]) == (other, measure) and row["percent"] is not None
        ]
        if of == "mean of pictures":
            assert rate["pictures"] == len(each)
            mean = None if not each else pytest.approx(np.mean(each), abs=0.01)
            assert rate["percent"] == mean
    assert len(found["by_picture"]) == 2 * 2 * len(measures)
    assert any(rate["percent"] is not None for rate in rates.values())


def test_ssimulacra2_is_compared_over_30_to_85() -> None:
    def curve(label: str, factor: float) -> results.Curve:
        scores = (-20, 20, 50, 80, 95)
        points = [results.Point(q, 1, factor * 2.0**q, 20.0 + q, ssimulacra2=score)
                  for q, score in enumerate(scores)]  # fmt: skip
        return results.Curve(label, "ours", tuple(points))

    rate = results.rate(curve("a", 0.5), curve("b", 1), "ssimulacra2")
    assert (rate.lo, rate.hi) == (30, 85) and rate.percent == pytest.approx(-50)


def test_less_butteraugli_is_better_and_larger_and_worse_files_do_not_count() -> None:
    points = [results.Point(q, 1, 2.0**q, 30.0, butteraugli=8.0 / 2**q) for q in range(5)]
    good = results.Curve("good", "ours", tuple(points))
    bad = [dataclasses.replace(point, bpp=2 * point.bpp) for point in points]
    bad.insert(3, dataclasses.replace(bad[2], bpp=bad[2].bpp + 0.5, butteraugli=3.0))
    rate = results.rate(good, results.Curve("bad", "theirs", tuple(bad)), "butteraugli")
    assert (rate.lo, rate.hi) == (-4.5, -0.5) and rate.percent == pytest.approx(-50)


@pytest.mark.parametrize(
    ("codec", "percent"),
    [("HEVC (HM)", -60.1), ("VVC (VTM)", -67.6), ("BPG 4:4:4", -58.9), ("mbt2018-mean", -58.0)],
)
def test_published_curves_have_their_known_rates(codec: str, percent: float) -> None:
    curves = {curve.label: curve for curve in evaluate.published()}
    found = results.rate(curves[codec], curves["JPEG"], "psnr")
    assert found.percent == pytest.approx(percent, abs=0.3)


# ---- Butteraugli ---------------------------------------------------------------------------------


@needs_libjxl
def test_butteraugli_is_that_of_libjxl() -> None:
    ramp = np.tile(np.arange(96) * 2, (64, 1)).astype(np.uint8)
    picture = np.stack([ramp, ramp[:, ::-1], ramp], -1)
    coarse = (picture & 0xF0).astype(np.uint8)
    assert butteraugli.butteraugli(picture, picture) == 0
    assert butteraugli.butteraugli(picture, coarse) == pytest.approx(12.222, abs=1e-3)
    assert butteraugli.butteraugli(ramp, coarse[..., 0]) > 0


@needs_libjxl
def test_evaluate_has_butteraugli(photo: Path) -> None:
    found = evaluate.run("autoencoder", photo.parent, MODEL)
    assert all(row["butteraugli"] > 0 for row in (*found["points"], *found["avif"]))
    assert "butteraugli" in {rate["measure"] for rate in found["rates"]}
    assert any("Butteraugli" in cell for table in evaluate.tables(found) for cell in table.header)


def test_a_wrong_program_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    monkeypatch.setenv(butteraugli.VARIABLE, "no-such-program")
    with pytest.raises(gencodec.GencodecError, match=r"no-such-program .*libjxl 0\.11\.2"):
        butteraugli.butteraugli(picture, picture)


# ---- the command ---------------------------------------------------------------------------------


def test_evaluate_all_writes_every_result(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "_is_kodak", lambda pictures: True)
    monkeypatch.delenv(butteraugli.VARIABLE, raising=False)
    shares: list[float] = []
    (result,) = evaluate.run_all(photo.parent, tmp_path / "out", MODEL, shares.append)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"autoencoder.json", "compare.json", "kodak.svg"}
    assert json.loads((tmp_path / "out" / "autoencoder.json").read_text()) == result
    comparison = json.loads((tmp_path / "out" / "compare.json").read_text())
    for found in (result, comparison):
        assert {"versions", "machine", "date"} <= set(found)
    assert {"JPEG 4:2:0", "AVIF 4:4:4"} < {curve["label"] for curve in comparison["curves"]}
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_a_tune_is_measured_alone(run: Run, photo: Path) -> None:
    folder = str(photo.parent)
    found = json.loads(
        run("evaluate", "autoencoder", "--data", folder, "--tune", "visual", "--json").stdout
    )
    shipped = gencodec.info(gencodec.compress(photo, tune="visual")).decoder
    assert (found["tune"], found["decoder"]) == ("visual", shipped)
    assert "tuned" not in found and "ms_ssim" not in found["points"][0]  # 96 x 64 is too small


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["webp"], "'webp'"),
        (["flow", "--tune", "visual"], "visual"),
        (["denoiser", "--tune", "visual"], "denoiser"),
        (["autoencoder", "--tune", "psnr", "--model", str(MODEL)], "tune"),
    ],
)
def test_what_cannot_be_evaluated(run: Run, photo: Path, arguments: list[str], text: str) -> None:
    assert text in run("evaluate", *arguments, "--data", str(photo.parent), code=1).stderr


def test_tables(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(butteraugli.VARIABLE, raising=False)
    command = ("evaluate", "autoencoder", "--data", str(photo.parent), "--model", str(MODEL))
    output = run(*command).stdout
    for text in ("at equal SSIMULACRA2", "AVIF 4:4:4, mean of pictures", "estimate_bpp"):
        assert text in output
    assert "Butteraugli is left out" in output


def test_flow_keeps_every_bit_and_saves_again(photo: Path) -> None:
    found = evaluate.run("flow", photo.parent)
    assert found["lossless"]["identical"] == 1
    assert [row["identical"] for row in found["again"]] == [1] * len(found["again"])
    titles = " ".join(table.title for table in evaluate.tables(found))
    assert "Lossless" in titles and "saves at quality 80" in titles


def test_what_is_chosen_for_each_picture(run: Run, photo: Path, tmp_path: Path) -> None:
    """Drawings are held against lossless WebP, photos against AVIF, both of real files."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo.read_bytes())
    Image.fromarray(drawing(120, 90)).save(folder / "b.png")
    found = json.loads(run("evaluate", "auto", "--data", str(folder), "--json").stdout)
    a, b = found["chosen"]
    assert [each["name"] for each in (a, b)] == ["a.jpg", "b.png"]
    assert [each["codec"] for each in (a, b)] == ["autoencoder", "graphics"]
    assert [each["exact"] for each in (a, b)] == [False, True]
    assert found["codecs"] == {"autoencoder": 1, "graphics": 1}
    (pixels, drawn) = pictures(folder)
    data = gencodec.compress(pixels)
    score = metrics.ssimulacra2(pixels, np.asarray(gencodec.decompress(data)))
    assert (a["bytes"], a["ssimulacra2"]) == (len(data), pytest.approx(score, abs=0.01))
    (avif,), _ = reference_codecs.available_codecs([rate_distortion.AGAINST["avif"]])
    for key in ("avif_same_score", "avif_same_bytes"):
        file = avif.encode(pixels, a[key]["quality"])
        score = metrics.ssimulacra2(pixels, avif.decode(file))
        assert a[key]["bytes"] == len(file)
        assert a[key]["ssimulacra2"] == pytest.approx(score, abs=0.01)
    assert a["avif_same_score"]["ssimulacra2"] >= a["ssimulacra2"]
    assert a["avif_same_bytes"]["bytes"] >= a["bytes"]
    webp = saved(Image.fromarray(drawn), "WEBP", lossless=True, method=6).getbuffer().nbytes
    assert found["webp_lossless"] == b["webp_lossless"] == webp
    assert found["bytes"] == b["bytes"] == len(gencodec.compress(drawn))
    told = run("evaluate", "auto", "--data", str(folder)).stdout
    assert "1 autoencoder, 1 graphics." in told and "of WebP's bytes" in told


def test_vqvae_is_among_the_smallest(photo: Path) -> None:
    found = evaluate.run("vqvae", photo.parent)
    lowest = {row["codec"]: row for row in found["lowest"]}
    assert lowest.keys() == {"JPEG", "WEBP", "AVIF", "autoencoder"}
    assert all(row["bpp"] > 0 and row["psnr"] > 10 for row in lowest.values())
    assert 0 < found["prior"]["saved"] < 100
    assert "smallest files" in " ".join(table.title for table in evaluate.tables(found))
