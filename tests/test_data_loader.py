"""torch's data loader over ``.gnc`` files: workers that are forked or spawned, and batches."""

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch_data = pytest.importorskip("torch.utils.data")

import gencodec
from gencodec.codec.plugins.webdataset import Decoder
from helpers import pictures
from helpers.gnc_dataset import GncDataset

(TINY,) = (Path(__file__).parent / "golden" / "autoencoder-1").glob("*-decoder.onnx")
METHODS = [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()]
# Python 3.12 warns of any fork beside threads; that the child works all the same is tested here.
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),  # webdataset's
]


def loaded(dataset: Any, method: str, **options: Any) -> list[Any]:
    loader = torch_data.DataLoader(
        dataset, num_workers=2, multiprocessing_context=method, timeout=120, **options
    )
    return list(loader)


@pytest.mark.parametrize("method", METHODS)
def test_workers_decode_what_this_process_does(method: str) -> None:
    codec = gencodec.Codec(quality=60, threads=1, model=TINY)
    files = [codec.encode(np.roll(pictures.drawing(48, 32), shift, 1)) for shift in range(6)]
    wanted = [np.asarray(image) for image in codec.decode_batch(files)]  # sessions are open now
    found = np.concatenate(loaded(GncDataset(files, codec), method, batch_size=2))
    assert np.array_equal(found, wanted)
    # A list of files is a dataset as well, and the object decodes its batches.
    batches = loaded(files, method, batch_size=3, collate_fn=codec.decode_batch)
    assert [len(batch) for batch in batches] == [3, 3]
    for image, pixels in zip((i for batch in batches for i in batch), wanted, strict=True):
        assert np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("method", METHODS)
def test_workers_of_webdataset(method: str, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    drawn = pictures.drawing(40, 32)
    data = gencodec.compress(drawn, "graphics")
    for shard in range(2):
        with webdataset.TarWriter(str(tmp_path / f"{shard}.tar")) as sink:
            sink.write({"__key__": str(shard), "gnc": data})
    urls = [(tmp_path / f"{shard}.tar").as_uri() for shard in range(2)]
    dataset = webdataset.WebDataset(urls, shardshuffle=False)
    dataset = dataset.decode(Decoder("torchrgb8")).to_tuple("__key__", "gnc")
    found = loaded(dataset, method, batch_size=None)
    assert sorted(key for key, _ in found) == ["0", "1"]
    for _, tensor in found:
        assert np.array_equal(tensor.numpy().transpose(1, 2, 0), drawn)
