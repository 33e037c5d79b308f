"""The default codec under training: network, task, export, restore."""
