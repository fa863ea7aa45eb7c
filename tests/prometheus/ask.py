"""Asks a Prometheus that has scraped a daemon: are the figures there, do the alerts work, does every panel have data."""

import json
import sys
import time
import urllib.parse
import urllib.request


def ask(server, path):
    with urllib.request.urlopen(f"{server}/api/v1/{path}", timeout=10) as reply:
        return json.load(reply)["data"]


def expressions(panel):
    """Every expression of a dashboard, as of any instance and over the last seconds."""
    if isinstance(panel, dict):
        if "expr" in panel:
            yield panel["expr"].replace("$instance", ".*").replace("$__rate_interval", "5s")
        panel = list(panel.values())
    if isinstance(panel, list):
        for part in panel:
            yield from expressions(part)


def main(server, dashboard):
    for _ in range(100):
        targets = ask(server, "targets")["activeTargets"]
        if targets and targets[0]["health"] != "unknown":
            break
        time.sleep(0.1)
    faults = [f"{target['scrapeUrl']}: {target['lastError']}" for target in targets if target["health"] != "up"]

    rules = [rule for group in ask(server, "rules")["groups"] for rule in group["rules"]]
    faults += [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] == "err"]
    faults += [f"{rule['name']} fires" for rule in rules if rule["state"] == "firing"]

    with open(dashboard, encoding="utf-8") as file:
        asked = list(expressions(json.load(file)["panels"]))
    # The daemon asked here has no certificate.
    for expression in [expression for expression in asked if "certificate" not in expression]:
        query = urllib.parse.urlencode({"query": expression})
        if not ask(server, f"query?{query}")["result"]:
            faults.append(f"no data: {expression}")

    print(f"prometheus: {len(rules)} alerts, {len(asked)} expressions of the dashboard, {len(faults)} faults")
    print("\n".join(faults))
    return 1 if faults or not rules or not asked else 0


sys.exit(main(*sys.argv[1:]))
