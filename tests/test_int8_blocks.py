"""Blocks in integers of 8 bits: what training sees, and what is exported."""

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxscript", reason="exports need onnxscript")

import onnxruntime
from onnx import GraphProto, helper
from torch import Tensor, nn

from gencodec.training.autoencoder.fake_quantization import fake_quantize_weight, weight_scale
from gencodec.training.autoencoder.inference_layout import parameter
from gencodec.training.autoencoder.int8_blocks import (
    Int8Conv2d,
    Int8DepthwiseBlock,
    Int16Conv2d,
    InvertedResidual,
    calibrate,
)
from gencodec.training.autoencoder.int8_export import (
    DepthwiseInference,
    Int8Matrix,
    Int16Matrix,
    InvertedResidualInference,
    pixel_major,
)
from gencodec.training.autoencoder.scale_folding import _rescale
from gencodec.training.onnx_writer import IR_VERSION, OPSET, Role, export_role

Kind = type[InvertedResidual] | type[Int8DepthwiseBlock]
FORMS = {InvertedResidual: InvertedResidualInference, Int8DepthwiseBlock: DepthwiseInference}
each_kind = pytest.mark.parametrize("kind", FORMS)


def block(kind: Kind) -> InvertedResidual | Int8DepthwiseBlock:
    torch.manual_seed(0)
    made = InvertedResidual(12, 32) if kind is InvertedResidual else Int8DepthwiseBlock(12)
    with torch.no_grad():
        made.narrow.weight.mul_(1e3 if kind is InvertedResidual else 3)
    return made.eval()


def uneven(seed: int = 1) -> Tensor:
    """Channels whose sizes go over three orders of magnitude."""
    size = torch.logspace(-2, 1, 12)[:, None, None]
    return torch.randn(2, 12, 16, 16, generator=torch.Generator().manual_seed(seed)) * size


def run(
    graph: GraphProto, feeds: dict[str, NDArray], level: str = "ORT_ENABLE_ALL"
) -> list[NDArray]:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    return [np.asarray(value) for value in session.run(None, feeds)]


def calibrated(kind: Kind) -> InvertedResidual | Int8DepthwiseBlock:
    made, x = block(kind), uneven()
    made.scale_by(x.square().mean((0, 2, 3)).sqrt())
    calibrate(nn.Sequential(made), [(x,), (uneven(2),)])
    return made


@each_kind
@torch.no_grad()
def test_eight_bits_do_for_what_a_block_adds(kind: Kind) -> None:
    x = uneven(3)
    added = block(kind)(x) - x
    gap = calibrated(kind)(x) - x - added
    share = gap.square().mean((0, 2, 3)) / added.square().mean((0, 2, 3))
    assert 1e-6 < float(share.mean()) < 2e-3  # it does round, and by little


@each_kind
def test_rounding_passes_gradients_on(kind: Kind) -> None:
    made = calibrated(kind).train()
    made(uneven()).square().sum().backward()
    for name, weight in made.named_parameters():
        assert weight.grad is not None and float(weight.grad.abs().sum()) > 0, name


@each_kind
@torch.no_grad()
def test_a_checkpoint_keeps_the_activation_range_and_weights_do_not(kind: Kind) -> None:
    made, x = calibrated(kind), uneven()
    again = block(kind)
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(x), made(x))
    plain = made.plain({name: value.detach() for name, value in made.named_parameters()})
    again.load_state_dict(plain)
    assert again.activation_range is None
    assert torch.allclose(again(x), block(kind)(x), rtol=1e-4, atol=1e-4)


@each_kind
@torch.no_grad()
def test_the_exported_form_computes_the_same_and_gives_its_weights_back(kind: Kind) -> None:
    made, x = calibrated(kind), uneven()[:1]
    trunk = made.trunk_ranges()[0].clone()
    want = (made(x) / trunk[:, None, None]).permute(0, 2, 3, 1).numpy()
    axes = {"x": {1: "h", 2: "w"}}
    _rescale(made, trunk)
    rows = (x / trunk[:, None, None]).permute(0, 2, 3, 1).contiguous()
    form = FORMS[kind](made)
    graph = export_role(Role("block", form, {"x": rows}, ("y",), axes))
    step = np.abs(want).max() / 50
    (got,) = run(graph, {"block/x": rows.numpy()})
    # A value halfway between two steps may go either way.
    assert np.abs(got - want).max() < step
    assert np.abs(got - want).mean() < step / 200
    (in_floats,) = run(graph, {"block/x": rows.numpy()}, "ORT_DISABLE_ALL")
    assert np.array_equal(in_floats, got)  # where layers are not turned into integers
    stored = {name: value.detach().numpy() for name, value in form.named_parameters()}
    names = [name for name, _ in made.named_parameters()]
    again = block(kind)
    parts = {
        name: parameter(f"b.{name}", lambda n: stored[n[2:]], lambda n: n[2:] in stored)
        for name in names
    }
    again.load_state_dict({name: torch.from_numpy(part) for name, part in parts.items()})
    assert made.activation_range is not None
    again.activation_range = torch.ones(made.activation_range.numel())
    inside = rows.permute(0, 3, 1, 2)
    assert torch.allclose(again(inside), made(inside), atol=step)


def test_channels_in_front_of_a_shuffle_are_ordered_by_pixel() -> None:
    x = torch.randn(1, 12, 3, 2)
    want = nn.functional.pixel_shuffle(x, 2).permute(0, 2, 3, 1)
    rows = x[:, pixel_major(12, 2)].permute(0, 2, 3, 1)
    got = rows.reshape(3, 2, 2, 6).permute(0, 2, 1, 3).reshape(1, 6, 4, 3)
    assert torch.equal(got, want)


@torch.no_grad()
def test_the_exported_form_of_a_last_layer_splits_channel_groups() -> None:
    """As the layer computes them in training, each half of the outputs at positions of its own."""
    torch.manual_seed(0)
    layer = Int8Conv2d(12, 10).eval()
    x, gain = torch.rand(1, 12, 4, 5) - 0.5, torch.rand(10) + 0.5
    layer.activation_range = torch.ones(12)
    want = (layer(x) * gain[:, None, None]).flatten(2)[0]
    first, last = torch.arange(0, 20, 2), torch.arange(1, 20, 2)
    inputs = {"x": x.permute(0, 2, 3, 1), "first": first, "last": last, "gain": gain}
    form = Int8Matrix(layer, 1)
    form.forward = form.channel_groups  # type: ignore[method-assign]
    graph = export_role(Role("out", form, inputs, ("one", "other"), {}))
    feeds = {f"out/{name}": value.contiguous().numpy() for name, value in inputs.items()}
    one, other = run(graph, feeds)
    assert np.allclose(one, want[:5, first].numpy(), atol=1e-4)
    assert np.allclose(other, want[5:, last].numpy(), atol=1e-4)


@pytest.mark.parametrize("steps", [63, 127])
def test_the_scale_of_rounded_weights_is_the_same(steps: int) -> None:
    weight = torch.randn(2000, 5, 1, 1, generator=torch.Generator().manual_seed(3))
    rounded = fake_quantize_weight(weight, steps)
    assert torch.equal(weight_scale(rounded, steps), weight_scale(weight, steps))
    assert torch.equal(fake_quantize_weight(rounded, steps), rounded)


@torch.no_grad()
def test_two_bytes_do_for_a_layer_between_blocks() -> None:
    """Training has the weight that is exported; integers and floats are equal to the last digit."""
    torch.manual_seed(0)
    layer = Int16Conv2d(24, 16)
    layer.activation_range, layer.output_range = torch.ones(24), torch.ones(16)
    x, offset = 0.5 * torch.randn(1, 24, 6, 5), torch.randn(1, 24, dtype=torch.float64)
    want = layer(x + offset[0, :, None, None].float())
    form = Int16Matrix(layer, 2, 4.0)
    rows = x.permute(0, 2, 3, 1).contiguous()
    graph = export_role(Role("up", form, {"x": rows, "offset": offset}, ("y",), {}))
    feeds = {"up/x": rows.numpy(), "up/offset": offset.numpy()}
    (got,) = run(graph, feeds)
    (in_floats,) = run(graph, feeds, "ORT_DISABLE_ALL")
    assert np.array_equal(got, in_floats)
    order = pixel_major(16, 2)
    error = got - want[:, order].permute(0, 2, 3, 1).numpy()
    assert 0 < np.square(error).mean() < 1e-7 * float(want.square().mean())
    stored = {name: value.detach().numpy() for name, value in form.named_parameters()}
    name = "body.1.0"  # one in front of a shuffle by two
    for kind, value in layer.named_parameters():
        part = parameter(
            f"{name}.{kind}", lambda n: stored[n[len(name) + 1 :]], lambda n: n[9:] in stored
        )
        assert np.allclose(part, value.numpy(), atol=4e-5)
