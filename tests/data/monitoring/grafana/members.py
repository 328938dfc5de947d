"""members.py DASHBOARD: prints the members of a dashboard that Grafana's own types lose."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(shipped, read, path=""):
    if isinstance(shipped, dict) and isinstance(read, dict):
        for name, value in shipped.items():
            yield from lost(value, read.get(name), f"{path}/{name}")
    elif isinstance(shipped, list) and isinstance(read, list) and len(shipped) == len(read):
        for index, (left, right) in enumerate(zip(shipped, read)):
            yield from lost(left, right, f"{path}/{index}")
    elif shipped != read:
        yield path


register_default_plugins()
with open(sys.argv[1], encoding="utf-8") as file:
    dashboard = json.load(file)
back = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
print("\n".join(lost(dashboard, back)), end="")
