"""Takes one picture from its folder to the other, whatever happens, and says what became of it."""

import dataclasses
import json
import time
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import OutputError, sentence
from .manifest import Record
from .operations import OPERATIONS, Operation, Result, settings_of
from .plan import Task
from .storage import Folder, open_folder

__all__ = ["Worker"]


@dataclass(frozen=True)
class Worker:
    """What each process of a batch runs; it is sent to them, and opens what it needs there.

    Attributes:
        operation: what is done.
        inputs, outputs: paths or URLs of the folders.
        force: replace outputs that are there.
        resume: an output that is there may be that of a run that was killed before it wrote its
            line: it stays, and is done, if it holds what would be written.
        preserve_times: outputs get the times of their inputs, where both folders are local.
    """

    operation: Operation
    inputs: str
    outputs: str
    force: bool = False
    resume: bool = False
    preserve_times: bool = True

    @cached_property
    def _source(self) -> Folder:
        return open_folder(self.inputs)

    @cached_property
    def _target(self) -> Folder:
        return open_folder(self.outputs)

    @cached_property
    def _settings(self) -> str:
        return settings_of(self.operation)

    def __getstate__(self) -> dict[str, object]:
        fields = self.__dataclass_fields__
        return {name: value for name, value in self.__dict__.items() if name in fields}

    def to_json(self) -> str:
        """A text that `from_json` reads in another process."""
        fields = self.__getstate__() | {
            "operation": dataclasses.asdict(self.operation),
            "kind": type(self.operation).__name__,
            "module": type(self).__module__,
            "name": type(self).__qualname__,
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> "Worker":
        """The worker that `to_json` wrote."""
        fields = json.loads(text)
        del fields["module"], fields["name"]
        options = fields.pop("operation")
        if options.get("region") is not None:
            options["region"] = tuple(options["region"])
        operation = OPERATIONS[fields.pop("kind")](**options)
        return cls(operation, **fields)

    def failed(self, task: Task, error: str, seconds: float = 0.0) -> Record:
        """The record of a task that came to nothing."""
        return Record(
            task.input, task.output, seconds=seconds, error=error, settings=self._settings
        )

    def __call__(self, task: Task) -> Record:
        """Does a task; an error becomes a part of the record."""
        if task.problem:
            return self.failed(task, task.problem)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = self._made(task)
        except Exception as error:  # whatever one picture does, the others go on
            text = sentence(error, task.input) or f"{task.input}: {type(error).__name__}: {error}"
            return self.failed(task, text, round(time.perf_counter() - start, 3))
        notes = [*result.notes, *result.format_notes, *(str(each.message) for each in caught)]
        return Record(
            task.input,
            task.output,
            len(result.data),
            round(result.bpp, 4),
            round(time.perf_counter() - start, 3),
            notes=tuple(dict.fromkeys(notes)),
            settings=self._settings,
        )

    def _made(self, task: Task) -> Result:
        size = self._target.size(task.output)
        if size is not None and not (self.force or self.resume):
            raise self._exists(task)
        source = self._source.source(task.input)
        result = self.operation(source, task.output)
        # Nobody's data is in an empty file: a machine that lost its power may leave one.
        force = self.force or size == 0
        like = source if self.preserve_times and isinstance(source, Path) else None
        try:
            self._target.write(task.output, result.data, force, like)
        except FileExistsError:
            if not (self.resume and self._target.read(task.output) == result.data):
                raise self._exists(task) from None
        return result

    def _exists(self, task: Task) -> OutputError:
        also = ", and holds something else" if self.resume else ""
        return OutputError(f"{task.output} exists already{also}; overwrite it with -f.")
