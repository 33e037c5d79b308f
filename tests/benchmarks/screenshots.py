"""Draws what `graphics` is for: twelve screenshots, plots and scans, and two pages with photos.

    python tests/benchmarks/screenshots.py DIR [--photos DIR] [--measure]

Pages and terminals are taken by Chromium where there is one, else drawn by Pillow; plots are by
matplotlib, logo and scan by Pillow. The texts are this repository's own. `mixed-*.png` are pages
with photos (the sample photo, or the first two of a folder), the others have none. Measured, each
is told with what `gencodec compress` makes of it, beside WebP lossless, method 6, of the whole.
"""

import argparse
import base64
import html
import io
import keyword
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ font: 15px/1.5 sans-serif; margin: 0; {} }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid #ccc; padding: 3px 8px }}
pre {{ font: 13px/1.35 monospace }} {}
</style>{}"""


# --- pages ----------------------------------------------------------------------------------------


def shoot(page: str, size: tuple[int, int]) -> Image.Image:
    """A page as the browser shows it, or its bare text where there is none."""
    if CHROMIUM is None:
        return drawn_text(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", page)), size)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "page.html"), Path(folder, "page.png")
        source.write_text(page, "utf-8")
        command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}/profile", f"--screenshot={out}"]
        command += [f"--window-size={size[0]},{size[1]}", source.as_uri()]
        subprocess.run(command, check=True, timeout=120, capture_output=True)
        with Image.open(out) as image:
            return image.convert("RGB")


def drawn_text(text: str, size: tuple[int, int], colours: tuple[str, str] = ("white", "black")):
    """Lines of text, as far as they fit."""
    image = Image.new("RGB", size, colours[0])
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for number, line in enumerate(text.splitlines()[: size[1] // 18]):
        draw.text((12, 6 + 18 * number), line, colours[1], font)
    return image


def markdown(text: str) -> str:
    """The little of Markdown that README takes."""
    parts = []
    for block in re.split(r"\n\s*\n", re.sub(r"!\[.*?\]\(.*?\)", "", text)):
        lines = [html.escape(line) for line in block.strip().splitlines()]
        while lines and lines[0].startswith("#"):
            level = len(lines[0]) - len(lines[0].lstrip("#"))
            parts.append(f"<h{level}>{lines.pop(0).lstrip('# ')}</h{level}>")
        if not lines:
            continue
        if lines[0].startswith(("```", "    ")):
            parts.append("<pre>" + "\n".join(lines).strip("`") + "</pre>")
        elif lines[0].startswith("|"):
            cells = [line.strip("|").split("|") for line in lines if not line.startswith("|--")]
            rows = ("".join(f"<td>{_spans(cell)}</td>" for cell in row) for row in cells)
            parts.append("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")
        else:
            parts.append(f"<p>{_spans(' '.join(lines))}</p>")
    return "\n".join(parts)


def _spans(text: str) -> str:
    text = re.sub(r"\[(.+?)\]\(.+?\)", r'<a href="#">\1</a>', text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def coloured(source: str) -> str:
    """Python with colours, roughly as an editor gives them."""
    pattern = r'("""[\s\S]*?"""|"[^"\n]*"|#[^\n]*|\b\w+\b)'

    def colour(match: re.Match[str]) -> str:
        word = match[0]
        if word[0] == '"':
            return f'<i style="color:#98c379">{html.escape(word, False)}</i>'
        if word[0] == "#":
            return f'<i style="color:#7f848e">{html.escape(word)}</i>'
        if keyword.iskeyword(word):
            return f'<span style="color:#c678dd">{word}</span>'
        return f'<span style="color:#d19a66">{word}</span>' if word.isdigit() else word

    return re.sub(pattern, colour, source)


def readme() -> Image.Image:
    text = markdown((ROOT / "README.md").read_text("utf-8"))
    return shoot(PAGE.format("padding: 12px 40px; color: #1f2328", "", text), (960, 1200))


def docs_dark() -> Image.Image:
    text = markdown((ROOT / "docs" / "architecture.md").read_text("utf-8"))
    style = "padding: 12px 40px; background: #0d1117; color: #e6edf3"
    return shoot(PAGE.format(style, "td { border-color: #30363d }", text), (900, 900))


def editor() -> Image.Image:
    source = (ROOT / "codec" / "rate_control.py").read_text("utf-8")
    side = "".join(f"<p>{path.name}</p>" for path in sorted((ROOT / "codec").glob("*.py")))
    body = f"<aside>{side}</aside><pre>{coloured(source)}</pre>"
    style = "background: #282c34; color: #abb2bf; display: flex"
    more = "aside { background: #21252b; padding: 8px 24px; font-size: 13px } pre { margin: 8px }"
    return shoot(PAGE.format(style, more, body), (1280, 800))


def terminal() -> Image.Image:
    lines = (ROOT / "tests" / "test_imports.py").read_text("utf-8").splitlines()[:34]
    rows = [
        '<b style="color:#8ae234">dev@host</b>:<b style="color:#729fcf">~/gencodec</b>$ '
        "grep -n . tests/test_imports.py",
        *(
            f'<span style="color:#06989a">{n}</span>:{html.escape(line)}'
            for n, line in enumerate(lines, 1)
        ),
    ]
    body = "<pre>" + "\n".join(rows) + "</pre>"
    return shoot(
        PAGE.format("background: #300a24; color: #eee; padding: 4px", "", body), (800, 600)
    )


def chat() -> Image.Image:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    sentences = re.findall(r"[A-Z][^.|`\n]{20,90}\.", text)[:9]
    rows = "".join(
        f'<div class="{"me" if n % 3 == 1 else "you"}">{html.escape(line)}</div>'
        for n, line in enumerate(sentences)
    )
    more = (
        "div { max-width: 60%; padding: 8px 14px; margin: 10px; border-radius: 16px; clear: both }"
        ".me { background: #0a7cff; color: white; float: right }"
        ".you { background: #e9e9eb; float: left }"
    )
    return shoot(PAGE.format("background: white", more, rows), (640, 480))


def dashboard() -> Image.Image:
    cards = "".join(
        f"<div><h3>{name}</h3><b>{value}</b><svg viewBox='0 0 100 30'><path d='M0,25 {path}' "
        f"fill='none' stroke='{colour}' stroke-width='2'/></svg></div>"
        for name, value, colour, path in (
            ("Requests", "48,213", "#2f81f7", "L15,18 L30,22 L45,9 L60,14 L75,6 L100,11"),
            ("Errors", "0.07 %", "#f85149", "L15,24 L30,20 L45,26 L60,12 L75,22 L100,21"),
            ("Latency", "132 ms", "#3fb950", "L20,10 L40,20 L50,8 L70,18 L85,12 L100,16"),
            ("Storage", "1.4 TB", "#a371f7", "C30,25 40,5 60,14 S90,4 100,3"),
        )
    )
    table = "".join(f"<tr><td>job-{n:03}</td><td>{n * 37 % 101} s</td></tr>" for n in range(1, 9))
    more = (
        "header { background: linear-gradient(90deg, #1f2a48, #35508f); color: white;"
        " padding: 16px 28px; font-size: 22px } main { display: grid; gap: 18px; padding: 22px;"
        " grid-template-columns: 1fr 1fr } div { background: white; border-radius: 10px;"
        " padding: 4px 18px; box-shadow: 0 2px 10px #0003 } b { font-size: 26px }"
        " table { margin: 0 22px; background: white }"
    )
    body = f"<header>Overview</header><main>{cards}</main><table>{table}</table>"
    return shoot(PAGE.format("background: #eef1f6", more, body), (1024, 768))


def spreadsheet() -> Image.Image:
    heads = "".join(f"<th>{name}</th>" for name in " ABCDEFGHIJ")
    rows = "".join(
        f"<tr><th>{r}</th>"
        + "".join(f"<td>{(r * 7919 + c * 104729) % 100000 / 100:,.2f}</td>" for c in range(10))
        + "</tr>"
        for r in range(1, 33)
    )
    more = "th { background: #f3f3f3 } td { text-align: right } table { font-size: 12px }"
    return shoot(PAGE.format("", more, f"<table><tr>{heads}</tr>{rows}</table>"), (900, 700))


def mixed(photo: Image.Image, dark: bool) -> Image.Image:
    """An article with a photo in it."""
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    text = markdown((ROOT / "SECURITY.md").read_text("utf-8"))
    style = "padding: 8px 36px; " + ("background: #16181c; color: #ddd" if dark else "color: #222")
    where = "float: right; margin: 12px; width: 45%" if dark else "width: 100%"
    page = PAGE.format(style, f"img {{ {where} }}", f'<h1>Photos</h1><img src="{source}">{text}')
    if CHROMIUM is None:
        image = shoot(page.replace(source, ""), (800, 900))
        image.paste(photo.resize((380, 380 * photo.height // photo.width)), (400, 200))
        return image
    return shoot(page, (800, 900))


# --- plots and drawings ---------------------------------------------------------------------------


def figure(draw: Callable[..., None], size: tuple[float, float]) -> Image.Image:
    from matplotlib.figure import Figure

    chart = Figure(size, dpi=100, layout="constrained")
    draw(chart.add_subplot())
    buffer = io.BytesIO()
    chart.savefig(buffer)
    with Image.open(buffer) as image:
        return image.convert("RGB")


def lines(axes) -> None:
    x = np.linspace(0, 12, 400)
    for k in range(1, 6):
        axes.plot(x, np.sin(x * k / 2) / k + 0.2 * k, label=f"k = {k}")
    axes.set(title="Partial sums", xlabel="time, s", ylabel="amplitude")
    axes.grid(alpha=0.4)
    axes.legend()


def bars(axes) -> None:
    random = np.random.default_rng(3)
    axes.bar(np.arange(12), random.integers(20, 90, 12), color="tab:blue", label="sold")
    axes.scatter(random.random(150) * 11, random.random(150) * 90, c="tab:orange", s=18, alpha=0.7)
    axes.set(title="Bars and points", ylabel="pieces")
    axes.legend()


def contours(axes) -> None:
    y, x = np.mgrid[-3:3:200j, -3:3:200j]
    shown = axes.contourf(x, y, np.exp(-(x**2) - y**2) + 0.6 * np.exp(-((x - 1.4) ** 2) - y**2), 14)
    axes.figure.colorbar(shown)
    axes.set(title="Levels")


def logo() -> Image.Image:
    """Smooth shapes and large letters, drawn four times as large and reduced."""
    image = Image.new("RGB", (4 * 512, 4 * 384), "#fdf6e3")
    draw = ImageDraw.Draw(image)
    draw.ellipse((240, 180, 1180, 1120), "#268bd2")
    draw.polygon([(900, 260), (1780, 1060), (520, 1180)], "#dc322f")
    draw.rounded_rectangle((1240, 200, 1840, 640), 120, "#859900", "#073642", 16)
    draw.arc((380, 320, 1040, 980), 30, 280, "#fdf6e3", 48)
    draw.text((340, 1180), "gencodec", "#073642", ImageFont.load_default(280))
    return image.resize((512, 384), Image.Resampling.LANCZOS)


def scan() -> Image.Image:
    """A page of text as a fax or an archive keeps it: slightly turned, black and white."""
    text = (ROOT / "LICENSE").read_text("utf-8")
    page = drawn_text(text, (900, 620)).convert("L").resize((1350, 930))
    page = page.rotate(0.7, Image.Resampling.BICUBIC, fillcolor=255).filter(
        ImageFilter.GaussianBlur(0.8)
    )
    grain = np.random.default_rng(5).normal(0, 14, (930, 1350))
    return Image.fromarray((np.asarray(page) + grain > 140).astype(np.uint8) * 255).convert("RGB")


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "readme": readme,
    "docs-dark": docs_dark,
    "editor": editor,
    "terminal": terminal,
    "chat": chat,
    "dashboard": dashboard,
    "spreadsheet": spreadsheet,
    "plot-lines": lambda: figure(lines, (6.4, 4.8)),
    "plot-bars": lambda: figure(bars, (8, 5)),
    "plot-contours": lambda: figure(contours, (7, 6)),
    "logo": logo,
    "scan": scan,
}


def make(out: Path, photos: Path | None = None) -> list[Path]:
    """Writes the fourteen pictures as PNG, and returns their paths: twelve, then the mixed two."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in PICTURES.items():
        paths.append(out / f"{name}.png")
        draw().save(paths[-1])
    sources = [ROOT / "tests" / "data" / "cat.jpg"] * 2
    if photos is not None:
        sources = sorted(p for p in photos.iterdir() if p.suffix in (".png", ".jpg", ".webp"))[:2]
    for source, dark in zip(sources, (False, True), strict=True):
        with Image.open(source) as image:
            paths.append(out / f"mixed-{'dark' if dark else 'light'}.png")
            mixed(image.convert("RGB"), dark).save(paths[-1])
    return paths


def measure(paths: list[Path]) -> None:
    """Prints codec, bytes and whether the pixels are the same, by default and with lossless."""
    from gencodec.codec import api

    sums = np.zeros(3, int)
    for path in paths:
        with Image.open(path) as image:
            rgb, buffer = image.convert("RGB"), io.BytesIO()
        rgb.save(buffer, "WEBP", lossless=True, method=6)
        usual, exact = (api.compress_detailed(path, lossless=each) for each in (False, True))
        same = [api.decompress(r.data).tobytes() == rgb.tobytes() for r in (usual, exact)]
        sizes = len(usual.data), len(exact.data), len(buffer.getvalue())
        if not path.name.startswith("mixed"):
            sums += sizes
        print(f"{path.stem:14} {usual.codec:11} {sizes[0]:8,} same {same[0]!s:5}", end="  ")
        print(f"lossless {exact.codec:8} {sizes[1]:8,} same {same[1]}  WebP {sizes[2]:8,}")
        print(f"    {usual.why}")
    usual, exact, webp = sums.tolist()
    print(f"without photos: {usual / webp:.3f} of WebP's bytes, lossless {exact / webp:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--measure", action="store_true")
    options = parser.parse_args()
    paths = make(options.out, options.photos)
    if options.measure:
        measure(paths)
    else:
        print("\n".join(map(str, paths)))


if __name__ == "__main__":
    main()
