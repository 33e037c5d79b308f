"""A headless Chromium, driven over its debugging pipe. Debian's package is `chromium`."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")

# The browser reads from descriptor 3 and writes to 4, whatever is there before.
AS_3_AND_4 = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(text), fcntl.F_DUPFD, 10) for text in sys.argv[1:3]]
os.dup2(pipes[0], 3)
os.dup2(pipes[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


class Browser:
    """A page in a browser of its own.

    Attributes:
        heard: what the page complained of: errors, warnings and whatever it wrote to the console.
    """

    def __init__(self, url: str, profile: Path, width: int = 1000, height: int = 900) -> None:
        assert PROGRAM is not None
        self.heard: list[str] = []
        self._ids = itertools.count(1)
        from_us, to_browser = os.pipe()
        from_browser, to_us = os.pipe()
        command = [sys.executable, "-c", AS_3_AND_4, str(from_us), str(to_us), PROGRAM, *OPTIONS]
        command += [f"--window-size={width},{height}", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [*command, "--remote-debugging-pipe", "about:blank"],
            pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._out, self._in = os.fdopen(to_browser, "wb"), os.fdopen(from_browser, "rb")
        self._pending = b""
        self._session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)
        self.run(
            "new Promise((done) => document.readyState === 'complete' && location.href !=="
            " 'about:blank' ? done() : addEventListener('load', done))"
        )

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()  # the browser ends with its pipe
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._in.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the DevTools protocol; what else comes meanwhile is listened to."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self._listen(answer)

    def run(self, script: str) -> Any:
        """The value of an expression in the page, or that of the promise that it is."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A mouse event of the protocol: "mousePressed", "mouseMoved", "mouseWheel" ..."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, *points: tuple[float, float]) -> None:
        """Presses the mouse at the first point and lets it go at the last."""
        (first, *rest), last = points, points[-1]
        self.mouse("mouseMoved", *first)
        self.mouse("mousePressed", *first, button="left", buttons=1, clickCount=1)
        for point in rest:
            self.mouse("mouseMoved", *point, button="left", buttons=1)
        self.mouse("mouseReleased", *last, button="left", clickCount=1)

    def key(self, name: str) -> None:
        """Presses a key and lets it go."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            data = os.read(self._in.fileno(), 1 << 16)
            assert data, "the browser ended"
            self._pending += data
        message, _, self._pending = self._pending.partition(b"\0")
        return json.loads(message)

    def _listen(self, event: dict[str, Any]) -> None:
        if event.get("method") in (
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
        ):
            self.heard.append(json.dumps(event["params"])[:500])
