#!/usr/bin/env python3
"""Places orders through the public API of the running stack.

usage: scripts/order-load.py [--orders N | --seconds S] [--workers W] [--rate R] [--url URL]

Without --rate each worker is a customer who repeats what failed, under the same idempotency key. With it orders begin at that pace whatever becomes of
those before, each on a connection of its own and each once: what is not answered 2xx is lost to the customer and counted. SIGTERM ends it early and in order.

Prints how many orders were accepted, how often an answer was another one, and how long acceptance took. Exit code 1 when an order was never accepted.
"""

import argparse
import collections
import http.client
import json
import signal
import statistics
import sys
import threading
import time
import urllib.parse
import uuid

# Longer than any restart of a container takes.
GIVE_UP_S = 90


class Customer:
    """One customer with one connection, who never sends the next order before the last was accepted."""

    def __init__(self, url):
        self.netloc = urllib.parse.urlsplit(url).netloc
        self.connection = None
        self.token = None
        self.failures = collections.Counter()
        self.took = []
        self.lost = 0

    def call(self, method, path, body=None, headers=None):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.netloc, timeout=20)
            send = {"content-type": "application/json", **(headers or {})}
            if self.token:
                send["authorization"] = f"Bearer {self.token}"
            self.connection.request(method, path, json.dumps(body) if body is not None else None, send)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.connection = None
            return type(error).__name__, None

    def patiently(self, wanted, *request):
        began = time.monotonic()
        while time.monotonic() - began < GIVE_UP_S:
            status, body = self.call(*request)
            if status in wanted:
                return body
            if status == 401:
                self.log_in()
            self.failures[status] += 1
            time.sleep(0.2)
        return None

    def once(self, *request):
        """One try on a connection of its own."""
        self.connection = None
        status, body = self.call(*request)
        if self.connection:
            self.connection.close()
        if status not in {200, 201, 202}:
            kind = body.get("type", "") if isinstance(body, dict) else ""
            self.failures[f"{status} {kind.rsplit('/', 1)[-1]}".strip()] += 1
        return status in {200, 201, 202}

    def register(self):
        self.account = {"email": f"load-{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex}
        self.patiently({201, 409}, "POST", "/api/v1/auth/register", self.account)
        self.log_in()

    def log_in(self):
        self.token = None
        body = self.patiently({200}, "POST", "/api/v1/auth/login", self.account)
        self.token = (body or {}).get("access_token")

    def order(self, sku, number, is_tried_once=False):
        method = "tok_declined" if number % 5 == 4 else "tok_ok"
        body = {"items": [{"sku": sku, "quantity": 1}], "payment_method": method}
        began = time.monotonic()
        request = ("POST", "/api/v1/orders", body, {"idempotency-key": uuid.uuid4().hex})
        if is_tried_once:
            done = self.once(*request)
        else:
            # 409: sold out, which is an answer too.
            done = self.patiently({201, 202, 409}, *request)
        self.took.append(time.monotonic() - began)
        self.lost += not done


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0, help="orders a second, each tried once")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    args = parser.parse_args()
    if not args.orders and not args.seconds:
        args.orders = 100

    if args.rate:
        # Enough hands for answers that take a second.
        args.workers = max(args.workers, int(args.rate))
    customers = [Customer(args.url) for _ in range(args.workers)]
    customers[0].register()
    for customer in customers[1:]:
        # One account: registering is throttled by address.
        customer.account, customer.token = customers[0].account, customers[0].token
    products = customers[0].patiently({200}, "GET", "/api/v1/products?limit=100")["products"]
    sku = max(products, key=lambda product: product["available"])["sku"]
    end = time.monotonic() + args.seconds if args.seconds else None
    numbers = iter(range(args.orders or 10**9))
    lock = threading.Lock()

    def work(customer):
        while not stopped.is_set() and (end is None or time.monotonic() < end):
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            if args.rate:
                time.sleep(max(0, began + number / args.rate - time.monotonic()))
            customer.order(sku, number, is_tried_once=bool(args.rate))

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    began = time.monotonic()
    threads = [threading.Thread(target=work, args=(customer,)) for customer in customers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    took = sorted(one for customer in customers for one in customer.took)
    lost = sum(customer.lost for customer in customers)
    failures = sum((customer.failures for customer in customers), collections.Counter())
    print(f"{len(took)} orders in {seconds:.1f} s, {len(took) / seconds:.1f}/s, {lost} never accepted")
    if took:
        print(f"acceptance p50 {statistics.median(took) * 1e3:.0f} ms, p99 {took[int(len(took) * 0.99)] * 1e3:.0f} ms, longest {took[-1] * 1e3:.0f} ms")
    print("answers that were counted as lost:" if args.rate else "answers that were repeated:", dict(failures) or "none")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
