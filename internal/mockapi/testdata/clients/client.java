// A merchant's client for the Intram Merchant API in Java, written from the API's documentation alone: java.net.http sends,
// javax.crypto signs, com.sun.net.httpserver receives.
//
// It shares no code with the SDK and none with the fake server. foreign_test.go runs it against the fake and compares what it got,
// field by field, with what the SDK gets. INTRAM_URL is the server's scheme, host and port; INTRAM_PUBLIC_KEY and INTRAM_SECRET_KEY are
// sandbox keys. Every answer is printed as one line of JSON, named by its step, with numbers as strings.

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Client {
  static final Duration WINDOW = Duration.ofMinutes(5);
  static final DateTimeFormatter ISO = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

  // JSON, as far as it is needed here. A number is read as the string of its digits: an amount is never a float.
  static final class Json {
    private final String text;
    private int at;

    private Json(String text) { this.text = text; }

    static Object read(byte[] bytes) {
      Json json = new Json(new String(bytes, StandardCharsets.UTF_8));
      Object value = json.value();
      if (json.peek() != 0) throw new IllegalArgumentException("trailing data");
      return value;
    }

    private char peek() {
      while (at < text.length() && Character.isWhitespace(text.charAt(at))) at++;
      return at < text.length() ? text.charAt(at) : 0;
    }

    private boolean take(char c) {
      if (peek() != c) return false;
      at++;
      return true;
    }

    private void need(char c) {
      if (!take(c)) throw new IllegalArgumentException(c + " is missing at " + at);
    }

    private Object value() {
      switch (peek()) {
        case '{': {
          Map<String, Object> members = new LinkedHashMap<>();
          at++;
          if (take('}')) return members;
          do {
            peek();
            String name = string();
            need(':');
            members.put(name, value());
          } while (take(','));
          need('}');
          return members;
        }
        case '[': {
          List<Object> items = new ArrayList<>();
          at++;
          if (take(']')) return items;
          do items.add(value()); while (take(','));
          need(']');
          return items;
        }
        case '"':
          return string();
        default: {
          int start = at;
          while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
          String word = text.substring(start, at);
          return switch (word) {
            case "null" -> null;
            case "true", "false" -> Boolean.valueOf(word);
            default -> word;
          };
        }
      }
    }

    private String string() {
      need('"');
      StringBuilder out = new StringBuilder();
      for (char c = text.charAt(at++); c != '"'; c = text.charAt(at++)) {
        if (c != '\\') {
          out.append(c);
          continue;
        }
        c = text.charAt(at++);
        switch (c) {
          case 'b' -> out.append('\b');
          case 'f' -> out.append('\f');
          case 'n' -> out.append('\n');
          case 'r' -> out.append('\r');
          case 't' -> out.append('\t');
          case 'u' -> {
            out.append((char) Integer.parseInt(text, at, at + 4, 16));
            at += 4;
          }
          default -> out.append(c);
        }
      }
      return out.toString();
    }

    // Everything outside ASCII is escaped, which is JSON too.
    static String write(Object value) {
      if (value instanceof Map<?, ?> members) {
        return members.entrySet().stream().map(e -> write(e.getKey()) + ":" + write(e.getValue())).collect(Collectors.joining(",", "{", "}"));
      }
      if (value instanceof List<?> items) return items.stream().map(Json::write).collect(Collectors.joining(",", "[", "]"));
      if (!(value instanceof String string)) return String.valueOf(value);
      StringBuilder out = new StringBuilder("\"");
      for (char c : string.toCharArray()) {
        if (c == '"' || c == '\\') out.append('\\').append(c);
        else if (c < ' ' || c > '~') out.append(String.format("\\u%04x", (int) c));
        else out.append(c);
      }
      return out.append('"').toString();
    }
  }

  // A map in the order given; a value may be null.
  static Map<String, Object> map(Object... pairs) {
    Map<String, Object> made = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) made.put((String) pairs[i], pairs[i + 1]);
    return made;
  }

  static void print(String step, Map<String, ?> what) {
    Map<String, Object> line = map("step", step);
    line.putAll(what);
    System.out.println(Json.write(line));
  }

  static String sign(String key, byte[]... parts) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
    for (byte[] part : parts) mac.update(part);
    return "sha256=" + HexFormat.of().formatHex(mac.doFinal());
  }

  static byte[] bytes(String text) { return text.getBytes(StandardCharsets.UTF_8); }

  record Answer(HttpResponse<byte[]> response) {
    @SuppressWarnings("unchecked")
    Map<String, Object> body() { return (Map<String, Object>) Json.read(response.body()); }

    // A value of data, by its path.
    @SuppressWarnings("unchecked")
    <T> T data(String... path) {
      Object value = body().get("data");
      for (String name : path) value = ((Map<String, Object>) value).get(name);
      return (T) value;
    }

    String id() { return data("operation_id"); }

    Answer print(String step, Object... more) {
      boolean replayed = response.headers().firstValue("Idempotent-Replay").equals(Optional.of("true"));
      Map<String, Object> line = map("status", String.valueOf(response.statusCode()), "replayed", replayed, "body", body());
      line.putAll(map(more));
      Client.print(step, line);
      return this;
    }
  }

  final String url = System.getenv("INTRAM_URL"), publicKey = System.getenv("INTRAM_PUBLIC_KEY"), secretKey = System.getenv("INTRAM_SECRET_KEY");
  final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(30)).build(); // it never follows a redirect
  Duration behind = Duration.ZERO; // how far this machine's clock is behind the server's

  Instant now() { return Instant.now().plus(behind); }

  HttpResponse<byte[]> send(HttpRequest.Builder request) throws Exception {
    return http.send(request.timeout(Duration.ofSeconds(30)).build(), HttpResponse.BodyHandlers.ofByteArray());
  }

  // One signed call. changed replaces headers after they were signed, or leaves them out where it has null.
  Answer call(String method, String endpoint, Map<String, String> query, String body, String key, Map<String, Object> changed) throws Exception {
    String sorted = new TreeMap<>(query).entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining("&"));
    String timestamp = ISO.format(now()), content = body == null ? "" : body;
    Map<String, Object> headers = map("X-Api-Key", publicKey, "X-Timestamp", timestamp, "X-Signature",
        sign(secretKey, bytes(String.join("\n", timestamp, method, "/api/v1/merchant" + endpoint, sorted, content))));
    if (method.equals("POST")) headers.putAll(map("Content-Type", "application/json", "Idempotency-Key", key));
    headers.putAll(changed);
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + "/v1" + endpoint + (sorted.isEmpty() ? "" : "?" + sorted)))
        .method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
    headers.forEach((name, value) -> { if (value != null) request.header(name, (String) value); });
    return new Answer(send(request));
  }

  Answer get(String endpoint) throws Exception { return call("GET", endpoint, Map.of(), null, null, map()); }

  Answer post(String endpoint, Map<String, Object> params, String key) throws Exception {
    return call("POST", endpoint, Map.of(), Json.write(params), key, map());
  }

  Answer post(String endpoint, Map<String, Object> params) throws Exception { return post(endpoint, params, UUID.randomUUID().toString()); }

  // Polls an operation until it has ended: after 1 s, half as long again each time, 10 s at most, for a minute. An unknown status
  // is not the end.
  Answer waitForOperation(String id) throws Exception {
    String first = System.getenv().getOrDefault("INTRAM_POLL_SECONDS", "1");
    for (double wait = Double.parseDouble(first), spent = 0; ; spent += wait, wait = Math.min(wait * 1.5, 10)) {
      Answer answer = get("/operations/" + id);
      if (List.of("succeeded", "failed", "expired").contains(answer.<String>data("status"))) return answer;
      if (spent >= 60) throw new IllegalStateException("operation " + id + " has not ended");
      Thread.sleep((long) (wait * 1000));
    }
  }

  // All of a list. The cursor is strict: asking for one millisecond more, and dropping what was seen, loses nothing.
  @SuppressWarnings("unchecked")
  void list(String step, String endpoint, String identity, Map<String, String> filter) throws Exception {
    Map<Object, Object> items = new LinkedHashMap<>();
    Map<String, String> query = new TreeMap<>(filter);
    query.put("limit", "2");
    for (int pages = 1; ; pages++) {
      Answer answer = call("GET", endpoint, query, null, null, map());
      int had = items.size();
      for (Object item : answer.<List<Object>>data()) items.putIfAbsent(((Map<String, Object>) item).get(identity), item);
      Object cursor = ((Map<String, Object>) answer.body().get("paging")).get("next_before");
      if (cursor == null) {
        print(step, map("items", new ArrayList<>(items.values()), "several_pages", pages > 1));
        return;
      }
      if (items.size() == had && query.put("limit", "100").equals("100")) throw new IllegalStateException("the cursor stands still");
      query.put("before", ISO.format(Instant.parse((String) cursor).plusMillis(1)));
    }
  }

  static String attribute(String tag, String name, String otherwise) {
    Matcher found = Pattern.compile("\\b" + name + "=\"([^\"]*)\"").matcher(tag);
    return found.find() ? found.group(1) : otherwise;
  }

  // Presses a button of the checkout page, as a browser without JavaScript does.
  void press(String step, String gateway, String word) throws Exception {
    HttpResponse<byte[]> page = send(HttpRequest.newBuilder(URI.create(gateway)).header("Accept", "text/html"));
    Matcher forms = Pattern.compile("<form\\b([^>]*)>(.*?)</form>", Pattern.DOTALL).matcher(new String(page.body(), StandardCharsets.UTF_8));
    while (forms.find()) {
      Matcher button = Pattern.compile("<button\\b[^>]*>(.*?)</button>", Pattern.DOTALL).matcher(forms.group(2));
      if (!button.find() || !Arrays.asList(button.group(1).toLowerCase(Locale.ROOT).split("\\s+")).contains(word)) continue;
      String fields = Pattern.compile("<input\\b[^>]*>").matcher(forms.group(2)).results().map(found -> found.group())
          .filter(input -> attribute(input, "name", null) != null)
          .map(input -> attribute(input, "name", "") + "=" + URLEncoder.encode(attribute(input, "value", ""), StandardCharsets.UTF_8))
          .collect(Collectors.joining("&"));
      URI action = URI.create(gateway).resolve(attribute(forms.group(1), "action", gateway));
      HttpResponse<byte[]> answer = send(HttpRequest.newBuilder(action).header("Content-Type", "application/x-www-form-urlencoded")
          .method(attribute(forms.group(1), "method", "get").toUpperCase(Locale.ROOT), HttpRequest.BodyPublishers.ofString(fields)));
      print(step, map("page", String.valueOf(page.statusCode()), "accepted", answer.statusCode() >= 200 && answer.statusCode() < 400));
      return;
    }
    throw new IllegalStateException("the checkout page has no button that says " + word);
  }

  record Delivery(Headers headers, byte[] body) {
    String header(String name) { return headers.getFirst(name); }

    @SuppressWarnings("unchecked")
    Map<String, Object> event() { return (Map<String, Object>) Json.read(body); }
  }

  boolean verified(String secret, Delivery delivery, byte[] body) throws Exception {
    String timestamp = delivery.header("X-Intram-Timestamp");
    byte[] expected = bytes(sign(secret, bytes(timestamp + "."), body)), given = bytes(delivery.header("X-Intram-Signature"));
    return MessageDigest.isEqual(expected, given) && Duration.between(Instant.parse(timestamp), now()).abs().compareTo(WINDOW) <= 0;
  }

  static Map<String, Object> payout(String msisdn, int amount, String reference) {
    return map("amount", amount, "currency", "XOF",
        "destination", map("type", "mobile_money", "country_code", "BJ", "provider_code", "MTN_BENIN_229", "msisdn", msisdn,
            "account_name", "Ada", "account_surname", "Lovelace"),
        "reference", reference, "note", "R\u00e8glement hebdomadaire \u2713",
        "metadata", map("batch_id", "B-42", "lines", List.of(1, 2, map("deep", null))));
  }

  static Map<String, Object> paymentRequest(int amount, String order) {
    return map("invoice", map("amount", amount, "currency", "XOF", "description", "Commande #" + order,
            "customer", map("email", "client@example.com", "first_name", "Ada", "last_name", "Lovelace", "phone", "22961000000")),
        "payment_method", map("code", "MTN_BENIN_229", "country_code", "BJ", "msisdn", "22961000000"),
        "return_urls", map("success", "https://shop.example.com/ok", "cancel", "https://shop.example.com/no"),
        "webhook_data", map("order_id", order));
  }

  // Each way to be refused before anything is looked at, by the header that causes it.
  void refusals() throws Exception {
    Map<String, Map<String, Object>> spoilt = new LinkedHashMap<>();
    spoilt.put("missing_api_key", map("X-Api-Key", null));
    spoilt.put("invalid_api_key", map("X-Api-Key", "pk_sandbox_nobody"));
    spoilt.put("missing_signature", map("X-Signature", null));
    spoilt.put("missing_timestamp", map("X-Timestamp", null));
    spoilt.put("invalid_timestamp_format", map("X-Timestamp", "yesterday"));
    spoilt.put("timestamp_out_of_window.late", map("X-Timestamp", ISO.format(now().minus(WINDOW).minusSeconds(60))));
    spoilt.put("timestamp_out_of_window.early", map("X-Timestamp", ISO.format(now().plus(WINDOW).plusSeconds(60))));
    spoilt.put("signature_mismatch", map("X-Signature", "sha256=" + "0".repeat(64)));
    for (var reason : spoilt.entrySet()) {
      call("GET", "/balance", Map.of(), null, null, reason.getValue()).print("refused." + reason.getKey());
    }
    Map<String, Object> small = payout("22961000000", 1000, "PO-NEVER");
    call("POST", "/payouts", Map.of(), Json.write(small), null, map()).print("refused.missing_idempotency_key");
    post("/payouts", small, "short").print("refused.invalid_idempotency_key");
    call("POST", "/payouts", Map.of(), "{\"amount\":", UUID.randomUUID().toString(), map()).print("refused.invalid_body");
  }

  void run() throws Exception {
    String date = send(HttpRequest.newBuilder(URI.create(url + "/v1/balance"))).headers().firstValue("Date").orElseThrow();
    behind = Duration.between(Instant.now(), ZonedDateTime.parse(date, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
    refusals();

    BlockingQueue<Delivery> inbox = new LinkedBlockingQueue<>();
    HttpServer endpoint = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 0);
    endpoint.createContext("/intram/webhook", exchange -> {
      inbox.add(new Delivery(exchange.getRequestHeaders(), exchange.getRequestBody().readAllBytes()));
      exchange.sendResponseHeaders(204, -1);
      exchange.close();
    });
    endpoint.start();
    get("/balance").print("balance.before");
    Answer subscription = post("/webhooks",
        map("url", "http://127.0.0.1:" + endpoint.getAddress().getPort() + "/intram/webhook", "event", "*")).print("webhook.created");
    List<String> expected = new ArrayList<>();

    // Payouts: one that succeeds, sent twice; one refused in the worker; one to a bank; one that is wrong.
    String key = UUID.randomUUID().toString();
    Answer accepted = post("/payouts", payout("22961000000", 25000, "PO-1"), key).print("payout.accepted");
    Answer again = post("/payouts", payout("22961000000", 25000, "PO-1"), key);
    again.print("payout.replayed", "same_bytes", Arrays.equals(again.response().body(), accepted.response().body()));
    post("/payouts", payout("22961000000", 25001, "PO-1"), key).print("payout.conflict");
    expected.add("payout.completed " + waitForOperation(accepted.id()).print("payout.finished").id());
    expected.add("payout.failed " + waitForOperation(post("/payouts", payout("22961000002", 5000, "PO-2")).id()).print("payout.failed").id());
    expected.add("payout.queued " + waitForOperation(post("/payouts", map("amount", 40000, "destination", map("type", "bank_account",
        "swift", "ECOCBJBJ", "account_number", "BJ0610100100144390000769", "account_name", "Ada Lovelace"), "reference", "PO-3")).id())
        .print("payout.bank").id());
    post("/payouts", map("amount", 0, "currency", "xof", "reference", "R".repeat(101),
        "destination", map("type", "mobile_money", "msisdn", "+22961000000"))).print("payout.invalid");

    // Payment requests: one paid on the checkout page, one declined.
    Answer ready = waitForOperation(post("/payment-requests", paymentRequest(12000, "4521")).print("payment_request.accepted").id())
        .print("payment_request.finished");
    expected.addAll(List.of("payment_request.created " + ready.id(), "payment_request.paid " + ready.id()));
    String paid = ready.data("result", "transaction_reference");
    get("/transactions/" + paid).print("transaction.pending");
    press("checkout.paid", ready.data("result", "gateway_url"), "pay");
    get("/transactions/" + paid).print("transaction.paid");
    Answer other = waitForOperation(post("/payment-requests", paymentRequest(7000, "4522")).id());
    expected.addAll(List.of("payment_request.created " + other.id(), "payment_request.failed " + other.id()));
    press("checkout.declined", other.data("result", "gateway_url"), "decline");
    get("/transactions/" + other.<String>data("result", "transaction_reference")).print("transaction.declined");

    // Refunds: part of the payment, and one of nothing we know.
    expected.add("refund.completed " + waitForOperation(post("/refunds", map("transaction_reference", paid, "amount", 5000,
        "reason", "Demand\u00e9 par le client", "metadata", map("ticket_id", "T-9001"))).print("refund.accepted").id())
        .print("refund.finished").id());
    get("/transactions/" + paid).print("transaction.refunded");
    post("/refunds", map("transaction_reference", "ZZZZZZZZZZ")).print("refund.unknown");

    // Lists, in pages short enough to need the cursor.
    list("transactions.listed", "/transactions", "reference", Map.of());
    list("operations.listed", "/operations", "operation_id", Map.of("type", "payout"));
    get("/operations/op_none").print("operation.unknown");
    get("/transactions/ZZZZZZZZZZ").print("transaction.unknown");

    // Webhooks: what is subscribed, a ping, everything that was sent so far, and the end of it.
    get("/webhooks").print("webhooks.listed");
    String id = subscription.data("subscription_id"), secret = subscription.data("secret");
    post("/webhooks/" + id + "/test", map()).print("webhook.tested");
    expected.add("test.ping op_test");
    while (!expected.isEmpty()) {
      Delivery delivery = inbox.poll(30, TimeUnit.SECONDS);
      if (delivery == null) throw new IllegalStateException("these events did not arrive: " + expected);
      expected.remove(delivery.event().get("event") + " " + delivery.event().get("operation_id"));
      byte[] forged = Arrays.copyOf(delivery.body(), delivery.body().length + 1);
      print("delivery", map("body", delivery.event(), "verified", verified(secret, delivery, delivery.body()),
          "forged", verified(secret, delivery, forged), "event", delivery.header("X-Intram-Event"),
          "attempt", delivery.header("X-Intram-Attempt"), "user_agent", delivery.header("User-Agent"),
          "delivery", delivery.header("X-Intram-Delivery")));
    }
    call("DELETE", "/webhooks/" + id, Map.of(), null, null, map()).print("webhook.deleted");
    get("/webhooks").print("webhooks.left");
    get("/balance").print("balance.after");
    endpoint.stop(0);
  }

  public static void main(String[] args) throws Exception {
    new Client().run();
  }
}
