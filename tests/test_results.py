"""README, docs and the model cards say what the results files say."""

import json
from pathlib import Path

import pytest

CARDS = {
    "docs/results.md": None,
    "pretrained/autoencoder.md": None,
    "pretrained/autoencoder-psnr.md": "psnr",
}


def table_rows(text: str) -> list[list[str]]:
    """Cells of all table rows that begin with a whole number: the quality."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [row for row in rows if len(row) == 5 and row[0].isdigit()]


@pytest.mark.parametrize(("name", "tune"), CARDS.items())
def test_the_figures_are_those_of_the_results(root: Path, name: str, tune: str | None) -> None:
    results = json.loads((root / "pretrained/results/autoencoder.json").read_text("utf-8"))
    results = results if tune is None else results["tuned"][tune]
    points = {point["quality"]: point for point in results["points"]}
    rows = table_rows((root / name).read_text("utf-8"))
    assert len(rows) >= 5
    for quality, *cells in rows:
        point = points[int(quality)]
        for cell, measure in zip(cells, ("bpp", "psnr", "ms_ssim", "ssimulacra2"), strict=True):
            places = len(cell.partition(".")[2])
            assert float(cell) == pytest.approx(point[measure], abs=0.51 * 10**-places)
    text = (root / name).read_text("utf-8")
    assert f"**{results['bd_rate']:.1f} %**" in text


def cells_of(text: str) -> list[list[str]]:
    """Cells of all table rows."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("name", ["docs/results.md", "pretrained/flow.md", "pretrained/vqvae.md"])
def test_the_other_codecs_figures_are_those_of_the_results(root: Path, name: str) -> None:
    """Rows: codec, quality, bits, PSNR, MS-SSIM; and for flow quality, codec, PSNR after saves."""
    found = {
        codec: json.loads((root / f"pretrained/results/{codec}.json").read_text("utf-8"))
        for codec in ("flow", "vqvae")
    }
    points = {(c, f"{p['quality']:g}"): p for c, result in found.items() for p in result["points"]}
    lowest = {row["codec"].lower(): row for row in found["vqvae"]["lowest"]}
    saves = {
        (str(row["quality"]), codec.lower()): psnr
        for row in found["flow"]["saves"]
        for codec, psnr in row["psnr"].items()
    }
    checked = set()
    for cells in cells_of((root / name).read_text("utf-8")):
        point = points.get((cells[0], cells[1]), lowest.get(cells[0].lower()))
        if len(cells) == 5 and cells[1].isdigit() and point:
            wanted = [f"{point['bpp']:.3f}", f"{point['psnr']:.2f}", f"{point['ms_ssim']:.4f}"]
            assert cells[2:] == wanted, cells
            checked.add(cells[0])
        if len(cells) == 6 and (cells[0], cells[1].lower()) in saves:
            psnr = saves[cells[0], cells[1].lower()]
            assert cells[2:] == [f"{value:.2f}" for value in psnr]
            checked.add("saves")
    assert checked >= ({"flow", "saves"} if name.endswith("flow.md") else {"vqvae", "AVIF"})
    text = (root / name).read_text("utf-8")
    if not name.endswith("vqvae.md"):
        assert f"**{found['flow']['bd_rate']:.1f} %**" in text
        assert f"{found['flow']['lossless']['bpp']:.2f} bits per pixel" in text


@pytest.mark.parametrize("codec", ["autoencoder", "flow", "vqvae"])
def test_the_results_are_of_the_shipped_decoder(root: Path, codec: str) -> None:
    results = json.loads((root / f"pretrained/results/{codec}.json").read_text("utf-8"))
    shipped = json.loads((root / "pretrained/models.json").read_text("utf-8"))[codec]
    assert results["decoder"] == f"{codec}-{shipped['default'][:8]}"


def test_the_denoisers_figures_are_those_of_its_results(root: Path) -> None:
    results = json.loads((root / "pretrained/results/denoiser.json").read_text("utf-8"))
    shipped = json.loads((root / "pretrained/models.json").read_text("utf-8"))["denoiser"]
    assert shipped["file"] == f"{results['model']}.onnx"
    measured = {(row["set"], row["noise"]): row for row in results["rows"]}
    noises = {"real cameras": "real", "none (clean in, to itself)": "none"}
    checked = 0
    for line in (root / "docs/usage.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        key = cells[0].lower(), noises.get(cells[min(1, len(cells) - 1)], "")
        if len(cells) == 5 and cells[1].startswith("white, sigma "):
            key = key[0], f"white {cells[1].removeprefix('white, sigma ')}"
        if len(cells) == 5 and key in measured:
            row = measured[key]
            assert cells[3] == f"{row['psnr']:.2f}"
            assert cells[4] == f"{row['sigma']:.1f}"
            checked += 1
    assert checked >= 5


def test_readmes_savings_are_those_of_the_results(root: Path) -> None:
    rows = {cells[0]: cells for cells in cells_of((root / "README.md").read_text("utf-8"))}
    for codec in ("autoencoder", "flow"):
        found = json.loads((root / f"pretrained/results/{codec}.json").read_text("utf-8"))
        names = ("bd_rate_ssimulacra2", "bd_rate_ms_ssim", "bd_rate")
        wanted = [f"{found[name]:.1f} %" for name in names]
        assert [cell.strip("*") for cell in rows[f"`{codec}`"][1:4]] == wanted


def test_savings_are_those_of_the_comparison(root: Path) -> None:
    found = json.loads((root / "pretrained/results/compare.json").read_text("utf-8"))
    text = (root / "docs/results.md").read_text("utf-8")
    labels = {"JPEG": "JPEG 4:2:0", "WebP": "WebP 4:2:0", "AVIF": "AVIF 4:4:4"}
    labels |= {"JPEG XL": "JPEG XL 4:4:4", "JPEG 2000": "JPEG 2000 4:4:4"}
    rates = {
        (rate["against"], rate["measure"]): rate["percent"]
        for rate in found["rates"]
        if "autoencoder" in rate["label"]
    }
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.count("|") == 5}
    for title, label in labels.items():
        (line,) = [
            line
            for name, line in lines.items()
            if name == title or name.startswith((f"{title} 4", f"{title},"))
        ]
        for measure in ("psnr", "ms_ssim", "ssimulacra2"):
            assert f"{rates[label, measure]:+.1f} %" in line
