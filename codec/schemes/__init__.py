"""The learned codecs behind one interface, `base.Scheme`."""
