"""The plugin for webdataset: samples with ``.gnc`` files, in one process and in workers."""

import gc
import io
import pickle
import tarfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from webdataset import autodecode
from webdataset.compat import WebDataset
from webdataset.writer import TarWriter

import gencodec
from gencodec.codec.plugins.webdataset import Decoder
from helpers import pictures

COUNT = 5
# webdataset leaves archives to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def picture(number: int) -> NDArray[np.uint8]:
    return np.roll(pictures.drawing(40, 32), number, 0)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tar archive of some samples, written by webdataset."""
    path = tmp_path_factory.mktemp("shard") / "shard-000.tar"
    codec = gencodec.Codec("graphics")
    with TarWriter(str(path)) as sink:
        for number in range(COUNT):
            files = {"gnc": codec.encode(picture(number)), "json": {"number": number}}
            grey = {"left.gnc": codec.encode(picture(number)[..., 0]), "bin": b"\x89GNC"}
            sink.write({"__key__": f"{number:04}", **files, **grey})
    with tarfile.open(path) as archive:
        assert len(archive.getnames()) == 4 * COUNT
    return path.as_uri()


def samples(shard: str, handler: Decoder) -> list[dict]:
    dataset: Any = WebDataset(shard, shardshuffle=False).decode(handler)
    found = list(dataset)
    gc.collect()
    return found


def test_samples_are_decoded_and_other_files_left_alone(shard: str) -> None:
    found = samples(shard, Decoder("rgb8"))
    assert len(found) == COUNT
    for number, sample in enumerate(found):
        assert np.array_equal(sample["gnc"], picture(number))
        assert np.array_equal(sample["left.gnc"][..., 2], picture(number)[..., 0])
        assert sample["json"] == {"number": number}
        assert sample["bin"] == b"\x89GNC"


def test_kinds_of_pictures(shard: str) -> None:
    wanted = picture(0)
    for kind, sample in ((kind, samples(shard, Decoder(kind))[0]["gnc"]) for kind in KINDS):
        if isinstance(sample, Image.Image):
            sample = np.asarray(sample)
        dtype, shape = KINDS[kind]
        assert (str(sample.dtype), sample.shape) == (dtype, shape)
        if shape[-1] == 3 and dtype == "uint8":
            assert np.array_equal(sample, wanted)
    assert np.allclose(samples(shard, Decoder("rgb"))[0]["gnc"], wanted / 255, atol=1e-6)
    with pytest.raises(ValueError, match="Unknown imagespec"):
        Decoder("nothing")


KINDS = {
    "pil": ("uint8", (32, 40, 3)),
    "rgb8": ("uint8", (32, 40, 3)),
    "rgb": ("float32", (32, 40, 3)),
    "rgba8": ("uint8", (32, 40, 4)),
    "l8": ("uint8", (32, 40)),
    "torchrgb8": ("torch.uint8", (3, 32, 40)),
}


def test_it_can_be_pickled_and_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from gencodec.codec import api

    seen, decompress = [], api.decompress

    def watched(data: bytes, threads: int | None) -> Image.Image:
        seen.append(threads)
        return decompress(data, threads=threads)

    monkeypatch.setattr(api, "decompress", watched)
    data = gencodec.compress(picture(0), "graphics")
    for threads in (1, 2, None):
        pickle.loads(pickle.dumps(Decoder("pil", threads)))(".GNC", data)
    Image.open(io.BytesIO(data)).load()  # what it set is set back
    assert seen == [1, 2, None, None]


def test_a_damaged_file_is_an_error_of_the_sample() -> None:
    damaged = {"__key__": "0", "gnc": gencodec.compress(picture(0), "graphics")[:-1]}
    decoder = autodecode.Decoder([Decoder("pil")])
    with pytest.raises(autodecode.DecodingError) as found:
        decoder(damaged)
    assert isinstance(found.value.__cause__, OSError)
