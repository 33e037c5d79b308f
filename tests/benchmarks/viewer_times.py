"""How long the page of `gencodec viewer` takes for a picture, in a headless Chromium.

python tests/benchmarks/viewer_times.py PAGE FILE.gnc [TIMES]     (PAGE: the folder of the page)
"""

import base64
import functools
import http.server
import json
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.browser import Browser

DROP = """(async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer(), start = performance.now();
  dataTransfer.items.add(new File([bytes], "photo.gnc"));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
  while (document.body.dataset.state === "busy") await new Promise((done) => setTimeout(done, 5));
  const facts = document.getElementById("facts").textContent;
  return `${facts}, shown after ${((performance.now() - start) / 1000).toFixed(2)} s`;
})"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def main(page: str, file: str, times: str = "6") -> None:
    text = json.dumps(base64.b64encode(Path(file).read_bytes()).decode())
    handler = functools.partial(Quiet, directory=page)
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        tempfile.TemporaryDirectory() as profile,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Browser(f"http://127.0.0.1:{server.server_port}/", Path(profile)) as browser:
            for number in range(int(times)):
                print("warm: " if number else "first:", browser.run(f"{DROP}({text})"))
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
