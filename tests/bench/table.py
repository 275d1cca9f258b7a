"""What is printed: rows of Markdown tables, and how figures are written in them."""

import os
import statistics

ROUNDS = int(os.environ.get("ROUNDS", "5"))


def row(figure, seen, reach, reached):
    """A row of the table; `reached` is None for what is only told."""
    print(f"| {figure} | {seen} | {reach} | {'' if reached is None else 'yes' if reached else 'NO'} |", flush=True)


def side_by_side(columns, rows):
    """A table of its own, for what is compared with itself and is held to nothing."""
    print(f"\n| | {' | '.join(columns)} |\n|{'-|' * (1 + len(columns))}")
    for figure, cells in rows:
        print(f"| {figure} | {' | '.join(cells)} |", flush=True)


def spread(values, unit="", digits=1):
    """The median, and the least and the most."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):,.{digits}f}{unit} ({low:,.{digits}f} to {high:,.{digits}f})"


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]
