#!/usr/bin/env node
"use strict";
// A merchant's endpoint for payin notifications in Express, written from the API's documentation alone: as in its sample, the
// signature is checked over the body that was parsed and written again. It shares no code with the SDK and none with the fake server.
//
// PAYIN_WEBHOOK_SECRET is the webhook's secret; PAYIN_URL, PAYIN_API_KEY and PAYIN_API_CLIENT are for the lookup. File descriptor
// 3 is the listening socket. Every notification is printed as one line of JSON.

const crypto = require("node:crypto");
const express = require("express");

const { PAYIN_WEBHOOK_SECRET, PAYIN_URL, PAYIN_API_KEY, PAYIN_API_CLIENT } = process.env;

const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");

function verified(request) {
  const expected = crypto.createHmac("sha256", PAYIN_WEBHOOK_SECRET).update(JSON.stringify(request.body)).digest();
  const given = Buffer.from(request.get("X-Signature-Value") ?? "", "hex");
  return given.length === expected.length && crypto.timingSafeEqual(given, expected);
}

// Nothing dates a notification, so it may be an old one: the lookup has the last word.
async function lookup(reference) {
  const response = await fetch(`${PAYIN_URL}/v1/payin/${encodeURIComponent(reference)}`, {
    headers: { Authorization: "Basic " + Buffer.from(`${PAYIN_API_KEY}:${PAYIN_API_CLIENT}`).toString("base64") },
  });
  if (!response.ok) throw new Error(`lookup: ${response.status}`);
  return response.json();
}

const app = express();
app.disable("x-powered-by");

app.post("/payin", express.json(), async (request, response) => {
  if (!verified(request)) {
    report({ outcome: "refused" });
    return response.sendStatus(401);
  }
  const { reference, customer, confirmationStatus } = request.body;
  const payin = await lookup(reference); // a lookup that fails ends in a 500, and the notification comes again
  report({
    outcome: "verified", reference, customer: customer.name, confirmationStatus,
    paid: payin.transaction?.status === "completed", amount: String(payin.amount),
  });
  return response.sendStatus(200);
});

app.listen({ fd: 3 });
