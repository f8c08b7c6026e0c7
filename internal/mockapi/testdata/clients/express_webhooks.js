#!/usr/bin/env node
"use strict";
// A merchant's webhook endpoint in Express, written from the API's documentation alone. It shares no code with the SDK
// and none with the fake server.
//
// INTRAM_WEBHOOK_SECRET is the subscription's secret. File descriptor 3 is the listening socket. INTRAM_FAIL_ONCE is an event whose
// first handling fails, as it does when a database is away. Every delivery is printed as one line of JSON.

const crypto = require("node:crypto");
const express = require("express");

const SECRET = process.env.INTRAM_WEBHOOK_SECRET;
const WINDOW = 5 * 60 * 1000;

const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const same = (a, b) => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && crypto.timingSafeEqual(left, right);
};

// Middleware that lets a delivery through if its signature covers what bytesOf returns, and was made less than 5 minutes ago.
const verify = (bytesOf) => (request, response, next) => {
  const signature = request.get("X-Intram-Signature"), timestamp = request.get("X-Intram-Timestamp");
  const refuse = (reason) => {
    report({ outcome: "refused", reason, delivery: request.get("X-Intram-Delivery") });
    response.status(401).json({ error: reason });
  };
  if (!signature || !timestamp) return refuse("missing_signature");
  if (!(Math.abs(Date.now() - Date.parse(timestamp)) <= WINDOW)) return refuse("timestamp_out_of_window");
  const expected = "sha256=" + crypto.createHmac("sha256", SECRET).update(`${timestamp}.`).update(bytesOf(request)).digest("hex");
  return same(expected, signature) ? next() : refuse("signature_mismatch");
};

const done = new Set(); // deliveries that took effect: a table with a unique key, in a shop
const claimed = new Set(); // deliveries that are being handled
let failures = 1;

async function handle(event) {
  if (event.event === process.env.INTRAM_FAIL_ONCE && failures-- > 0) throw new Error("the database is away");
}

// A delivery is marked as done when it was handled, not before: one whose handling fails must come again.
const take = (eventOf) => async (request, response) => {
  const delivery = request.get("X-Intram-Delivery"), attempt = request.get("X-Intram-Attempt");
  const answer = (status, outcome) => {
    report({ outcome, delivery, attempt, event: request.get("X-Intram-Event") });
    response.sendStatus(status);
  };
  if (done.has(delivery)) return answer(200, "duplicate");
  if (claimed.has(delivery)) return answer(409, "busy");
  claimed.add(delivery);
  try {
    const event = eventOf(request);
    if (event.event !== request.get("X-Intram-Event")) return answer(400, "header_differs");
    await handle(event);
    done.add(delivery);
    return answer(200, "handled");
  } catch {
    return answer(500, "failed");
  } finally {
    claimed.delete(delivery);
  }
};

const app = express();
app.disable("x-powered-by");

// As it should be: the signature covers the bytes that arrived.
app.post("/raw", express.raw({ type: "application/json" }),
  verify((request) => request.body), take((request) => JSON.parse(request.body.toString("utf8"))));

// The common mistake: the body is parsed first, and what is written again is checked. It goes well for as long as JSON.stringify
// writes what arrived.
app.post("/json", express.json(),
  verify((request) => JSON.stringify(request.body)), take((request) => request.body));

// The other one: a parser for the whole application comes first, and nothing is left for express.raw.
const parsed = express.Router();
parsed.use(express.json());
parsed.post("/raw", express.raw({ type: "application/json" }),
  verify((request) => request.body), take((request) => request.body));
app.use("/parsed", parsed);

app.use((error, request, response, next) => { // four parameters make it Express's error handler
  report({ outcome: "error", reason: error.name });
  if (response.headersSent) return next(error);
  return response.sendStatus(error.status ?? 500);
});

app.listen({ fd: 3 });
