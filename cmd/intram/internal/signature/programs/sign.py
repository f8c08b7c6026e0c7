"""Signs a request of the Intram Merchant API, and prints it. What stands between two marks is shown for a mistake there."""
import base64
import hashlib
import hmac
import json
import os
import sys
from datetime import datetime, timezone


def sign(http_method, endpoint, params, payload):
    public_key = os.environ["INTRAM_PUBLIC_KEY"]
    # [key]
    secret_key = os.environ["INTRAM_SECRET_KEY"].strip()  # sk_..., whole
    # [timestamp]
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    timestamp = now.replace("+00:00", "Z")  # once, for both
    # [method]
    method = http_method.upper()  # GET, POST, DELETE
    # [path]
    path = "/api/v1/merchant" + endpoint  # whatever URL is called
    # [query]
    pairs = [f"{k}={v}" for k, v in sorted(params.items())]
    query = "&".join(pairs)  # sent so, and no ? here
    # [body]
    body = json.dumps(payload).encode() if payload else b""
    # send it as it is: requests.post(url, data=body), not json=
    # [text]
    head = "\n".join([timestamp, method, path, query, ""])
    text = head.encode() + body
    # [signature]
    digest = hmac.new(secret_key.encode(), text, hashlib.sha256).hexdigest()
    signature = "sha256=" + digest
    # [headers]
    headers = {"X-Api-Key": public_key, "X-Timestamp": timestamp,
               "X-Signature": signature, "Content-Type": "application/json"}
    # [end]
    return {"method": method, "target": "/v1" + endpoint + ("?" + query if query else ""),
            "headers": [f"{name}: {value}" for name, value in headers.items()], "body": base64.b64encode(body).decode()}


for call in json.load(sys.stdin):
    print(json.dumps(sign(call["method"], call["endpoint"], call.get("params", {}), call.get("payload"))))
