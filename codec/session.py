"""Runs networks; the only file that imports onnxruntime.

A *runtime* says where and how: device, threads, optimisation. Exact (integer) networks always run
on the CPU, whatever the runtime says: a GPU's kernels are not exact.
"""

import ctypes
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from numbers import Real

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .errors import DeviceError, GencodecWarning, ModelError

__all__ = ["ONNXRUNTIME_VERSION", "Runtime", "Session"]

FORK_WAITS = 60  # seconds at most
DEVICES = ("auto", "cpu", "cuda")
ONNXRUNTIME_VERSION: str = onnxruntime.__version__  # for those who note what was measured with
onnxruntime.set_default_logger_severity(4)  # what matters comes back as an exception


@dataclass(frozen=True)
class Runtime:
    """Where networks run.

    Arguments:
        device: "cpu", "cuda", or "auto": CUDA where an NVIDIA driver is present, else the CPU.
        threads: of the CPU, cut to the cores that this process may use; None means all of them.
        optimise: False turns the graph optimisations off (for tests of exactness).
    """

    device: str = "auto"
    threads: int | None = None
    optimise: bool = True

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise DeviceError(f"There is no device {self.device!r}; known: {', '.join(DEVICES)}.")
        if self.threads is not None:
            object.__setattr__(self, "threads", min(_whole(self.threads), available_cores()))

    @property
    def cores(self) -> int:
        """The number of CPU threads to use."""
        if self.threads is not None:
            return self.threads
        return available_cores()


def available_cores() -> int:
    """The CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _whole(threads: object) -> int:
    """A number of threads as an int: of numpy's numbers too, and of floats that are whole."""
    if isinstance(threads, Real) and not isinstance(threads, bool):
        number = float(threads)
        if number >= 1 and number.is_integer():
            return int(number)
    raise DeviceError(f"threads must be a whole number of at least 1, not {threads!r}.")


@cache
def _share_memory() -> None:
    """Lets all sessions take their memory from one place.

    By default each keeps what it once needed for itself: two gigabytes for flow's 36 networks.
    """
    where = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    settings = onnxruntime.OrtArenaCfg(0, -1, -1, -1)  # as onnxruntime would choose
    onnxruntime.create_and_register_allocator(where, settings)


class Session:
    """One network, ready to run.

    Arguments:
        model: the bytes of an ONNX model.
        runtime: where to run it.
        exact: an integer network: CPU only.
    """

    def __init__(self, model: bytes, runtime: Runtime, exact: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = runtime.cores
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        _share_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.enable_mem_pattern = False  # sizes change from picture to picture
        # Threads that wait for the next layer spin, which is faster than sleeping by a third; once
        # the network is done they stop, for a codec goes on with other work on the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if not runtime.optimise:
            level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
        device = "cpu" if exact else runtime.device
        try:
            with _busy():
                self._session = _open(model, options, device)
        except DeviceError:
            raise
        except Exception as error:
            raise ModelError(f"The network cannot be loaded: {error}") from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        # Names inside a model file begin with the role's; callers use the plain ones.
        self._inputs = {i.name.rpartition("/")[2]: i.name for i in self._session.get_inputs()}

    def run(self, **feeds: NDArray) -> list[NDArray]:
        """The outputs, in order, for inputs given by name."""
        arrays = {self._inputs[k]: np.ascontiguousarray(value) for k, value in feeds.items()}
        with _busy():
            return [np.asarray(value) for value in self._session.run(self._outputs, arrays)]

    def abandon(self) -> None:
        """Leaves a session for good, in a forked child: its threads are not there, and it would
        wait for them for ever when it is run or destroyed."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))


# A fork waits until no thread is inside onnxruntime: the child would inherit its locks as taken,
# and nobody to release them.
_change = threading.Condition()
_inside = 0


@contextmanager
def _busy() -> Iterator[None]:
    global _inside
    with _change:
        _inside += 1
    try:
        yield
    finally:
        with _change:
            _inside -= 1
            _change.notify_all()


def _before_fork() -> None:
    _change.acquire()
    _change.wait_for(lambda: _inside == 0, FORK_WAITS)


def _in_child() -> None:
    global _change, _inside
    _change, _inside = threading.Condition(), 0
    _end_without_destructors()


def _end_without_destructors() -> None:
    """Has a forked child end like those of `multiprocessing`: after Python's own clearing up.

    At its end onnxruntime would wait for a thread that it started when it was imported, and that
    the child does not have (1.31 does, even where no network has run).
    """
    with suppress(AttributeError, OSError):  # a C library without on_exit
        library = ctypes.CDLL(None)
        flush = ctypes.cast(library.fflush, ctypes.c_void_p)
        end = ctypes.cast(getattr(library, "_exit"), ctypes.c_void_p)  # noqa: B009
        # The last one registered runs first.
        library.on_exit(end, None)
        getattr(library, "__cxa_atexit")(flush, None, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _change.release(),
        after_in_child=_in_child,
    )


def _open(
    model: bytes, options: onnxruntime.SessionOptions, device: str
) -> onnxruntime.InferenceSession:
    if device == "cuda" or (device == "auto" and driver_present()):
        opened = _open_cuda(model, options)
        if opened is not None:
            return opened
        what = "The CUDA libraries that onnxruntime needs are not installed"
        remedy = 'install them with: pip install "gencodec[cuda]"'
        if device == "cuda":
            if not driver_present():
                raise DeviceError("No NVIDIA driver was found; use --device cpu, or install one.")
            raise DeviceError(f"{what}; {remedy}.")
        _warn_once(f"{what}, so the CPU is used; {remedy}.")
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


def _open_cuda(
    model: bytes, options: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession | None:
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return None
    if not driver_present():
        return None
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    # TF32 would make pixels differ visibly between devices for a gain that is not needed.
    providers = [("CUDAExecutionProvider", {"use_tf32": "0"}), "CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model, options, providers)
    return session if "CUDAExecutionProvider" in session.get_providers() else None


_driver: bool | None = None
_warned: set[str] = set()


def driver_present() -> bool:
    """Whether an NVIDIA driver's library loads; asked once."""
    global _driver
    if _driver is None:
        name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
        try:
            ctypes.CDLL(name)
            _driver = True
        except OSError:
            _driver = False
    return _driver


def _warn_once(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        warnings.warn(text, GencodecWarning, stacklevel=2)
