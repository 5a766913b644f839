"""The service as a process of its own, started by its command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading


def tocsin(*arguments, data, **options):
    # A width of its own: workers of tests that run side by side have that of the terminal they were started from.
    environment = {**os.environ, "COLUMNS": "160", "TOCSIN_DATA": str(data), **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *map(str, arguments)],
        env=environment, capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


class Serve:
    """A service that runs; `told` are the lines that it prints."""

    def __init__(self, data, *arguments, env=None, program=("tocsin",)):
        environment = {**os.environ, "TOCSIN_DATA": str(data), **(env or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-m", *map(str, program), "serve", "--port", "0", *map(str, arguments)],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.told: list[str] = []
        self.url = ""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told.append(line)
            if "listens on" in line:
                found = re.search(r"listens on (https?://[^\s,]+)", line)
                self.url = found[1] if found else ""
                break
        errors = self.process.stderr
        self._reader = threading.Thread(target=lambda: self.told.extend(errors), daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        self._reader.join()

    def stop(self):
        """Stop it; `told` is whole then."""
        self.__exit__()

    @property
    def text(self):
        return "".join(self.told)


def key(data, *scopes):
    options = [part for scope in scopes for part in ("--scope", scope)]
    return tocsin("keys", "add", "tests", *options, data=data).stdout.split("encoded: ")[1].strip()
