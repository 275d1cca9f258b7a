"""A server of PostgreSQL, with the settings that it comes with; see README.md."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from stage import Process, wait

# Who runs the server where this is run by root, whom it refuses.
USER = "postgres"


def program(name):
    """Where Debian keeps the programs of the newest release that is there; elsewhere they are on the path."""
    found = pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
    return str(newest or name)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Postgres(Process):
    """A server at work, of nobody's but this process."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="bench-postgres-")
        self.port, self.schemas = free_port(), 0
        who = {"cwd": self.folder}
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, USER)
            who |= {"user": USER, "group": USER, "extra_groups": []}
        data = f"{self.folder}/data"
        made = [program("initdb"), "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=owner", "-D", data]
        subprocess.run(made, stdout=subprocess.DEVNULL, check=True, **who)
        where = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder}
        settings = [f"--{name}={value}" for name, value in where.items()]
        with open(f"{self.folder}/log", "w", encoding="utf-8") as log:
            super().__init__([program("postgres"), "-D", data, *settings], dict(os.environ), log, **who)

    def __enter__(self):
        asked = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait("PostgreSQL answers", lambda: subprocess.run(asked, check=False).returncode == 0)
        return self

    def __exit__(self, *error):
        super().__exit__(*error)
        shutil.rmtree(self.folder)

    def store(self):
        """A store in it that is new, as a configuration says it."""
        self.schemas += 1
        url_file = f"{self.folder}/url"
        with open(url_file, "w", encoding="ascii") as file:
            file.write(f"postgres://owner@127.0.0.1:{self.port}/postgres\n")
        return f"{{postgres: {{url_file: '{url_file}', schema: bench_{self.schemas}}}}}"
