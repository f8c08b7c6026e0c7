#!/usr/bin/env node
"use strict";
// A merchant's client for the Intram Merchant API, written from the API's documentation alone.
//
// It shares no code with the SDK and none with the fake server: Node's own modules sign, send, receive and verify.
// foreign_test.go runs it against the fake and compares what it got, field by field, with what the SDK gets.
//
// INTRAM_URL is the server's scheme, host and port; INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY are sandbox keys.
// Every answer is printed as one line of JSON, named by its step. Numbers are printed as strings, with the
// digits that were on the wire.

const crypto = require("node:crypto");
const http = require("node:http");
const { setTimeout: sleep } = require("node:timers/promises");

const SIGNED_PREFIX = "/api/v1/merchant"; // whatever URL is called
const WINDOW = 5 * 60 * 1000;
const POLL_FIRST = Number(process.env.INTRAM_POLL_SECONDS || "1") * 1000;
const POLL_FACTOR = 1.5, POLL_MOST = 10_000, POLL_GIVE_UP = 60_000;

const show = (step, what) => process.stdout.write(JSON.stringify({ step, ...what }) + "\n");

// JSON with every number as the string that was on the wire: an amount is never a float.
const parse = (text) => JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g,
  (token) => (token.startsWith('"') ? token : `"${token}"`)));

const mac = (key, ...parts) => {
  const hmac = crypto.createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return "sha256=" + hmac.digest("hex");
};

const same = (a, b) => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && crypto.timingSafeEqual(left, right);
};

class Answer {
  constructor(response, raw) {
    this.status = response.statusCode;
    this.headers = response.headers;
    this.raw = raw;
  }
  get body() { return parse(this.raw.toString("utf8")); }
  get data() { return this.body.data; }
  show(step, more) {
    show(step, { status: String(this.status), replayed: this.headers["idempotent-replay"] === "true", body: this.body, ...more });
    return this;
  }
}

class Merchant {
  constructor(url, publicKey, secretKey) {
    this.url = new URL(url);
    this.publicKey = publicKey;
    this.secretKey = secretKey;
    this.behind = 0; // how far this machine's clock is behind the server's
  }

  now() { return Date.now() + this.behind; }

  timestamp(at = this.now()) { return new Date(at).toISOString(); }

  // Reads the server's time off an answer: a request that is off by more than 5 minutes is refused.
  async setClock() {
    const answer = await this.send("GET", "/v1/balance", {});
    this.behind = Date.parse(answer.headers.date) - Date.now();
  }

  send(method, target, headers, body = "") {
    return new Promise((resolve, reject) => {
      const request = http.request({
        host: this.url.hostname, port: this.url.port, method, path: target, agent: false, timeout: 30_000,
        headers: { ...headers, ...(body.length ? { "Content-Length": Buffer.byteLength(body) } : {}) },
      }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve(new Answer(response, Buffer.concat(chunks))));
        response.on("error", reject);
      });
      request.on("timeout", () => request.destroy(new Error("no answer within 30 s")));
      request.on("error", reject);
      request.end(body);
    });
  }

  // One signed call. spoil changes the headers after signing, as a mistaken client would send them.
  call(method, endpoint, { query = {}, params, raw, key, spoil } = {}) {
    const body = raw ?? (params === undefined ? "" : JSON.stringify(params));
    const pairs = Object.keys(query).sort().map((name) => `${name}=${query[name]}`).join("&");
    const timestamp = this.timestamp();
    const headers = {
      "X-Api-Key": this.publicKey,
      "X-Timestamp": timestamp,
      "X-Signature": mac(this.secretKey, [timestamp, method, SIGNED_PREFIX + endpoint, pairs, ""].join("\n"), body),
    };
    if (method === "POST") {
      headers["Content-Type"] = "application/json";
      headers["Idempotency-Key"] = key ?? crypto.randomUUID();
    }
    spoil?.(headers);
    return this.send(method, "/v1" + endpoint + (pairs && "?" + pairs), headers, body);
  }

  get(endpoint, query) { return this.call("GET", endpoint, { query }); }

  post(endpoint, params, more) { return this.call("POST", endpoint, { params, ...more }); }

  // Polls an operation until it has ended. An unknown status is not the end.
  async finished(accepted) {
    const id = accepted.data.operation_id;
    for (let wait = POLL_FIRST, spent = 0; ; spent += wait, wait = Math.min(wait * POLL_FACTOR, POLL_MOST)) {
      const answer = await this.get(`/operations/${id}`);
      if (["succeeded", "failed", "expired"].includes(answer.data.status)) return answer;
      if (spent >= POLL_GIVE_UP) throw new Error(`operation ${id} has not ended: ${answer.data.status}`);
      await sleep(wait);
    }
  }

  // Every item of a list. The cursor is strict, so items of the millisecond that a page ended in would be lost: ask
  // for one millisecond more, drop what was seen, and ask for longer pages when that is nothing new.
  async listed(endpoint, identity, first) {
    const items = new Map();
    const query = { ...first };
    for (let pages = 1; ; pages++) {
      const answer = await this.get(endpoint, query);
      const fresh = answer.data.filter((item) => !items.has(item[identity]));
      for (const item of fresh) items.set(item[identity], item);
      const cursor = answer.body.paging.next_before;
      if (cursor === null) return { items: [...items.values()], several_pages: pages > 1 };
      if (fresh.length === 0) {
        if (query.limit === 100) throw new Error(`${endpoint}: the cursor stands still`);
        query.limit = 100;
      }
      query.before = this.timestamp(Date.parse(cursor) + 1);
    }
  }
}

// Opens the checkout page as a browser without JavaScript would, and presses the button that says word.
async function press(merchant, gatewayURL, word) {
  const target = (url) => url.pathname + url.search;
  const at = new URL(gatewayURL);
  const page = await merchant.send("GET", target(at), { Accept: "text/html" });
  for (const [, attributes, inside] of page.raw.toString("utf8").matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    const attribute = (tag, name) => new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
    const button = /<button\b[^>]*>(.*?)<\/button>/s.exec(inside)?.[1] ?? "";
    if (!button.toLowerCase().split(/\s+/).includes(word)) continue;
    const fields = new URLSearchParams();
    for (const [input] of inside.matchAll(/<input\b[^>]*>/g)) {
      if (attribute(input, "name")) fields.set(attribute(input, "name"), attribute(input, "value") ?? "");
    }
    const answer = await merchant.send((attribute(attributes, "method") ?? "get").toUpperCase(),
      target(new URL(attribute(attributes, "action") ?? "", at)), { "Content-Type": "application/x-www-form-urlencoded" }, fields.toString());
    return { page: String(page.status), accepted: answer.status >= 200 && answer.status < 400 };
  }
  throw new Error(`the checkout page has no button that says ${word}`);
}

// A merchant's webhook endpoint on loopback.
class Receiver {
  constructor() {
    this.deliveries = [];
    this.arrived = () => {};
  }

  async listen() {
    this.server = http.createServer((request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        this.deliveries.push({ headers: request.headers, body: Buffer.concat(chunks) });
        response.writeHead(204).end();
        this.arrived();
      });
    });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}/intram/webhook`;
  }

  // Waits for each (event, operation) by name, however many others arrive, and returns all deliveries.
  async wait(expected) {
    const missing = () => {
      const got = new Set(this.deliveries.map(({ body }) => parse(body.toString("utf8"))).map((b) => `${b.event} ${b.operation_id}`));
      return expected.filter((event) => !got.has(event));
    };
    const deadline = AbortSignal.timeout(30_000);
    while (missing().length > 0) {
      if (deadline.aborted) throw new Error(`these events did not arrive: ${missing()}`);
      await new Promise((resolve) => {
        this.arrived = resolve;
        deadline.addEventListener("abort", resolve, { once: true });
      });
    }
    return [...this.deliveries];
  }
}

function verified(merchant, secret, headers, body) {
  const timestamp = headers["x-intram-timestamp"];
  return same(mac(secret, timestamp, ".", body), headers["x-intram-signature"]) && Math.abs(Date.parse(timestamp) - merchant.now()) <= WINDOW;
}

const payout = (msisdn, amount, reference) => ({
  amount,
  currency: "XOF",
  destination: {
    type: "mobile_money", country_code: "BJ", provider_code: "MTN_BENIN_229", msisdn, account_name: "Ada", account_surname: "Lovelace",
  },
  reference,
  note: "Règlement hebdomadaire ✓",
  metadata: { batch_id: "B-42", lines: [1, 2, { deep: null }] },
});

const paymentRequest = (amount, order) => ({
  invoice: {
    amount, currency: "XOF", description: `Commande #${order}`,
    customer: { email: "client@example.com", first_name: "Ada", last_name: "Lovelace", phone: "22961000000" },
  },
  payment_method: { code: "MTN_BENIN_229", country_code: "BJ", msisdn: "22961000000" },
  return_urls: { success: "https://shop.example.com/ok", cancel: "https://shop.example.com/no" },
  webhook_data: { order_id: order },
});

// Each way to be refused before anything is looked at, by the headers that cause it.
async function refusals(merchant) {
  const without = (name) => (headers) => { delete headers[name]; };
  const having = (name, value) => (headers) => { headers[name] = value; };
  const late = merchant.timestamp(merchant.now() - WINDOW - 60_000);
  const early = merchant.timestamp(merchant.now() + WINDOW + 60_000);
  for (const [step, spoil] of [
    ["missing_api_key", without("X-Api-Key")],
    ["invalid_api_key", having("X-Api-Key", "pk_sandbox_nobody")],
    ["missing_signature", without("X-Signature")],
    ["missing_timestamp", without("X-Timestamp")],
    ["invalid_timestamp_format", having("X-Timestamp", "yesterday")],
    ["timestamp_out_of_window.late", having("X-Timestamp", late)],
    ["timestamp_out_of_window.early", having("X-Timestamp", early)],
    ["signature_mismatch", having("X-Signature", "sha256=" + "0".repeat(64))],
  ]) (await merchant.call("GET", "/balance", { spoil })).show("refused." + step);
  const small = payout("22961000000", 1000, "PO-NEVER");
  (await merchant.post("/payouts", small, { spoil: without("Idempotency-Key") })).show("refused.missing_idempotency_key");
  (await merchant.post("/payouts", small, { key: "short" })).show("refused.invalid_idempotency_key");
  (await merchant.post("/payouts", undefined, { raw: '{"amount":' })).show("refused.invalid_body");
}

async function main() {
  const merchant = new Merchant(process.env.INTRAM_URL, process.env.INTRAM_PUBLIC_KEY, process.env.INTRAM_SECRET_KEY);
  await merchant.setClock();
  await refusals(merchant);

  const receiver = new Receiver();
  await receiver.listen();
  (await merchant.get("/balance")).show("balance.before");
  const created = (await merchant.post("/webhooks", { url: receiver.url, event: "*" })).show("webhook.created");
  const { subscription_id: subscription, secret } = created.data;
  const expected = [];
  const expect = (event, answer) => expected.push(`${event} ${answer.data.operation_id}`);

  // Payouts: one that succeeds, sent twice; one refused in the worker; one to a bank; one that is wrong.
  const key = crypto.randomUUID(), wanted = payout("22961000000", 25000, "PO-1");
  let accepted = (await merchant.post("/payouts", wanted, { key })).show("payout.accepted");
  const again = await merchant.post("/payouts", wanted, { key });
  again.show("payout.replayed", { same_bytes: again.raw.equals(accepted.raw) });
  (await merchant.post("/payouts", payout("22961000000", 25001, "PO-1"), { key })).show("payout.conflict");
  expect("payout.completed", (await merchant.finished(accepted)).show("payout.finished"));
  expect("payout.failed", (await merchant.finished(await merchant.post("/payouts", payout("22961000002", 5000, "PO-2")))).show("payout.failed"));
  expect("payout.queued", (await merchant.finished(await merchant.post("/payouts", {
    amount: 40000,
    destination: { type: "bank_account", swift: "ECOCBJBJ", account_number: "BJ0610100100144390000769", account_name: "Ada Lovelace" },
    reference: "PO-3",
  }))).show("payout.bank"));
  (await merchant.post("/payouts", {
    amount: 0, currency: "xof", reference: "R".repeat(101), destination: { type: "mobile_money", msisdn: "+22961000000" },
  })).show("payout.invalid");

  // Payment requests: one paid on the checkout page, one declined.
  accepted = (await merchant.post("/payment-requests", paymentRequest(12000, "4521"))).show("payment_request.accepted");
  let finished = (await merchant.finished(accepted)).show("payment_request.finished");
  expect("payment_request.created", finished);
  const paid = finished.data.result.transaction_reference;
  (await merchant.get(`/transactions/${paid}`)).show("transaction.pending");
  show("checkout.paid", await press(merchant, finished.data.result.gateway_url, "pay"));
  expect("payment_request.paid", finished);
  (await merchant.get(`/transactions/${paid}`)).show("transaction.paid");

  finished = await merchant.finished(await merchant.post("/payment-requests", paymentRequest(7000, "4522")));
  expect("payment_request.created", finished);
  const declined = finished.data.result.transaction_reference;
  show("checkout.declined", await press(merchant, finished.data.result.gateway_url, "decline"));
  expect("payment_request.failed", finished);
  (await merchant.get(`/transactions/${declined}`)).show("transaction.declined");

  // Refunds: part of the payment, and one of nothing we know.
  accepted = (await merchant.post("/refunds", {
    transaction_reference: paid, amount: 5000, reason: "Demandé par le client", metadata: { ticket_id: "T-9001" },
  })).show("refund.accepted");
  expect("refund.completed", (await merchant.finished(accepted)).show("refund.finished"));
  (await merchant.get(`/transactions/${paid}`)).show("transaction.refunded");
  (await merchant.post("/refunds", { transaction_reference: "ZZZZZZZZZZ" })).show("refund.unknown");

  // Lists, in pages short enough to need the cursor.
  show("transactions.listed", await merchant.listed("/transactions", "reference", { limit: 2 }));
  show("operations.listed", await merchant.listed("/operations", "operation_id", { limit: 2, type: "payout" }));
  (await merchant.get("/operations/op_none")).show("operation.unknown");
  (await merchant.get("/transactions/ZZZZZZZZZZ")).show("transaction.unknown");

  // Webhooks: what is subscribed, a ping, everything that was sent so far, and the end of it.
  (await merchant.get("/webhooks")).show("webhooks.listed");
  (await merchant.post(`/webhooks/${subscription}/test`, {})).show("webhook.tested");
  expected.push("test.ping op_test");
  for (const { headers, body } of await receiver.wait(expected)) {
    show("delivery", {
      body: parse(body.toString("utf8")), verified: verified(merchant, secret, headers, body),
      forged: verified(merchant, secret, headers, Buffer.concat([body, Buffer.from(" ")])),
      event: headers["x-intram-event"], attempt: headers["x-intram-attempt"], user_agent: headers["user-agent"],
      delivery: headers["x-intram-delivery"],
    });
  }
  (await merchant.call("DELETE", `/webhooks/${subscription}`)).show("webhook.deleted");
  (await merchant.get("/webhooks")).show("webhooks.left");
  (await merchant.get("/balance")).show("balance.after");
  receiver.server.close();
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
