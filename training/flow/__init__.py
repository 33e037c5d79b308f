"""The invertible codec under training: network, task, export, evaluation."""
