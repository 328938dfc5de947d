"""Sends the audit lines of standard input to the table TollgateAudit_CL: docs/azure-monitor.md.

AUDIT_ENDPOINT and AUDIT_RULE are the outputs of template.bicep.
"""

import itertools
import json
import os
import sys

from azure.identity import DefaultAzureCredential
from azure.monitor.ingestion import LogsIngestionClient

# What is in memory at a time. The client makes requests of at most 1 MB of it.
LINES = 10_000


def audit_lines(texts):
    """The lines that are an object with a request id; Envoy's own log has others."""
    for text in texts:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and "XRequestId" in line:
            yield line


def main():
    client = LogsIngestionClient(os.environ["AUDIT_ENDPOINT"], DefaultAzureCredential())
    lines = audit_lines(sys.stdin)
    count = 0
    while batch := list(itertools.islice(lines, LINES)):
        client.upload(os.environ["AUDIT_RULE"], "Custom-TollgateAudit", batch)
        count += len(batch)
    print(f"{count} lines sent")


if __name__ == "__main__":
    main()
