"""Folders of pictures: what `gencodec batch` does, on this machine or on a cluster.

`plan` decides which file becomes which, `operations` are what is done with one picture, `worker`
reads, does it and writes, `manifest` says what was done, and the engines (`local_engine`,
`ray_engine`) run workers side by side. `storage` knows folders and URLs.
"""
