"""The processes that are measured, and the simulated AWS that they call; see README.md.

The environment says where the programs are: REGWATCH, BENCH.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

REGWATCH = os.environ["REGWATCH"]
BENCH = os.environ["BENCH"]
EXPORTER = pathlib.Path(__file__).with_name("exporter.py")

HUB = 100_000_000_000
# Of each account as README.md at the top shows it: FleetWise in two regions, and GovCloud through the hub.
REGIONS = ("us-east-1", "eu-central-1")
KEY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

# No wait is longer, whatever the machine does meanwhile.
PATIENCE = 600


def wait(what, is_so, pause=0.1):
    until = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > until:
            sys.exit(f"never came true: {what}")
        time.sleep(pause)


class Process:
    """A process that is measured from outside, and ends with the block that it is used in."""

    def __init__(self, command, environment, log, **more):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        self.child = subprocess.Popen(command, text=True, env=environment, **pipes, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def tell(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def hear(self):
        return self.child.stdout.readline().strip()

    def ask(self, line):
        self.tell(line)
        return self.hear()

    def cpu(self):
        """Seconds of CPU so far, all threads, user and system: its clock as clock_getcpuclockid(3) names it."""
        return time.clock_gettime((~self.child.pid << 3) | 2)

    def resident(self):
        """Resident memory in bytes, the program's own pages included."""
        with open(f"/proc/{self.child.pid}/smaps_rollup", encoding="ascii") as rollup:
            return int(re.search(r"^Rss: +(\d+) kB", rollup.read(), re.M)[1]) * 1024


class Simulator(Process):
    def __init__(self, accounts, log):
        super().__init__([BENCH, "simulator", str(accounts)], dict(os.environ), log)
        self.url = self.hear()

    def now(self):
        """Seconds since its start."""
        return float(self.ask("now"))

    def count(self, since):
        """How many polls came since then."""
        return int(self.ask(f"count {since}"))

    def asked(self, since):
        """When the polls since then came, for which target, and of whom."""
        line, asked = self.ask(f"calls {since}"), []
        while line:
            at, target, who = line.split()
            asked.append((float(at), target, who))
            line = self.hear()
        return asked

    def calls(self, since, until=float("inf")):
        """When the polls since then came, and for which target."""
        return [(at, target) for at, target, _ in self.asked(since) if at < until]

    def until_all_are_seen(self, targets, since):
        wait("as many polls as targets", lambda: self.count(since) >= targets)
        wait("each target is asked", lambda: len({target for _, target in self.calls(since)}) >= targets, 0.5)


class Stage:
    """A simulated AWS with accounts that make about so many targets, and who calls it."""

    def __init__(self, targets, interval, start_window=1.0, regions=REGIONS, govcloud=True):
        self.regions, self.govcloud = regions, govcloud
        each = len(regions) + govcloud
        self.accounts = max(1, round(targets / each))
        self.targets = self.accounts * each
        self.interval, self.start_window = interval, start_window
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.log = self.stack.enter_context(open(self.folder / "log", "w", encoding="utf-8"))
        self.simulator = self.stack.enter_context(Simulator(self.accounts, self.log))
        self.environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.simulator.url,
            "AWS_REGION": REGIONS[0],
            "AWS_DEFAULT_REGION": REGIONS[0],
            **KEY,
        }
        self.ids = [str(HUB + number) for number in range(1, self.accounts + 1)]
        targets = (f"{id} {region}\n" for id in self.ids for region in (*self.regions, *[""] * self.govcloud))
        (self.folder / "targets").write_text("".join(targets))
        self.starts = 0
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def config(self, store="", more=""):
        """With a new file as the store each time, so that no start knows anything, or with the store that is meant."""
        self.starts += 1
        store = store or f"{{path: '{self.folder}/store-{self.starts}.db'}}"
        path = self.folder / f"config-{self.starts}.yaml"
        interval = f"{round(self.interval * 1000)}ms"
        timeout = f"{round(min(10, 0.9 * self.interval) * 1000)}ms"
        with open(path, "w", encoding="ascii") as file:
            file.write(
                f"polling: {{interval: {interval}, pending_interval: {interval}, failed_interval: {interval}, "
                f"timeout: {timeout}, stale_after: 1h, start_window: {round(self.start_window * 1000)}ms}}\n"
                "limits: {fleetwise_requests_per_second: 20, account_requests_per_second: 1000, "
                "sts_requests_per_second: 1000}\n"
                f"store: {store}\n{more}"
                "identities:\n  hub: {}\n"
                "  member: {from: hub, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/regwatch'}}\n"
                "accounts:\n"
            )
            for id in self.ids:
                fleetwise = f"fleetwise: {{identity: member, regions: [{', '.join(self.regions)}]}}"
                govcloud = ", govcloud: {identity: hub}" if self.govcloud else ""
                file.write(f"  - {{id: '{id}', name: fleet-{id}, {fleetwise}{govcloud}}}\n")
        return str(path)

    def regwatch(self, config=None, name="regwatch"):
        """The daemon, which tells AWS a name."""
        command = [REGWATCH, "run", "--config.file", config or self.config(), "--web.listen-address", "127.0.0.1:0"]
        return Regwatch(command, self.environment | {"AWS_SDK_UA_APP_ID": name}, self.log)

    def writer(self, config, parts, part):
        """What writes to a store and does nothing else."""
        return Process([BENCH, "store", config, str(parts), str(part)], self.environment, self.log)

    def receiver(self):
        return Process([BENCH, "receiver"], self.environment, self.log)

    def loop(self, rate):
        return Process([BENCH, "loop", self.config(), str(rate)], self.environment, self.log)

    def exporter(self):
        command = [sys.executable, EXPORTER, self.folder / "targets", "0", str(self.interval)]
        return Process(command, self.environment, self.log)

    def cost(self, process, seconds):
        """Microseconds of CPU a poll, and polls a second."""
        from_time, from_cpu = self.simulator.now(), process.cpu()
        time.sleep(seconds)
        until_time, until_cpu = self.simulator.now(), process.cpu()
        polls = len(self.simulator.calls(from_time, until_time))
        return 1e6 * (until_cpu - from_cpu) / polls, polls / (until_time - from_time)


class Regwatch(Process):
    """The daemon. Its address is found among the sockets that it listens on."""

    def url(self):
        def port():
            inodes = set()
            for fd in os.scandir(f"/proc/{self.child.pid}/fd"):
                with contextlib.suppress(OSError):
                    inodes.add(os.readlink(fd.path))
            with open(f"/proc/{self.child.pid}/net/tcp", encoding="ascii") as sockets:
                for socket in list(sockets)[1:]:
                    fields = socket.split()
                    if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                        return int(fields[1].split(":")[1], 16)
            return None

        wait("the daemon listens", port)
        return f"http://127.0.0.1:{port()}"

    def scrape(self, keep=False):
        """How long a whole page took, its bytes, and if wanted its text; and when it was, by the clock."""
        request = urllib.request.Request(self.url() + "/metrics", headers={"Accept-Encoding": "identity"})
        began, size, text = time.monotonic(), 0, []
        with urllib.request.urlopen(request, timeout=PATIENCE) as page:
            while piece := page.read(1 << 20):
                size += len(piece)
                if keep:
                    text.append(piece)
        return time.monotonic() - began, size, b"".join(text).decode()
