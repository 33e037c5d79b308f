"""The denoiser under training: network, task, export, evaluation."""
