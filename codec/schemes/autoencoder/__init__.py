"""The default codec: a variable-rate autoencoder with an exact two-pass entropy model."""
