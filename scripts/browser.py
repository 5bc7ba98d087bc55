#!/usr/bin/env python3
"""Opens the telemetry page of a stack of its own in Debian's chromium and looks at it as a person does.

Checks: an order is found by its number, its spans are drawn, its timeline stands beside them, every process shows its tree, and a killed
service is seen gone and back. With --screenshots DIR it also takes the pictures of the README.
"""

import argparse
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

# A loaded machine starts a browser, PostgreSQL and four services; the first time it also fetches PostgreSQL and NATS.
PATIENCE_S = 180


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

    def open(self, url):
        call("POST", f"{self.session}/url", {"url": url})

    def run(self, script):
        return call("POST", f"{self.session}/execute/sync", {"script": script, "args": []})["value"]

    def shot(self, path):
        picture = call("GET", f"{self.session}/screenshot")["value"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture))

    def complaints(self):
        lines = call("POST", f"{self.session}/se/log", {"type": "browser"})["value"]
        return [line["message"] for line in lines if line["level"] == "SEVERE"]

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


def look(browser, base, stack, page, shots):
    api = f"http://127.0.0.1:{base}/api/v1"
    user = {"email": "browser@example.com", "password": "as-long-as-it-takes"}
    call("POST", f"{api}/auth/register", user)
    token = call("POST", f"{api}/auth/login", user)["access_token"]
    sku = call("GET", f"{api}/products")
    sku = (sku.get("products") or sku.get("items"))[0]["sku"]

    def order(method):
        body = {"items": [{"sku": sku, "quantity": 1}], "payment_method": method}
        return call("POST", f"{api}/orders", body, token)["order_id"]

    def picture(name):
        if shots:
            browser.shot(os.path.join(shots, name))

    paid = order("tok_ok")
    browser.open(page + "/")
    browser.run("localStorage.setItem('theme', 'light'); document.documentElement.dataset.theme = 'light'")
    browser.run(
        f"document.querySelector('#order').value = '{paid}'; document.querySelector('form.find').requestSubmit()"
    )
    until("the order's spans", lambda: browser.run("return document.querySelectorAll('.row .bar').length") > 5)
    until("all services", lambda: browser.run("return document.querySelectorAll('.legend .chip').length") >= 4)
    until("the timeline", lambda: "PAID" in browser.run("return document.querySelector('.timeline')?.innerText ?? ''"))
    assert browser.run("return location.pathname") == f"/orders/{paid}"
    print(f"browser: order {paid} found by its number:", browser.run("return document.querySelector('.head .facts').innerText"))
    picture("waterfall.png")

    browser.open(page + "/actors")
    browser.run("localStorage.setItem('theme', 'dark'); document.documentElement.dataset.theme = 'dark'")
    state = "return [...document.querySelectorAll('.process')].map((one) => one.getAttribute('aria-label') + ' ' + one.dataset.state)"
    names = ["gateway", "orders", "payments", "inventory"]
    until("four trees", lambda: browser.run(state) == [f"{name} up" for name in names])
    actors = browser.run("return document.querySelectorAll('.tree li').length")
    assert actors > 20, f"only {actors} actors"
    print(f"browser: {actors} actors of {len(names)} processes")
    # Orders that are under way while payments is gone.
    slow = order("tok_slow_3000")
    def gone():
        # It is back within a blink: whoever is to see it gone kills it again.
        again = child_of(stack.pid, "payments")
        if again:
            os.kill(again, signal.SIGKILL)
        return "payments gone" in browser.run(state)

    until("payments gone", gone)
    picture("killed.png")
    until("payments back", lambda: "payments back" in browser.run(state))
    picture("healed.png")
    print("browser: payments was killed, seen gone, and seen", browser.run("return document.querySelector('.svc-payments .state').innerText"))

    browser.open(f"{page}/orders/{slow}")
    until("the order that was interrupted ends", lambda: "PAID" in browser.run("return document.querySelector('.status')?.innerText ?? ''"))
    until("its gap", lambda: browser.run("return document.querySelectorAll('.gap').length") > 0)
    picture("crash.png")
    print(f"browser: order {slow}, interrupted:", browser.run("return document.querySelector('.head .facts').innerText"))
    assert not browser.complaints(), browser.complaints()


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
