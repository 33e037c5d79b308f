"""Pictures to planes and back: what Pillow gives, as 8-bit colour, alpha and metadata.

`load` takes all that a caller may hand in and makes a `Picture` of it; `to_image` is the way back.
Samples of more than 8 bits, CMYK, LAB and the like are converted, and the picture's notes say so.
EXIF orientation is not applied but carried as metadata, as are ICC profile and XMP.

Samples are made 8-bit grey or RGB by `pillow_modes`; alpha and the colour that it hides are left to
`alpha`, whose `encode_alpha` and `decode_alpha` are here as well.

Example:
    >>> picture = load(np.full((2, 3), 200, np.uint8))
    >>> picture.rgb.shape, picture.grey, picture.alpha
    ((2, 3, 3), True, None)
    >>> to_image(picture.rgb, grey=picture.grey, alpha=picture.alpha).mode
    'L'
"""

import io
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..container import EXIF_PREFIX, check_size
from ..errors import InputError
from .alpha import decode_alpha, encode_alpha, fill_hidden
from .limits import check_pixels
from .metadata import cicp, metadata, png_profile
from .open import file_name, open_picture
from .pillow_errors import reading
from .pillow_modes import raw_mode, to_planes
from .resolution import Dpi, of_exif, stated

__all__ = ["Picture", "decode_alpha", "encode_alpha", "load", "to_image"]

Bytes = NDArray[np.uint8]

WANTED = "a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4)"
STRIP = 2**22  # pixels that are handed to Pillow at a time
LOSSY_MODES = ("YCbCr", "La", "RGBa")  # converted silently, and not one to one
ORIENTATION = 0x0112


@dataclass
class Picture:
    """A picture as the codecs see it.  Its arrays may share memory with what it was made from.

    Attributes:
        rgb: uint8 ``(H, W, 3)``, contiguous; the three are equal where `grey`.
        grey: the input had no colour channels (a grey picture stored as RGB does not count).
        alpha: uint8 ``(H, W)``, contiguous, or None where the input had no transparency.
        icc, exif, xmp: as in a ``.gnc`` file, or None.
        dpi: dots an inch, across and down, or None where they are not stated.
        notes: sentences on what was converted or left out.
        lossy_conversion: a sentence on what was converted so that it cannot be brought back, or "".
    """

    rgb: Bytes
    grey: bool
    alpha: Bytes | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: Dpi | None = None
    notes: tuple[str, ...] = ()
    lossy_conversion: str = ""


def load(image: object, keep_metadata: bool = True, replace_hidden: bool = True) -> Picture:
    """Reads a picture of any kind.

    Arguments:
        image: a PIL image, a path, a binary file object, or a uint8 array ``(H, W)``,
            ``(H, W, 3)`` or ``(H, W, 4)``.  Of an animation, the first frame (of a PIL image,
            the current one).
        keep_metadata: whether to keep ICC profile, EXIF and XMP.  Where not, EXIF orientation is
            applied to the pixels, or the picture would be shown turned.
        replace_hidden: whether to replace colours that alpha hides by what is cheap to code.

    Raises:
        InputError: it is missing, unreadable, damaged, too large, or not of such a kind.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image, replace_hidden)
    if isinstance(image, Image.Image):
        with reading(file_name(image, "filename")):
            return _from_pillow(image, keep_metadata, replace_hidden)
    if isinstance(image, str | os.PathLike):
        # U+FFFD for what is not text, so that the error can be printed everywhere.
        name = os.fsencode(image).decode("utf-8", "replace")
        with reading(name):
            if os.path.isdir(image):
                raise InputError(f"{name} is a folder; name the files in it.")
            with open_picture(image, name) as opened:
                return _from_pillow(opened, keep_metadata, replace_hidden)
    read = getattr(image, "read", None)
    if callable(read):
        name = file_name(image, "name")
        with reading(name):
            data = read()
            if not isinstance(data, bytes):
                raise InputError(f"{name} is not open in binary mode; open it with 'rb'.")
            with open_picture(io.BytesIO(data), name) as opened:
                return _from_pillow(opened, keep_metadata, replace_hidden)
    hint = "; wrap bytes in io.BytesIO" if isinstance(image, bytes | bytearray | memoryview) else ""
    raise InputError(
        f"A picture must be a PIL image, a path, a binary file object or {WANTED},"
        f" not {type(image).__name__}{hint}."
    )


def to_image(
    rgb: Bytes,
    *,
    grey: bool = False,
    alpha: Bytes | None = None,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: Dpi | None = None,
) -> Image.Image:
    """A fully loaded Pillow image of mode L, LA, RGB or RGBA, with a copy of the pixels.

    Arguments:
        rgb: uint8 ``(H, W, 3)``; where `grey`, ``(H, W)`` too.  Of three unequal channels the
            rounded mean is taken: for three noisy copies of one plane it is the best guess.
        grey: whether the image has no colour.
        alpha: uint8 ``(H, W)`` or None.
        icc, exif, xmp: go to the keys ``icc_profile``, ``exif`` and ``xmp`` of ``.info``, as
            Pillow's own plugins put them.
        dpi: goes to the key ``dpi``, or else what EXIF states.
    """
    channels = (1 if grey else 3) + (alpha is not None)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    height, width = rgb.shape[:2]
    rows, done = max(1, STRIP // width), 0
    if mode == "RGB" and rows >= height:
        image, done = Image.fromarray(np.ascontiguousarray(rgb)), height
    else:
        image = Image.new(mode, (width, height))
    for top in range(done, height, rows):  # in strips, so that no second copy of all is ever held
        planes = rgb[top : top + rows]
        if grey and rgb.ndim == 3:
            planes = ((planes.sum(axis=2, dtype=np.uint16) + 1) // 3).astype(np.uint8)
        if alpha is not None:
            planes = np.dstack([planes, alpha[top : top + rows]])
        image.paste(Image.fromarray(np.ascontiguousarray(planes)), (0, top))
    if icc:
        image.info["icc_profile"] = icc
    if exif:
        image.info["exif"] = exif if exif.startswith(EXIF_PREFIX) else EXIF_PREFIX + exif
    if xmp:
        image.info["xmp"] = xmp
    if dpi := dpi or of_exif(exif):
        image.info["dpi"] = dpi
    return image


# --- arrays and Pillow images to a Picture --------------------------------------------------------


def _from_array(array: NDArray[np.generic], replace_hidden: bool) -> Picture:
    channels = array.shape[2:]
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in ((), (3,), (4,)):
        shape = ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
        raise InputError(
            f"An array of shape ({shape}) and type {array.dtype} is not a picture; give {WANTED}."
        )
    _check(array.shape[1], array.shape[0])
    return _picture(np.asarray(array, np.uint8), None, [], replace_hidden)


def _from_pillow(image: Image.Image, keep_metadata: bool, replace_hidden: bool) -> Picture:
    _check(*image.size)
    notes: list[str] = []
    frames = _frames(image)
    if frames > 1:
        notes.append(f"Only one of {frames} frames was kept.")
    raw, code = raw_mode(image), cicp(image)  # gone once loaded
    image.load()
    _check(*image.size)  # some formats know their size only now
    icc, exif, xmp = metadata(image) if keep_metadata else (None, None, None)
    if not keep_metadata:
        image = _turned(image)
    planes, alpha = to_planes(image, raw, notes)
    if keep_metadata and icc is None:
        icc = png_profile(image, code, planes.ndim == 2, notes)
    picture = _picture(planes, alpha, notes, replace_hidden)
    picture.exif, picture.xmp = exif, xmp
    picture.dpi = stated(image) if keep_metadata else None
    converted = [note for note in notes if "were converted" in note]
    if not converted and image.mode in LOSSY_MODES:
        converted = [f"{image.mode} samples were converted to RGB."]
    picture.lossy_conversion = converted[0] if converted else ""
    if image.mode not in ("CMYK", "LAB"):  # else the profile told of colours that are gone
        picture.icc = icc
    return picture


def _check(width: int, height: int) -> None:
    check_size(width, height)
    check_pixels(width, height)


def _picture(planes: Bytes, alpha: Bytes | None, notes: list[str], replace_hidden: bool) -> Picture:
    """From ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``."""
    grey = planes.ndim == 2
    if grey:
        planes = np.repeat(planes[..., None], 3, axis=2)
    elif planes.shape[2] == 4:
        planes, alpha = planes[..., :3], planes[..., 3]
    rgb = np.ascontiguousarray(planes)
    if alpha is not None:
        alpha = np.ascontiguousarray(alpha)
        if replace_hidden:
            rgb = fill_hidden(rgb, alpha)
    return Picture(rgb, grey, alpha, notes=tuple(notes))


def _frames(image: Image.Image) -> int:
    # A PSD has layers for frames, and what Pillow opens is all of them together.
    if image.format == "PSD":
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except Exception:  # later frames are damaged; the one that is wanted may still be whole
        return 1


def _turned(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF that nobody asked for is no reason to refuse the picture
        return image
    if orientation == 1:
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)
