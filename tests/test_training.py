"""Training, from generated pictures to files that the runtime decodes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gencodec.codec import api, library
from gencodec.codec.errors import InputError
from gencodec.codec.schemes.autoencoder.contract import checkerboard
from gencodec.codec.session import Runtime

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from gencodec.training import data, export, families, train
from gencodec.training.autoencoder.bias_correction import correct_bias
from gencodec.training.autoencoder.export import INT8_WEIGHTS
from gencodec.training.autoencoder.int8_blocks import Int8Layer, Int16Conv2d
from gencodec.training.autoencoder.network import level_weights_at
from gencodec.training.autoencoder.restore import INFERENCE_ROLES
from gencodec.training.config import PRESETS, with_overrides
from gencodec.training.layers import IntConv2d
from gencodec.training.onnx_writer import _scales
from helpers.restored_autoencoder import read_model
from helpers.tiny_autoencoder import SHORT, TINY, tiny_model, write_pictures


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train.run("autoencoder", folder, 5, out, overrides={**TINY, **SHORT})
    return out


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder, _ = export.run(trained, tmp_path_factory.mktemp("models"), crops=4)
    return encoder


def test_the_file_is_as_large_as_the_torch_model_reckons(folder: Path, exported: Path) -> None:
    """The rate that training minimises is the rate that files have (tables counted on pictures
    differ a little from the Gaussians of training, by more after only twenty steps)."""
    picture = np.asarray(Image.open(folder / "1.png"))
    model = read_model(exported)
    quality_map = library.default_pair("autoencoder", exported)[1].file.settings["quality_map"]
    (position,) = [p for q, p in quality_map if q == 10000]
    t = torch.tensor([position / (256 * (model.config.gain_levels - 1))])
    with torch.no_grad():
        x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        out = model(x, t)
    estimate = api.compress_detailed(picture, quality=100, model=exported).estimate_bits
    bits = float(out["bits_y"] + out["bits_z"])
    assert 0.6 * bits < estimate < 1.2 * bits


def test_the_mean_error_is_taken_out_of_the_pixels(folder: Path, trained: Path) -> None:
    _, network, tensors, _ = families.load_weights(trained / "weights.safetensors")
    task = families.AutoencoderTask(export._texts(network), torch.device("cpu"))
    task.model.load_state_dict(tensors, strict=False)
    task.model.eval()
    tiles = data.load_pictures(folder, 64)
    before, after = (correct_bias(task.model, data.Crops(tiles, seed=1), 4).abs() for _ in range(2))
    assert before.max() > 0.1 and after.max() < 0.05 * before.max()


def test_the_exported_networks_equal_the_torch_model(exported: Path) -> None:
    """Synthesis through onnxruntime and in torch, from the same latent."""
    model = read_model(exported)
    _, decoder = library.default_pair("autoencoder", exported)
    level_weights = level_weights_at(torch.tensor([0.37]), model.config.gain_levels)
    y = torch.randn(1, model.config.y, 5, 3, generator=torch.Generator().manual_seed(1))
    y = 2 * y / torch.exp(model.g_s.log_gain(level_weights / 256).detach())
    (got,) = decoder.run("synthesis", Runtime("cpu", 1), y=y.numpy(), mix=level_weights.numpy())
    with torch.no_grad():
        want = torch.clamp(torch.floor((model.g_s(y, level_weights) + 0.5) * 255 + 0.5), 0, 255)
    gap = np.abs(got.astype(int) - want.permute(0, 2, 3, 1).numpy().astype(int))
    assert gap.max() <= 2 and gap.mean() < 0.05
    floats = Runtime("cpu", 1, optimise=False)  # what adds in another order
    (in_floats,) = decoder.run("synthesis", floats, y=y.numpy(), mix=level_weights.numpy())
    assert np.abs(got.astype(int) - in_floats).max() <= 1


def test_the_exported_means_equal_the_torch_model(exported: Path) -> None:
    """Those of pass 1 and, from some of its values, of pass 2."""
    model = read_model(exported)
    _, decoder = library.default_pair("autoencoder", exported)
    channels, both = model.config.y, checkerboard(model.config.y, 8, 12)
    level_weights, runtime = (
        level_weights_at(torch.tensor([0.37]), model.config.gain_levels),
        Runtime("cpu", 1),
    )
    random = torch.Generator().manual_seed(1)
    z = torch.round(3 * torch.randn(1, model.config.z, 2, 3, generator=random))
    y = 2 * torch.randn(1, channels, 8, 12, generator=random)
    with torch.no_grad():
        gain = torch.exp(model.g_a.log_gain(level_weights / 256))
        wanted, features = model.h_s(z, level_weights)
        known = model.checkerboard(y) * y * torch.exp(model.g_s.log_gain(level_weights / 256))
        wanted_too = model.c_m(known, features) * gain
    feeds = {"mix": level_weights.numpy(), "even": both.hyper_even, "odd": both.hyper_odd}
    *means, seen = decoder.run("hyper_mean", runtime, z=z.numpy(), **feeds)
    feeds |= {"even": both.even, "odd": both.odd, "place": both.place}
    first = both.anchors(y[0].numpy())
    feeds["y1_even"], feeds["y1_odd"] = both.anchor_groups(first)
    means_too = decoder.run("context_mean", runtime, features=seen, **feeds)
    for number, (got, want) in enumerate(((means, wanted * gain), (means_too, wanted_too))):
        half = (both.anchors, both.non_anchors)[number](want[0].numpy())
        gap = np.concatenate([part.ravel() for part in got]) - half
        # What is halfway between two steps may go either way.
        assert np.square(gap).mean() < 1e-4 * np.square(half).mean()


def test_resume_goes_on_where_the_run_ended(folder: Path, trained: Path, tmp_path: Path) -> None:
    for name in ("checkpoint.pt", "weights.safetensors", "run.json", "log.jsonl"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    train.run("autoencoder", folder, 5, tmp_path, resume=True, overrides={**TINY, **SHORT})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 40
    with pytest.raises(InputError, match="nothing to resume"):
        train.run("autoencoder", folder, 5, tmp_path / "new", resume=True, overrides=TINY)
    with pytest.raises(InputError, match="optimizer=soap"):
        train.run("autoencoder", folder, 5, tmp_path, True, {**TINY, "optimizer": "adam"})
    with pytest.raises(InputError, match="another network"):
        train.run("autoencoder", folder, 5, tmp_path, True, {**TINY, "net.y": "24"})
    (tmp_path / "checkpoint.pt").write_bytes((trained / "checkpoint.pt").read_bytes()[:-5000])
    with pytest.raises(InputError, match="is damaged"):
        train.run("autoencoder", folder, 5, tmp_path, True, TINY)


def test_a_run_that_began_with_weights_resumes_without_them(
    folder: Path, trained: Path, tmp_path: Path
) -> None:
    overrides, start = {**TINY, **SHORT, "steps": "2"}, trained / "weights.safetensors"
    train.run("autoencoder", folder, 5, tmp_path, overrides=overrides, start=start)
    train.run("autoencoder", folder, 5, tmp_path, resume=True, overrides=overrides)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]


def test_a_part_alone_can_be_trained(folder: Path, trained: Path, tmp_path: Path) -> None:
    start = trained / "weights.safetensors"
    overrides = {**TINY, **SHORT, "only": "g_s.", "steps": "6"}
    train.run("autoencoder", folder, 5, tmp_path, overrides=overrides, start=start)
    before = families.load_weights(start)[2]
    after = families.load_weights(tmp_path / "weights.safetensors")[2]
    assert before.keys() == after.keys()
    plain = {name for name in before if not name.endswith(".activation_range")}
    moved = {name for name in plain if not torch.allclose(before[name], after[name], atol=1e-5)}
    assert {name.partition(".")[0] for name in moved} == {"g_s"}
    with pytest.raises(InputError, match="begins with 'g_t"):
        train.run("autoencoder", folder, 5, tmp_path, overrides={**TINY, "only": "g_t."})


def test_tuned_for_eyes(folder: Path, trained: Path, tmp_path: Path) -> None:
    start = trained / "weights.safetensors"
    small = {**TINY, **SHORT, "net.tune": "visual", "batch": "2", "steps": "2"}
    with pytest.raises(InputError, match="crop=256"):
        train.run("autoencoder", folder, 5, tmp_path, overrides=small, start=start)
    large = tmp_path / "large"
    large.mkdir()
    with Image.open(folder / "0.png") as image:
        for number in range(3):
            image.resize((264 + number, 280)).save(large / f"{number}.png")
    settings = {**small, "crop": "256", "late_crop": "256", "validation_tiles": "1"}
    figures = train.run("autoencoder", large, 5, tmp_path, False, settings, large, start)
    assert 0 < figures["ssimulacra2_error100"] < figures["ssimulacra2_error0"]
    network = families.load_weights(tmp_path / "weights.safetensors")[1]
    assert (network["tune"], network["lambda_min"]) == ("visual", 0.003)
    with pytest.raises(InputError, match="choose from: psnr, visual"):
        train.run("autoencoder", large, 5, tmp_path, False, {**small, "net.tune": "vmaf"})


def test_training_starts_from_shipped_models(
    folder: Path, exported: Path, trained: Path, tmp_path: Path
) -> None:
    """All that training needs is in a pair of model files, rounded as it is stored."""
    _, network, tensors, _ = families.load_weights(trained / "weights.safetensors")
    model = read_model(exported)
    assert network["y"] == model.config.y
    plain = tiny_model().eval()
    plain.load_state_dict(tensors, strict=False)
    y, t = torch.randn(2, 16, 8, 8), torch.tensor([0.2, 0.8])
    with torch.no_grad():
        wanted = plain.g_s(y, level_weights_at(t, 8))
        gap = torch.nn.functional.pixel_unshuffle(model.g_s(y, level_weights_at(t, 8)) - wanted, 4)
        x = torch.rand(2, 3, 64, 64) - 0.5
        latent = plain.g_a(x, level_weights_at(t, 8))
        latent_gap = model.g_a(x, level_weights_at(t, 8)) - latent
    gap -= gap.mean((0, 2, 3), keepdim=True)  # the export centres the last layer's outputs
    assert gap.square().mean() < 1e-3 * wanted.square().mean()
    assert latent_gap.square().mean() < 1e-3 * latent.square().mean()
    for name, parameter in model.named_parameters():
        wanted = tensors.get(name)
        if wanted is None or name.partition(".")[0] in {*INFERENCE_ROLES, "g_a"}:
            continue  # those are compared by what they compute
        if name.startswith(("h_i.", "c_i.")):
            layer = model.get_submodule(name.rpartition(".")[0])
            assert isinstance(layer, IntConv2d)
            limit = 127 / 2.0**layer.shift
            wanted = wanted.clamp(-limit, limit) if name.endswith("weight") else wanted
        limit = torch.full_like(wanted, 8e-3)
        if any(part in name for part in INT8_WEIGHTS) and wanted.ndim == 4:  # bytes
            step = math.prod(_scales(wanted.numpy()).values())
            limit = limit.maximum(0.51 * torch.from_numpy(step))
        assert ((parameter - wanted).abs() <= limit + 2e-3 * wanted.abs()).all(), name
    overrides = {**TINY, **SHORT, "steps": "2"}
    train.run("autoencoder", folder, 5, tmp_path, overrides=overrides, start=exported)
    with pytest.raises(InputError, match=r"pass them too: --set net\.y=16$"):
        wider = {**overrides, "net.y": "32"}
        train.run("autoencoder", folder, 5, tmp_path, overrides=wider, start=exported)
    with pytest.raises(InputError, match=r"pass them too: --set net\.h16=$"):
        deeper = {**overrides, "net.h16": "16"}  # a block that the files do not have
        train.run("autoencoder", folder, 5, tmp_path, overrides=deeper, start=exported)


def test_weights_keep_what_the_run_rounded_to(trained: Path) -> None:
    """And a new run begins without it."""
    tensors = families.load_weights(trained / "weights.safetensors")[2]
    activation_ranges = {
        name.removesuffix(".activation_range")
        for name in tensors
        if name.endswith(".activation_range")
    }
    modules = tiny_model().named_modules()
    kinds = Int8Layer | Int16Conv2d
    assert activation_ranges == {name for name, block in modules if isinstance(block, kinds)}
    task = families.AutoencoderTask(
        {name[4:]: text for name, text in TINY.items()}, torch.device("cpu")
    )
    task.load(trained / "weights.safetensors")
    assert all(
        task.model.get_submodule(name).activation_range is not None for name in activation_ranges
    )
    task.calibration_batches = [torch.rand(2, 3, 64, 64)]
    task.prepare()
    assert all(
        task.model.get_submodule(name).activation_range is None for name in activation_ranges
    )


def test_a_run_ends_with_the_numbers_of_an_export(folder: Path) -> None:
    """In bfloat16 weights are wrong in the same way at every step, and others make up for it."""
    model = tiny_model()
    for parameter in model.g_s.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    shown = []
    for trains, precise in ((False, False), (True, False), (True, True)):
        model.train(trains)
        model.float32 = precise
        with torch.no_grad():
            shown.append(model(x, torch.tensor([0.5]))["x_hat"])
    assert torch.equal(shown[0], shown[2])
    assert not torch.equal(shown[0], shown[1])


def test_crops_are_deterministic_and_of_the_size_asked(folder: Path) -> None:
    tiles = data.load_pictures(folder, 64)
    a, b = data.Crops(tiles, 3), data.Crops(tiles, 3)
    for _ in range(20):
        one = a.batch(2, 64)
        assert one.shape == (2, 3, 64, 64)
        assert np.array_equal(one, b.batch(2, 64))


def test_wrong_settings_and_folders_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training setting 'speed'"):
        with_overrides(PRESETS["autoencoder"], {"speed": "9"})
    with pytest.raises(InputError, match="no optimizer 'sgd'"):
        with_overrides(PRESETS["autoencoder"], {"optimizer": "sgd"})
    with pytest.raises(InputError, match="lr=fast"):
        with_overrides(PRESETS["autoencoder"], {"lr": "fast"})
    with pytest.raises(InputError, match="no setting 'depth'"):
        train.run("autoencoder", folder, 1, tmp_path, overrides={"net.depth": "3"})
    with pytest.raises(InputError, match="no family 'gan'"):
        train.run("gan", folder, 1, tmp_path)
    with pytest.raises(InputError, match="no picture"):
        train.run("autoencoder", tmp_path, 1, tmp_path / "out")
    with pytest.raises(InputError, match="not a folder"):
        train.run("autoencoder", tmp_path / "absent", 1, tmp_path / "out")
