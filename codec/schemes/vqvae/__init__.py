"""Vector-quantised codes under PixelCNN priors: tiny files, and sampling."""
