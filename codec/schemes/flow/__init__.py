"""The invertible codec: integer lifting, from low rate to lossless."""
