"""Pillow images to planes of pixels and back."""
