package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/intram/intram-go/internal/strictjson"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for document, want := range map[string]error{
		`{"amount":1,"fees":2}`:                           nil,
		`{"amount":1,"amount":1}`:                         strictjson.ErrDuplicateKey,
		`{"amount":1,"AMOUNT":2}`:                         strictjson.ErrDuplicateKey,
		`{"amount":1,"\u0061mount":2}`:                    strictjson.ErrDuplicateKey,
		`{"amount" : 1 , "x":[{"a":1},{"a":2}]}`:          nil,
		`{"x":[{"a":1,"b":[],"a":2}]}`:                    strictjson.ErrDuplicateKey,
		`{"a":{"b":1},"b":{"b":1}}`:                       nil,
		`{"a":{"b":{"c":1}},"c":1,"a":0}`:                 strictjson.ErrDuplicateKey,
		`{"metadata":{"k":1,"K":2},"amount":1}`:           nil,
		`{"metadata":{"k":{"a":1,"a":2}},"k":1}`:          nil,
		`{"metadata":{"k":1},"metadata":{}}`:              strictjson.ErrDuplicateKey,
		`{"data":{"payload":{"a":1,"a":2}}}`:              nil,
		`{"data":{"payload":{},"amount":1,"a":2}}`:        nil,
		`{"s":"\"amount\":1,","amount":"\\"}`:             nil,
		`{"s":"}{][","t":"\\\""}`:                         nil,
		`"a"`:                                             nil,
		`[]`:                                              nil,
		`[1,true,null,-1.5e3,"x"]`:                        nil,
		" {\n\t\"a\" : [ 1 , 2 ] }\r\n":                   nil,
		`{"amount":1,"amoun` + "\u017f" + `t":1}`:         nil,                        // not the same letters
		`{"status":1,"` + "\u017f" + `tatus":1}`:          strictjson.ErrDuplicateKey, // encoding/json folds ſ to s
		deep(64):                                          nil,
		deep(65):                                          strictjson.ErrTooDeep,
		strings.Repeat("[", 65) + strings.Repeat("]", 65): strictjson.ErrTooDeep,
	} {
		require.True(t, json.Valid([]byte(document)), document)
		assert.Equal(t, want, strictjson.Check([]byte(document)), document)
	}
}

// wideObject has n keys, each of which encoding/json tells from the others, and some more
// text behind them.
func wideObject(n int, more string) []byte {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"key%06d":%d`, i, i)
	}
	return []byte(b.String() + more + "}")
}

func TestWideObjectsAreComparedWhole(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 31, 32, 33, 34, 512, 513, 20000} {
		require.NoError(t, strictjson.Check(wideObject(n, "")), n)
		for _, twice := range []int{0, n / 2, n - 1} {
			key := fmt.Sprintf("key%06d", twice)
			for _, again := range []string{key, strings.ToUpper(key), `\u006b` + key[1:], "\u212a" + key[1:]} {
				document := wideObject(n, `,"`+again+`":1`)
				require.True(t, json.Valid(document))
				assert.Equal(t, strictjson.ErrDuplicateKey, strictjson.Check(document), "%d keys, %q again", n, again)
			}
		}
	}
	// Wide objects side by side and inside of each other have keys of their own.
	wide := string(wideObject(40, ""))
	require.NoError(t, strictjson.Check([]byte(`[`+wide+`,`+wide+`]`)))
	require.NoError(t, strictjson.Check(wideObject(40, `,"inner":`+wide+`,"last":`+wide)))
	assert.Equal(t, strictjson.ErrDuplicateKey, strictjson.Check(wideObject(40, `,"inner":`+wide+`,"key000007":1`)))
}

// What can be counted without a clock is what is allocated: a set that doubles, and
// nothing for each key.
//
//nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
func TestWideObjectsAllocateLittle(t *testing.T) {
	document := wideObject(50_000, "")
	assert.Less(t, int(testing.AllocsPerRun(3, func() { _ = strictjson.Check(document) })), 40)
}

func TestTheCallersOwnObjectsMayBeDeep(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n) + strings.Repeat("]}", n) }
	for _, owned := range []string{"metadata", "webhook_data", "payload"} {
		document := []byte(`{"data":{"` + owned + `":` + deep(200) + `,"amount":1}}`)
		require.NoError(t, strictjson.Check(document), owned)
		assert.Equal(t, 402, strictjson.Depth(document))
		assert.Equal(t, strictjson.ErrTooDeep, strictjson.Check([]byte(`{"data":{"`+owned+`":{},"x":`+deep(200)+`}}`)))
	}
	for document, want := range map[string]int{`1`: 0, ` "{[" `: 0, `{}`: 1, `{"a":"}{","b":[[]],"c":{}}`: 3, ` [1,{"a":2},"[[["]`: 2} {
		assert.Equal(t, want, strictjson.Depth([]byte(document)), document)
	}
}

// One element that can be read in two ways says nothing against the others.
func TestSplitRefusesElementsOneByOne(t *testing.T) {
	t.Parallel()
	document := []byte(`{"data":[{"a":1},{"b":[{"a":1,"a":2}],"c":"]"},{"a":2},` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `,{"a":3}],"paging":{}}`)
	parts, err := strictjson.Split(document)
	require.NoError(t, err)
	require.Len(t, parts.Items, 5)
	assert.Equal(t, map[int]error{1: strictjson.ErrDuplicateKey, 3: strictjson.ErrTooDeep}, parts.Refused)
	assert.Equal(t, `{"b":[{"a":1,"a":2}],"c":"]"}`, string(parts.Items[1]))
	assert.Equal(t, `{"a":3}`, string(parts.Items[4]))
	assert.Equal(t, strictjson.ErrDuplicateKey, strictjson.Check(document), "but the document is not strict")
	_, err = strictjson.Split([]byte(`{"data":[{"a":1}],"paging":1,"paging":2}`))
	require.ErrorIs(t, err, strictjson.ErrDuplicateKey, "what all share is everyone's")
}

func BenchmarkCheckWide(b *testing.B) {
	for name, document := range map[string][]byte{
		"one object":    wideObject(250_000, ""),
		"many of 500":   []byte("[" + strings.Repeat(string(wideObject(500, ""))+",", 500) + "1]"),
		"many of a few": []byte("[" + strings.Repeat(string(wideObject(10, ""))+",", 25_000) + "1]"),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			for b.Loop() {
				if err := strictjson.Check(document); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestEveryExampleOfTheDocsIsStrict(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/examples/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.NoError(t, strictjson.Check(data), file)
	}
}

//nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
func TestCheckAllocatesOnce(t *testing.T) {
	data, err := os.ReadFile("../../testdata/examples/operation.payout.succeeded.current.json")
	require.NoError(t, err)
	assert.LessOrEqual(t, int(testing.AllocsPerRun(100, func() { _ = strictjson.Check(data) })), 1)
}

func TestMember(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		`{"a":"x"}`: `"x"`, `{ "b" : [ {"a":1}, "]}" ] , "A" : {"a":2} }`: `{"a":2}`, `{"\u0061":1}`: "1", `{"b":{"a":1},"a":null,"c":1}`: "null",
		`{"b":{"a":1}}`: "", `{}`: "", `[{"a":1}]`: "", `"a"`: "", "": "",
	} {
		assert.Equal(t, want, string(strictjson.Member([]byte(object), "a")), object)
	}
}

// FuzzCheck compares with a reader that is slow and plain.
func FuzzCheck(f *testing.F) {
	f.Add(`{"a":1,"A":[{"\u0061":2,"a":3}],"metadata":{"x":1,"x":2}}`)
	f.Add(`{"a":"\\\"","b":{}}`)
	f.Add(`[[[]]]`)
	f.Fuzz(func(t *testing.T, document string) {
		err := strictjson.Check([]byte(document)) // never panics, valid or not
		member := strictjson.Member([]byte(document), "a")
		if !json.Valid([]byte(document)) {
			return
		}
		var object struct {
			A json.RawMessage `json:"a"`
		}
		if err == nil && json.Unmarshal([]byte(document), &object) == nil && string(object.A) != string(member) {
			t.Fatalf("%q: the member is %q, not %q", document, member, object.A)
		}
		decoder := json.NewDecoder(strings.NewReader(document))
		decoder.UseNumber()
		if want := plain(t, decoder, 0, true); !errors.Is(err, want) {
			t.Fatalf("%q: %v, not %v", document, err, want)
		}
	})
}

// plain is the rule again, over encoding/json's tokens.
func plain(t *testing.T, d *json.Decoder, depth int, checked bool) error {
	token, err := d.Token()
	require.NoError(t, err)
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if checked && depth == 64 {
		return strictjson.ErrTooDeep
	}
	var keys []string
	for d.More() {
		inner := checked
		if delim == '{' {
			token, err := d.Token()
			require.NoError(t, err)
			key, _ := token.(string)
			if checked {
				for _, k := range keys {
					if strings.EqualFold(k, key) {
						return strictjson.ErrDuplicateKey
					}
				}
			}
			keys = append(keys, key)
			inner = checked && key != "metadata" && key != "webhook_data" && key != "payload"
		}
		if err := plain(t, d, depth+1, inner); err != nil {
			return err
		}
	}
	_, err = d.Token()
	require.NoError(t, err)
	return nil
}

func TestSplitTellsWhereTheDataStands(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]struct {
		data  string
		items []string
	}{
		`{"error":false,"data":{"id":"a","data":[1]}}`:           {data: `{"id":"a","data":[1]}`},
		`{"data" : [ {"a":[1,2]} , null,"x",[3] ] , "paging":1}`: {data: `[ {"a":[1,2]} , null,"x",[3] ]`, items: []string{`{"a":[1,2]}`, "null", `"x"`, "[3]"}},
		`{"DATA":[1,2]}`:                 {data: "[1,2]", items: []string{"1", "2"}}, // as encoding/json reads it
		`{"\u0064ata":7}`:                {data: "7"},
		`{"data":[]}`:                    {data: "[]"},
		`{"data":null}`:                  {data: "null"},
		`{"other":[1],"x":{"data":[1]}}`: {},
		`[{"data":[1]}]`:                 {},
		`"data"`:                         {},
	} {
		require.True(t, json.Valid([]byte(document)), document)
		parts, err := strictjson.Split([]byte(document))
		require.NoError(t, err, document)
		assert.Equal(t, want.data, string(parts.Data), document)
		var items []string
		for _, item := range parts.Items {
			items = append(items, string(item))
		}
		assert.Equal(t, want.items, items, document)
	}
	_, err := strictjson.Split([]byte(`{"data":{"a":1,"a":2}}`))
	require.ErrorIs(t, err, strictjson.ErrDuplicateKey)
}

func TestPagingOfTheOutermostObjectIsNoted(t *testing.T) {
	t.Parallel()
	parts, err := strictjson.Split([]byte(`{"data" : [{"paging":{"next":"inner"}}] , "PAGING" : {"next":"outer"} , "x" : {"paging":1}}`))
	require.NoError(t, err)
	assert.Equal(t, `{"next":"outer"}`, string(parts.Paging))
	parts, err = strictjson.Split([]byte(`{"data":{"paging":1}}`))
	require.NoError(t, err)
	assert.Nil(t, parts.Paging)
}

// Check wants valid JSON, and what is not valid after all is refused all the same.
func TestADocumentThatEndsEarlyIsRefused(t *testing.T) {
	t.Parallel()
	const document = `{"data":[{"a":"b\"c","d":[1,{}]}],"paging":{"e":null}}`
	for end := range len(document) {
		_ = strictjson.Check([]byte(document[:end]))
		_ = strictjson.Depth([]byte(document[:end]))
	}
	for _, early := range []string{`{`, `{"a"`, `{"a":`, `{"a":1`, `[`, `[1`, `[1,`, `{"data":[`} {
		require.Error(t, strictjson.Check([]byte(early)), early)
	}
}

// The sets of wide objects are used again, or a page of them would cost a set each.
func TestWideObjectsShareTheirSets(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	page := []byte("[" + strings.Repeat(string(wideObject(100, ""))+",", 200) + "0]")
	require.NoError(t, strictjson.Check(page))
	assert.LessOrEqual(t, testing.AllocsPerRun(20, func() { _ = strictjson.Check(page) }), 20.0)
}
