"""What sharing a store costs: SQLite and PostgreSQL, one replica and three, side by side; see README.md."""

import contextlib
import json
import os
import re
import signal
import statistics
import sys
import tempfile
import time
import urllib.request

from postgres import Postgres
from stage import Stage, wait
from table import ROUNDS, side_by_side, spread

# All that FleetWise is in: each target is a quota scope of its own, so they spread over all shards.
FLEETWISE = {"regions": ("us-east-1", "eu-central-1", "ap-south-1"), "govcloud": False}

# A registration changes in all its parts.
PARTS = 3

# Into so many the scopes are dealt, by default.
SHARDS = 16

# Seconds from one look at the shards to the next: by then whoever has too many has begun to give some up.
LOOK = 4

# How many polls a second those make whose targets all change at once: it leaves room on two processors.
POLLS = int(os.environ.get("POLLS", "1000"))

# How many transitions are waiting to be delivered.
BACKLOG = int(os.environ.get("BACKLOG", "10000"))


class Setup:
    """So many replicas on one store: a file, or a database of the server."""

    def __init__(self, name, count, server=None):
        self.name, self.count, self.server = name, count, server
        self.figures = {}

    def note(self, figure, values):
        self.figures.setdefault(figure, []).extend(values)
        print(f"  {self.name}: {figure}: {spread(values, digits=2)}", file=sys.stderr)

    def store(self, stage):
        """A new one, as a configuration names it."""
        return self.server.store() if self.server else f"{{path: '{stage.folder}/shared.db'}}"


class Replicas:
    """Daemons at work with the same configuration, each under a name that none had before."""

    def __init__(self, setup, stage, config):
        self.setup, self.stage, self.config = setup, stage, config
        self.stack, self.at_work, self.started = contextlib.ExitStack(), {}, 0

    def __enter__(self):
        for _ in range(self.setup.count):
            self.start()
        self.settle()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def start(self):
        self.started += 1
        name = f"replica-{self.started}"
        self.at_work[name] = self.stack.enter_context(self.stage.regwatch(self.config, name))

    def settle(self):
        """Waits until each has its share and keeps it, and all targets are asked."""
        looks = [None]

        def is_settled():
            pages = [daemon.scrape(keep=True)[2] for daemon in self.at_work.values()]
            looks.append([int(re.search(r"^regwatch_shards_held (\d+)$", page, re.M)[1]) for page in pages])
            is_fair = sum(looks[-1]) == SHARDS and max(looks[-1]) - min(looks[-1]) <= 1
            return is_fair and looks[-1] == looks[-2]

        if self.setup.server:
            wait("the shards are dealt", is_settled, LOOK)
        self.stage.simulator.until_all_are_seen(self.stage.targets, self.stage.simulator.now())

    def log_has(self, count):
        """Whether so many entries are in the log, whose numbers have no gaps."""
        url = next(iter(self.at_work.values())).url()
        with urllib.request.urlopen(f"{url}/api/v1/events?after={count - 1}&limit=1") as page:
            return bool(json.load(page)["items"])


@contextlib.contextmanager
def writers(setup, stage, config, count):
    """Who writes to a store as so many replicas would, and nothing else."""
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(stage.writer(config, count, part)) for part in range(count)]
        if any(writer.hear() != "ready" for writer in started):
            sys.exit(f"{setup.name}: a writer did not start")
        yield started
        for writer in started:
            writer.child.stdin.close()
            writer.child.wait()


def alone(setup):
    """What the store takes in from those who do nothing but write."""
    with Stage(3_000, interval=1, **FLEETWISE) as stage:
        with writers(setup, stage, stage.config(setup.store(stage)), setup.count) as all_writers:
            for figure, targets in (("singly", 1), ("in bulk", 300)):
                for writer in all_writers:
                    writer.tell(f"5 {targets}")
                told = [writer.hear().split() for writer in all_writers]
                setup.note(figure, [sum(int(written) / float(took) for written, took in told)])


def whole(setup):
    """How soon the log has all of it when all registrations change at once. The polls alone take the interval."""
    with Stage(2 * POLLS, interval=2, **FLEETWISE) as stage:
        changes = PARTS * stage.targets
        with Replicas(setup, stage, stage.config(setup.store(stage))) as replicas:
            stored = changes
            wait("each target is in the log", lambda: replicas.log_has(stored))
            for _ in range(3):
                stored += changes
                began = float(stage.simulator.ask("change"))
                wait("all changes are in the log", lambda: replicas.log_has(stored), 0.05)
                took = stage.simulator.now() - began
                setup.note("whole", [changes / took])
                setup.note("polls", [stage.simulator.count(began) / took])
            if replicas.log_has(stored + 1):
                sys.exit(f"{setup.name}: the log has more than what happened")


def delivered(setup):
    """How fast a backlog goes to a receiver that answers at once."""
    with Stage(900, interval=10, **FLEETWISE) as stage, stage.receiver() as receiver:
        store = setup.store(stage)
        webhooks = f"events: {{webhooks: [{{name: receiver, url: '{receiver.hear()}', on: {{kinds: [changed]}}}}]}}\n"
        with writers(setup, stage, stage.config(store, webhooks), 1) as (writer,):
            # What is seen for the first time is not told.
            written = -PARTS * stage.targets
            while written < BACKLOG:
                written += int(writer.ask("0.5 300").split()[0])
        config = stage.config(store)
        with Replicas(setup, stage, config) as replicas:
            # Only now, so that it does not change hands while the shards are dealt.
            with open(config, "a", encoding="ascii") as file:
                file.write(webhooks)
            for daemon in replicas.at_work.values():
                daemon.child.send_signal(signal.SIGHUP)
            wait("the backlog is delivered", lambda: receiver.ask(str(BACKLOG)))
            setup.note("delivered", [(BACKLOG - 1) / float(receiver.ask(str(BACKLOG)))])


def handed_over(setup):
    """How long nobody asks about what a replica had, when it ends in order and when it is killed."""
    with Stage(200, interval=2, **FLEETWISE) as stage:
        with Replicas(setup, stage, stage.config(setup.store(stage))) as replicas:
            for end in (signal.SIGTERM, signal.SIGKILL):
                setup.note(end.name, until_asked_again(replicas, end))
                if len(replicas.at_work) < setup.count:
                    replicas.start()
                replicas.settle()


def until_asked_again(replicas, end):
    """From a signal to the oldest of them until another asks about each of its targets, in seconds."""
    simulator, targets = replicas.stage.simulator, replicas.stage.targets
    since = simulator.now()
    simulator.until_all_are_seen(targets, since)
    holders = {target: who for _, target, who in simulator.asked(since)}
    name = next(iter(replicas.at_work))
    held = {target for target, who in holders.items() if who == name}
    ended = replicas.at_work.pop(name)
    began = simulator.now()
    ended.child.send_signal(end)
    if not replicas.at_work:
        ended.child.wait()
        replicas.start()
    again = {}

    def are_asked():
        for at, target, who in simulator.asked(began):
            if target in held and who != name:
                again.setdefault(target, at - began)
        return len(again) == len(held)

    wait("another asks about each of its targets", are_asked, 1)
    return list(again.values())


def refusal():
    """Makes sure that there is no third column for SQLite."""
    with Stage(3, interval=1, **FLEETWISE) as stage:
        config = stage.config()
        with stage.regwatch(config) as first:
            first.url()
            with stage.regwatch(config) as second:
                wait("the second has ended", lambda: second.child.poll() is not None)
                if second.child.returncode == 0:
                    sys.exit("a second process took part in a file")


def disk():
    """How long it takes to bring eight kilobytes to the disk, in milliseconds."""
    took = []
    with tempfile.TemporaryFile(prefix="bench-") as file:
        for _ in range(200):
            file.write(bytes(8192))
            file.flush()
            began = time.monotonic()
            os.fdatasync(file.fileno())
            took.append(1e3 * (time.monotonic() - began))
    return statistics.median(took)


def rate(values):
    return spread(values, digits=0)


def longest(values):
    return f"{statistics.median(values):.1f} s, {max(values):.1f} s"


FIGURES = {
    "singly": ("transitions/s into the store alone, 3 at a time", rate),
    "in bulk": ("the same, 900 at a time", rate),
    "whole": (f"transitions/s into the log, all targets of {POLLS:,} polls/s changing at once", rate),
    "polls": ("polls/s meanwhile", rate),
    "delivered": ("transitions/s from the log to a webhook", rate),
    "SIGTERM": ("hand-over after SIGTERM, the median of the targets and the longest", longest),
    "SIGKILL": ("hand-over after SIGKILL", longest),
}


def replicas():
    """Everything, in turn, each time in another order."""
    refusal()
    with Postgres() as server:
        setups = [Setup("SQLite, 1", 1), Setup("PostgreSQL, 1", 1, server), Setup("PostgreSQL, 3", 3, server)]
        for number in range(min(ROUNDS, 3)):
            for measure in (alone, whole, delivered, handed_over):
                for setup in setups[number:] + setups[:number]:
                    measure(setup)
    rows = [(text, [write(setup.figures[figure]) for setup in setups]) for figure, (text, write) in FIGURES.items()]
    side_by_side([setup.name for setup in setups], rows)
    print(f"\nSQLite, 3: a second process was refused. To bring 8 kB to this disk takes {disk():.2f} ms.")
