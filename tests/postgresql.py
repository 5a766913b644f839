"""A real PostgreSQL for tests: a cluster of its own in a temporary folder, reached through a socket."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Return where PostgreSQL's programs are, the newest version's; None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3].split(".")[0]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).parent if there else None


class Cluster:
    """A cluster that can be stopped and started; it does not run as root."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.user = "postgres" if getpass.getuser() == "root" else getpass.getuser()
        if self.user == "postgres":
            entry = pwd.getpwnam("postgres")
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        self._run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "tester", "--no-sync")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if getpass.getuser() == "root":
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        log = f"{self.folder}/log"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "immediate", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://tester@/{database}?host={self.folder}"

    def create(self, database: str) -> str:
        self._run("createdb", "-h", str(self.folder), "-U", "tester", database)
        return self.url(database)

    def copy(self, database: str, name: str) -> str:
        """Make a database that holds what another one does, whose connections are ended first."""
        ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        self._run("psql", "-h", str(self.folder), "-U", "tester", "-c", ending, "postgres")
        self._run("createdb", "-h", str(self.folder), "-U", "tester", "-T", database, name)
        return self.url(name)

    def drop(self, database: str) -> None:
        self._run("dropdb", "-h", str(self.folder), "-U", "tester", "--force", database)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster."""
    programs = binaries()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="tocsin-pg-", dir="/tmp") as name:
        started = Cluster(Path(name), programs)
        try:
            yield started
        finally:
            started.stop()
