#!/usr/bin/env php
<?php
// A merchant's client for the Intram Merchant API, written from the API's documentation alone.
//
// It shares no code with the SDK and none with the fake server: PHP's own functions sign, send, receive and verify.
// foreign_test.go runs it against the fake and compares what it got, field by field, with what the SDK gets.
//
// INTRAM_URL is the server's scheme, host and port; INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY are sandbox keys.
// Every answer is printed as one line of JSON, named by its step. Numbers are printed as strings, with the
// digits that were on the wire.

declare(strict_types=1);
error_reporting(E_ALL);
set_error_handler(function (int $level, string $message): never { throw new ErrorException($message, 0, $level); });

const SIGNED_PREFIX = '/api/v1/merchant'; // whatever URL is called
const WINDOW = 300.0;
const POLL_FACTOR = 1.5, POLL_MOST = 10.0, POLL_GIVE_UP = 60.0;

function show(string $step, array $what): void
{
    echo encode(['step' => $step] + $what), "\n";
}

// What is signed and what is sent are the same bytes: encoded once.
function encode(mixed $value): string
{
    return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
}

// JSON with every number as the string that was on the wire: an amount is never a float.
function parse(string $text): stdClass
{
    $quoted = preg_replace_callback('/"(?:[^"\\\\]|\\\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/',
        fn (array $m): string => $m[0][0] === '"' ? $m[0] : '"' . $m[0] . '"', $text);
    return json_decode($quoted, false, 64, JSON_THROW_ON_ERROR);
}

function mac(string $key, string $message): string
{
    return 'sha256=' . hash_hmac('sha256', $message, $key);
}

function uuid(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

function iso(float $at): string
{
    $milliseconds = (int) floor($at * 1000);
    return gmdate('Y-m-d\TH:i:s', intdiv($milliseconds, 1000)) . sprintf('.%03dZ', $milliseconds % 1000);
}

function instant(string $iso): float
{
    return (float) (new DateTimeImmutable($iso))->format('U.u');
}

final class Answer
{
    public stdClass|null $body = null;

    public function __construct(public readonly int $status, public readonly array $headers, public readonly string $raw)
    {
        if (str_starts_with($headers['content-type'] ?? '', 'application/json')) {
            $this->body = parse($raw);
        }
    }

    public function data(): mixed
    {
        return $this->body->data;
    }

    public function show(string $step, array $more = []): self
    {
        $replayed = ($this->headers['idempotent-replay'] ?? '') === 'true';
        show($step, ['status' => (string) $this->status, 'replayed' => $replayed, 'body' => $this->body] + $more);
        return $this;
    }
}

final class Merchant
{
    private float $behind = 0.0; // how far this machine's clock is behind the server's
    private array $url;

    public function __construct(string $url, private readonly string $publicKey, private readonly string $secretKey)
    {
        $this->url = parse_url($url);
    }

    public function now(): float
    {
        return microtime(true) + $this->behind;
    }

    // Reads the server's time off an answer: a request that is off by more than 5 minutes is refused.
    public function setClock(): void
    {
        $answer = $this->send('GET', '/v1/balance', []);
        $this->behind = instant($answer->headers['date']) - microtime(true);
    }

    public function send(string $method, string $target, array $headers, string $body = ''): Answer
    {
        $headers += ['Host' => $this->url['host'] . ':' . $this->url['port'], 'Connection' => 'close'];
        if ($body !== '') {
            $headers['Content-Length'] = (string) strlen($body);
        }
        $request = "$method $target HTTP/1.0\r\n"; // 1.0: no answer comes in chunks
        foreach ($headers as $name => $value) {
            $request .= "$name: $value\r\n";
        }
        $connection = stream_socket_client("tcp://{$this->url['host']}:{$this->url['port']}", timeout: 30.0);
        stream_set_timeout($connection, 30);
        fwrite($connection, "$request\r\n$body");
        $received = stream_get_contents($connection);
        fclose($connection);
        [$head, $raw] = explode("\r\n\r\n", $received, 2);
        $lines = explode("\r\n", $head);
        $status = (int) explode(' ', array_shift($lines))[1];
        $got = [];
        foreach ($lines as $line) {
            [$name, $value] = explode(':', $line, 2);
            $got[strtolower($name)] = trim($value);
        }
        return new Answer($status, $got, $raw);
    }

    // One signed call. $spoil changes the headers after signing, as a mistaken client would send them.
    public function call(string $method, string $endpoint, array $query = [], string $body = '', ?string $key = null, ?Closure $spoil = null): Answer
    {
        ksort($query);
        $pairs = implode('&', array_map(fn (string $name): string => "$name={$query[$name]}", array_keys($query)));
        $timestamp = iso($this->now());
        $headers = [
            'X-Api-Key' => $this->publicKey,
            'X-Timestamp' => $timestamp,
            'X-Signature' => mac($this->secretKey, implode("\n", [$timestamp, $method, SIGNED_PREFIX . $endpoint, $pairs, $body])),
        ];
        if ($method === 'POST') {
            $headers += ['Content-Type' => 'application/json', 'Idempotency-Key' => $key ?? uuid()];
        }
        if ($spoil !== null) {
            $headers = $spoil($headers);
        }
        return $this->send($method, "/v1$endpoint" . ($pairs === '' ? '' : "?$pairs"), $headers, $body);
    }

    public function get(string $endpoint, array $query = []): Answer
    {
        return $this->call('GET', $endpoint, $query);
    }

    public function post(string $endpoint, array|stdClass $params, ?string $key = null, ?Closure $spoil = null): Answer
    {
        return $this->call('POST', $endpoint, body: encode($params), key: $key, spoil: $spoil);
    }

    // Polls an operation until it has ended. An unknown status is not the end.
    public function finished(Answer $accepted): Answer
    {
        $id = $accepted->data()->operation_id;
        $wait = (float) (getenv('INTRAM_POLL_SECONDS') ?: '1');
        for ($spent = 0.0; ; $spent += $wait, $wait = min($wait * POLL_FACTOR, POLL_MOST)) {
            $answer = $this->get("/operations/$id");
            if (in_array($answer->data()->status, ['succeeded', 'failed', 'expired'], true)) {
                return $answer;
            }
            if ($spent >= POLL_GIVE_UP) {
                throw new RuntimeException("operation $id has not ended: {$answer->data()->status}");
            }
            usleep((int) ($wait * 1e6));
        }
    }

    // Every item of a list. The cursor is strict, so items of the millisecond that a page ended in would be lost: ask
    // for one millisecond more, drop what was seen, and ask for longer pages when that is nothing new.
    public function listed(string $endpoint, string $identity, array $query): array
    {
        $items = [];
        for ($pages = 1; ; $pages++) {
            $answer = $this->get($endpoint, $query);
            $before = count($items);
            foreach ($answer->data() as $item) {
                $items[$item->$identity] ??= $item;
            }
            $cursor = $answer->body->paging->next_before;
            if ($cursor === null) {
                return ['items' => array_values($items), 'several_pages' => $pages > 1];
            }
            if (count($items) === $before) {
                if ($query['limit'] === 100) {
                    throw new RuntimeException("$endpoint: the cursor stands still");
                }
                $query['limit'] = 100;
            }
            $query['before'] = (new DateTimeImmutable($cursor))->modify('+1 millisecond')->format('Y-m-d\TH:i:s.v\Z');
        }
    }
}

// Opens the checkout page as a browser without JavaScript would, and presses the button that says $word.
function press(Merchant $merchant, string $gatewayURL, string $word): array
{
    $attribute = fn (string $tag, string $name): ?string =>
        preg_match('/\b' . $name . '="([^"]*)"/', $tag, $m) === 1 ? html_entity_decode($m[1], ENT_QUOTES) : null;
    $page = $merchant->send('GET', parse_url($gatewayURL, PHP_URL_PATH), ['Accept' => 'text/html']);
    preg_match_all('~<form\b([^>]*)>(.*?)</form>~s', $page->raw, $forms, PREG_SET_ORDER);
    foreach ($forms as [, $form, $inside]) {
        preg_match('~<button\b[^>]*>(.*?)</button>~s', $inside, $button);
        if (!in_array($word, preg_split('/\s+/', strtolower($button[1] ?? '')), true)) {
            continue;
        }
        preg_match_all('/<input\b[^>]*>/', $inside, $inputs);
        $fields = [];
        foreach ($inputs[0] as $input) {
            if ($attribute($input, 'name') !== null) {
                $fields[$attribute($input, 'name')] = $attribute($input, 'value') ?? '';
            }
        }
        $answer = $merchant->send(strtoupper($attribute($form, 'method') ?? 'get'), $attribute($form, 'action'),
            ['Content-Type' => 'application/x-www-form-urlencoded'], http_build_query($fields));
        return ['page' => (string) $page->status, 'accepted' => $answer->status >= 200 && $answer->status < 400];
    }
    throw new RuntimeException("the checkout page has no button that says $word");
}

// A merchant's webhook endpoint on loopback. PHP does one thing at a time: deliveries wait at the socket until wait().
final class Receiver
{
    public readonly string $url;
    public array $deliveries = [];
    private mixed $socket;

    public function __construct()
    {
        $this->socket = stream_socket_server('tcp://127.0.0.1:0');
        $this->url = 'http://' . stream_socket_get_name($this->socket, false) . '/intram/webhook';
    }

    // Waits for each "event operation" by name, however many others arrive, and returns all deliveries.
    public function wait(array $expected): array
    {
        $deadline = microtime(true) + 30.0;
        while (($missing = array_diff($expected, array_column($this->deliveries, 'name'))) !== []) {
            $left = $deadline - microtime(true);
            if ($left <= 0) {
                throw new RuntimeException('these events did not arrive: ' . implode(', ', $missing));
            }
            $ready = [$this->socket];
            $none = null;
            if (stream_select($ready, $none, $none, 0, (int) min($left * 1e6, 999_999)) > 0) {
                $this->receive(stream_socket_accept($this->socket));
            }
        }
        return $this->deliveries;
    }

    private function receive(mixed $connection): void
    {
        stream_set_timeout($connection, 5);
        fgets($connection);
        $headers = [];
        while (($line = rtrim((string) fgets($connection), "\r\n")) !== '') {
            [$name, $value] = explode(':', $line, 2);
            $headers[strtolower($name)] = trim($value);
        }
        $body = stream_get_contents($connection, (int) $headers['content-length']);
        fwrite($connection, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        fclose($connection);
        $event = parse($body);
        $this->deliveries[] = ['name' => "$event->event $event->operation_id", 'headers' => $headers, 'body' => $body];
    }
}

function verified(Merchant $merchant, string $secret, array $headers, string $body): bool
{
    $timestamp = $headers['x-intram-timestamp'];
    return hash_equals(mac($secret, "$timestamp.$body"), $headers['x-intram-signature'])
        && abs(instant($timestamp) - $merchant->now()) <= WINDOW;
}

function payout(string $msisdn, int $amount, string $reference): array
{
    return [
        'amount' => $amount,
        'currency' => 'XOF',
        'destination' => ['type' => 'mobile_money', 'country_code' => 'BJ', 'provider_code' => 'MTN_BENIN_229',
            'msisdn' => $msisdn, 'account_name' => 'Ada', 'account_surname' => 'Lovelace'],
        'reference' => $reference,
        'note' => 'Règlement hebdomadaire ✓',
        'metadata' => ['batch_id' => 'B-42', 'lines' => [1, 2, ['deep' => null]]],
    ];
}

function paymentRequest(int $amount, string $order): array
{
    return [
        'invoice' => ['amount' => $amount, 'currency' => 'XOF', 'description' => "Commande #$order",
            'customer' => ['email' => 'client@example.com', 'first_name' => 'Ada', 'last_name' => 'Lovelace', 'phone' => '22961000000']],
        'payment_method' => ['code' => 'MTN_BENIN_229', 'country_code' => 'BJ', 'msisdn' => '22961000000'],
        'return_urls' => ['success' => 'https://shop.example.com/ok', 'cancel' => 'https://shop.example.com/no'],
        'webhook_data' => ['order_id' => $order],
    ];
}

// Each way to be refused before anything is looked at, by the headers that cause it.
function refusals(Merchant $merchant): void
{
    $without = fn (string $name): Closure => fn (array $headers): array => array_diff_key($headers, [$name => 0]);
    $with = fn (string $name, string $value): Closure => fn (array $headers): array => [$name => $value] + $headers;
    foreach ([
        'missing_api_key' => $without('X-Api-Key'),
        'invalid_api_key' => $with('X-Api-Key', 'pk_sandbox_nobody'),
        'missing_signature' => $without('X-Signature'),
        'missing_timestamp' => $without('X-Timestamp'),
        'invalid_timestamp_format' => $with('X-Timestamp', 'yesterday'),
        'timestamp_out_of_window.late' => $with('X-Timestamp', iso($merchant->now() - WINDOW - 60)),
        'timestamp_out_of_window.early' => $with('X-Timestamp', iso($merchant->now() + WINDOW + 60)),
        'signature_mismatch' => $with('X-Signature', 'sha256=' . str_repeat('0', 64)),
    ] as $step => $spoil) {
        $merchant->call('GET', '/balance', spoil: $spoil)->show("refused.$step");
    }
    $small = payout('22961000000', 1000, 'PO-NEVER');
    $merchant->post('/payouts', $small, spoil: $without('Idempotency-Key'))->show('refused.missing_idempotency_key');
    $merchant->post('/payouts', $small, key: 'short')->show('refused.invalid_idempotency_key');
    $merchant->call('POST', '/payouts', body: '{"amount":')->show('refused.invalid_body');
}

function main(): void
{
    $merchant = new Merchant(getenv('INTRAM_URL'), getenv('INTRAM_PUBLIC_KEY'), getenv('INTRAM_SECRET_KEY'));
    $merchant->setClock();
    refusals($merchant);

    $receiver = new Receiver();
    $merchant->get('/balance')->show('balance.before');
    $created = $merchant->post('/webhooks', ['url' => $receiver->url, 'event' => '*'])->show('webhook.created')->data();
    $expected = [];
    $expect = function (string $event, Answer $answer) use (&$expected): void { $expected[] = "$event {$answer->data()->operation_id}"; };

    // Payouts: one that succeeds, sent twice; one refused in the worker; one to a bank; one that is wrong.
    [$key, $wanted] = [uuid(), payout('22961000000', 25000, 'PO-1')];
    $accepted = $merchant->post('/payouts', $wanted, $key)->show('payout.accepted');
    $again = $merchant->post('/payouts', $wanted, $key);
    $again->show('payout.replayed', ['same_bytes' => $again->raw === $accepted->raw]);
    $merchant->post('/payouts', payout('22961000000', 25001, 'PO-1'), $key)->show('payout.conflict');
    $expect('payout.completed', $merchant->finished($accepted)->show('payout.finished'));
    $expect('payout.failed', $merchant->finished($merchant->post('/payouts', payout('22961000002', 5000, 'PO-2')))->show('payout.failed'));
    $expect('payout.queued', $merchant->finished($merchant->post('/payouts', [
        'amount' => 40000,
        'destination' => ['type' => 'bank_account', 'swift' => 'ECOCBJBJ', 'account_number' => 'BJ0610100100144390000769', 'account_name' => 'Ada Lovelace'],
        'reference' => 'PO-3',
    ]))->show('payout.bank'));
    $merchant->post('/payouts', ['amount' => 0, 'currency' => 'xof', 'reference' => str_repeat('R', 101),
        'destination' => ['type' => 'mobile_money', 'msisdn' => '+22961000000']])->show('payout.invalid');

    // Payment requests: one paid on the checkout page, one declined.
    $accepted = $merchant->post('/payment-requests', paymentRequest(12000, '4521'))->show('payment_request.accepted');
    $finished = $merchant->finished($accepted)->show('payment_request.finished');
    $expect('payment_request.created', $finished);
    $paid = $finished->data()->result->transaction_reference;
    $merchant->get("/transactions/$paid")->show('transaction.pending');
    show('checkout.paid', press($merchant, $finished->data()->result->gateway_url, 'pay'));
    $expect('payment_request.paid', $finished);
    $merchant->get("/transactions/$paid")->show('transaction.paid');

    $finished = $merchant->finished($merchant->post('/payment-requests', paymentRequest(7000, '4522')));
    $expect('payment_request.created', $finished);
    $declined = $finished->data()->result->transaction_reference;
    show('checkout.declined', press($merchant, $finished->data()->result->gateway_url, 'decline'));
    $expect('payment_request.failed', $finished);
    $merchant->get("/transactions/$declined")->show('transaction.declined');

    // Refunds: part of the payment, and one of nothing we know.
    $accepted = $merchant->post('/refunds', ['transaction_reference' => $paid, 'amount' => 5000, 'reason' => 'Demandé par le client',
        'metadata' => ['ticket_id' => 'T-9001']])->show('refund.accepted');
    $expect('refund.completed', $merchant->finished($accepted)->show('refund.finished'));
    $merchant->get("/transactions/$paid")->show('transaction.refunded');
    $merchant->post('/refunds', ['transaction_reference' => 'ZZZZZZZZZZ'])->show('refund.unknown');

    // Lists, in pages short enough to need the cursor.
    show('transactions.listed', $merchant->listed('/transactions', 'reference', ['limit' => 2]));
    show('operations.listed', $merchant->listed('/operations', 'operation_id', ['limit' => 2, 'type' => 'payout']));
    $merchant->get('/operations/op_none')->show('operation.unknown');
    $merchant->get('/transactions/ZZZZZZZZZZ')->show('transaction.unknown');

    // Webhooks: what is subscribed, a ping, everything that was sent so far, and the end of it.
    $merchant->get('/webhooks')->show('webhooks.listed');
    $merchant->post("/webhooks/$created->subscription_id/test", new stdClass())->show('webhook.tested');
    $expected[] = 'test.ping op_test';
    foreach ($receiver->wait($expected) as ['headers' => $headers, 'body' => $body]) {
        show('delivery', [
            'body' => parse($body), 'verified' => verified($merchant, $created->secret, $headers, $body),
            'forged' => verified($merchant, $created->secret, $headers, "$body "), 'event' => $headers['x-intram-event'],
            'attempt' => $headers['x-intram-attempt'], 'user_agent' => $headers['user-agent'], 'delivery' => $headers['x-intram-delivery'],
        ]);
    }
    $merchant->call('DELETE', "/webhooks/$created->subscription_id")->show('webhook.deleted');
    $merchant->get('/webhooks')->show('webhooks.left');
    $merchant->get('/balance')->show('balance.after');
}

main();
