"""Exports audit lines to MLflow: docs/mlflow.md.

Each endpoint and rule is a run, each window of time a step of its metrics. A run knows up to which time it has lines
(tag `tollgate.until`), so that a second export of the same lines, or of more, adds only what is new. No identity and
no address leaves this program.
"""

import argparse
import hashlib
import json
import math
import re
import statistics
import sys
from collections import Counter, defaultdict
from datetime import datetime

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

# How many requests make a baseline of their sizes.
BASELINE = 30
# From this score on, a size is an outlier (Iglewicz and Hoaglin, 1993).
OUTLIER = 3.5
# MLflow accepts 1000 metrics in a request.
BATCH = 900
# Deployments and models of a window with metrics of their own. Callers choose these words.
NAMES = 20
# Endpoints with runs of their own. Callers choose these words, too.
ENDPOINTS = 200


def audit_lines(texts):
    """The lines that are an object with a request id; Envoy's own log has others."""
    for text in texts:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and "XRequestId" in line and "Time" in line:
            yield line


def ended(line):
    """When the request ended, in seconds: lines are written in this order."""
    began = datetime.fromisoformat(line["Time"].replace("Z", "+00:00")).timestamp()
    return began + (line.get("TotalDurationMs") or 0) / 1000


def passed(line):
    return line.get("Decision") in ("allow", "would_deny")


def succeeded(line):
    return passed(line) and 200 <= (line.get("ResponseCode") or 0) < 300


def spent(line):
    """What the response cost, otherwise what the request cost."""
    return int(line.get("Usage") or line.get("Cost") or 1)


def percentile(values, share):
    """The smallest value that at least this share of the values does not exceed."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def baseline(sizes):
    """Median and spread of sizes. The spread is the median of the distances from the median (MAD). It is at least one
    percent of the median and one byte: where most sizes are the same, every other one would be infinitely far away."""
    median = statistics.median(sizes)
    spread = statistics.median(abs(size - median) for size in sizes)
    return median, max(spread, median / 100, 1)


def score(size, median, spread):
    """The modified z-score: 0.6745 times the spread is one standard deviation of a normal distribution."""
    return 0.6745 * (size - median) / spread


def common(lines):
    """The metrics that every group of lines has."""
    took = [line["TotalDurationMs"] for line in lines if line.get("TotalDurationMs") is not None]
    metrics = {
        "requests": len(lines),
        "error_share": sum((line.get("ResponseCode") or 0) >= 500 for line in lines) / len(lines),
        "cost": sum(spent(line) for line in lines if passed(line)),
    }
    if took:
        metrics |= {"latency_ms/p50": percentile(took, 0.5), "latency_ms/p95": percentile(took, 0.95)}
    return metrics


def measure(lines, base):
    """The metrics of one window. `base`: the baseline of sizes, if there is one."""
    metrics = common(lines)
    metrics["denied_share"] = sum(line.get("Decision") == "deny" for line in lines) / len(lines)
    metrics["callers"] = len({line.get("Identity") for line in lines} - {None})
    for decision, count in Counter(line.get("Decision") or "none" for line in lines).items():
        metrics[f"decision/{decision}"] = count
    for reason, count in Counter(line.get("Reason") for line in lines if not passed(line)).items():
        metrics[f"denied/{reason or 'none'}"] = count
    good = [line for line in lines if passed(line)]
    for name, field in (("request_bytes", "RequestPayloadSize"), ("response_bytes", "ResponsePayloadSize")):
        if values := [line.get(field) or 0 for line in good]:
            metrics |= {f"{name}/sum": sum(values), f"{name}/p95": percentile(values, 0.95)}
    if values := [line["UpstreamDurationMs"] for line in good if line.get("UpstreamDurationMs") is not None]:
        metrics |= {"upstream_ms/p50": percentile(values, 0.5), "upstream_ms/p95": percentile(values, 0.95)}
    if base and good:
        scores = [score(line.get("RequestPayloadSize") or 0, *base) for line in good]
        metrics["size_score/max"] = max(scores, key=abs)
        metrics["size_score/outliers"] = sum(abs(one) >= OUTLIER for one in scores)
    for kind, field in (("deployment", "DeploymentName"), ("model", "Model")):
        names = Counter(line[field] for line in lines if line.get(field) and succeeded(line))
        for name, _ in names.most_common(NAMES):
            word = metric_name(name)
            own = common([line for line in lines if line.get(field) == name])
            metrics |= {f"{kind}/{word}/{metric}": value for metric, value in own.items()}
    return metrics


def metric_name(name):
    """A part of a metric's name, which MLflow reads as a path. What changes gets a hash, so that two names stay two."""
    word = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:64]
    if word == name and word.strip("."):
        return word
    return f"{word.strip('.')[:48]}_{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:12]}"


class Series:
    """A run of MLflow and the windows that it lacks."""

    def __init__(self, run):
        self.run = run
        self.until = int(run.data.tags.get("tollgate.until", 0))
        self.window = int(run.data.params.get("window_seconds", 0))
        params = run.data.params
        self.base = None
        if "size_median" in params:
            self.base = float(params["size_median"]), float(params["size_spread"])

    def export(self, client, windows, seconds, tags):
        """Sends the windows, in their order. The tag goes with the metrics, so that both are there or neither."""
        params = []
        sizes = [line.get("RequestPayloadSize") or 0 for lines in windows.values() for line in lines if passed(line)]
        if not self.base and len(sizes) >= BASELINE:
            self.base = baseline(sizes)
            found = zip(("size_median", "size_spread", "size_baseline"), (*self.base, len(sizes)))
            params = [Param(name, str(value)) for name, value in found]
        metrics = []
        for step in sorted(windows):
            found = measure(windows[step], self.base)
            if len(metrics) + len(found) > BATCH:
                self.send(client, metrics, params, tags)
                metrics, params = [], []
            start = step * seconds * 1000
            metrics += [Metric(name, value, start, step) for name, value in found.items()]
            self.until = (step + 1) * seconds
        self.send(client, metrics, params, tags)
        client.set_terminated(self.run.info.run_id)

    def send(self, client, metrics, params, tags):
        own = [RunTag(name, value) for name, value in {**tags, "tollgate.until": str(self.until)}.items()]
        client.log_batch(self.run.info.run_id, metrics=metrics, params=params, tags=own)


def runs(client, experiment):
    """The runs that earlier exports made, by endpoint and rule."""
    found, token = {}, None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            tags = run.data.tags
            if "tollgate.rule" in tags:
                found[tags["tollgate.endpoint"], tags["tollgate.rule"]] = Series(run)
        if not (token := page.token):
            return found


def main():
    options = argparse.ArgumentParser(description="Exports audit lines to MLflow.")
    options.add_argument("files", nargs="*", help="files of audit lines; standard input without any")
    options.add_argument("--experiment", default="tollgate")
    options.add_argument("--window", type=int, default=300, help="seconds of a step (default: 300)")
    options.add_argument("--grace", type=int, default=60, help="seconds before a window is complete (default: 60)")
    options.add_argument("--final", action="store_true", help="no more lines will come: export the last windows, too")
    options.add_argument("--module-version", help="the version of the filter, as a tag")
    options = options.parse_args()
    texts = (text for file in options.files for text in open(file)) if options.files else sys.stdin

    lines = defaultdict(list)
    newest = 0
    for line in audit_lines(texts):
        end = ended(line)
        newest = max(newest, end)
        lines[line.get("EndpointName") or "none", line.get("Rule") or "none"].append((int(end // options.window), line))

    client = MlflowClient()
    experiment = client.get_experiment_by_name(options.experiment)
    experiment = experiment.experiment_id if experiment else client.create_experiment(options.experiment)
    known = runs(client, experiment)
    series = defaultdict(lambda: defaultdict(list))
    for (endpoint, rule), group in lines.items():
        # A name that no request succeeded with may be one that a caller made up.
        own = (endpoint, rule) in known
        own = own or len(known) + len(series) < ENDPOINTS and any(succeeded(line) for _, line in group)
        for step, line in group:
            series[endpoint if own else "other", rule][step].append(line)

    for (endpoint, rule), windows in sorted(series.items()):
        tags = {"tollgate.endpoint": endpoint, "tollgate.rule": rule}
        done = known[endpoint, rule].until if (endpoint, rule) in known else 0
        end = math.inf if options.final else newest - options.grace
        new = {s: w for s, w in windows.items() if s * options.window >= done and (s + 1) * options.window <= end}
        if not new:
            continue
        if (endpoint, rule) not in known:
            run = client.create_run(experiment, run_name=f"{endpoint} {rule}", tags=tags)
            client.log_param(run.info.run_id, "window_seconds", options.window)
            known[endpoint, rule] = Series(client.get_run(run.info.run_id))
        if known[endpoint, rule].window != options.window:
            sys.exit(f"{endpoint} {rule} has steps of {known[endpoint, rule].window} s: name another --experiment")
        good = [line for window in new.values() for line in window if succeeded(line)]
        for tag, field in (("deployments", "DeploymentName"), ("models", "Model")):
            names = {line[field] for line in good if line.get(field)}
            before = known[endpoint, rule].run.data.tags.get(f"tollgate.{tag}", "")
            if names := names | set(before.split(", ")) - {""}:
                tags[f"tollgate.{tag}"] = ", ".join(sorted(names)[:NAMES])
        if options.module_version:
            tags["tollgate.version"] = options.module_version
        known[endpoint, rule].export(client, new, options.window, tags)
        print(f"{endpoint} {rule}: {sum(map(len, new.values()))} requests in {len(new)} windows")


if __name__ == "__main__":
    main()
