"""Lists the functions that requests enter, in the order of their first calls: `make hot`, xtask/src/order.rs.

    python scripts/instructions/hot.py MODULE NAMES    for a module of `cargo xtask trace` and the names that it printed
"""

import json
import sys

import wasmtime
from host import Host
from traffic import document, request, token


def main(path, names):
    entered = []

    class Traced(Host):
        def function(self, wanted):
            if wanted.module == "trace":
                return lambda caller, place: entered.append(place)
            return super().function(wanted)

    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    host = Traced(engine, wasmtime.Module.from_file(engine, path), json.dumps(document()).encode())
    known = token({})
    # The first requests define counters and fill caches.
    for _ in range(4):
        host.send(request({}, known))
    entered.clear()
    for bearer in (known, token({}, 1), token({}, 2), None, None):
        host.send(request({}, bearer))
    with open(names) as lines:
        names = lines.read().splitlines()
    print("\n".join(dict.fromkeys(names[place] for place in entered)))


main(*sys.argv[1:])
