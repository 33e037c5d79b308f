"""flow in training computes what flow computes at run time: integers for integers."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

import torch

from gencodec.codec import library
from gencodec.codec.entropy import Encoder
from gencodec.codec.schemes.flow import lifting, segment
from gencodec.codec.schemes.flow.contract import LOSSLESS, PASSES, WHOLE_STEP
from gencodec.codec.schemes.flow.networks import FlowModel, FlowTables
from gencodec.codec.schemes.flow.windows import whole_windows
from gencodec.codec.session import Runtime
from gencodec.training import export
from gencodec.training.families import FlowTask
from gencodec.training.flow import lifting as torch_lifting
from gencodec.training.flow.restore import read_settings

(MODEL,) = (Path(__file__).parent / "golden" / "flow-1").glob("*-decoder.onnx")


def as_tensor(x: NDArray[np.int32]) -> torch.Tensor:
    """``h w 3`` to ``1 3 h w``."""
    return torch.from_numpy(x.copy()).permute(2, 0, 1)[None].float()


def as_array(x: torch.Tensor) -> NDArray[np.int32]:
    return x[0].permute(1, 2, 0).numpy().astype(np.int32)


def test_torchs_lifting_equals_numpys() -> None:
    random = np.random.default_rng(0)
    x = random.integers(-600, 600, (64, 37, 3)).astype(np.int32)
    mean, d = lifting.split(x)
    torch_mean, torch_d = torch_lifting.split(as_tensor(x))
    assert np.array_equal(as_array(torch_mean), mean)
    assert np.array_equal(as_array(torch_d), d)
    assert np.array_equal(as_array(torch_lifting.merge(torch_mean, torch_d)), x)
    assert np.array_equal(lifting.merge(mean, d), x)
    ycc = lifting.colours(x)
    torch_ycc = torch_lifting.colours(as_tensor(x))
    assert np.array_equal(as_array(torch_ycc), ycc)
    assert np.array_equal(as_array(torch_lifting.rgb(torch_ycc)), x)
    assert np.array_equal(lifting.rgb(ycc), x)


def test_torchs_intervals_equal_numpys() -> None:
    mean, *ends = np.random.default_rng(1).integers(-300, 300, (5, 40, 30)).astype(np.int32)
    a, b = (ends[0], ends[1]), (ends[2], ends[3])
    planes = [torch.from_numpy(plane).float() for plane in (mean, *ends)]
    torch_a, torch_b = (planes[1], planes[2]), (planes[3], planes[4])
    for wanted, got in (
        (lifting.mean_interval(a, b), torch_lifting.mean_interval(torch_a, torch_b)),
        (
            lifting.detail_interval(mean, a, b),
            torch_lifting.detail_interval(planes[0], torch_a, torch_b),
        ),
    ):
        for one, other in zip(wanted, got, strict=True):
            assert np.array_equal(one, other.numpy())


@pytest.mark.parametrize("quality", [LOSSLESS, 4000])
def test_torchs_symbols_decode_to_torchs_picture(quality: int) -> None:
    """Predictions, table rows and steps are the same, or the decoder would read other symbols."""
    task = FlowTask(export._texts(read_settings(MODEL)), torch.device("cpu"))
    task.load(MODEL)
    task.model.eval()
    _, decoder = library.default_pair("flow", MODEL)
    tables = FlowTables(decoder.file)
    model = FlowModel(decoder, tables, quality, Runtime("cpu", 1))
    ramp = np.add.outer(np.arange(64), np.arange(64))[..., None] * np.array([1, 2, 3]) // 2
    noise = np.random.default_rng(2).integers(-9, 10, ramp.shape)
    picture = np.clip(ramp + noise, 0, 255).astype(np.int32)
    with torch.no_grad():
        found = task.model(as_tensor(picture), torch.tensor([float(model.base_step)]), keep=True)
    wanted = as_array(found["x_hat"])
    assert np.array_equal(wanted, picture) == (quality == LOSSLESS)

    coder = Encoder()
    base = segment.low_resolution(picture, 2 * model.levels)
    for colour, values in enumerate(segment._base_symbols(base).reshape(-1, 3).T):
        rows = np.full(values.size, segment.BASE_ROWS[colour], np.int32)
        coder.put(values, tables.index(rows), tables.frequencies)
    for number, colours in found["symbols"]:
        for colour, (k, rows, fraction, _) in enumerate(colours):
            k, rows, fraction = (part[0].numpy().astype(np.int32) for part in (k, rows, fraction))
            step = tables.steps[model.step_index(number, colour)]
            for i, j in PASSES:
                own, own_rows, own_fraction = (part[i::2, j::2] for part in (k, rows, fraction))
                coded = (own_rows > 0) | (step == WHOLE_STEP)
                assert not own[~coded].any()
                below = own_fraction[coded] < 0
                eighths = np.abs(own_fraction[coded]) * 128 // step
                table = tables.index(own_rows[coded], eighths)
                coder.put(np.where(below, -1, 1) * own[coded], table, tables.frequencies)
    data = bytes(1) + segment._checksum(wanted) + coder.finish()
    windows = whole_windows((64, 64), range(2 * model.levels))
    assert np.array_equal(segment.decode_segment(data, windows, model), wanted)
