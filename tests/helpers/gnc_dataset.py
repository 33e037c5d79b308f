"""A dataset for torch's loader, in a module of its own so that spawned workers can import it."""

from collections.abc import Sequence

import numpy as np

import gencodec


class GncDataset:
    """Map-style: an index to the pixels ``(H, W, 3)`` of a ``.gnc`` file."""

    def __init__(self, files: Sequence[bytes], codec: gencodec.Codec) -> None:
        self.files, self.codec = files, codec

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.array(self.codec.decode(self.files[index]))
