"""The default codec's torch network out of its exported files."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from gencodec.codec.library import default_pair
from gencodec.training.autoencoder.int8_blocks import (
    Int8Conv2d,
    Int8DepthwiseBlock,
    InvertedResidual,
)
from gencodec.training.autoencoder.network import Autoencoder, AutoencoderConfig
from gencodec.training.autoencoder.restore import INFERENCE_ROLES, read_settings, read_tensors

__all__ = ["read_model"]


def read_model(path: Path) -> Autoencoder:
    """The network of a pair of model files; it computes what the files do, in 8 bits too."""
    encoder, decoder = default_pair("autoencoder", path)
    network, stored_names = read_settings(encoder.file), decoder.file.weights
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in network.items()}
    model = Autoencoder(AutoencoderConfig(**values))
    model.load_state_dict(read_tensors(path, model), strict=False)
    for name, block in model.named_modules():
        part, _, rest = name.partition(".")
        if isinstance(block, InvertedResidual):  # stored in units of its activation ranges
            block.activation_range = torch.ones(
                block.widen.in_channels + 2 * block.depthwise.in_channels
            )
        elif isinstance(block, Int8DepthwiseBlock):
            if f"analysis/{name}.pre.integers" in encoder.file.weights:
                count = 4 * block.pre.in_channels + block.widen.out_channels
                block.activation_range = torch.ones(count)
        elif (
            isinstance(block, Int8Conv2d)
            and f"{INFERENCE_ROLES[part]}/{rest}.integers" in stored_names
        ):
            block.activation_range = torch.ones(block.in_channels)
    return model.eval()
