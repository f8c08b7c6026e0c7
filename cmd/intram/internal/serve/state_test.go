package serve

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
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
	p := startProcess(t, t.TempDir(), "--state", state, "--tls")
	assert.Equal(t, os.FileMode(0o700), mode(t, folder))
	cache := filepath.Join(p.cache, "intram")
	for _, path := range []string{
		state, state + ".lock", filepath.Join(cache, "local.json"), filepath.Join(cache, "tls", "localhost-key.pem"),
	} {
		assert.Equal(t, os.FileMode(0o600), mode(t, path), path)
	}
	assert.Equal(t, os.FileMode(0o700), mode(t, filepath.Join(cache, "tls")))
	assert.Equal(t, os.FileMode(0o700), mode(t, cache))
}

// The state was written by intram 0.1.0: a queued payout with its key, a payment request, a subscription.
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
	params := payout("22961000000", 1000)
	params.Reference = "KEPT-1"
	again, err := client.Payouts.Create(t.Context(), params, intram.WithIdempotencyKey("kept-by-version-010"))
	require.NoError(t, err)
	assert.Equal(t, op.ID, again.ID, "its key is remembered")
	subscriptions, err := client.Webhooks.List(t.Context())
	require.NoError(t, err)
	require.Len(t, subscriptions, 1)
	assert.Equal(t, "whs_0d7e81ac3108", subscriptions[0].ID)
	fresh, err := client.Payouts.Create(t.Context(), payout("22961000000", 5))
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
		"cut off":        {data: string(saved[:len(saved)/2]), says: "damaged"},
		"empty":          {data: "", says: "damaged"},
		"another format": {data: `{"format":99,"seed":4010}`, says: "format 99"},
		"another seed":   {data: string(saved), change: func(o *options) { o.seed, o.seedSet = 9, true }, says: "--seed"},
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
