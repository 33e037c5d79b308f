"""How much smaller than JPEG, and what is lost: gencodec against other codecs, on any picture.

Every size is that of a whole file which was opened again and measured; metadata is left out of all
of them alike, and so is transparency, which JPEG has none of: pictures are laid on white.  For one
picture there is a row for a few qualities of ours, with the file that each other codec needs to be
at least as good (`search`); for any number of pictures there are rate-distortion curves and
BD-rates, of each picture and of the means over all.

Example:
    >>> import numpy as np
    >>> result = compare(np.zeros((32, 48, 3), np.uint8), against=["jpeg"])
    >>> result.pictures[0].width, [curve.label for curve in result.curves]
    (48, ['gencodec autoencoder', 'gencodec auto', 'JPEG 4:2:0'])
    >>> {choice.codec for choice in result.pictures[0].chosen}
    {'graphics'}
"""

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace

from .. import api
from ..errors import GencodecError, InputError
from ..image.open import ImageSource, PathLike
from .inputs import CompareInput, names
from .our_codecs import Ours
from .quality import QUALITY, SHOWN
from .reference_codecs import REFERENCE_CODECS, ReferenceCodec, available_codecs, versions
from .results import (
    Choice,
    Comparison,
    Curve,
    Match,
    Point,
    Report,
    Row,
    average_rates,
    mean_curves,
    mean_rates,
    measures_of,
    rate,
)
from .search import MEASURES, Coder, Measure, Sample, Trials
from .text import chosen_text

__all__ = ["QUALITIES", "Comparer", "compare"]

QUALITIES = tuple(range(0, 101, 10))  # of our curves
TABLE = (10, 30, 50, 70, 90)  # the qualities of ours that are looked up, for a single picture


def compare(
    images: ImageSource | Sequence[ImageSource],
    codecs: Sequence[str] | None = None,
    against: Sequence[str] = REFERENCE_CODECS,
    qualities: Sequence[float] | None = None,
    *,
    measures: Sequence[Measure] = ("psnr", "ms_ssim"),
    device: str = "auto",
    threads: int | None = None,
    model: PathLike | None = None,
    progress: Callable[[float], None] | None = None,
) -> Comparison:
    """Compares our codecs with others on some pictures.

    Arguments:
        images: one picture or a list of them, each as for `gencodec.compress`.
        codecs: ours, of `gencodec.codec.api.CODECS`, or "auto", what a user gets who names none;
            None for autoencoder and auto, or for the codec of ``model``.
        against: the others, of `REFERENCE_CODECS`; those unavailable here are left out with a note.
        qualities: of ours, for which the others' sizes are searched; None for 10, 30, 50, 70 and
            90 where there is one picture, and none where there are more.
        measures: what is to be equal in that search: "psnr", "ms_ssim", "ssimulacra2" or "bytes".
        device, threads, model: as for `gencodec.compress`.
        progress: called with the share of the work that is done, from 0 to 1.

    Raises:
        InputError: a picture that cannot be read, an unknown codec, a wrong argument.
        ModelError, DeviceError: as `gencodec.compress`.
    """
    given = list(images) if isinstance(images, list | tuple) else [images]
    if not given:
        raise InputError("There is nothing to compare; give at least one picture.")
    if qualities is None:
        qualities = TABLE if len(given) == 1 else ()
    comparer = Comparer(codecs, against, qualities, measures, device, threads, model)
    reports = []
    for index, (image, name) in enumerate(zip(given, names(given), strict=True)):
        picture = CompareInput.load(image, name)
        share = _part(progress, index, len(given)) if progress else None
        reports.append(comparer.measure(picture, share))
    return comparer.summary(reports)


class Comparer:
    """What is compared, and how; takes the pictures one by one.

    Arguments as for `compare`, and:
        codecs: may hold codecs that are set up already, with options of their own.
        keep_files: whether `file` is to have what `measure` wrote and found to match.
        shown: keys of `QUALITY`, what is measured of each file of the curves.
    """

    def __init__(
        self,
        codecs: Sequence[str | Ours] | None = None,
        against: Sequence[str] = REFERENCE_CODECS,
        qualities: Sequence[float] = TABLE,
        measures: Sequence[Measure] = ("psnr", "ms_ssim"),
        device: str = "auto",
        threads: int | None = None,
        model: PathLike | None = None,
        keep_files: bool = False,
        shown: Sequence[str] = SHOWN,
    ) -> None:
        available_codecs(against)  # refuses unknown names
        if codecs is None:
            codecs = (*api.installed(model)[:1], *((api.AUTO,) if model is None else ()))
        given = [each if isinstance(each, str) else each.name for each in codecs]
        for name, known, what in [
            *((name, (api.AUTO, *api.CODECS), "codec") for name in given),
            *((name, MEASURES, "measure") for name in measures),
            *((name, tuple(QUALITY), "measure") for name in shown),
        ]:
            if name not in known:
                raise InputError(f"There is no {what} {name!r}; choose from: {', '.join(known)}.")
        if not codecs:
            raise InputError(f"Name at least one codec of ours: {', '.join(api.CODECS)}.")
        self.against = tuple(dict.fromkeys(against))
        self.qualities = tuple(sorted(set(qualities)))
        self.measures = tuple(measures)
        self.shown = tuple(shown)
        self.workers = threads or os.cpu_count() or 1
        every = tuple(sorted({*QUALITIES, *self.qualities}))
        self.ours = [
            each
            if isinstance(each, Ours)
            else Ours(each, api.quality_steps(each, model) or every, device, threads, model)
            for each in dict.fromkeys(codecs)
        ]
        self._decoders: dict[str, dict[str, None]] = {}  # label -> decoders, in order
        self._files: dict[tuple[str, str, float], bytes] | None = {} if keep_files else None
        self._seen: dict[tuple, Report] = {}

    def measure(
        self, picture: CompareInput, progress: Callable[[float], None] | None = None
    ) -> Report:
        """All that is to be known of one picture."""
        pixels = picture.pixels
        height, width = pixels.shape[:2]
        same = (pixels.shape, hashlib.sha256(pixels.tobytes()).digest())
        if (first := self._seen.get(same)) is not None:
            again = f"The same pixels as {first.name}: they count twice in the means."
            return replace(first, name=picture.name, notes=(*first.notes, again))
        theirs, _ = available_codecs(self.against, grey=pixels.ndim == 2)
        searches = len(self.ours) * len(self.qualities) * len(self.measures)
        steps = sum(len(codec.settings) for codec in self.ours)
        steps += sum(len(reference.quality_grid) + searches for reference in theirs)
        count = _Count(steps, progress)

        curves, rows, notes = [], [], list(picture.notes)
        chosen: tuple[Choice, ...] = ()
        measured: dict[tuple[str, bytes], float] = {}
        for codec in self.ours:
            trials = Trials(codec, pixels, measured)
            curve = self._curve(trials, codec.settings, "ours", count)
            found = [api.info(trials.sample(setting).data) for setting in codec.settings]
            self._decoders.setdefault(codec.label, {}).update(
                (each.decoder, None) for each in found
            )
            if codec.name == api.AUTO:
                asked = zip(codec.settings, found, strict=True)
                chosen = tuple(Choice(each, about.codec, about.quality) for each, about in asked)
                notes.append(chosen_text(chosen))
            # Of a photo, auto makes the files of autoencoder: what these are matched by holds too.
            searched = () if curve.points in [each.points for each in curves] else self.qualities
            count.skip(len(theirs) * len(self.measures) * (len(self.qualities) - len(searched)))
            curves.append(curve)
            for quality in searched:
                sample = trials.sample(quality)
                self._keep(picture, codec, sample)
                rows.append(Row(codec.name, quality, trials.point(quality, self.shown), ()))
        others, refusals = self._all_matches(picture, theirs, [row.point for row in rows], count)
        rows = [
            replace(row, matches=tuple(match for _, matches in others for match in matches[index]))
            for index, row in enumerate(rows)
        ]
        report = Report(
            name=picture.name,
            width=width,
            height=height,
            grey=pixels.ndim == 2,
            notes=(*notes, *refusals),
            curves=(*curves, *(curve for curve, _ in others)),
            rows=tuple(rows),
            rates=tuple(
                rate(mine, other, measure)
                for mine in curves
                for other, _ in others
                for measure in measures_of([mine, other])
            ),
            chosen=chosen,
        )
        return self._seen.setdefault(same, report)

    def summary(self, reports: Sequence[Report]) -> Comparison:
        """The means over the pictures, in the order in which they are given."""
        return Comparison(
            pictures=tuple(reports),
            curves=mean_curves(reports),
            rates=mean_rates(reports),
            averages=average_rates(reports),
            notes=tuple(available_codecs(self.against)[1]),
            versions={label: ", ".join(found) for label, found in self._decoders.items()}
            | versions(self.against),
        )

    def file(self, picture: CompareInput, coder: Coder, setting: float) -> bytes:
        """A picture's file by one codec: the one that was kept, or written once more."""
        kept = (self._files or {}).get((picture.name, coder.label, setting))
        return coder.encode(picture.pixels, setting) if kept is None else kept

    def _all_matches(
        self,
        picture: CompareInput,
        theirs: list[ReferenceCodec],
        ours: list[Point],
        count: "_Count",
    ) -> tuple[list[tuple[Curve, list[list[Match]]]], list[str]]:
        """Of each reference codec its curve and its matches for `ours`; why some have none."""

        def work(reference: ReferenceCodec) -> tuple[Curve, list[list[Match]]]:
            trials = Trials(reference, picture.pixels)
            curve = self._curve(trials, reference.quality_grid, "theirs", count)
            return curve, [self._matches(picture, trials, point, count) for point in ours]

        found, refusals = [], []
        with ThreadPoolExecutor(max(min(self.workers, len(theirs)), 1)) as pool:
            futures = [pool.submit(work, reference) for reference in theirs]
            try:
                for future in futures:
                    try:
                        found.append(future.result())
                    except (
                        GencodecError
                    ) as error:  # a reference codec that cannot hold this picture
                        refusals.append(str(error))
            except BaseException:
                count.stop.set()
                raise
        return found, refusals

    def _curve(
        self, trials: Trials, settings: Sequence[float], kind: str, count: "_Count"
    ) -> Curve:
        points = []
        for setting in settings:
            points.append(trials.point(setting, self.shown))
            count.step()
        return Curve(trials.coder.label, kind, tuple(points))

    def _keep(self, picture: CompareInput, coder: Coder, sample: Sample) -> None:
        if self._files is not None:
            self._files[picture.name, coder.label, sample.setting] = sample.data

    def _matches(
        self, picture: CompareInput, trials: Trials, ours: Point, count: "_Count"
    ) -> list[Match]:
        found = []
        for measure in self.measures:
            target = getattr(ours, measure)
            count.step()
            if target is None:
                continue
            sample = trials.reach(measure, target)
            point = saving = None
            if sample is not None:
                self._keep(picture, trials.coder, sample)
                # Of a file of the same size all is told; else what it was found by.
                shown = self.shown if measure == "bytes" else (measure,)
                point = trials.point(sample.setting, shown)
                if measure != "bytes":
                    saving = 100 * (1 - ours.bytes / point.bytes)
            lowest = sample is not None and sample.setting == trials.coder.settings[0]
            found.append(Match(trials.coder.label, measure, target, point, saving, lowest))
        return found


class _Count:
    """Counts steps of many threads, and ends their work when the main one gives up."""

    def __init__(self, steps: int, progress: Callable[[float], None] | None) -> None:
        self.steps, self.done, self.progress = steps, 0, progress
        self.stop = threading.Event()
        self.lock = threading.Lock()

    def skip(self, steps: int) -> None:
        """Some of the work is not to be done."""
        self.steps -= steps

    def step(self) -> None:
        if self.stop.is_set():
            raise CancelledError
        with self.lock:
            self.done += 1
            if self.progress is not None:
                self.progress(self.done / self.steps)


def _part(progress: Callable[[float], None], index: int, of: int) -> Callable[[float], None]:
    return lambda share: progress((index + share) / of)
