"""From a picture to the bytes of a file: by the codec that is named, or by the one that suits it.

`Encoding.write` makes the file of a codec. `Encoding.choose` decides between codecs, by a look at
the picture (`schemes.graphics.choice`) and, where that is not enough, by writing more than one
file. A photo is looked at and nothing more.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from .. import container, metrics
from ..container import ChunkType, Flag, Header
from ..errors import InputError
from ..image import pixels
from ..image.alpha import fill_hidden
from ..image.open import PathLike
from ..image.resolution import of_exif, pack
from ..progress import attempts
from ..rate_control import Target, limit_of, raised_quality
from ..schemes.base import LOSSLESS, by_name
from ..schemes.graphics.choice import Look, exact_may_be_larger, least_ssimulacra2, look
from ..schemes.graphics.codec import Graphics
from ..schemes.segments import Pixels, Region
from ..session import Runtime

__all__ = ["CompressResult", "Encoding", "metadata_chunks"]

GIVEN_UP = 1.5  # a quick estimate that is so many times over a limit ends the matter
JUDGED = 1024  # pixels a side of the part that SSIMULACRA2 is taken of
LEAST_SIDE = 8  # that it is defined for
BEST = 10_000  # hundredths


@dataclass(frozen=True)
class CompressResult:
    """A compressed picture and what is known about it.

    ``estimate_bits`` is what the model itself reckons for the symbols, without headers;
    ``stable``: the decoded picture, saved again in the same way, gives the same file;
    ``why``: what spoke for the codec, or "" where it was named.
    """

    data: bytes
    width: int
    height: int
    codec: str
    quality: float
    notes: tuple[str, ...]
    estimate_bits: float
    lossless: bool
    stable: bool
    why: str = ""

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * len(self.data) / (self.width * self.height)


@dataclass(frozen=True)
class Encoding:
    """A picture that is to become a file.

    Attributes:
        picture: with the colours that alpha hides as they are to be coded.
        metadata: chunks beside the segments; see `metadata_chunks`.
        quality: 0..100.
        lossless: every pixel is to be kept.
        target: what a quality is searched for, if anything; ``quality`` is not looked at then.
    """

    picture: pixels.Picture
    metadata: list[container.Chunk]
    quality: float
    lossless: bool
    target: Target
    runtime: Runtime

    def write(
        self, codec: str, model: PathLike | None = None, tune: str | None = None, why: str = ""
    ) -> CompressResult:
        """The file of a codec.

        Raises:
            InputError: no quality fits the limit.
            ModelError: as `base.Scheme.open`.
        """
        scheme = by_name(codec)
        opened = scheme.open(model, tune)
        picture = self.picture
        height, width = picture.rgb.shape[:2]
        exact = self.lossless or not scheme.supports_lossy
        lossless = exact and not picture.lossy_conversion
        flags = Flag.GREY * picture.grey | Flag.LOSSLESS * lossless
        flags |= Flag.STABLE * scheme.supports_lossless
        estimates: dict[int, float] = {}

        def write(hundredths: int) -> bytes:
            coded = opened.encode(picture.rgb, LOSSLESS if exact else hundredths, self.runtime)
            estimates[hundredths] = coded.estimate_bits
            header = Header(
                scheme=scheme.wire_id,
                flags=flags,
                quality=hundredths,
                decoder=opened.digest,
                width=width,
                height=height,
            )
            segments = [container.Chunk(ChunkType.SEGMENT, segment) for segment in coded.segments]
            return container.write(header, self.metadata + segments)

        def psnr(hundredths: int) -> float:
            segments = opened.encode(picture.rgb, hundredths, self.runtime).segments
            rgb = opened.decode(segments, (width, height), hundredths, self.runtime)
            return metrics.psnr(picture.rgb, rgb)

        def least() -> int:
            smallest = replace(self, quality=0.0, target=Target()).write("vqvae")
            return len(smallest.data)

        if self.target.given and not exact:
            with attempts() as counted:
                find = counted(write), counted(psnr)
                chosen, data = self.target.find(*find, width * height, scheme.name, least)
        else:
            chosen = BEST if exact else round(self.quality * 100)
            data = write(chosen)
        if (limit := self.limit) is not None and len(data) > limit:
            raise InputError(
                f"The picture needs {len(data):,} bytes in the codec {scheme.name}, which is exact,"
                f" more than the {limit:,} asked for; allow more bytes, or another codec."
            )
        return CompressResult(
            data,
            width,
            height,
            scheme.name,
            chosen / 100,
            picture.notes,
            estimates[chosen],
            lossless,
            scheme.supports_lossless,
            why,
        )

    @property
    def limit(self) -> int | None:
        """Bytes that the whole file may have, or None."""
        height, width = self.picture.rgb.shape[:2]
        return limit_of(self.target.size, self.target.bpp, width * height)

    def choose(self) -> CompressResult:
        """The file of the codec that suits the picture, and of what was asked for.

        A photo becomes `autoencoder`, or `flow` where every pixel is to be kept. For graphics and
        pages, and where the look is unsure, the exact file of `graphics` is made too. It is taken

        * of what is lossless, where it is the smaller of both (for graphics always),
        * where there is a limit, if it fits,
        * otherwise unless it is too much larger (`choice.exact_may_be_larger`).

        A learned file that falls short of `choice.least_ssimulacra2` is not taken: graphics becomes
        the exact file then; of a page the quality is raised, and both are compared again.

        The picture must have been loaded with its hidden colours; they are kept in exact files.
        """
        seen = look(self.picture.rgb, self.picture.alpha)
        if self.lossless:
            return self._exact(seen)
        if self.limit is not None and seen.kind != "photo":
            found = self._graphics(seen, self.limit, "it fits, and is exact")
            if found is not None and len(found.data) <= self.limit:
                return found
        learned = self._filled().write("autoencoder", why=str(seen))
        if seen.kind == "photo" or self.limit is not None:
            return learned
        return self._better(seen, learned)

    def _exact(self, seen: Look) -> CompressResult:
        if seen.kind == "graphics":
            return self.write("graphics", why=str(seen))
        flow = self.write("flow", why=str(seen))
        if seen.kind == "photo":
            return flow
        other = self._graphics(seen, self._size(flow), "smaller than flow")
        if other is not None and len(other.data) < len(flow.data):
            return other
        return replace(flow, why=f"{seen}; smaller than graphics")

    def _better(self, seen: Look, learned: CompressResult) -> CompressResult:
        """The exact file or the learned one, for what is no photo."""
        times = exact_may_be_larger(seen.kind, self.quality)
        exact = self._graphics(seen, times * self._size(learned))
        raised = ""
        if exact is None or self._ratio(exact, learned) > times:
            least = least_ssimulacra2(seen.kind, self.quality)
            if seen.kind == "page" and self.target.given:
                least = -math.inf  # it is known how good the picture is to be
            score = self._score(learned) if math.isfinite(least) else math.inf
            if score < least:
                good = self._raised(least, score) if seen.kind == "page" else None
                if good is None:
                    why = f"{seen}; {learned.codec} would have SSIMULACRA2 {score:.0f}"
                    return replace(exact or self.write("graphics"), why=why)
                learned, raised = good, f" at quality {good.quality:g}, which its text needs"
                exact = exact or self._graphics(seen, times * self._size(learned))
        if exact is None:
            larger = f"far larger than {learned.codec}{raised}"
        else:
            ratio = self._ratio(exact, learned)
            larger = f"{ratio:.2g} times as large as {learned.codec}{raised}"
            if ratio <= times:
                return replace(exact, why=f"{seen}; exact, and {larger}")
        return replace(learned, why=f"{seen}; exact would be {larger}")

    def _graphics(self, seen: Look, limit: float, why: str = "") -> CompressResult | None:
        """The exact file; None where a quick estimate says that it is well over a limit.

        Only what may have photos is estimated first: of graphics the exact file is made fast.
        """
        if seen.kind != "graphics":
            most = GIVEN_UP * limit
            if Graphics.open().quick_size(self.picture.rgb, most, self.runtime) > most:
                return None
        return replace(self, target=Target()).write("graphics", why=f"{seen}; {why}")

    def _filled(self) -> "Encoding":
        """With hidden colours replaced by what is cheap to code, for codecs that are not exact."""
        picture = self.picture
        if picture.alpha is None:
            return self
        rgb = fill_hidden(picture.rgb, picture.alpha)
        return replace(self, picture=replace(picture, rgb=rgb))

    def _size(self, result: CompressResult) -> int:
        """Bytes of a file without what is beside the segments, which is the same in all."""
        return len(result.data) - sum(len(chunk.payload) for chunk in self.metadata)

    def _ratio(self, result: CompressResult, other: CompressResult) -> float:
        return self._size(result) / self._size(other)

    def _score(self, result: CompressResult) -> float:
        """SSIMULACRA2 of a file, of its middle where the picture is large."""
        header, _, segments = container.read(result.data)
        picture, region = self._judged
        if min(region[2:]) < LEAST_SIDE:
            return 0.0  # too small to be judged, and so is its exact file
        scheme = by_name(result.codec).open_decoder(header.decoder)
        size = result.width, result.height
        decoded = scheme.decode(segments, size, header.quality, self.runtime, region)
        return metrics.ssimulacra2(picture, decoded)

    def _raised(self, least: float, score: float) -> CompressResult | None:
        """The learned file of a quality that has that score; None where there is none.

        Arguments:
            score: what the quality that was asked for has. Of others the middle alone is coded.
        """
        picture, (_, _, w, h) = self._judged
        if min(w, h) < LEAST_SIDE:
            return None
        scheme = by_name("autoencoder").open()

        def reached(hundredths: int) -> float:
            segments = scheme.encode(picture, hundredths, self.runtime).segments
            decoded = scheme.decode(segments, (w, h), hundredths, self.runtime)
            return metrics.ssimulacra2(picture, decoded)

        quality = raised_quality(reached, least, round(self.quality * 100), score)
        if quality is None:
            return None
        return replace(self._filled(), quality=quality / 100).write("autoencoder")

    @property
    def _judged(self) -> tuple[Pixels, Region]:
        """The part that is judged, and where it is."""
        rgb = self._filled().picture.rgb
        height, width = rgb.shape[:2]
        w, h = min(width, JUDGED), min(height, JUDGED)
        x, y = (width - w) // 2, (height - h) // 2
        return np.ascontiguousarray(rgb[y : y + h, x : x + w]), (x, y, w, h)


def metadata_chunks(picture: pixels.Picture) -> list[container.Chunk]:
    """ICC profile, EXIF, XMP, resolution and alpha of a picture, where it has them."""
    chunks = []
    for kind, payload in (
        (ChunkType.ICC, picture.icc),
        (ChunkType.EXIF, picture.exif),
        (ChunkType.XMP, picture.xmp),
    ):
        if payload:
            chunks.append(container.Chunk(kind, payload))
    if picture.dpi and picture.dpi != of_exif(picture.exif):
        chunks.append(container.Chunk(container.RESOLUTION, pack(picture.dpi)))
    if picture.alpha is not None:
        chunks.append(container.Chunk(ChunkType.ALPHA, pixels.encode_alpha(picture.alpha)))
    return chunks
