"""Pictures that an export counts its tables on and measures its quality scale with."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..codec.errors import InputError
from .data import Crops, Pixels, load_pictures

__all__ = ["ExportData"]

HELD_OUT = 24  # pictures, where a run recorded none to validate on


@dataclass(frozen=True)
class ExportData:
    """The pictures of a run, read when first asked for.

    Arguments:
        run: the folder of a run, which recorded where its pictures are.
        pictures: a folder to take instead, or None.
        count: how many crops the tables are counted on.
    """

    run: Path
    pictures: Path | None
    count: int

    @cached_property
    def crops(self) -> Crops:
        """To count tables on.

        Raises:
            InputError: nothing was recorded, or there are no pictures.
        """
        return Crops(load_pictures(self._folders[0], 64), seed=5)

    @cached_property
    def held_out(self) -> list[Pixels]:
        """To validate and to measure the quality scale on."""
        validation = self._folders[1]
        if validation is None:
            return self.crops.tiles[:HELD_OUT]
        return load_pictures(validation, 64)

    @cached_property
    def _folders(self) -> tuple[Path, Path | None]:
        if self.pictures is not None:
            return Path(self.pictures), None
        try:
            notes = json.loads((self.run / "run.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.run}/run.json is missing; name the pictures with --data DIR."
            ) from error
        validation = notes["validation"]
        return Path(notes["data"]), Path(validation) if validation else None
