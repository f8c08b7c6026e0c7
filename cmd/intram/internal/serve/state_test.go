package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/serve/servetest"
	"github.com/intram/intram-go/internal/mockapi"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

// Keys and webhook secrets are in these files.
func TestWhatServeWritesIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "new")
	state := filepath.Join(folder, "state.json")
	p := servetest.Start(t, t.TempDir(), "--state", state, "--tls")
	assert.Equal(t, os.FileMode(0o700), mode(t, folder))
	cache := filepath.Join(p.Cache, "intram")
	servers, err := filepath.Glob(filepath.Join(cache, "servers", "*.json"))
	require.NoError(t, err)
	require.Len(t, servers, 1)
	for _, path := range []string{
		state, state + ".lock", servers[0], filepath.Join(cache, "tls", "localhost-key.pem"),
	} {
		assert.Equal(t, os.FileMode(0o600), mode(t, path), path)
	}
	assert.Equal(t, os.FileMode(0o700), mode(t, filepath.Join(cache, "tls")))
	assert.Equal(t, os.FileMode(0o700), mode(t, cache))
}

// The state was written by intram 0.1.0: a queued payout with its key, a payment request,
// a subscription.
func TestAStateOfVersion010GoesOn(t *testing.T) {
	t.Parallel()
	saved, err := os.ReadFile(filepath.Join("testdata", "state-0.1.0.json"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(path, saved, 0o600))
	s := startInProcess(t, func(o *options) { o.state, o.clock, o.work, o.seedSet = path, clockFrozen, "by-hand", false })
	assert.True(t, s.resumed)
	keys := s.core.Merchant().Sandbox
	require.Equal(t, "pk_sandbox_6b5b4845b0ef2641454cd3db", keys.Public)
	client := s.client(intram.WithClock(fixedClock{s.core.Clock().Now()}))
	op, err := client.Operations.Get(t.Context(), "op_b9a9a1f637443a1f")
	require.NoError(t, err)
	assert.Equal(t, intram.OperationQueued, op.Status)
	params := servetest.Payout("22961000000", 1000)
	params.Reference = "KEPT-1"
	again, err := client.Payouts.Create(t.Context(), params, intram.WithIdempotencyKey("kept-by-version-010"))
	require.NoError(t, err)
	assert.Equal(t, op.ID, again.ID, "its key is remembered")
	subscriptions, err := client.Webhooks.List(t.Context())
	require.NoError(t, err)
	require.Len(t, subscriptions, 1)
	assert.Equal(t, "whs_0d7e81ac3108", subscriptions[0].ID)
	fresh, err := client.Payouts.Create(t.Context(), servetest.Payout("22961000000", 5))
	require.NoError(t, err)
	assert.NotContains(t, []string{"op_b9a9a1f637443a1f", "op_f70dd66fc031355b"}, fresh.ID)
}

func TestAStateThatCannotBeGoneOnFromIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	saved, err := os.ReadFile(filepath.Join("testdata", "state-0.1.0.json"))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		data   string
		change func(*options)
		says   string
	}{
		"cut off":          {data: string(saved[:len(saved)/2]), says: "damaged"},
		"empty":            {data: "", says: "damaged"},
		"another format":   {data: `{"format":99,"seed":4010}`, says: "format 99"},
		"another merchant": {data: strings.ReplaceAll(string(saved), "pk_sandbox_6b5b4845b0ef2641454cd3db", "pk_sandbox_0000000000000000000000000"), says: "another merchant's"},
		"another seed":     {data: string(saved), change: func(o *options) { o.seed, o.seedSet = 9, true }, says: "--seed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "state.json")
			require.NoError(t, os.WriteFile(path, []byte(test.data), 0o600))
			o := options{addr: "127.0.0.1:0", clock: clockRunning, work: "at-once", seed: 4010, state: path}
			if test.change != nil {
				test.change(&o)
			}
			s := &server{options: o}
			err := s.open(t.Context())
			s.close()
			require.ErrorContains(t, err, test.says)
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, test.data, string(kept), "it is not written over")
		})
	}
}

// The state says which seed its keys follow from; the flag's default says nothing.
func TestAStateGoesOnWithItsOwnSeed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	var public string
	for i, change := range []func(*options){
		func(o *options) { o.seed, o.seedSet = 9, true }, func(*options) {}, func(o *options) { o.seed, o.seedSet = 9, true },
	} {
		s := &server{options: options{addr: "127.0.0.1:0", clock: clockRunning, work: "at-once", seed: 4010, state: path}}
		change(&s.options)
		require.NoError(t, s.open(t.Context()))
		require.NoError(t, s.store.close())
		if i == 0 {
			public = s.core.Merchant().Sandbox.Public
		}
		assert.Equal(t, public, s.core.Merchant().Sandbox.Public)
		assert.Equal(t, i > 0, s.resumed)
		s.close()
	}
}

// No response goes out before the state that it speaks of is on the disk.
func TestAnAnswerWaitsForItsOwnState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	synctest.Test(t, func(t *testing.T) {
		core, err := mockapi.New(mockapi.Config{Seed: 1})
		require.NoError(t, err)
		defer core.Close()
		st := newStore(path)
		st.begin(core)
		require.NoError(t, st.save())
		st.committed() // nothing has changed since
		require.NoError(t, core.SetProviderDown(string(intram.MTNBenin), true))
		answered := false
		go func() { st.committed(); answered = true }()
		synctest.Wait()
		assert.False(t, answered, "what changed is not on the disk")
		require.NoError(t, st.save())
		synctest.Wait()
		assert.True(t, answered)
		// What was never reported is saved at the end.
		require.NoError(t, core.SetProviderDown(string(intram.MoovBenin), true))
		require.NoError(t, st.close())
		saved, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Contains(t, string(saved), `"down":["MOOV_AFRICA_BENIN_229","MTN_BENIN_229"]`)
	})
}

// A call costs what it changes, however much there is: bytes are counted, those of the
// files that are replaced among them.
func TestACallWritesWhatItChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	core, err := mockapi.New(mockapi.Config{Seed: 4010, Merchant: mockapi.MerchantConfig{
		Balances: map[string]map[string]int64{"sandbox": {string(intram.MTNBenin): 1_000_000_000}},
	}})
	require.NoError(t, err)
	t.Cleanup(core.Close)
	st := newStore(path)
	st.begin(core)
	keys := core.Merchant().Sandbox
	client, err := intram.NewClient(keys.Public, keys.Secret, intram.WithClock(core.Clock()), intram.WithHTTPClient(&http.Client{Transport: core.Transport()}))
	require.NoError(t, err)
	pay := func() {
		_, err := client.Payouts.Create(t.Context(), servetest.Payout("22961234567", 1000))
		require.NoError(t, err)
	}
	for range 3000 {
		pay()
	}
	require.NoError(t, st.save())
	whole := st.written.Load()
	require.Greater(t, whole, int64(3_000_000), "the whole state")
	for range 100 {
		pay()
		require.NoError(t, st.save())
	}
	assert.Less(t, st.written.Load()-whole, int64(100*6<<10), "bytes of 100 calls")

	// From the beginning, with every replacement: no more than some lines a call.
	growing := newStore(filepath.Join(t.TempDir(), "state.json"))
	growing.begin(core)
	for range 200 {
		pay()
		require.NoError(t, growing.save())
	}
	assert.Less(t, growing.written.Load(), 2*whole, "the file is replaced once, and then appended to")
}

// When as much was appended as there was room for, a whole state takes the log's place.
func TestALogThatHasGrownIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	core, err := mockapi.New(mockapi.Config{Seed: 4010})
	require.NoError(t, err)
	t.Cleanup(core.Close)
	st := newStore(path)
	st.begin(core)
	lines := func() int {
		require.NoError(t, core.TopUp("sandbox", string(intram.MTNBenin), 1))
		require.NoError(t, st.save())
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return bytes.Count(data, []byte("\n"))
	}
	require.Equal(t, 1, lines())
	require.Equal(t, 2, lines())
	st.room = 1
	require.Equal(t, 3, lines(), "there was room for the beginning of a line")
	require.Equal(t, 1, lines())
	require.Equal(t, 2, lines())
}

// After kill -9 the file has lines, the last of them torn at times. The next start goes
// on from them, and leaves a whole state.
func TestALogWithATornLineGoesOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	p := servetest.Start(t, t.TempDir(), "--state", path)
	first, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000007", 1000), intram.WithIdempotencyKey("the-first-of-them"))
	require.NoError(t, err)
	second, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000007", 2000))
	require.NoError(t, err)
	p.Kill()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Greater(t, strings.Count(string(data), "\n"), 2, "a whole state and a line for each call")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"random":1,"operations":{"op_torn`)
	require.NoError(t, errors.Join(err, f.Close()))

	p = servetest.Start(t, t.TempDir(), "--state", path)
	for _, op := range []*intram.Operation{first, second} {
		_, err = p.Client().Operations.Get(t.Context(), op.ID)
		require.NoError(t, err)
	}
	again, err := p.Client().Payouts.Create(t.Context(), servetest.Payout("22961000007", 1000), intram.WithIdempotencyKey("the-first-of-them"))
	require.NoError(t, err)
	assert.Equal(t, first.ID, again.ID)
	p.Interrupt()
	data, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(data), "\n"), "an earlier version reads what a clean end leaves")
	assert.True(t, json.Valid(data))
	assert.NotContains(t, string(data), "op_torn")
}

// A file that was moved away or replaced is not appended to: what gets a response is
// where the next start looks for it.
func TestAFileThatWasMovedAwayIsWrittenAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	s := startInProcess(t, func(o *options) { o.state = path })
	require.NoError(t, os.Rename(path, path+".old"))
	op := s.pay("22961000007", 1000, "SAL-1")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(data), op.ID)
	require.NoError(t, os.Rename(path, path+".older"))
	require.NoError(t, os.WriteFile(path, data, 0o600)) // another file in its place
	again := s.pay("22961000007", 1000, "SAL-2")
	data, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(data), again.ID)
}

// Who has the old state open has it whole: a crash while the new one is written leaves
// it.
func TestAStateIsNotWrittenInPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, writeFile(path, []byte("the old one")))
	before, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, before.Close()) }()
	require.NoError(t, writeFile(path, []byte("new")))
	old, err := io.ReadAll(before)
	require.NoError(t, err)
	assert.Equal(t, "the old one", string(old))
	now, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "new", string(now))
}

func TestAFileThatCannotBeReplacedLeavesNothingBeside(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "state.json")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "not a file"), 0o700))
	require.Error(t, writeFile(path, []byte("{}")))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

func TestTheServerIsCalledByItsAddressAndTheNamesThatAreAllowed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		addr  string
		allow []string
		want  []string
	}{
		{"127.0.0.1:4010", nil, []string{"127.0.0.1"}},
		{":4010", nil, nil},
		{"DevBox:4010", []string{"Intram.Local"}, []string{"intram.local", "devbox"}},
		{"[::1]:0", []string{"a", "b"}, []string{"a", "b", "::1"}},
	} {
		s := &server{options: options{addr: test.addr, allowHosts: test.allow}}
		assert.ElementsMatch(t, test.want, s.hosts(), test.addr)
		g := &guard{names: s.hosts()}
		for _, name := range test.want {
			assert.True(t, g.knows(name+":1") || name == "::1", name)
		}
		assert.False(t, g.knows(""), "an empty name is none")
		assert.False(t, g.knows("evil.example"))
	}
}
