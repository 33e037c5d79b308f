"""webdataset decodes the ``.gnc`` files of its samples: ``dataset.decode(Decoder("rgb8"))``.

To write such samples give `webdataset.TarWriter` the bytes of `gencodec.Codec.encode` under a key
that ends in ``gnc``.

Example:
    >>> from PIL import Image
    >>> from gencodec import compress
    >>> data = compress(Image.new("RGB", (64, 48), "teal"))
    >>> Decoder("rgb8")(".gnc", data).shape
    (48, 64, 3)
    >>> Decoder("pil")(".json", b"{}") is None
    True
"""

from webdataset.autodecode import ImageHandler

from .pillow import threads as pillow_threads

__all__ = ["Decoder"]


class Decoder(ImageHandler):
    """A handler of webdataset for ``.gnc`` alone; it leaves other files to other handlers.

    It can be pickled, for workers of a data loader.

    Arguments:
        imagespec: what becomes of a picture, in webdataset's words: "pil", "rgb8" (a uint8 array
            ``(H, W, 3)``), "rgb" (float32 in 0..1), "torchrgb8" (a tensor ``(3, H, W)``), and more.
        threads: of the CPU for a picture; None for all cores.

    Raises:
        ValueError: webdataset knows no such ``imagespec``.
    """

    def __init__(self, imagespec: str = "pil", threads: int | None = 1) -> None:
        super().__init__(imagespec, ["gnc"])
        self.threads = threads

    def __call__(self, key: str, data: bytes):  # returns what webdataset's own handler does
        """The picture of a file; None where the key, such as ".left.gnc", does not end in gnc."""
        before = pillow_threads.set(self.threads)
        try:
            return super().__call__(key, data)
        finally:
            pillow_threads.reset(before)
