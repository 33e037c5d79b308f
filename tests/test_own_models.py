"""Models of one's own: found by their digest, refused if there is more in them than networks."""

import ast
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import gencodec
from gencodec.codec import library
from gencodec.codec.errors import ModelError
from gencodec.codec.modelfile import ModelFile
from gencodec.codec.modelfile.contents import OPERATORS

GOLDEN = Path(__file__).parent / "golden"
MODELS = [*sorted(library.PRETRAINED.glob("*.onnx")), *sorted(GOLDEN.glob("*/*.onnx"))]
SCHEMES = ("autoencoder", "flow", "vqvae")


# ---- GENCODEC_MODELS -------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_decoders_are_found_by_their_digest(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = GOLDEN / f"{scheme}-1" / "q50.gnc"
    with pytest.raises(ModelError, match="GENCODEC_MODELS"):
        gencodec.decompress(packed)
    assert not gencodec.info(packed).known
    (decoder,) = (GOLDEN / f"{scheme}-1").glob("*-decoder.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"nonsense")
    (tmp_path / "folder.onnx").mkdir()
    shutil.copy(decoder, tmp_path / "mine.onnx")
    monkeypatch.setenv("GENCODEC_MODELS", str(tmp_path))
    image = gencodec.decompress(packed)
    assert image.tobytes() == gencodec.decompress(packed, model=decoder).tobytes()
    assert gencodec.info(packed).decoder_file == "mine.onnx"
    gencodec.verify(packed)


def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENCODEC_MODELS", "nowhere")
    with pytest.raises(ModelError, match="GENCODEC_MODELS is nowhere, which cannot be read"):
        gencodec.decompress(GOLDEN / "flow-1" / "q50.gnc")
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "PNG")
    gencodec.decompress(gencodec.compress(io.BytesIO(stream.getvalue())))  # it is not asked


# ---- what a model file may hold --------------------------------------------------------------


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_ours_hold_nothing_else(path: Path) -> None:
    ModelFile.load(path).check_contents()


def test_the_list_of_operators_has_none_that_reads_or_branches() -> None:
    assert not OPERATORS & {"If", "Loop", "Scan", "RandomNormal", "ImageDecoder", "StringConcat"}


def external(model) -> None:
    weight = model.graph.initializer[0]
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    weight.ClearField("raw_data")
    weight.data_location = 1


def external_in_a_constant(model) -> None:
    node = model.graph.node.add(op_type="Constant", name="predict/c", output=["predict/c"])
    attribute = node.attribute.add(name="value", type=4)
    attribute.t.CopyFrom(model.graph.initializer[0])
    attribute.t.data_location = 1


def metadata(model) -> None:
    model.metadata_props.add(key="run", value="me")


def described(model) -> None:
    text = model.metadata_props[0].value
    model.metadata_props[0].value = text.replace('{"', '{"hook":"x","', 1)


def of_a_node(model) -> None:
    model.graph.node[0].metadata_props.add(key="run", value="me")


def operator(model) -> None:
    model.graph.node[0].op_type = "Loop"


def extension(model) -> None:
    model.graph.node[0].domain = "com.microsoft"


def needs_extension(model) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)


def function(model) -> None:
    model.functions.add(name="f", domain="d")


def sparse(model) -> None:
    model.graph.sparse_initializer.add()


def subgraph(model) -> None:
    model.graph.node[0].attribute.add(name="body", type=5).g.name = "x"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (external, "external data"),
        (external_in_a_constant, "external data"),
        (metadata, "unknown metadata"),
        (described, r"unknown metadata \(hook\)"),
        (of_a_node, "unknown part"),
        (operator, "operator 'Loop'"),
        (extension, "extension"),
        (needs_extension, "extension"),
        (function, "unknown part"),
        (sparse, "unknown part"),
        (subgraph, "unknown part"),
    ],
)
def test_other_contents_are_refused(
    change: Callable[..., None], words: str, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    (path,) = (GOLDEN / "denoiser").glob("*.onnx")
    model = onnx.load(path)
    change(model)
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=rf"x\.onnx cannot be used as a model: .*{words}"):
        gencodec.denoise(Image.new("L", (16, 16)), model=tmp_path / "x.onnx")


# ---- nothing is unpickled --------------------------------------------------------------------


def test_nothing_is_unpickled(root: Path) -> None:
    """No file is; that processes of one batch send each other objects is another matter."""
    banned = {"cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    loads = 0
    sources = [p for layer in ("cli", "codec", "training") for p in root.glob(f"{layer}/**/*.py")]
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not banned & {alias.name.partition(".")[0] for alias in node.names}, path
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert (node.module or "").partition(".")[0] not in banned | {"pickle"}, path
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle":
                assert node.attr == "UnpicklingError", path  # which torch raises
            elif isinstance(node, ast.Call):
                options = {word.arg: ast.unparse(word.value) for word in node.keywords}
                called = ast.unparse(node.func)
                if called == "torch.load":
                    loads += 1
                    assert options.get("weights_only") == "True", path
                if called in ("np.load", "numpy.load"):
                    assert options.get("allow_pickle", "False") == "False", path
    assert loads
