#!/usr/bin/env python3
"""Says which share of the work each replica did, from the metrics behind the Collector.

usage: scripts/replica-shares.py --replicas N [--url URL] [--least PERCENT] [--since FILE] [--write FILE]

Counts orders created, stock reservations and payments per process. --write keeps the counts, --since takes kept ones away, so that only what happened in
between is told. Exit code 1 when fewer than N processes of a service did --least (20) percent of it. Processes that did nothing are not shown: the metrics
still have those that ended.
"""

import argparse
import collections
import json
import re
import sys
import urllib.request

WORK = {
    "orders": "shopapi_orders_created_total",
    "inventory": "shopapi_inventory_reserve_total",
    "payments": "shopapi_payments_total",
}
SERIES = re.compile(r'^(\w+)\{(.*)\} ([0-9.e+]+)')
LABEL = re.compile(r'(\w+)="([^"]*)"')


def counts(url):
    """{service: {instance: count}}"""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    seen = {service: collections.Counter() for service in WORK}
    for line in text.splitlines():
        found = SERIES.match(line)
        if not found:
            continue
        labels = dict(LABEL.findall(found[2]))
        for service, metric in WORK.items():
            if found[1] == metric:
                seen[service][labels.get("instance") or labels.get("service_instance_id", "")] += float(found[3])
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8889/metrics")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--least", type=float, default=20)
    parser.add_argument("--since")
    parser.add_argument("--write")
    args = parser.parse_args()
    now = counts(args.url)
    if args.write:
        with open(args.write, "w", encoding="utf-8") as file:
            json.dump(now, file)
        return 0
    if args.since:
        with open(args.since, encoding="utf-8") as file:
            before = json.load(file)
        for service, replicas in now.items():
            # The metrics forget a process some minutes after its end.
            known = before.get(service, {})
            replicas.subtract({instance: count for instance, count in known.items() if instance in replicas})
    too_few = False
    for service, replicas in now.items():
        whole = sum(replicas.values())
        shares = {instance: 100 * count / whole for instance, count in replicas.items() if count}
        for instance, share in sorted(shares.items()):
            print(f"{service:<10} {instance[-8:]}  {replicas[instance]:6.0f}  {share:5.1f} %")
        too_few |= sum(share >= args.least for share in shares.values()) < args.replicas
    if too_few:
        print(f"fewer than {args.replicas} replicas of a service did {args.least:.0f} % of the work", file=sys.stderr)
    return 1 if too_few else 0


if __name__ == "__main__":
    sys.exit(main())
