"""Measures whole processes and prints a row of the table for each figure; see README.md."""

import bisect
import re
import statistics
import sys
import time

from replicas import replicas
from stage import REGIONS, Stage
from table import ROUNDS, quantile, row, spread


def cpu():
    """What a poll costs: regwatch, the bare loop and the script, in turn, before the same simulated AWS."""
    seconds = 10
    costs = {"regwatch": [], "loop": [], "exporter": []}
    rates = {name: [] for name in costs}
    # The script, in its one process, makes as many polls of it as it can.
    with Stage(900, interval=1) as stage:
        start = {"regwatch": stage.regwatch, "loop": lambda: stage.loop(stage.targets), "exporter": stage.exporter}
        names = list(start)
        for number in range(ROUNDS):
            for name in names[number % 3 :] + names[: number % 3]:
                since = stage.simulator.now()
                with start[name]() as process:
                    stage.simulator.until_all_are_seen(stage.targets, since)
                    time.sleep(2)
                    cost, rate = stage.cost(process, seconds)
                    costs[name].append(cost)
                    rates[name].append(rate)
                    print(f"  {name}: {cost:.1f} us a poll at {rate:.0f}/s", file=sys.stderr)
    against_loop = [ours / bare for ours, bare in zip(costs["regwatch"], costs["loop"])]
    against_script = [ours / script for ours, script in zip(costs["regwatch"], costs["exporter"])]
    median = statistics.median
    for name, what in (("regwatch", "the daemon"), ("loop", "the bare loop"), ("exporter", "the script")):
        row(f"CPU a poll, {what}, at {median(rates[name]):.0f}/s", spread(costs[name], " µs"), "", None)
    row("CPU a poll, against the bare loop", spread(against_loop, " times", 2), "1.15 times", median(against_loop) <= 1.15)
    row("CPU a poll, against the script", spread(against_script, " times", 3), "0.1 times", median(against_script) <= 0.1)


def idle():
    """Memory with next to nothing to do."""
    values = []
    for _ in range(ROUNDS):
        with Stage(1, interval=1) as stage, stage.regwatch() as daemon:
            stage.simulator.until_all_are_seen(stage.targets, 0)
            time.sleep(5)
            values.append(daemon.resident() / 1e6)
    row("resident memory, one account", spread(values, " MB"), "25 MB", statistics.median(values) <= 25)


SIZES = (1_000, 10_000, 100_000)


def growth():
    """What a fleet costs by its size, at the same polls a second."""
    rate, seconds = 333.0, 30
    memory, cost, scrape, burst = {}, {}, {}, {}
    for size in SIZES:
        with Stage(size, interval=size / rate, start_window=max(3.0, size / 800)) as stage, stage.regwatch() as daemon:
            stage.simulator.until_all_are_seen(stage.targets, 0)
            time.sleep(max(5.0, min(30.0, stage.interval)))
            memory[size] = daemon.resident()
            cost[size], polls = stage.cost(daemon, seconds)
            before, pages = daemon.cpu(), []
            for _ in range(3):
                pages.append(daemon.scrape())
            # Less what was spent on polls meanwhile.
            took = sum(page[0] for page in pages)
            burst[size] = (daemon.cpu() - before - took * polls * cost[size] / 1e6) / 3
            scrape[size] = statistics.median(page[0] for page in pages)
            print(
                f"  {size} targets: {memory[size] / 1e6:.1f} MB, {cost[size]:.1f} us a poll at {polls:.0f}/s, scrape of "
                f"{pages[0][1] / 1e6:.1f} MB in {scrape[size]:.3f} s, {burst[size]:.3f} s of CPU, then "
                f"{daemon.resident() / 1e6:.1f} MB",
                file=sys.stderr,
            )
    small, middle, large = SIZES
    slope = (memory[large] - memory[middle]) / (large - middle)
    below = (memory[middle] - memory[small]) / (middle - small)
    row("resident memory a target, from 10,000 to 100,000", f"{slope:.0f} B", "2048 B", slope <= 2048)
    row("the same from 1,000 to 10,000", f"{below:.0f} B", "", None)
    for what, ratio in (
        ("memory a target beyond 10,000 against below", slope / below),
        ("CPU a poll at 100,000 targets against 1,000", cost[large] / cost[small]),
        ("CPU of a scrape a target at 100,000 against 1,000", burst[large] / burst[small] * small / large),
        ("time of a scrape a target at 100,000 against 1,000", scrape[large] / scrape[small] * small / large),
    ):
        row(what, f"{ratio:.2f} times", "1.2 times", ratio <= 1.2)


def lateness():
    """How late polls are at 10,000 targets and 1,000 a second, and what scrapes do to that."""
    interval, seconds = 10.0, 40
    # No quota of Account Management grants one scope a third of this.
    fleet = {"regions": (*REGIONS, "ap-south-1"), "govcloud": False}
    with Stage(10_000, interval, start_window=interval, **fleet) as stage, stage.regwatch() as daemon:
        simulator = stage.simulator
        simulator.until_all_are_seen(stage.targets, 0)
        time.sleep(2 * interval)
        before = lag(daemon.scrape(keep=True)[2])
        time.sleep(2)
        quiet_from = simulator.now()
        time.sleep(seconds)
        quiet_until = simulator.now()
        after = lag(daemon.scrape(keep=True)[2])
        time.sleep(2)
        scrapes = []
        scraped_from = simulator.now()
        while simulator.now() < scraped_from + seconds:
            began = simulator.now()
            daemon.scrape()
            scrapes.append((began, simulator.now() + 0.1))
            time.sleep(3)
        calls = simulator.calls(quiet_from)
    late = deviations(calls, interval)
    quiet = [by for at, by in late if quiet_from <= at < quiet_until]
    during = [by for at, by in late if any(begin <= at < end for begin, end in scrapes)]
    bounds, counts = zip(*[(bound, after[bound] - before[bound]) for bound in after])
    polls = counts[-1]
    place = bisect.bisect_left(counts, 0.99 * polls)
    row(
        "p99 lateness, 10,000 targets, 1,000 polls/s",
        f"under {bounds[place] * 1e3:g} ms; {len(quiet) / (quiet_until - quiet_from):.0f} polls/s",
        "100 ms",
        bounds[place] <= 0.1,
    )
    for share in (0.5, 0.99, 0.999, 1):
        print(f"  {share:g}: {1e3 * quantile(quiet, share):.1f} ms quiet, {1e3 * quantile(during, share):.1f} ms in scrapes", file=sys.stderr)
    for what, values in (("without a scrape", quiet), ("during scrapes", during)):
        print(f"  {what}: {len(values)} polls", file=sys.stderr)
    worst, usual = max(during), max(quiet)
    row(
        "the latest poll during a scrape, and without one",
        f"{worst * 1e3:.0f} ms of {len(during)}, {usual * 1e3:.0f} ms of {len(quiet)}",
        "50 ms more",
        worst <= 0.05 + usual,
    )


def lag(page):
    """The counts of regwatch_poll_lag_seconds by their bounds."""
    found = re.findall(r'^regwatch_poll_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$', page, re.M)
    return {float(bound.replace("+Inf", "inf")): int(count) for bound, count in found}


def deviations(calls, interval):
    """How much later than at its earliest in the interval each poll came: a target is due at one place of it."""
    earliest = {}
    for at, target in calls:
        # From a place that no two polls of a target are on both sides of.
        first = earliest.setdefault(target, [at, 0.0])
        first[1] = min(first[1], (at - first[0] + interval / 2) % interval - interval / 2)
    return [
        (at, (at - earliest[target][0] + interval / 2) % interval - interval / 2 - earliest[target][1])
        for at, target in calls
    ]


def start():
    """From the start of the process to the last of 10,000 targets that is asked for the first time."""
    window, values = 30.0, []
    for _ in range(min(ROUNDS, 3)):
        with Stage(10_000, interval=300, start_window=window) as stage:
            began = stage.simulator.now()
            with stage.regwatch():
                time.sleep(window)
                stage.simulator.until_all_are_seen(stage.targets, 0)
                first = {}
                for at, target in stage.simulator.calls(0):
                    first.setdefault(target, at)
                values.append(max(first.values()) - began)
    row(
        "from start to all of 10,000 targets asked, in a window of 30 s",
        spread(values, " s"),
        "33 s",
        statistics.median(values) <= 1.1 * window,
    )


ROWS = {function.__name__: function for function in (cpu, idle, growth, lateness, start, replicas)}


def main(names):
    # A table of its own comes after the rows of the one that has begun.
    for name in sorted(names, key=lambda name: name == "replicas"):
        ROWS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
