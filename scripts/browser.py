#!/usr/bin/env python3
"""Opens the telemetry page of a stack of its own in Debian's chromium and looks at it as a person does.

Checks: an order is found by its number, in the form and in the address; its spans are drawn, its timeline stands beside them and the list says the same about
it; an order whose payment was interrupted by a kill shows where, as one trace, and the tab that the reader chose stays while it grows; every process shows its
tree; a killed service is seen gone and back; and a timeline goes on when orders was away. With --screenshots DIR it also takes the pictures of the README.
"""

import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

# A loaded machine starts a browser, PostgreSQL and four services; the first time it also fetches PostgreSQL and NATS.
PATIENCE_S = 180
# What is seen of the page, in pixels, and how much finer a picture of it is.
VIEW = {"width": 1360, "deviceScaleFactor": 1.5, "mobile": False}
HEIGHT = 900
# How often a process that is to stay away is looked for; it is back within a blink.
HOLD_EVERY_S = 0.05


def call(method, url, body=None, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def until(what, look):
    """The first true answer; fails with `what` when none comes in time."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            seen = look()
            if seen:
                return seen
        except (urllib.error.URLError, ConnectionError, KeyError, IndexError, json.JSONDecodeError):
            pass
        time.sleep(0.2)
    sys.exit(f"browser: not seen within {PATIENCE_S} s: {what}")


def settled(look, still_s=3.0):
    """What `look` answers once it has stayed the same for a while."""
    seen, since = look(), time.monotonic()

    def same():
        nonlocal seen, since
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > still_s

    until(f"an end of changes after {seen!r}", same)
    return seen


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Browser:
    """A headless chromium behind chromedriver."""

    def __init__(self):
        self.port = free_port()
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        base = f"http://127.0.0.1:{self.port}"
        until("chromedriver", lambda: call("GET", f"{base}/status")["value"]["ready"])
        # Without its sandbox: it refuses to run as root otherwise, and sees only our own page.
        args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1360,900"]
        wanted = {"goog:chromeOptions": {"args": args}, "goog:loggingPrefs": {"browser": "ALL"}}
        session = call("POST", f"{base}/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"{base}/session/{session['value']['sessionId']}"
        self.view(HEIGHT)

    def open(self, url):
        call("POST", f"{self.session}/url", {"url": url})

    def run(self, script):
        return call("POST", f"{self.session}/execute/sync", {"script": script, "args": []})["value"]

    def text(self, selector):
        """What is written there; nothing when it is not there."""
        return self.run(f"return document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def count(self, selector):
        return self.run(f"return document.querySelectorAll({json.dumps(selector)}).length")

    def click(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def theme(self, name):
        self.run(f"localStorage.setItem('theme', '{name}'); document.documentElement.dataset.theme = '{name}'")

    def view(self, height):
        view = {"cmd": "Emulation.setDeviceMetricsOverride", "params": {**VIEW, "height": height}}
        call("POST", f"{self.session}/goog/cdp/execute", view)

    def shot(self, path):
        picture = call("GET", f"{self.session}/screenshot")["value"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture))

    def complaints(self):
        lines = call("POST", f"{self.session}/se/log", {"type": "browser"})["value"]
        # A timeline that is asked for while orders is away is refused, and the browser says so.
        severe = [line["message"] for line in lines if line["level"] == "SEVERE"]
        return [text for text in severe if not ("/console/orders/" in text and "status of 502" in text)]

    def close(self):
        try:
            call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()


def child_of(parent, service):
    """The process of a service that the stack runs, if it runs."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                above = int(file.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().decode().split("\0")
        except (OSError, ValueError):
            continue
        if above == parent and service in words and words[0].endswith("shopapi"):
            return int(entry)
    return None


class Held:
    """Kills a service of the stack, and again each time it comes back, until the end of the block."""

    def __init__(self, stack, service):
        self.stack, self.service = stack, service
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.kill, daemon=True)

    def kill(self):
        while not self.over.is_set():
            process = child_of(self.stack.pid, self.service)
            if process:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.over.wait(HOLD_EVERY_S)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Load:
    """People who order something now and then, until the end of the block."""

    METHODS = ["tok_ok", "tok_ok", "tok_slow_1500", "tok_declined", "tok_ok", "tok_slow_3000"]

    def __init__(self, order):
        self.order = order
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.buy, args=(method,), daemon=True) for method in self.METHODS]

    def buy(self, method):
        while not self.over.is_set():
            try:
                self.order(method)
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            self.over.wait(0.8)

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Shop:
    """What a customer of the stack does."""

    def __init__(self, base):
        self.api = f"http://127.0.0.1:{base}/api/v1"
        user = {"email": "browser@example.com", "password": "as-long-as-it-takes"}
        call("POST", f"{self.api}/auth/register", user)
        self.token = call("POST", f"{self.api}/auth/login", user)["access_token"]
        products = call("GET", f"{self.api}/products")
        self.sku = (products.get("products") or products.get("items"))[0]["sku"]

    def order(self, method):
        body = {"items": [{"sku": self.sku, "quantity": 1}], "payment_method": method}
        return call("POST", f"{self.api}/orders", body, self.token)["order_id"]


def finding(browser, page, shop, picture):
    """An order is found by its number, and every place says the same about it."""
    paid = shop.order("tok_ok")
    browser.open(page + "/")
    browser.theme("light")
    browser.run(f"document.querySelector('#order').value = '{paid}'; document.querySelector('form.find').requestSubmit()")
    until("the order's spans", lambda: browser.count(".row .bar") > 5)
    until("all services", lambda: browser.count(".legend .chip") >= 4)
    until("the timeline's end", lambda: "completed" in browser.text(".timeline li.last"))
    assert browser.run("return location.pathname") == f"/orders/{paid}"
    facts = settled(lambda: browser.text(".head .facts"))
    shown = browser.text(".card[aria-current=true] .facts")
    length = re.match(r".+? · \d+ spans", facts)[0]
    assert shown.startswith(length), f"the list says {shown!r}, the trace {facts!r}"
    print(f"browser: order {paid} found by its number:", facts)
    picture("waterfall.png")

    browser.open(f"{page}/orders/{paid}")
    until("the order of the address", lambda: f"order {paid}" in browser.text(".head h1") and browser.count(".row .bar") > 5)
    assert browser.run("return document.querySelector('#order').value") == str(paid)
    browser.open(f"{page}/trace/{'0' * 31}1")
    until("what is not there", lambda: "not here" in browser.text(".detail .empty"))


def interrupted(browser, page, shop, stack, picture):
    """A service is killed in the middle of an order: one trace shows where, and grows before the reader's eyes."""
    slow = shop.order("tok_slow_4000")
    tags = urllib.parse.quote(json.dumps({"order.id": str(slow)}))

    def of_payments():
        found = call("GET", f"{page}/api/traces?tags={tags}")["data"]
        return any(one["serviceName"] == "payments" for trace in found for one in trace["processes"].values())

    browser.open(f"{page}/orders/{slow}")
    browser.theme("dark")
    until("the first spans of payments", of_payments)
    with Held(stack, "payments"):
        until("the order's spans", lambda: browser.count(".row .bar") > 5)
        browser.click("#tab-logs")
        spans = browser.count(".row .bar")
        time.sleep(2)
    until("the place where payments ended", lambda: browser.count(".gap.crash") > 0)
    assert "went on as another process" in browser.text(".head .facts")
    assert browser.count(".row .bar") > spans
    assert browser.run("return document.querySelector('#tab-logs').getAttribute('aria-selected')") == "true", "the Logs tab did not stay"
    # Behind the tab with the log lines.
    last = "return document.querySelector('.timeline li.last')?.textContent ?? ''"
    until("the end of the order that was interrupted", lambda: "completed" in browser.run(last))
    facts = settled(lambda: browser.text(".head .facts"))
    print(f"browser: order {slow}, interrupted:", facts)
    browser.click("#tab-order")
    picture("crash.png")


def healing(browser, page, shop, stack, picture, at_leisure):
    """A service that is killed is seen gone, and back."""
    browser.view(740)
    browser.open(page + "/actors")
    browser.theme("dark")
    states = "return Object.fromEntries([...document.querySelectorAll('.process')].map((one) => [one.getAttribute('aria-label'), one.dataset.state]))"
    names = ["gateway", "orders", "payments", "inventory"]
    until("four trees", lambda: browser.run(states).keys() == set(names) and set(browser.run(states).values()) <= {"up", "back"})
    actors = browser.count(".tree li")
    assert actors > 20, f"only {actors} actors"
    print(f"browser: {actors} actors of {len(names)} processes")
    until("no order under way", lambda: "Every order has ended" in browser.text(".sagas"))
    with Load(shop.order):
        until("an order under way", lambda: browser.count(".saga") > 0)
        if at_leisure:
            time.sleep(20)
        with Held(stack, "payments"):
            until("payments gone", lambda: browser.run(states)["payments"] == "gone")
            until("since when", lambda: "gone for" in browser.text(".svc-payments .state"))
            if at_leisure:
                time.sleep(2)
            picture("killed.png", lambda: browser.count(".tree .box i[style*='%']") > 1)
        until("payments back", lambda: browser.run(states)["payments"] == "back")
        print("browser: payments was killed, seen gone, and seen", browser.text(".svc-payments .state"))
        picture("healed.png", lambda: browser.count(".tree .box i[style*='%']") > 1)
    browser.view(HEIGHT)


def away(browser, page, shop, stack):
    """The timeline of an order goes on when orders was away."""
    with Held(stack, "payments"):
        waiting = shop.order("tok_ok")
        browser.open(f"{page}/orders/{waiting}")
        until("the timeline", lambda: "AWAITING_PAYMENT" in browser.text(".timeline"))
        with Held(stack, "orders"):
            until("the timeline as it was", lambda: "seen last" in browser.text("#pane-order .alarm") and "AWAITING_PAYMENT" in browser.text(".timeline"))
    until("the timeline's end", lambda: "completed" in browser.text(".timeline li.last"))
    assert browser.count("#pane-order .alarm") == 0
    print(f"browser: the timeline of order {waiting} went on when orders was back")


def look(browser, base, stack, page, shots):
    shop = Shop(base)

    def picture(name, good=lambda: True):
        """Takes a picture, at a good moment if one comes soon."""
        if not shots:
            return
        deadline = time.monotonic() + 4
        while not good() and time.monotonic() < deadline:
            time.sleep(0.1)
        browser.shot(os.path.join(shots, name))

    finding(browser, page, shop, picture)
    interrupted(browser, page, shop, stack, picture)
    healing(browser, page, shop, stack, picture, at_leisure=bool(shots))
    away(browser, page, shop, stack)
    complaints = [one for one in browser.complaints() if f"/api/traces/{'0' * 31}1" not in one]
    assert not complaints, complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shopctl", required=True, help="the shopctl binary")
    parser.add_argument("--screenshots", metavar="DIR", help="take the pictures of the README")
    args = parser.parse_args()
    base = 21000 + os.getpid() % 4000
    home = tempfile.mkdtemp(prefix="shopapi-browser-")
    command = [args.shopctl, "dev", "--quiet", "--port-base", str(base)]
    environment = {**os.environ, "SHOPCTL_HOME": home}
    with open(os.path.join(home, "dev.log"), "w", encoding="utf-8") as log:
        stack = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    browser = None
    try:
        until("the stack", lambda: stack.poll() is None and call("GET", f"http://127.0.0.1:{base}/api/v1/products"))
        browser = Browser()
        look(browser, base, stack, f"http://127.0.0.1:{base + 14}", args.screenshots)
    except SystemExit:
        with open(os.path.join(home, "dev.log"), encoding="utf-8") as log:
            print("".join(log.readlines()[-20:]), file=sys.stderr)
        raise
    finally:
        if browser:
            browser.close()
        stack.terminate()
        stack.wait()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
