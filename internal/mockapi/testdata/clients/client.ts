// A merchant's client for the Intram Merchant API in TypeScript, written from the API's documentation alone: its answers are
// declared as the documentation has them, and fetch sends.
//
// It shares no code with the SDK and none with the fake server. foreign_test.go runs it against the fake and compares what it got,
// field by field, with what the SDK gets. INTRAM_URL is the server's scheme, host and port; INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY are
// sandbox keys. Every answer is printed as one line of JSON, named by its step.

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

type Digits = string; // a number, with the digits that were on the wire: an amount is never a float
type Params = Record<string, unknown>;

interface Envelope<T> {
  error: boolean;
  http_status: Digits;
  data: T;
  code?: string;
  message?: string;
  paging?: { limit: Digits; next_before: string | null };
}

interface Operation<R = unknown> {
  operation_id: string;
  type: "payout" | "payment_request" | "refund" | (string & {});
  status: "queued" | "processing" | "succeeded" | "failed" | "expired" | (string & {}); // others may come
  result: R | null;
}

interface PaymentRequestResult {
  transaction_reference: string;
  gateway_url: string;
}

interface Transaction {
  reference: string;
}

interface Subscription {
  subscription_id: string;
  secret: string;
}

interface WebhookEvent {
  event: string;
  operation_id: string;
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing`);
  return value;
}

const SERVER = required("INTRAM_URL"), PUBLIC_KEY = required("INTRAM_PUBLIC_KEY"), SECRET_KEY = required("INTRAM_SECRET_KEY");
const WINDOW = 5 * 60 * 1000;
const POLL_FIRST = Number(process.env["INTRAM_POLL_SECONDS"] ?? "1") * 1000;

const print = (step: string, what: object): void => {
  process.stdout.write(JSON.stringify({ step, ...what }) + "\n");
};

function parse<T>(text: string): T {
  const strings = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g,
    (token) => (token.startsWith('"') ? token : `"${token}"`));
  return JSON.parse(strings) as T;
}

function sign(key: string, ...parts: (string | Buffer)[]): string {
  const hmac = createHmac("sha256", key);
  parts.forEach((part) => hmac.update(part));
  return `sha256=${hmac.digest("hex")}`;
}

class Answer<T> {
  constructor(readonly status: number, readonly headers: Headers, readonly text: string) {}

  get body(): Envelope<T> { return parse(this.text); }

  get data(): T { return this.body.data; }

  print(step: string, more: object = {}): this {
    const replayed = this.headers.get("Idempotent-Replay") === "true";
    print(step, { status: String(this.status), replayed, body: this.body, ...more });
    return this;
  }
}

let behind = 0; // how far this machine's clock is behind the server's
const now = (): number => Date.now() + behind;
const iso = (at: number): string => new Date(at).toISOString();

interface Call {
  query?: Record<string, string>;
  body?: string;
  key?: string;
  change?: (headers: Headers) => void; // after they were signed, as a mistaken client sends them
}

async function call<T>(method: "GET" | "POST" | "DELETE", endpoint: string, { query = {}, body, key, change }: Call = {}): Promise<Answer<T>> {
  const sorted = Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1)).map((pair) => pair.join("=")).join("&");
  const timestamp = iso(now());
  const headers = new Headers({
    "X-Api-Key": PUBLIC_KEY,
    "X-Timestamp": timestamp,
    "X-Signature": sign(SECRET_KEY, [timestamp, method, `/api/v1/merchant${endpoint}`, sorted, body ?? ""].join("\n")),
  });
  if (method === "POST") {
    headers.set("Content-Type", "application/json");
    headers.set("Idempotency-Key", key ?? randomUUID());
  }
  change?.(headers);
  const response = await fetch(`${SERVER}/v1${endpoint}${sorted && `?${sorted}`}`, {
    method, headers, redirect: "manual", signal: AbortSignal.timeout(30_000), ...(body === undefined ? {} : { body }),
  });
  return new Answer<T>(response.status, response.headers, await response.text());
}

const get = <T>(endpoint: string, query: Record<string, string> = {}): Promise<Answer<T>> => call<T>("GET", endpoint, { query });

const post = <T>(endpoint: string, params: Params, more: Call = {}): Promise<Answer<T>> =>
  call<T>("POST", endpoint, { body: JSON.stringify(params), ...more });

// Polls an operation until it has ended: after 1 s, half as long again each time, 10 s at most, for a minute.
async function waitForOperation<R>(id: string): Promise<Answer<Operation<R>>> {
  let spent = 0;
  for (let wait = POLL_FIRST; ; wait = Math.min(wait * 1.5, 10_000)) {
    const answer = await get<Operation<R>>(`/operations/${id}`);
    switch (answer.data.status) {
      case "succeeded": case "failed": case "expired":
        return answer;
      default:
        if (spent >= 60_000) throw new Error(`operation ${id} is still ${answer.data.status}`);
    }
    await sleep(wait);
    spent += wait;
  }
}

async function ended<R>(accepted: Promise<Answer<Operation<R>>>): Promise<Answer<Operation<R>>> {
  return waitForOperation<R>((await accepted).data.operation_id);
}

// All of a list. The cursor is strict: asking for one millisecond more, and dropping what was seen, loses nothing.
async function list<T extends object, K extends keyof T>(endpoint: string, identity: K, filter: Record<string, string> = {}): Promise<object> {
  const items = new Map<T[K], T>();
  const query: Record<string, string> = { ...filter, limit: "2" };
  for (let pages = 1; ; pages++) {
    const { data, paging } = (await get<T[]>(endpoint, query)).body;
    const had = items.size;
    for (const item of data) if (!items.has(item[identity])) items.set(item[identity], item);
    if (!paging?.next_before) return { items: [...items.values()], several_pages: pages > 1 };
    if (items.size === had) {
      if (query["limit"] === "100") throw new Error(`${endpoint}: the cursor stands still`);
      query["limit"] = "100";
    }
    query["before"] = iso(Date.parse(paging.next_before) + 1);
  }
}

// Presses a button of the checkout page, as a browser without JavaScript does.
async function press(step: string, gateway: string, word: string): Promise<void> {
  const attribute = (tag: string, name: string): string | undefined => new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  const page = await fetch(gateway, { headers: { Accept: "text/html" } });
  for (const [, tag = "", inside = ""] of (await page.text()).matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    const label = /<button\b[^>]*>(.*?)<\/button>/s.exec(inside)?.[1] ?? "";
    if (!label.toLowerCase().split(/\s+/).includes(word)) continue;
    const form = new URLSearchParams();
    for (const [input] of inside.matchAll(/<input\b[^>]*>/g)) {
      const name = attribute(input, "name");
      if (name) form.set(name, attribute(input, "value") ?? "");
    }
    const action = new URL(attribute(tag, "action") ?? "", gateway);
    const answer = await fetch(action, { method: (attribute(tag, "method") ?? "get").toUpperCase(), body: form, redirect: "manual" });
    print(step, { page: String(page.status), accepted: answer.status >= 200 && answer.status < 400 });
    return;
  }
  throw new Error(`the checkout page has no button that says ${word}`);
}

interface Delivery {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function verified(secret: string, { headers, body }: Delivery): boolean {
  const timestamp = String(headers["x-intram-timestamp"]);
  const expected = Buffer.from(sign(secret, `${timestamp}.`, body)), given = Buffer.from(String(headers["x-intram-signature"]));
  return Math.abs(now() - Date.parse(timestamp)) <= WINDOW && given.length === expected.length && timingSafeEqual(given, expected);
}

// A webhook endpoint on loopback, and a promise of each event that is waited for.
class Endpoint {
  private readonly deliveries: Delivery[] = [];
  private wake: () => void = () => {};
  private readonly server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      this.deliveries.push({ headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(204).end();
      this.wake();
    });
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/intram/webhook`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  async all(expected: string[]): Promise<Delivery[]> {
    const late = AbortSignal.timeout(30_000);
    for (;;) {
      const arrived = new Set(this.deliveries.map(({ body }) => {
        const { event, operation_id } = parse<WebhookEvent>(body.toString("utf8"));
        return `${event} ${operation_id}`;
      }));
      const missing = expected.filter((event) => !arrived.has(event));
      if (missing.length === 0) return this.deliveries;
      if (late.aborted) throw new Error(`these events did not arrive: ${missing.join(", ")}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        late.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }
}

const payout = (msisdn: string, amount: number, reference: string): Params => ({
  amount,
  currency: "XOF",
  destination: {
    type: "mobile_money", country_code: "BJ", provider_code: "MTN_BENIN_229", msisdn, account_name: "Ada", account_surname: "Lovelace",
  },
  reference,
  note: "Règlement hebdomadaire ✓",
  metadata: { batch_id: "B-42", lines: [1, 2, { deep: null }] },
});

const paymentRequest = (amount: number, order: string): Params => ({
  invoice: {
    amount, currency: "XOF", description: `Commande #${order}`,
    customer: { email: "client@example.com", first_name: "Ada", last_name: "Lovelace", phone: "22961000000" },
  },
  payment_method: { code: "MTN_BENIN_229", country_code: "BJ", msisdn: "22961000000" },
  return_urls: { success: "https://shop.example.com/ok", cancel: "https://shop.example.com/no" },
  webhook_data: { order_id: order },
});

async function refusals(): Promise<void> {
  const having = (name: string, value: string) => (headers: Headers): void => headers.set(name, value);
  const without = (name: string) => (headers: Headers): void => headers.delete(name);
  const spoilt: Record<string, (headers: Headers) => void> = {
    "missing_api_key": without("X-Api-Key"),
    "invalid_api_key": having("X-Api-Key", "pk_sandbox_nobody"),
    "missing_signature": without("X-Signature"),
    "missing_timestamp": without("X-Timestamp"),
    "invalid_timestamp_format": having("X-Timestamp", "yesterday"),
    "timestamp_out_of_window.late": having("X-Timestamp", iso(now() - WINDOW - 60_000)),
    "timestamp_out_of_window.early": having("X-Timestamp", iso(now() + WINDOW + 60_000)),
    "signature_mismatch": having("X-Signature", `sha256=${"0".repeat(64)}`),
  };
  for (const [reason, change] of Object.entries(spoilt)) (await call("GET", "/balance", { change })).print(`refused.${reason}`);
  const small = payout("22961000000", 1000, "PO-NEVER");
  (await post("/payouts", small, { change: without("Idempotency-Key") })).print("refused.missing_idempotency_key");
  (await post("/payouts", small, { key: "short" })).print("refused.invalid_idempotency_key");
  (await call("POST", "/payouts", { body: '{"amount":' })).print("refused.invalid_body");
}

async function main(): Promise<void> {
  behind = Date.parse((await fetch(`${SERVER}/v1/balance`)).headers.get("Date") ?? "") - Date.now();
  await refusals();

  const endpoint = new Endpoint(), expected: string[] = [];
  const url = await endpoint.open();
  (await get("/balance")).print("balance.before");
  const subscription = (await post<Subscription>("/webhooks", { url, event: "*" })).print("webhook.created").data;
  const expect = (answer: Answer<Operation>, ...events: string[]): void => {
    expected.push(...events.map((event) => `${event} ${answer.data.operation_id}`));
  };

  // Payouts: one that succeeds, sent twice; one refused in the worker; one to a bank; one that is wrong.
  const key = randomUUID(), params = payout("22961000000", 25000, "PO-1");
  const first = (await post<Operation>("/payouts", params, { key })).print("payout.accepted");
  const again = await post<Operation>("/payouts", params, { key });
  again.print("payout.replayed", { same_bytes: again.text === first.text });
  (await post("/payouts", payout("22961000000", 25001, "PO-1"), { key })).print("payout.conflict");
  expect((await waitForOperation(first.data.operation_id)).print("payout.finished"), "payout.completed");
  expect((await ended(post<Operation>("/payouts", payout("22961000002", 5000, "PO-2")))).print("payout.failed"), "payout.failed");
  expect((await ended(post<Operation>("/payouts", {
    amount: 40000,
    destination: { type: "bank_account", swift: "ECOCBJBJ", account_number: "BJ0610100100144390000769", account_name: "Ada Lovelace" },
    reference: "PO-3",
  }))).print("payout.bank"), "payout.queued");
  (await post("/payouts", {
    amount: 0, currency: "xof", reference: "R".repeat(101), destination: { type: "mobile_money", msisdn: "+22961000000" },
  })).print("payout.invalid");

  // Payment requests: one paid on the checkout page, one declined.
  const request = (await post<Operation<PaymentRequestResult>>("/payment-requests", paymentRequest(12000, "4521"))).print("payment_request.accepted");
  const ready = (await waitForOperation<PaymentRequestResult>(request.data.operation_id)).print("payment_request.finished");
  expect(ready, "payment_request.created", "payment_request.paid");
  const { transaction_reference: paid, gateway_url } = ready.data.result!;
  (await get(`/transactions/${paid}`)).print("transaction.pending");
  await press("checkout.paid", gateway_url, "pay");
  (await get(`/transactions/${paid}`)).print("transaction.paid");

  const other = await ended(post<Operation<PaymentRequestResult>>("/payment-requests", paymentRequest(7000, "4522")));
  expect(other, "payment_request.created", "payment_request.failed");
  await press("checkout.declined", other.data.result!.gateway_url, "decline");
  (await get(`/transactions/${other.data.result!.transaction_reference}`)).print("transaction.declined");

  // Refunds: part of the payment, and one of nothing we know.
  const refund = (await post<Operation>("/refunds", {
    transaction_reference: paid, amount: 5000, reason: "Demandé par le client", metadata: { ticket_id: "T-9001" },
  })).print("refund.accepted");
  expect((await waitForOperation(refund.data.operation_id)).print("refund.finished"), "refund.completed");
  (await get(`/transactions/${paid}`)).print("transaction.refunded");
  (await post("/refunds", { transaction_reference: "ZZZZZZZZZZ" })).print("refund.unknown");

  // Lists, in pages short enough to need the cursor.
  print("transactions.listed", await list<Transaction, "reference">("/transactions", "reference"));
  print("operations.listed", await list<Operation, "operation_id">("/operations", "operation_id", { type: "payout" }));
  (await get("/operations/op_none")).print("operation.unknown");
  (await get("/transactions/ZZZZZZZZZZ")).print("transaction.unknown");

  // Webhooks: what is subscribed, a ping, everything that was sent so far, and the end of it.
  (await get("/webhooks")).print("webhooks.listed");
  (await post(`/webhooks/${subscription.subscription_id}/test`, {})).print("webhook.tested");
  for (const delivery of await endpoint.all([...expected, "test.ping op_test"])) {
    const { headers, body } = delivery;
    print("delivery", {
      body: parse(body.toString("utf8")), verified: verified(subscription.secret, delivery),
      forged: verified(subscription.secret, { headers, body: Buffer.concat([body, Buffer.from(" ")]) }),
      event: headers["x-intram-event"], attempt: headers["x-intram-attempt"], user_agent: headers["user-agent"],
      delivery: headers["x-intram-delivery"],
    });
  }
  (await call("DELETE", `/webhooks/${subscription.subscription_id}`)).print("webhook.deleted");
  (await get("/webhooks")).print("webhooks.left");
  (await get("/balance")).print("balance.after");
  endpoint.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
