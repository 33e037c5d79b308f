"""The runtime: pictures to ``.gnc`` bytes and back, without torch.

Import from the package root (``gencodec.compress``); the modules here are the parts: `errors`,
`container` (the bytes), `image` (pictures to planes and back), `metrics`, `entropy`, `session`,
`modelfile`, `library`, `schemes`, `denoiser`, `comparison`, `inspection`, `rate_control`, `api`
(functions and the object `Codec`), `batch` (folders) and `plugins` (other libraries' interfaces).
Nothing is imported on loading this package, and nothing in it imports `cli` or `training`.
"""
