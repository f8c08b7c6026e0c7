// Signs a request of the Intram Merchant API, and prints it. What stands between two marks is shown for a mistake there.
import crypto from 'node:crypto';
import fs from 'node:fs';

function sign(httpMethod, endpoint, params, payload) {
  const publicKey = process.env.INTRAM_PUBLIC_KEY;
  // [key]
  const secretKey = process.env.INTRAM_SECRET_KEY.trim(); // sk_..., whole
  // [timestamp]
  const timestamp = new Date().toISOString(); // once, for both
  // [method]
  const method = httpMethod.toUpperCase(); // GET, POST, DELETE
  // [path]
  const path = '/api/v1/merchant' + endpoint; // whatever URL is called
  // [query]
  const keys = Object.keys(params).sort(); // sorted, and sent so
  // no ? in front
  const query = keys.map((k) => `${k}=${params[k]}`).join('&');
  // [body]
  const body = payload ? JSON.stringify(payload) : ''; // send this string
  // [text]
  const text = [timestamp, method, path, query, body].join('\n');
  // [signature]
  const hmac = crypto.createHmac('sha256', secretKey).update(text, 'utf8');
  const signature = 'sha256=' + hmac.digest('hex');
  // [headers]
  const headers = { 'X-Api-Key': publicKey, 'X-Timestamp': timestamp,
    'X-Signature': signature, 'Content-Type': 'application/json' };
  // [end]
  return {
    method, target: '/v1' + endpoint + (query ? '?' + query : ''),
    headers: Object.entries(headers).map(([name, value]) => `${name}: ${value}`), body: Buffer.from(body).toString('base64'),
  };
}

for (const call of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  console.log(JSON.stringify(sign(call.method, call.endpoint, call.params ?? {}, call.payload)));
}
