"""`gencodec batch` from and to S3, which moto plays: what the extra ``s3`` installs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from helpers.batches import GRAPHICS, check_complete, write_pictures

pytest.importorskip("s3fs", reason="s3fs is not installed")
pytest.importorskip("moto.server", reason="moto is not installed")
Run = Callable[..., Result]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of an empty store, which this process and its workers find by themselves."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("NO_PROXY", host)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("bucket")
    yield files
    server.stop()


def test_buckets(run: Run, store: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    names = write_pictures(source, 6)
    store.put(f"{source}/", "bucket/in/", recursive=True)
    command = ("batch", "s3://bucket/in", "s3://bucket/out", *GRAPHICS, "--jobs", "1")
    run(*command)
    store.get("bucket/out/", f"{target}/", recursive=True)
    check_complete(source, target, names)
    # As after a kill: an output and the manifest are not there.
    store.rm(["bucket/out/manifest.jsonl", "bucket/out/000.gnc"])
    run(*command, "--resume")
    store.get("bucket/out/", f"{target}/", recursive=True)
    check_complete(source, target, names)
    store.pipe_file("bucket/out/000.gnc", b"somebody's")
    assert "holds something else" in run(*command, "--resume", code=1).stderr
