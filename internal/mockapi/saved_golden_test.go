package mockapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var updateSaved = flag.Bool("update", false, "write the saved states and the list of their fields anew")

// savedMoments are steps of the story after which its state is kept as a file: shapes
// that differ.
var savedMoments = map[string]string{
	"retried":  "the payout completes, its event is retried",
	"swapped":  "the payment is paid, its events swapped",
	"held":     "an event is held back",
	"payins":   "another waits for its answer",
	"deleted":  "the subscription is deleted",
	"a-day-on": "a day goes by",
}

// A state that an earlier build wrote may be on a user's disk. What is read of it is
// written again as it was: a field under another name, with another unit or of another
// kind would be lost, and is seen here. Files of earlier versions stay as they are.
func TestAStateOnTheDiskIsReadWhole(t *testing.T) {
	t.Parallel()
	if *updateSaved {
		writeMoments(t)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "saved", "*.json"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), len(savedMoments))
	for _, file := range append(files, filepath.Join("..", "..", "cmd", "intram", "internal", "serve", "testdata", "state-0.1.0.json")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			seed, err := SavedSeed(data)
			require.NoError(t, err)
			s, err := New(Config{Seed: seed, Start: start, Worker: WorkByHand()})
			require.NoError(t, err)
			t.Cleanup(s.Close)
			require.NoError(t, s.Load(data))
			again, _, err := s.Save()
			require.NoError(t, err)
			was, is := decodedState(t, data), decodedState(t, again)
			for part := range was {
				assert.Equal(t, was[part], is[part], part)
			}
			assert.Len(t, is, len(was), "parts that were not there")
		})
	}
}

func decodedState(t *testing.T, data []byte) (state map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	require.NoError(t, d.Decode(&state))
	return state
}

// writeMoments plays the story and keeps its moments.
func writeMoments(t *testing.T) {
	t.Helper()
	h := &savedStory{f: newFixture(t, Config{Seed: 11, Start: start})}
	h.receiver = h.f.s.Receive(http.HandlerFunc(h.receive))
	require.NoError(t, os.MkdirAll(filepath.Join("testdata", "saved"), 0o755))
	for _, step := range storySteps {
		step.do(h)
		h.f.idle()
		for name, moment := range savedMoments {
			if moment == step.name {
				data, _, err := h.f.s.Save()
				require.NoError(t, err)
				var b bytes.Buffer
				require.NoError(t, json.Indent(&b, data, "", " "))
				require.NoError(t, os.WriteFile(filepath.Join("testdata", "saved", name+".json"), append(b.Bytes(), '\n'), 0o644))
			}
		}
	}
}

// The names and kinds of all fields of a saved state, those too that no state of the
// files has. A field may be added; to change or to drop one is another format, which
// savedFormat has to count.
func TestTheFieldsOfASavedStateStay(t *testing.T) {
	t.Parallel()
	var fields []string
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(of.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[of] || of.PkgPath() != reflect.TypeFor[saved]().PkgPath() {
			return
		}
		seen[of] = true
		for field := range of.Fields() {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				name = field.Name
			}
			if name == "-" || !field.IsExported() {
				continue
			}
			kind := kindOf(field.Type)
			if strings.Contains(options, "string") {
				kind += " in quotes"
			}
			fields = append(fields, fmt.Sprintf("%s.%s %s", of.Name(), name, kind))
			walk(field.Type)
		}
	}
	walk(reflect.TypeFor[saved]())
	slices.Sort(fields)
	path := filepath.Join("testdata", "saved", fmt.Sprintf("format-%d.txt", savedFormat))
	if *updateSaved {
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(fields, "\n")+"\n"), 0o644))
	}
	known, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, strings.Split(strings.TrimSpace(string(known)), "\n"), fields,
		"a state on somebody's disk has the old ones: count up savedFormat, or read both; a new one is written down with -update")
}

// kindOf returns how a field is written, whatever its Go type is called.
func kindOf(of reflect.Type) string {
	switch {
	case of.String() == "time.Time" || of.String() == "time.Duration":
		return of.String()
	case of.Kind() == reflect.Pointer:
		return kindOf(of.Elem())
	case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Uint8:
		return "bytes"
	case of.Kind() == reflect.Slice:
		return "list of " + kindOf(of.Elem())
	case of.Kind() == reflect.Array:
		return fmt.Sprintf("%d of %s", of.Len(), kindOf(of.Elem()))
	case of.Kind() == reflect.Map:
		return "map of " + kindOf(of.Elem())
	case of.Kind() == reflect.Struct:
		return "object"
	}
	return of.Kind().String()
}
