"""Writes golden files for the model in a folder; never replaces one. See README.md here."""

import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageDraw, WebPImagePlugin

from gencodec.codec import api, library

HERE = Path(__file__).parent


def pictures() -> dict[str, tuple[Image.Image, float]]:
    """Name -> picture and quality."""
    with Image.open(HERE.parent / "data" / "cat.jpg") as image:
        cat = image.convert("RGB")
    small = cat.crop((120, 60, 190, 125))
    alpha = small.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(small.size))
    wide = Image.fromarray(np.tile(np.asarray(cat)[100:140], (1, 2, 1))[:, :800])
    return {
        "q0": (small, 0),
        "q50": (small, 50),
        "q100": (small, 100),
        "grey": (small.convert("L"), 60),
        "alpha": (alpha, 60),
        "wide": (wide, 30),
        "one-pixel": (small.crop((0, 0, 1, 1)), 50),
    }


def drawings() -> dict[str, tuple[Image.Image, float]]:
    """The same for `graphics`, which is exact; those named PNG as by a Pillow without WebP."""
    cat = pictures()["q50"][0]
    page = Image.new("RGB", (64, 40), "#fdf6e3")
    draw = ImageDraw.Draw(page)
    draw.text((4, 4), "gencodec", "#073642")
    draw.ellipse((8, 18, 38, 36), "#268bd2", "#dc322f")
    clear = page.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(page.size))
    small = cat.crop((0, 0, 24, 20))
    found = {
        "colours": small,
        "palette": page,
        "grey": small.convert("L"),
        "alpha": clear,
        "tiles": page.resize((2080, 40), Image.Resampling.NEAREST),
        "one-pixel": cat.crop((0, 0, 1, 1)),
        "png-colours": cat.crop((0, 0, 18, 16)),
        "png-palette": page,
        "png-grey": small.convert("L"),
        "png-bilevel": cat.convert("1"),
    }
    return {name: (picture, 50) for name, picture in found.items()}


def corpus() -> dict[str, tuple[Image.Image, float]]:
    """The pictures of ``v1``, which each released decoder has."""
    found = pictures()
    photo, _ = found["q50"]
    wide = np.asarray(found["wide"][0])
    named = photo.crop((0, 0, 40, 30))
    named.info = {
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0",
        "xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        "dpi": (300.0, 150.0),
    }
    return {
        "photo": found["q50"],
        "low": found["q0"],
        "high": found["q100"],
        "grey": found["grey"],
        "alpha": found["alpha"],
        "one-pixel": found["one-pixel"],
        "odd": (photo.crop((0, 0, 17, 33)), 50),
        "segments": (Image.fromarray(np.tile(wide, (1, 3, 1))[:24, :2080]), 30),
        "metadata": (named, 50),
    }


def write(
    folder: Path,
    name: str,
    picture: Image.Image,
    codec: str,
    quality: float,
    model: Path | None,
    tune: str | None = None,
    lossless: bool = False,
) -> None:
    data = api.compress(picture, codec, quality, lossless, model=model, tune=tune)
    for suffix in (".gnc", ".png", ".sha256"):
        if (folder / f"{name}{suffix}").exists():
            raise SystemExit(f"{folder / name}{suffix} exists; golden files are never replaced.")
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.gnc").write_bytes(data)
    decoded = api.decompress(data, model=model)
    if folder.parent.name == "v1" and codec in ("flow", "graphics"):  # exact on every machine
        (folder / f"{name}.sha256").write_text(hashlib.sha256(decoded.tobytes()).hexdigest() + "\n")
    else:
        Image.fromarray(np.asarray(decoded)).save(folder / f"{name}.png", optimize=True)


def write_corpus(folder: Path) -> None:
    """What ``v1`` lacks: `corpus` by each decoder that is shipped now, and by `graphics`."""
    pairs = [("graphics", "graphics", None)]
    for scheme, entry in library.shipped().items():
        for tune, pair in {None: entry, **entry.get("tuned", {})}.items():
            if "default" in pair:  # the denoiser writes no files
                pairs.append((f"{scheme}-{pair['default'][:8]}", scheme, tune))
    for title, codec, tune in pairs:
        if (folder / title).exists():
            continue  # of an earlier release
        for name, (picture, quality) in corpus().items():
            write(folder / title, name, picture, codec, quality, None, tune)
        if codec == "flow":
            write(folder / title, "lossless", pictures()["q50"][0], codec, 50, None, None, True)


def main(folder: Path) -> None:
    if folder.name == "v1":
        write_corpus(folder)
        return
    codec = folder.name.partition("-")[0]
    decoder = next(folder.glob("*-decoder.onnx"), None)  # graphics has none
    for name, (picture, quality) in (pictures() if decoder else drawings()).items():
        WebPImagePlugin.SUPPORTED = not name.startswith("png-")
        write(folder, name, picture, codec, quality, decoder)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
