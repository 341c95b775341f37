"""A PostgreSQL server on loopback, for the tests and scripts that need one.

Needs ``initdb`` and ``pg_ctl`` in the PATH or where Debian puts them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs."""
    path = shutil.which(name) or next(
        iter(sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))), None
    )
    assert path, f"{name} is not installed: apt-get install postgresql"
    return path


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server with an empty database and yield its URL; it is stopped and removed at the end."""
    folder = Path("/tmp") / f"character-pg-{os.getpid()}"  # noqa: S108 - the server's user must reach it
    folder.mkdir(mode=0o755)
    as_server: dict[str, int] = {}
    if os.getuid() == 0:  # the server refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_server = {"user": user.pw_uid, "group": user.pw_gid}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = str(folder / "data")
    quiet: dict[str, Any] = {"check": True, "capture_output": True, "cwd": folder, **as_server}
    subprocess.run([program("initdb"), "-D", data, "-U", "character", "-A", "trust"], **quiet)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    log = str(folder / "log")
    subprocess.run([program("pg_ctl"), "-D", data, "-o", options, "-l", log, "-w", "start"], **quiet)
    try:
        yield f"postgresql://character@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([program("pg_ctl"), "-D", data, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder)
