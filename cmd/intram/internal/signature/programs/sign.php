<?php
// Signs a request of the Intram Merchant API, and prints it. What stands between two marks is shown for a mistake there.
declare(strict_types=1);

function sign(string $httpMethod, string $endpoint, array $params, ?array $payload): array
{
    $publicKey = getenv('INTRAM_PUBLIC_KEY');
    // [key]
    $secretKey = trim(getenv('INTRAM_SECRET_KEY')); // sk_..., whole
    // [timestamp]
    $now = new DateTimeImmutable('now', new DateTimeZone('UTC'));
    $timestamp = $now->format('Y-m-d\TH:i:s.v\Z'); // once, for both
    // [method]
    $method = strtoupper($httpMethod); // GET, POST, DELETE
    // [path]
    $path = '/api/v1/merchant' . $endpoint; // whatever URL is called
    // [query]
    ksort($params, SORT_STRING); // sorted, and sent so
    $pairs = array_map(fn($k, $v) => "$k=$v", array_keys($params), $params);
    $query = implode('&', $pairs); // no ? in front
    // [body]
    $body = $payload === null ? '' : json_encode($payload); // send this string
    // [text]
    $text = implode("\n", [$timestamp, $method, $path, $query, $body]);
    // [signature]
    $hash = hash_hmac('sha256', $text, $secretKey); // hex, in lower case
    $signature = 'sha256=' . $hash;
    // [headers]
    $headers = ["X-Api-Key: $publicKey", "X-Timestamp: $timestamp",
        "X-Signature: $signature", 'Content-Type: application/json'];
    // [end]
    return ['method' => $method, 'target' => '/v1' . $endpoint . ($query === '' ? '' : "?$query"),
        'headers' => $headers, 'body' => base64_encode($body)];
}

foreach (json_decode(file_get_contents('php://stdin'), true) as $call) {
    echo json_encode(sign($call['method'], $call['endpoint'], $call['params'] ?? [], $call['payload'] ?? null)), "\n";
}
