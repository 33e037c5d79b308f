"""ICC profile, EXIF and XMP of what Pillow opened, wherever a format hides them.

| where                                                | what                                      |
|------------------------------------------------------|-------------------------------------------|
| ``.info``                                            | as most of Pillow's readers put it        |
| a PNG's text chunks ("Raw profile type exif" ...)    | as ImageMagick and exiftool write it      |
| a PSD's resources                                    | EXIF 1058, XMP 1060                       |
| a TIFF's own tags                                    | those that tell of the picture            |
| a PNG's gAMA, cHRM and cICP                          | made a profile, where one can say it      |
"""

import contextlib
import struct
from typing import Any

import numpy as np
from PIL import Image

from ..container import EXIF_PREFIX
from .profiles import (
    SRGB_PRIMARIES,
    Primaries,
    gamma_curve,
    grey_profile,
    matrix_profile,
    sampled_curve,
)

__all__ = ["cicp", "metadata", "png_profile"]

# The tags of a TIFF that tell of the picture; the others tell of how its samples were stored.
TIFF_TEXT_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432)
TIFF_IFD_TAGS = (34665, 34853)  # EXIF and GPS
PSD_EXIF, PSD_XMP = 1058, 1060
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
# ITU-T H.273, table 2.
PRIMARIES: dict[int, Primaries] = {
    1: SRGB_PRIMARIES,
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
HDR = {16: "PQ", 18: "HLG"}
SRGB_GAMMA = 0.45455


def metadata(image: Image.Image) -> tuple[bytes | None, bytes | None, bytes | None]:
    """ICC profile, EXIF and XMP of a loaded image, each None where there is none."""
    info = image.info
    icc, exif, xmp = (_bytes(info.get(key)) for key in ("icc_profile", "exif", "xmp"))
    icc = icc or _text_profile(info, "icc") or _text_profile(info, "icm")
    exif = exif or _text_profile(info, "exif")
    app1 = _text_profile(info, "APP1")  # either of them, as in a JPEG
    if app1 and app1.startswith(EXIF_PREFIX):
        exif = exif or app1
    xmp = xmp or _bytes(info.get("XML:com.adobe.xmp")) or _text_profile(info, "xmp")
    if app1 and app1.startswith(XMP_HEAD):
        xmp = xmp or app1.removeprefix(XMP_HEAD)
    for number, _, data in getattr(image, "resources", ()) if image.format == "PSD" else ():
        if number == PSD_EXIF:
            exif = exif or _bytes(data)
        elif number == PSD_XMP:
            xmp = xmp or _bytes(data)
    if exif is None and image.format == "TIFF":
        exif = _tiff_exif(image)
    elif exif is not None:
        exif = exif.removeprefix(EXIF_PREFIX) or None
    return icc, exif, xmp


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) and value else None


def _text_profile(info: dict[Any, Any], kind: str) -> bytes | None:
    """A text of a PNG: a line with the kind, one with the length, and lines of hexadecimals."""
    text = info.get(f"Raw profile type {kind}")
    if not isinstance(text, str):
        return None
    lines = text.strip().splitlines()
    try:
        return bytes.fromhex("".join(lines[2:])) or None
    except ValueError:
        return None


def _tiff_exif(image: Image.Image) -> bytes | None:
    # No orientation: Pillow has applied that of a TIFF.
    source, kept = image.getexif(), Image.Exif()
    for tag in TIFF_TEXT_TAGS:
        if tag in source:
            kept[tag] = source[tag]
    for tag in TIFF_IFD_TAGS:
        if ifd := source.get_ifd(tag):
            kept[tag] = dict(ifd)
    return kept.tobytes().removeprefix(EXIF_PREFIX) if len(kept) else None


# --- what a PNG says of its colours ---------------------------------------------------------------


def cicp(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The four numbers of a PNG's cICP chunk, which Pillow skips; to be asked before it is loaded.

    Its file is left where it was.
    """
    file = getattr(image, "fp", None)
    if image.format != "PNG" or file is None:
        return None
    with contextlib.suppress(OSError, ValueError, struct.error):
        place = file.tell()
        try:
            file.seek(8)
            while len(head := file.read(8)) == 8:
                length, kind = struct.unpack(">I4s", head)
                if kind == b"cICP" and length == 4:
                    primaries, transfer, matrix, full = file.read(4)
                    return primaries, transfer, matrix, full
                if kind in (b"IDAT", b"IEND"):
                    return None
                file.seek(length + 4, 1)
        finally:
            file.seek(place)
    return None


def png_profile(
    image: Image.Image, code: tuple[int, int, int, int] | None, grey: bool, notes: list[str]
) -> bytes | None:
    """A profile of what a PNG without one says of its colours, None where that is sRGB.

    Arguments:
        code: what `cicp` found.
        grey: whether the samples are grey.
        notes: what no profile can say is noted here.
    """
    if image.format != "PNG":
        return None
    info = image.info
    if code is not None:
        primaries, curve = PRIMARIES.get(code[0]), _curve(code[1])
        if code[:2] == (1, 13) or primaries is None or curve is None:
            if code[:2] != (1, 13):
                kind = HDR.get(code[1])
                what = f"HDR ({kind})" if kind else "of an unusual kind (cICP)"
                notes.append(f"The PNG's colours are {what}; that was dropped, they will look off.")
            return None
        name = f"cICP {code[0]}/{code[1]}"
    else:
        gamma, found = info.get("gamma", SRGB_GAMMA), info.get("chromaticity", SRGB_PRIMARIES)
        if "srgb" in info or not gamma > 0:
            return None
        primaries = found
        usual = abs(gamma / SRGB_GAMMA - 1) < 0.05
        if usual and (grey or np.allclose(found, SRGB_PRIMARIES, atol=0.01)):
            return None
        curve, name = _curve(13) if usual else gamma_curve(1 / gamma), "gAMA and cHRM"
    assert curve is not None and primaries is not None
    if grey:
        return grey_profile(curve, name)
    try:
        return matrix_profile(primaries, curve, name)
    except (ValueError, np.linalg.LinAlgError, struct.error):
        notes.append("The PNG's primary colours (cHRM) are none; they were dropped.")
        return None


def _curve(transfer: int) -> bytes | None:
    """The curve of a transfer characteristic of H.273, table 3."""
    value = np.linspace(0, 1, 1024)
    if transfer in (1, 6, 14, 15):
        return sampled_curve(
            np.where(value < 0.081, value / 4.5, ((value + 0.099) / 1.099) ** (1 / 0.45))
        )
    if transfer == 13:
        return sampled_curve(
            np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        )
    return {4: gamma_curve(2.2), 5: gamma_curve(2.8), 8: gamma_curve(1.0)}.get(transfer)
