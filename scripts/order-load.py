#!/usr/bin/env python3
"""Places orders through the public API of the running stack.

usage: scripts/order-load.py [--orders N | --seconds S] [--workers W] [--rate R] [--url URL]

Without --rate each worker is a customer who repeats what failed, under the same idempotency key. With it orders begin at that pace whatever becomes of
those before, each on a connection of its own and each once: what is not answered 2xx is lost to the customer and counted. SIGTERM ends it early and in order.

Prints how many orders were accepted, every status that was answered and how often, how late orders began behind --rate, and how long acceptance took.
Exit code 1 when an order was never accepted.
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


class Account:
    """The one account of all customers, because registering and logging in are throttled by address, and its token, which is renewed in time."""

    def __init__(self, url):
        self.secret = {"email": f"load-{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex}
        self.token = None
        # Until the gateway says how long a token lives.
        self.lives_s = 60
        self.door = Customer(url, self)
        self.lock = threading.Lock()

    def register(self):
        self.door.patiently({201, 409}, "POST", "/api/v1/auth/register", self.secret)
        self.log_in(None)

    def log_in(self, seen):
        """A new token, unless somebody else has replaced the one that was seen."""
        with self.lock:
            if self.token is not seen:
                return
            # The old one stays in use until there is another one: it has most of its life before it.
            body = self.door.patiently({200}, "POST", "/api/v1/auth/login", self.secret)
            if body:
                self.token, self.lives_s = body["access_token"], body["expires_in"]

    def renew_until(self, stopped):
        while not stopped.wait(self.lives_s / 3):
            self.log_in(self.token)


class Customer:
    """One customer with one connection, who never sends the next order before the last was accepted."""

    def __init__(self, url, account):
        self.netloc = urllib.parse.urlsplit(url).netloc
        self.connection = None
        self.account = account
        self.answers = collections.Counter()
        self.failures = collections.Counter()
        self.took = []
        self.late_s = []
        self.lost = 0

    def call(self, method, path, body=None, headers=None, token=None):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.netloc, timeout=20)
            send = {"content-type": "application/json", **(headers or {})}
            if token:
                send["authorization"] = f"Bearer {token}"
            self.connection.request(method, path, json.dumps(body) if body is not None else None, send)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.connection = None
            return type(error).__name__, None

    def patiently(self, wanted, *request, is_order=False):
        began = time.monotonic()
        while time.monotonic() - began < GIVE_UP_S:
            token = self.account.token if is_order else None
            status, body = self.call(*request, token=token)
            if is_order:
                self.answers[str(status)] += 1
            if status in wanted:
                return body
            if status == 401 and is_order:
                self.account.log_in(token)
            self.failures[status] += 1
            time.sleep(0.2)
        return None

    def once(self, *request):
        """One try on a connection of its own."""
        self.connection = None
        status, body = self.call(*request, token=self.account.token)
        if self.connection:
            self.connection.close()
        self.answers[str(status)] += 1
        if status not in {200, 201, 202}:
            kind = body.get("type", "") if isinstance(body, dict) else ""
            self.failures[f"{status} {kind.rsplit('/', 1)[-1]}".strip()] += 1
        return status in {200, 201, 202}

    def order(self, sku, number, is_tried_once=False):
        method = "tok_declined" if number % 5 == 4 else "tok_ok"
        body = {"items": [{"sku": sku, "quantity": 1}], "payment_method": method}
        began = time.monotonic()
        request = ("POST", "/api/v1/orders", body, {"idempotency-key": uuid.uuid4().hex})
        if is_tried_once:
            done = self.once(*request)
        else:
            # 409: sold out, which is an answer too.
            done = self.patiently({201, 202, 409}, *request, is_order=True)
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
    account = Account(args.url)
    account.register()
    customers = [Customer(args.url, account) for _ in range(args.workers)]
    products = account.door.patiently({200}, "GET", "/api/v1/products?limit=100")["products"]
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
                due = began + number / args.rate
                time.sleep(max(0, due - time.monotonic()))
                customer.late_s.append(time.monotonic() - due)
            customer.order(sku, number, is_tried_once=bool(args.rate))

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    began = time.monotonic()
    threads = [threading.Thread(target=work, args=(customer,)) for customer in customers]
    threading.Thread(target=account.renew_until, args=(stopped,), daemon=True).start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    took = sorted(one for customer in customers for one in customer.took)
    lost = sum(customer.lost for customer in customers)
    failures, answers = (sum((getattr(customer, name) for customer in customers), collections.Counter()) for name in ("failures", "answers"))
    print(f"{len(took)} orders in {seconds:.1f} s, {len(took) / seconds:.1f}/s, {lost} never accepted")
    print("answers by status:", ", ".join(f"{status}: {count} ({count / seconds:.1f}/s)" for status, count in sorted(answers.items())) or "none")
    if args.rate:
        late = sorted(one for customer in customers for one in customer.late_s)
        # Orders that wait for hands are not the pace that was asked for.
        print(f"pace: {args.rate:g}/s asked for, {sum(one > 1 for one in late)} orders began more than a second late, the latest {late[-1] if late else 0:.1f} s")
    if took:
        print(f"acceptance p50 {statistics.median(took) * 1e3:.0f} ms, p99 {took[int(len(took) * 0.99)] * 1e3:.0f} ms, longest {took[-1] * 1e3:.0f} ms")
    print("answers that were counted as lost:" if args.rate else "answers that were repeated:", dict(failures) or "none")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
