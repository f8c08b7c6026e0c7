package intram_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go"
)

// otherKinds are what a field's value becomes, one at a time.
var otherKinds = []struct{ name, value string }{
	{"string", `"odd"`}, {"number", `7`}, {"bool", `true`}, {"null", `null`}, {"array", `[]`}, {"object", `{}`}, {"removed", ""},
}

const kindsFile = "testdata/kinds.golden"

// TestWhatAnotherKindOfEachFieldDoes changes the kind of every field of every example,
// one at a time, and compares what the SDK makes of it with testdata/kinds.golden: =
// nothing changes, ! the response is refused (a creation is in doubt), x the item of a
// page cannot be read, ? the event is handed over unread, and otherwise the fields of the
// model that change. Whatever describes may change its own field only; what is acted on
// must be refused. Read the difference before you write the file anew, with
// UPDATE_KINDS=1 go test -run Kind .
func TestWhatAnotherKindOfEachFieldDoes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	files, err := filepath.Glob("testdata/examples/*.json")
	require.NoError(t, err)
	for _, file := range files {
		name := filepath.Base(file)
		read := readerOf(name)
		if read == nil {
			continue
		}
		writeKinds(t, &out, name, example(t, name), read)
	}
	for _, e := range []struct{ event, example string }{
		{"payout.completed", "operation.payout.succeeded.current.json"},
		{"payment_request.paid", "operation.payment_request.succeeded.current.json"},
		{"refund.completed", "operation.refund.succeeded.current.json"},
	} {
		body := fmt.Sprintf(`{"event":%q,"operation_id":"op_1","occurred_at":"2026-05-20T10:30:00.000Z","data":%s}`,
			e.event, member(t, data(t, example(t, e.example)), "result"))
		writeKinds(t, &out, "event "+e.event, body, readEvent)
	}
	if os.Getenv("UPDATE_KINDS") != "" {
		require.NoError(t, os.WriteFile(kindsFile, out.Bytes(), 0o600))
	}
	want, err := os.ReadFile(kindsFile)
	require.NoError(t, err)
	assert.Equal(t, string(want), out.String())
}

// writeKinds writes a line for each field.
func writeKinds(t *testing.T, out *bytes.Buffer, name, body string, read func(*testing.T, string, string) map[string]string) {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	same, err := json.Marshal(v) // as the others are written
	require.NoError(t, err)
	base := read(t, string(same), body)
	require.NotContains(t, base, "", "%s is read as it is: %v", name, base[""])
	fmt.Fprintf(out, "%s\n", name)
	for _, path := range fieldsOf(t, body) {
		results := map[string][]string{}
		var order []string
		for _, kind := range otherKinds {
			odd, changed := withField(t, body, path, kind.value)
			if !changed {
				continue
			}
			result := changes(base, read(t, odd, body))
			if results[result] == nil {
				order = append(order, result)
			}
			results[result] = append(results[result], kind.name)
		}
		fmt.Fprintf(out, "  %s:", strings.Join(path, "."))
		for _, result := range order {
			fmt.Fprintf(out, "  %s %s", strings.Join(results[result], ","), result)
		}
		out.WriteByte('\n')
	}
}

// changes names what differs.
func changes(base, got map[string]string) string {
	if failed, ok := got[""]; ok {
		return failed
	}
	var names []string
	for name := range maps.Keys(base) {
		if got[name] != base[name] {
			names = append(names, name)
		}
	}
	for name := range maps.Keys(got) {
		if _, ok := base[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "="
	}
	const most = 2
	byPart := map[string]int{}
	for _, name := range names {
		part, _, _ := strings.Cut(name, ".")
		byPart[part]++
	}
	var short []string
	for _, name := range names {
		part, _, _ := strings.Cut(name, ".")
		if byPart[part] > most {
			name = part
		}
		if len(short) == 0 || short[len(short)-1] != name {
			short = append(short, name)
		}
	}
	return strings.Join(short, "+")
}

// readerOf is how an example is read: with the call that it responds to. What comes of it
// is the model's fields by their names, or a sign under the empty name.
func readerOf(name string) func(t *testing.T, body, original string) map[string]string {
	type call func(t *testing.T, c *intram.Client, original string) (any, error)
	look := func(path ...string) func(t *testing.T, original string) string {
		return func(t *testing.T, original string) string {
			t.Helper()
			var v any
			require.NoError(t, json.Unmarshal([]byte(original), &v))
			for _, p := range path {
				v = v.(map[string]any)[p]
			}
			return v.(string)
		}
	}
	calls := []struct {
		prefix string
		call   call
	}{
		{"balance.", func(t *testing.T, c *intram.Client, _ string) (any, error) { return c.Balance.Get(t.Context()) }},
		{"operation.", func(t *testing.T, c *intram.Client, o string) (any, error) {
			return c.Operations.Get(t.Context(), look("data", "operation_id")(t, o))
		}},
		{"payout.accepted.", func(t *testing.T, c *intram.Client, _ string) (any, error) {
			return c.Payouts.Create(t.Context(), mobilePayout())
		}},
		{"transaction.", func(t *testing.T, c *intram.Client, o string) (any, error) {
			return c.Transactions.Get(t.Context(), look("data", "reference")(t, o))
		}},
		{"transactions.list.", func(t *testing.T, c *intram.Client, _ string) (any, error) {
			return c.Transactions.List(t.Context(), intram.TransactionListParams{})
		}},
		{"webhook.created.", func(t *testing.T, c *intram.Client, _ string) (any, error) {
			return c.Webhooks.Create(t.Context(), intram.WebhookParams{URL: "https://my-app.example.com/intram/webhook", Event: "payout.*"})
		}},
		{"webhooks.list.", func(t *testing.T, c *intram.Client, _ string) (any, error) { return c.Webhooks.List(t.Context()) }},
		{"payin.status.", func(t *testing.T, c *intram.Client, o string) (any, error) {
			return c.Payin.Get(t.Context(), look("customerReference")(t, o))
		}},
		{"payin.created.first", func(t *testing.T, c *intram.Client, o string) (any, error) {
			params := payinParams()
			params.Reference = look("customerReference")(t, o)
			return c.Payin.CreateSession(t.Context(), params)
		}},
		{"payin.created.newer", func(t *testing.T, c *intram.Client, o string) (any, error) {
			params := payinParams()
			params.Reference = look("reference")(t, o)
			return c.Payin.CreateSession(t.Context(), params)
		}},
	}
	for _, one := range calls {
		if !strings.HasPrefix(name, one.prefix) {
			continue
		}
		return func(t *testing.T, body, original string) map[string]string {
			t.Helper()
			client := newClient(t, roundTrip(func(req *http.Request) (*http.Response, error) { return answer(200, body)(req) }),
				intram.WithPayin(payinKey, payinClient))
			value, err := one.call(t, client, original)
			if err != nil {
				assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), "%s: %v", name, err)
				return map[string]string{"": "!"}
			}
			if page, ok := value.(*intram.Page[intram.Transaction]); ok && len(page.Unreadable) > 0 {
				return map[string]string{"": "x"}
			}
			return flat(value)
		}
	}
	return nil
}

func readEvent(t *testing.T, body, _ string) map[string]string {
	t.Helper()
	verifier, err := intram.NewWebhookVerifier("whsec_a1")
	require.NoError(t, err)
	event, err := verifier.Verify(intram.SignWebhook("whsec_a1", time.Now(), []byte(body)), []byte(body))
	if err != nil {
		return map[string]string{"": "!"}
	}
	if _, unread := event.Data.(*intram.UnknownEventData); unread {
		return map[string]string{"": "?"}
	}
	return flat(event)
}

// flat is a value's fields, by their names. What is kept as it came is left out.
func flat(value any) map[string]string {
	fields := map[string]string{}
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch x := v.Interface().(type) {
		case time.Time:
			fields[name] = x.Format(time.RFC3339Nano)
			return
		case intram.Amount:
			fields[name] = x.String()
			return
		case intram.RawMessage:
			if !strings.HasSuffix("."+name, ".Raw") {
				fields[name] = string(x)
			}
			return
		}
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(name, v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if field := v.Type().Field(i); field.IsExported() {
					walk(strings.TrimPrefix(name+"."+field.Name, "."), v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s.%d", name, i), v.Index(i))
			}
		default:
			fields[name] = fmt.Sprint(v.Interface())
		}
	}
	walk("", reflect.ValueOf(value))
	return fields
}

// callersOwn are the objects whose fields are the caller's.
var callersOwn = []string{"payload", "metadata", "webhook_data"}

// fieldsOf are the paths of all fields, in order.
func fieldsOf(t *testing.T, body string) [][]string {
	t.Helper()
	var paths [][]string
	var walk func(path []string, v any)
	walk = func(path []string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				at := append(slices.Clone(path), key)
				paths = append(paths, at)
				if !slices.Contains(callersOwn, key) {
					walk(at, v[key])
				}
			}
		case []any:
			for i := range v {
				walk(append(slices.Clone(path), fmt.Sprint(i)), v[i])
			}
		}
	}
	var v any
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	walk(nil, v)
	return paths
}

// withField is a body in which one field has another value, or is gone when there is
// none. It is not changed when the field has a value of that kind.
func withField(t *testing.T, body string, path []string, value string) (odd string, changed bool) {
	t.Helper()
	var root any
	require.NoError(t, json.Unmarshal([]byte(body), &root))
	var set func(v any, path []string) any
	set = func(v any, path []string) any {
		switch v := v.(type) {
		case map[string]any:
			if len(path) > 1 {
				v[path[0]] = set(v[path[0]], path[1:])
				return v
			}
			var other any
			if value == "" {
				delete(v, path[0])
				changed = true
				return v
			}
			require.NoError(t, json.Unmarshal([]byte(value), &other))
			if changed = reflect.TypeOf(other) != reflect.TypeOf(v[path[0]]); changed {
				v[path[0]] = other
			}
			return v
		case []any:
			var i int
			_, err := fmt.Sscan(path[0], &i)
			require.NoError(t, err)
			v[i] = set(v[i], path[1:])
			return v
		}
		return v
	}
	out, err := json.Marshal(set(root, path))
	require.NoError(t, err)
	return string(out), changed
}
