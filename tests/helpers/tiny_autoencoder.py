"""A tiny network of the default codec, generated pictures to train it on, and a short run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("compressai", reason="compressai is not installed")

from gencodec.training import task
from gencodec.training.autoencoder.network import Autoencoder, AutoencoderConfig

TINY = {
    "net.y": "16",
    "net.z": "8",
    "net.z_priors": "2",
    "net.ea": "48,24,16",
    "net.es": "48,24",
    "net.h4": "16",
    "net.h8": "16",
    "net.h16": "",
    "net.na": "1,1,1",
    "net.mean": "12",
    "net.context": "16",
    "net.index": "8,4,6",
}
SHORT = {"steps": "20", "batch": "2", "crop": "64", "late_crop": "64", "warmup_steps": "5"}


def tiny_model() -> Autoencoder:
    texts = {name[4:]: text for name, text in TINY.items()}
    torch.manual_seed(0)
    return Autoencoder(AutoencoderConfig(**task.parse_network(AutoencoderConfig, texts)))


def write_pictures(folder: Path) -> Path:
    """Four pictures into `folder`: soft colours, edges, grain."""
    random = np.random.default_rng(0)
    for number in range(4):
        small = random.integers(0, 256, (6, 6, 3), np.uint8)
        soft = np.asarray(Image.fromarray(small).resize((128, 128), Image.Resampling.BICUBIC))
        noisy = np.clip(soft + random.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)
        noisy[20:60, 30 + 10 * number : 90] = random.integers(0, 256, 3)
        Image.fromarray(noisy).save(folder / f"{number}.png")
    return folder
