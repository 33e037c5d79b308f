"""The vector-quantised codec and its priors under training."""
