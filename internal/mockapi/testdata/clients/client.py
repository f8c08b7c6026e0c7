#!/usr/bin/env python3
"""A merchant's client for the Intram Merchant API, written from the API's documentation alone.

It shares no code with the SDK and none with the fake server: Python's standard library signs, sends,
receives and verifies. foreign_test.go runs it against the fake and compares what it got, field by field,
with what the SDK gets.

INTRAM_URL is the server's scheme, host and port; INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY are sandbox keys.
Every answer is printed as one line of JSON, named by its step. Numbers are printed as strings, with the
digits that were on the wire.
"""

import hashlib
import hmac
import http.client
import http.server
import json
import os
import sys
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

SIGNED_PREFIX = "/api/v1/merchant"  # whatever URL is called
WINDOW = timedelta(minutes=5)
POLL_FIRST = float(os.environ.get("INTRAM_POLL_SECONDS", "1"))
POLL_FACTOR, POLL_MOST, POLL_GIVE_UP = 1.5, 10.0, 60.0


def show(step, **what):
    print(json.dumps({"step": step, **what}, ensure_ascii=False, sort_keys=True), flush=True)


def loads(text):
    """JSON with every number as the string that was on the wire: an amount is never a float."""
    return json.loads(text, parse_int=str, parse_float=str)


def mac(key, message):
    return "sha256=" + hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.raw = response.read()

    @property
    def body(self):
        return loads(self.raw)

    @property
    def data(self):
        return self.body["data"]

    @property
    def replayed(self):
        return self.headers.get("Idempotent-Replay") == "true"

    def show(self, step, **more):
        show(step, status=str(self.status), replayed=self.replayed, body=self.body, **more)
        return self


class Merchant:
    def __init__(self, url, public_key, secret_key):
        self.url = urlsplit(url)
        self.public_key = public_key
        self.secret_key = secret_key
        self.behind = timedelta(0)  # how far this machine's clock is behind the server's

    def now(self):
        return datetime.now(timezone.utc) + self.behind

    def timestamp(self, at=None):
        at = at or self.now()
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"

    def set_clock(self):
        """Reads the server's time off an answer: a request that is off by more than 5 minutes is refused."""
        answer = self.send("GET", "/v1/balance", {})
        self.behind = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(timezone.utc)

    def send(self, method, target, headers, body=b""):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=30)
        try:
            connection.request(method, target, body=body or None, headers=headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def call(self, method, endpoint, query=None, params=None, key=None, spoil=None, raw=None):
        """One signed call. spoil changes the headers after signing, as a mistaken client would send them."""
        body = b""
        if raw is not None:
            body = raw
        elif params is not None:
            body = json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode()
        pairs = "&".join(f"{name}={value}" for name, value in sorted((query or {}).items()))
        timestamp = self.timestamp()
        message = "\n".join([timestamp, method, SIGNED_PREFIX + endpoint, pairs, ""]).encode() + body
        headers = {
            "X-Api-Key": self.public_key,
            "X-Timestamp": timestamp,
            "X-Signature": mac(self.secret_key, message),
        }
        if method in ("POST", "PUT", "PATCH"):
            headers["Content-Type"] = "application/json"
            headers["Idempotency-Key"] = key or str(uuid.uuid4())
        if spoil:
            spoil(headers)
        return self.send(method, "/v1" + endpoint + ("?" + pairs if pairs else ""), headers, body)

    def get(self, endpoint, **query):
        return self.call("GET", endpoint, query)

    def post(self, endpoint, params, **more):
        return self.call("POST", endpoint, params=params, **more)

    def finished(self, accepted):
        """Polls an operation until it has ended. An unknown status is not the end."""
        operation_id = accepted.data["operation_id"]
        wait, spent = POLL_FIRST, 0.0
        while True:
            answer = self.get(f"/operations/{operation_id}")
            if answer.data["status"] in ("succeeded", "failed", "expired"):
                return answer
            if spent >= POLL_GIVE_UP:
                raise SystemExit(f"operation {operation_id} has not ended: {answer.data['status']}")
            time.sleep(wait)
            spent, wait = spent + wait, min(wait * POLL_FACTOR, POLL_MOST)

    def listed(self, endpoint, identity, limit, **query):
        """Every item of a list. The cursor is strict, so items of the millisecond that a page ended in would be
        lost: ask for one millisecond more, drop what was seen, and for longer pages when that is nothing new."""
        items, seen, pages, query = [], set(), 0, {"limit": limit, **query}
        while True:
            answer = self.get(endpoint, **query)
            pages += 1
            fresh = [item for item in answer.data if item[identity] not in seen]
            seen.update(item[identity] for item in fresh)
            items += fresh
            cursor = answer.body["paging"]["next_before"]
            if cursor is None:
                return items, pages
            if not fresh:
                if query["limit"] == 100:
                    raise SystemExit(f"{endpoint}: the cursor stands still")
                query["limit"] = 100
            after = datetime.fromisoformat(cursor.replace("Z", "+00:00")) + timedelta(milliseconds=1)
            query["before"] = self.timestamp(after)


class Page(HTMLParser):
    """The forms of a page: where each is sent, what it carries, and what its buttons say."""

    def __init__(self, html):
        super().__init__()
        self.forms, self.form, self.button = [], None, None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.form = {"action": given.get("action") or "", "method": (given.get("method") or "get").upper(),
                         "fields": {}, "buttons": []}
            self.forms.append(self.form)
        elif self.form is None:
            return
        elif tag == "button" or tag == "input" and given.get("type") == "submit":
            button = {"name": given.get("name"), "value": given.get("value") or "", "text": given.get("value") or ""}
            self.form["buttons"].append(button)
            if tag == "button":
                self.button, button["text"] = button, ""
        elif tag == "input" and given.get("name"):
            if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self.form["fields"][given["name"]] = given.get("value") or ""

    def handle_data(self, data):
        if self.button is not None:
            self.button["text"] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        elif tag == "button":
            self.button = None


def press(merchant, gateway_url, word):
    """Opens the checkout page as a browser without JavaScript would, and presses the button that says word."""
    def target(url):
        parts = urlsplit(url)
        return parts.path + ("?" + parts.query if parts.query else "")

    page = merchant.send("GET", target(gateway_url), {"Accept": "text/html"})
    for form in Page(page.raw.decode()).forms:
        for button in form["buttons"]:
            if word.lower() not in button["text"].lower().split():
                continue
            fields = dict(form["fields"])
            if button["name"]:
                fields[button["name"]] = button["value"]
            answer = merchant.send(form["method"], target(urljoin(gateway_url, form["action"])),
                                   {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())
            return page, answer
    raise SystemExit(f"the checkout page has no button that says {word}")


class Receiver:
    """A merchant's webhook endpoint on loopback."""

    def __init__(self):
        self.deliveries, self.arrived = [], threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.arrived:
                    receiver.deliveries.append((self.headers, body))
                    receiver.arrived.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/intram/webhook"

    def wait(self, expected):
        """Waits for each (event, operation) by name, however many others arrive, and returns all deliveries."""
        def missing():
            got = {(body["event"], body["operation_id"]) for body in (loads(raw) for _, raw in self.deliveries)}
            return [event for event in expected if event not in got]

        with self.arrived:
            if not self.arrived.wait_for(lambda: not missing(), timeout=30):
                raise SystemExit(f"these events did not arrive: {missing()}")
            return list(self.deliveries)


def verified(merchant, secret, headers, body):
    timestamp = headers["X-Intram-Timestamp"]
    if not hmac.compare_digest(mac(secret, timestamp.encode() + b"." + body), headers["X-Intram-Signature"]):
        return False
    return abs(datetime.fromisoformat(timestamp.replace("Z", "+00:00")) - merchant.now()) <= WINDOW


def payout(msisdn, amount, reference):
    return {
        "amount": amount,
        "currency": "XOF",
        "destination": {"type": "mobile_money", "country_code": "BJ", "provider_code": "MTN_BENIN_229",
                        "msisdn": msisdn, "account_name": "Ada", "account_surname": "Lovelace"},
        "reference": reference,
        "note": "Règlement hebdomadaire ✓",
        "metadata": {"batch_id": "B-42", "lines": [1, 2, {"deep": None}]},
    }


def payment_request(amount, order):
    return {
        "invoice": {"amount": amount, "currency": "XOF", "description": f"Commande #{order}",
                    "customer": {"email": "client@example.com", "first_name": "Ada", "last_name": "Lovelace",
                                 "phone": "22961000000"}},
        "payment_method": {"code": "MTN_BENIN_229", "country_code": "BJ", "msisdn": "22961000000"},
        "return_urls": {"success": "https://shop.example.com/ok", "cancel": "https://shop.example.com/no"},
        "webhook_data": {"order_id": order},
    }


def refusals(merchant):
    """Each way to be refused before anything is looked at, by the headers that cause it."""
    def without(name):
        return lambda headers: headers.pop(name)

    def with_header(name, value):
        return lambda headers: headers.__setitem__(name, value)

    late = merchant.timestamp(merchant.now() - WINDOW - timedelta(minutes=1))
    early = merchant.timestamp(merchant.now() + WINDOW + timedelta(minutes=1))
    for step, spoil in {
        "missing_api_key": without("X-Api-Key"),
        "invalid_api_key": with_header("X-Api-Key", "pk_sandbox_nobody"),
        "missing_signature": without("X-Signature"),
        "missing_timestamp": without("X-Timestamp"),
        "invalid_timestamp_format": with_header("X-Timestamp", "yesterday"),
        "timestamp_out_of_window.late": with_header("X-Timestamp", late),
        "timestamp_out_of_window.early": with_header("X-Timestamp", early),
        "signature_mismatch": with_header("X-Signature", "sha256=" + "0" * 64),
    }.items():
        merchant.call("GET", "/balance", spoil=spoil).show("refused." + step)
    small = payout("22961000000", 1000, "PO-NEVER")
    merchant.post("/payouts", small, spoil=without("Idempotency-Key")).show("refused.missing_idempotency_key")
    merchant.post("/payouts", small, key="short").show("refused.invalid_idempotency_key")
    merchant.post("/payouts", None, raw=b'{"amount":').show("refused.invalid_body")


def main():
    merchant = Merchant(os.environ["INTRAM_URL"], os.environ["INTRAM_PUBLIC_KEY"], os.environ["INTRAM_SECRET_KEY"])
    merchant.set_clock()
    refusals(merchant)

    receiver = Receiver()
    merchant.get("/balance").show("balance.before")
    created = merchant.post("/webhooks", {"url": receiver.url, "event": "*"}).show("webhook.created")
    subscription, secret = created.data["subscription_id"], created.data["secret"]
    expected = []

    def expect(event, answer):
        expected.append((event, answer.data["operation_id"]))

    # Payouts: one that succeeds, sent twice; one refused in the worker; one to a bank; one that is wrong.
    key, wanted = str(uuid.uuid4()), payout("22961000000", 25000, "PO-1")
    accepted = merchant.post("/payouts", wanted, key=key).show("payout.accepted")
    again = merchant.post("/payouts", wanted, key=key)
    again.show("payout.replayed", same_bytes=again.raw == accepted.raw)
    merchant.post("/payouts", payout("22961000000", 25001, "PO-1"), key=key).show("payout.conflict")
    expect("payout.completed", merchant.finished(accepted).show("payout.finished"))
    expect("payout.failed",
           merchant.finished(merchant.post("/payouts", payout("22961000002", 5000, "PO-2"))).show("payout.failed"))
    expect("payout.queued", merchant.finished(merchant.post("/payouts", {
        "amount": 40000,
        "destination": {"type": "bank_account", "swift": "ECOCBJBJ", "account_number": "BJ0610100100144390000769",
                        "account_name": "Ada Lovelace"},
        "reference": "PO-3",
    })).show("payout.bank"))
    merchant.post("/payouts", {"amount": 0, "currency": "xof", "reference": "R" * 101,
                               "destination": {"type": "mobile_money", "msisdn": "+22961000000"}}).show("payout.invalid")

    # Payment requests: one paid on the checkout page, one declined.
    accepted = merchant.post("/payment-requests", payment_request(12000, "4521")).show("payment_request.accepted")
    finished = merchant.finished(accepted).show("payment_request.finished")
    expect("payment_request.created", finished)
    paid = finished.data["result"]["transaction_reference"]
    merchant.get(f"/transactions/{paid}").show("transaction.pending")
    page, answer = press(merchant, finished.data["result"]["gateway_url"], "pay")
    show("checkout.paid", page=str(page.status), accepted=200 <= answer.status < 400)
    expect("payment_request.paid", finished)
    merchant.get(f"/transactions/{paid}").show("transaction.paid")

    finished = merchant.finished(merchant.post("/payment-requests", payment_request(7000, "4522")))
    expect("payment_request.created", finished)
    declined = finished.data["result"]["transaction_reference"]
    page, answer = press(merchant, finished.data["result"]["gateway_url"], "decline")
    show("checkout.declined", page=str(page.status), accepted=200 <= answer.status < 400)
    expect("payment_request.failed", finished)
    merchant.get(f"/transactions/{declined}").show("transaction.declined")

    # Refunds: part of the payment, and one of nothing we know.
    accepted = merchant.post("/refunds", {"transaction_reference": paid, "amount": 5000, "reason": "Demandé par le client",
                                          "metadata": {"ticket_id": "T-9001"}}).show("refund.accepted")
    expect("refund.completed", merchant.finished(accepted).show("refund.finished"))
    merchant.get(f"/transactions/{paid}").show("transaction.refunded")
    merchant.post("/refunds", {"transaction_reference": "ZZZZZZZZZZ"}).show("refund.unknown")

    # Lists, in pages short enough to need the cursor.
    items, pages = merchant.listed("/transactions", "reference", limit=2)
    show("transactions.listed", items=items, several_pages=pages > 1)
    items, pages = merchant.listed("/operations", "operation_id", limit=2, type="payout")
    show("operations.listed", items=items, several_pages=pages > 1)
    merchant.get("/operations/op_none").show("operation.unknown")
    merchant.get("/transactions/ZZZZZZZZZZ").show("transaction.unknown")

    # Webhooks: what is subscribed, a ping, everything that was sent so far, and the end of it.
    merchant.get("/webhooks").show("webhooks.listed")
    merchant.post(f"/webhooks/{subscription}/test", {}).show("webhook.tested")
    expected.append(("test.ping", "op_test"))
    for headers, body in receiver.wait(expected):
        show("delivery", body=loads(body), verified=verified(merchant, secret, headers, body),
             forged=verified(merchant, secret, headers, body + b" "),
             event=headers["X-Intram-Event"], attempt=headers["X-Intram-Attempt"],
             user_agent=headers["User-Agent"], delivery=headers["X-Intram-Delivery"])
    merchant.call("DELETE", f"/webhooks/{subscription}").show("webhook.deleted")
    merchant.get("/webhooks").show("webhooks.left")
    merchant.get("/balance").show("balance.after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
