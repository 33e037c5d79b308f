"""The plain coder: constriction's bytes, on their own and in files of every codec."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from gencodec.codec.entropy import ans

constriction = pytest.importorskip("constriction")
stack, models = constriction.stream.stack, constriction.stream.model
Model = ans.Categorical | ans.Uniform

GOLDEN = Path(__file__).parent / "golden"

# With and without constriction: what all golden files decode to, and new files of each model.
EVERYTHING = """
import hashlib, json, sys
from pathlib import Path
if sys.argv[2] == "plain":
    sys.modules["constriction"] = None
import numpy as np
from gencodec.codec import api
from gencodec.codec.entropy import backend
assert (backend.AnsCoder.__module__ == "gencodec.codec.entropy.ans") == (sys.argv[2] == "plain")
found, digest = {}, lambda data: hashlib.sha256(data).hexdigest()
y, x = np.mgrid[0:70, 0:90]
picture = np.stack([3 * x + y, 2 * y + x * y // 9, (x - y) ** 2 // 8], -1).astype(np.uint8)
for folder in ("autoencoder-1", "flow-1", "vqvae-1"):
    scheme = folder[:-2]
    (decoder,) = Path(sys.argv[1], folder).glob("*-decoder.onnx")
    encoder = next(Path(sys.argv[1], folder).glob("*-encoder.onnx"), decoder)
    for path in sorted(Path(sys.argv[1], folder).glob("*.gnc")):
        pixels = np.asarray(api.decompress(path.read_bytes(), model=decoder, threads=1))
        found[f"{folder}/{path.stem}"] = digest(pixels.tobytes())
    for quality in (0, 60, 100):
        data = api.compress(picture, scheme, quality, model=encoder, threads=1)
        found[f"{folder} at {quality}"] = digest(data)
print(json.dumps(found))
"""


def symbols_and_models(
    random: np.random.Generator,
) -> list[tuple[np.ndarray, object, Model, np.ndarray | int]]:
    """Some runs of symbols: them, constriction's model, ours, and what decodes them."""
    runs = []
    for _ in range(random.integers(1, 6)):
        size, count = int(random.integers(2, 600)), int(random.integers(1, 200))
        symbols = random.integers(0, size, count).astype(np.int32)
        weights = random.integers(1, 2**16, (count, size)).astype(np.float64)
        kind = random.integers(3)
        if kind == 0:
            runs.append((symbols, models.Uniform(size), ans.Uniform(size), count))
        elif kind == 1:
            theirs = models.Categorical(weights[0], perfect=False)
            runs.append((symbols, theirs, ans.Categorical(weights[0]), count))
        else:
            theirs = models.Categorical(perfect=False)
            runs.append((symbols, theirs, ans.Categorical(), weights))
    return runs


@pytest.mark.parametrize("seed", range(12))
def test_words_and_symbols_are_those_of_constriction(seed: int) -> None:
    random = np.random.default_rng(seed)
    runs = symbols_and_models(random)
    theirs, ours = stack.AnsCoder(), ans.AnsCoder()
    for symbols, their_model, our_model, tables in runs:
        given = (tables,) if isinstance(tables, np.ndarray) else ()
        theirs.encode_reverse(symbols, their_model, *given)
        ours.encode_reverse(symbols, our_model, *given)
    words = theirs.get_compressed()
    assert np.array_equal(ours.get_compressed(), words)
    damaged = words ^ random.integers(0, 2**31, words.size).astype(np.uint32)
    for stream, whole in ((words, True), (damaged, False)):
        theirs, ours = stack.AnsCoder(stream), ans.AnsCoder(stream)
        for symbols, their_model, our_model, tables in reversed(runs):
            found = ours.decode(our_model, tables)
            assert np.array_equal(found, theirs.decode(their_model, tables))
            assert not whole or np.array_equal(found, symbols)
        assert ours.is_empty() == theirs.is_empty() and ours.is_empty() >= whole


def test_a_symbol_outside_its_model_and_an_impossible_stream_are_errors() -> None:
    with pytest.raises(ValueError, match="outside"):
        ans.AnsCoder().encode_reverse(np.array([3]), ans.Uniform(3))
    with pytest.raises(ValueError, match="last word"):
        ans.AnsCoder(np.array([5, 0], np.uint32))


def test_files_of_every_codec_are_the_same_without_constriction(
    fresh_python: Callable[..., CompletedProcess[str]],
) -> None:
    found = {
        coder: json.loads(fresh_python(EVERYTHING, str(GOLDEN), coder).stdout)
        for coder in ("constriction", "plain")
    }
    assert len(found["plain"]) == 3 * 7 + 9
    assert found["plain"] == found["constriction"]
    assert len(set(found["plain"].values())) > 20 and hashlib.sha256().hexdigest() not in found
