"""Counts the WebAssembly instructions of requests by Wasmtime's fuel: `make instructions`, docs/performance.md.

    python scripts/instructions [TEXT]    counts the cases and lists whose names contain TEXT

TOLLGATE_WASM names another module than dist/tollgate.wasm. The counts depend on neither machine nor load.
"""

import json
import os
import pathlib
import statistics
import sys

import wasmtime
from host import Host
from lists import CASES, LISTS
from traffic import request, token

ROOT = pathlib.Path(__file__).parent.parent.parent
FEW, MANY = 10, 1000


def counted(engine, module, case):
    """The instructions of a request with a remembered token, with a new one, and without one."""
    host = Host(engine, module, json.dumps(case.document).encode())

    def send(bearer, headers=case.headers):
        return host.send(request(headers, bearer), case.body)

    known = token(case.claims)
    for headers in case.before:
        send(known, headers)
    # The first requests define counters and fill caches.
    remembered = [send(known) for _ in range(4)][-1]
    passed = host.reply
    new = statistics.median_low([send(token(case.claims, number)) for number in range(1, 10)])
    if (passed, host.reply) not in [(None, None), (200, 200)]:
        raise SystemExit(f"{json.dumps(case.document)[:1000]}: refused with {passed}, {host.reply}")
    without = [send(None) for _ in range(4)][-1]
    return remembered, new, without


def table(head, rows):
    print("|", " | ".join(head), "|")
    print("|", " | ".join("---" for _ in head), "|")
    for name, *counts in rows:
        print("|", " | ".join([name, *(f"{count:,}".replace("-", "−") for count in counts)]), "|", flush=True)
    print()


def main(text=""):
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, os.environ.get("TOLLGATE_WASM", ROOT / "dist/tollgate.wasm"))

    def cases():
        for name, case in CASES.items():
            if text in name:
                yield name, *counted(engine, module, case())

    def lists():
        for name, case in LISTS.items():
            if text in name:
                few, many = (counted(engine, module, case(count)) for count in (FEW, MANY))
                more = [b - a for a, b in zip(few, many)]
                yield name, few[0], many[0], *more

    table(["case", "remembered token", "new token", "no token"], cases())
    head = ["list", f"with {FEW}", f"with {MANY:,}", "more", "new token: more", "no token: more"]
    table(head, lists())


main(*sys.argv[1:])
