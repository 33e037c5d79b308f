"""Other libraries' interfaces to gencodec, one a file.

None is imported by the rest of the package, and each imports the runtime when a picture is first
written or read, not before.
"""
