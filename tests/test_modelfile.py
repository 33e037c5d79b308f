"""Model files: roles are ONNX models of their own, and nothing in a file is trusted."""

import json
from pathlib import Path

import numpy as np
import pytest

from gencodec.codec import library
from gencodec.codec.errors import ModelError
from gencodec.codec.modelfile import MAX_EXACT_INT, RENAMED, ModelFile, exact_bound
from gencodec.codec.session import Runtime, Session

GOLDEN = Path(__file__).parent / "golden" / "autoencoder-1"


def golden(part: str) -> Path:
    (path,) = GOLDEN.glob(f"*-{part}.onnx")
    return path


def shipped_files() -> list[Path]:
    return sorted(library.PRETRAINED.glob("*.onnx"))


@pytest.mark.parametrize("path", [golden("encoder"), golden("decoder"), *shipped_files()], ids=str)
def test_every_role_is_a_model_that_loads(path: Path) -> None:
    file = ModelFile.load(path)
    for role in file.about["roles"]:
        Session(file.role(role), Runtime("cpu", 1))


@pytest.mark.parametrize("path", [golden("encoder"), golden("decoder"), *shipped_files()], ids=str)
def test_roles_and_the_whole_pass_the_onnx_checker(path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    whole = onnx.load(path)
    onnx.checker.check_model(whole, full_check=True)
    assert whole.ir_version <= 10
    assert [(o.domain, o.version) for o in whole.opset_import] == [("", 18)]
    file = ModelFile.load(path)
    for role in file.about["roles"]:
        onnx.checker.check_model(onnx.load_from_string(file.role(role)))


@pytest.mark.parametrize("path", [golden("decoder"), *shipped_files()], ids=str)
def test_the_proven_bounds_are_stored_and_below_the_limit(path: Path) -> None:
    file = ModelFile.load(path)
    if file.part != "decoder":
        assert "exact" not in file.about
        return
    exact = file.about.get("exact", {})
    if file.scheme == "autoencoder":
        assert set(exact) == {"hyper_index", "context_index"}
    for layers in exact.values():
        assert len(layers) >= 3
        assert all(0 < layer["bound"] < MAX_EXACT_INT for layer in layers)


def test_the_bound_is_what_the_worst_input_reaches() -> None:
    weight = np.array([[[[3]], [[-2]]]])
    bias = np.array([[7], [-9]])
    assert exact_bound(weight, bias, input_max=100, shift=3) == max(
        500 + 9 + 4,
        9 * 256 + 128,  # mixing the bias rows
    )


def test_a_stored_bound_that_does_not_hold_is_refused() -> None:
    data = golden("decoder").read_bytes()
    about = ModelFile(data, "x").about
    bound = about["exact"]["context_index"][0]["bound"]
    changed = data.replace(f'"bound":{bound}'.encode(), f'"bound":{bound - 1}'.encode(), 1)
    assert changed != data
    with pytest.raises(ModelError, match="bound"):
        ModelFile(changed, "x.onnx")


def test_a_changed_integer_weight_is_refused() -> None:
    """The bound is worked out again from the weights, so it notices."""
    file = ModelFile.load(golden("decoder"))
    layer = file.about["exact"]["hyper_index"][0]
    values = file.weight(layer["weight"])
    bias = file.weight(layer["bias"]).astype(int)
    # The channel of the largest sum: nudge one of its weights away from zero.
    sums = np.abs(values.astype(int)).sum((1, 2, 3)) * layer["input_max"]
    channel = int((sums + np.abs(bias).max(0)).argmax())
    changed = values.copy()
    changed[channel, 0, 0, 0] += 1 if values[channel, 0, 0, 0] >= 0 else -1
    with pytest.raises(ModelError, match="bound"):
        ModelFile(file.data.replace(values.tobytes(), changed.tobytes()), "x.onnx")


def test_truncated_and_random_files_are_refused() -> None:
    data = golden("decoder").read_bytes()
    random = np.random.default_rng(0)
    lengths = [0, 1, 2, 10, 100, len(data) // 2, len(data) - 1]
    for length in [*lengths, *random.integers(0, len(data), 40).tolist()]:
        with pytest.raises(ModelError):
            ModelFile(data[:length], "x.onnx")
    for size in (1, 50, 5000):
        with pytest.raises(ModelError):
            ModelFile(random.bytes(size), "x.onnx")


def test_another_programs_onnx_file_is_refused() -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, [1])], [value("y", 1, [1])])
    with pytest.raises(ModelError, match=r"x\.onnx.*no description"):
        ModelFile(onnx.helper.make_model(graph).SerializeToString(), "x.onnx")


def test_old_names_are_read_as_the_new_ones() -> None:
    """Whatever a file calls them; the bytes, and so the digest, stay as they are."""
    path = library.PRETRAINED / library.shipped()["autoencoder"]["encoder"]
    encoder, decoder = library.default_pair("autoencoder", path)
    assert (encoder.file.part, decoder.file.part) == ("encoder", "decoder")
    assert decoder.file.table("prior_index_freq").shape == (8, 8)
    for file in (encoder.file, decoder.file):
        names = {*file.about, *file.settings, *file.settings.get("network", {})}
        assert not names & set(RENAMED)
    assert decoder.file.settings["gain_levels"] == encoder.file.settings["network"]["gain_levels"]
    assert not set(RENAMED) & set(RENAMED.values())


def test_missing_roles_and_tables_are_named() -> None:
    file = ModelFile.load(golden("decoder"))
    with pytest.raises(ModelError, match="no network 'nonsense'"):
        file.role("nonsense")
    with pytest.raises(ModelError, match="lacks the table"):
        file.table("nonsense")


def test_the_table_of_shipped_models_is_true() -> None:
    """Each decoder stands under its own digest; each encoder names the default decoder."""
    table = json.loads((library.PRETRAINED / "models.json").read_text("utf-8"))
    single = table.pop("denoiser")["file"]
    assert ModelFile.load(library.PRETRAINED / single).scheme == "denoiser"
    assert (library.PRETRAINED / single).stat().st_size <= 4e6
    for scheme, entry in table.items():
        for digest, about in entry["decoders"].items():
            file = ModelFile.load(library.PRETRAINED / about["file"])
            assert file.digest.hex() == digest
            assert file.scheme == scheme
        for pair in (entry, *entry.get("tuned", {}).values()):  # what one file takes
            files = [entry["decoders"][pair["default"]]["file"]]
            if "encoder" in pair:
                encoder = ModelFile.load(library.PRETRAINED / pair["encoder"])
                assert encoder.settings["decoder"] == pair["default"]
                files.append(pair["encoder"])
            assert sum((library.PRETRAINED / name).stat().st_size for name in files) <= 10e6
