#!/usr/bin/env python3
"""Tokens for each month, caller and model, from the audit line (docs/llm-gateway.md).

chargeback.py [--price MODEL=AMOUNT]... [FILE]...

Reads lines of JSON from the files, or from standard input, and writes CSV. Other lines are skipped and counted. AMOUNT
is the price of a million tokens. Amounts are exact decimals.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from decimal import Decimal, InvalidOperation
from fileinput import FileInput

MILLION = 1_000_000

# Fields without which the table says less, and how to get them.
FIELDS = {
    "Model": 'add it to the format of the log, and the tag {name: model, value: "{@body:/model}"} (docs/llm-gateway.md)',
    "Usage": "add it to the format of the log (docs/audit.json)",
}


def price(text):
    model, separator, amount = text.rpartition("=")
    try:
        if not separator or (value := Decimal(amount)) < 0 or not value.is_finite():
            raise ValueError
    except (InvalidOperation, ValueError):
        raise argparse.ArgumentTypeError(f"{text}: MODEL=AMOUNT is needed, such as gpt-5=10") from None
    return model, value


def read(lines):
    """The sums, how many lines are none of the audit line, and the fields that all lines lack."""
    sums = defaultdict(lambda: [0, 0, 0])
    skipped = 0
    absent = set(FIELDS)
    for line in lines:
        try:
            entry = json.loads(line)
            month, decision = entry["Time"][:7], entry["Decision"]
        except (ValueError, KeyError, TypeError):
            skipped += bool(line.strip())
            continue
        absent.difference_update(entry)
        if decision not in ("allow", "would_deny"):
            continue
        caller = entry.get("Identity")
        if caller is None:
            continue
        total = sums[month, caller, entry.get("Model") or ""]
        usage = entry.get("Usage")
        total[0] += 1
        if usage is None:
            total[1] += 1
        else:
            total[2] += int(usage)
    return sums, skipped, absent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--price", type=price, action="append", default=[], metavar="MODEL=AMOUNT")
    parser.add_argument("files", nargs="*", metavar="FILE")
    arguments = parser.parse_args()
    prices = dict(arguments.price)
    try:
        with FileInput(arguments.files, encoding="utf-8", errors="replace") as lines:
            sums, skipped, absent = read(lines)
    except OSError as error:
        sys.exit(f"{parser.prog}: {error.filename}: {error.strerror}")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = ["month", "identity", "model", "requests", "without_usage", "tokens"]
    writer.writerow([*columns, "amount"] if prices else columns)
    unpriced = set()
    for key, total in sorted(sums.items()):
        row = [*key, *total]
        if prices:
            if key[2] in prices:
                row.append(f"{prices[key[2]] * total[2] / MILLION:.6f}")
            else:
                unpriced.add(key[2])
                row.append("")
        writer.writerow(row)
    for name in FIELDS if sums else ():
        if name in absent:
            print(f"no line has the field {name}: {FIELDS[name]}", file=sys.stderr)
    if skipped:
        print(f"{skipped} lines are not of the audit line", file=sys.stderr)
    if unpriced:
        print(f"without a price: {', '.join(sorted(unpriced))}", file=sys.stderr)


if __name__ == "__main__":
    main()
