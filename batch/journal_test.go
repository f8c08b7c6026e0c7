package batch_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/batch/boltjournal"
	"github.com/intram/intram-go/intramtest"
)

// twoLines are lines whose hashes and keys are pinned.
func twoLines() []batch.Line {
	return []batch.Line{pay(2, "PAY-1", 100, "22961000000"), pay(3, "ÉTÉ", 25000, "22961000001")}
}

// keysOf is what the idempotency keys of lines follow from.
func keysOf(t *testing.T, lines []batch.Line) batch.Binding {
	t.Helper()
	client, err := intram.NewClient("pk_sandbox_1", "sk_sandbox_1")
	require.NoError(t, err)
	return batch.Bind(client, lines)
}

func TestCopiesOfABatchAskForTheSamePayouts(t *testing.T) {
	t.Parallel()
	want := keysOf(t, twoLines())
	for name, change := range map[string]func(lines []batch.Line){
		"another order":             slices.Reverse[[]batch.Line],
		"other numbers":             func(lines []batch.Line) { lines[1].Number = 9 },
		"decimals of a database":    func(lines []batch.Line) { lines[1].Params.Amount = amount(t, "25000.00") },
		"accents in two characters": func(lines []batch.Line) { lines[1].Params.Reference = "E\u0301TE\u0301" },
		"a pointer": func(lines []batch.Line) {
			m := lines[1].Params.Destination.(intram.MobileMoney)
			lines[1].Params.Destination = &m
		},
		"no metadata": func(lines []batch.Line) { lines[0].Params.Metadata = map[string]any{} },
	} {
		lines := twoLines()
		change(lines)
		assert.Equal(t, want.Keys, keysOf(t, lines).Keys, name)
	}
	to := func(lines []batch.Line, change func(*intram.MobileMoney)) {
		m := lines[1].Params.Destination.(intram.MobileMoney)
		change(&m)
		lines[1].Params.Destination = m
	}
	for name, change := range map[string]func(lines []batch.Line){
		"amount":     func(lines []batch.Line) { lines[1].Params.Amount = intram.NewAmount(2500) },
		"reference":  func(lines []batch.Line) { lines[0].Params.Reference = "PAY-2" },
		"currency":   func(lines []batch.Line) { lines[0].Params.Currency = intram.XOF },
		"note":       func(lines []batch.Line) { lines[0].Params.Note = "May" },
		"metadata":   func(lines []batch.Line) { lines[0].Params.Metadata = map[string]any{"month": "May"} },
		"extra":      func(lines []batch.Line) { lines[0].Params.Extra = map[string]any{"month": "May"} },
		"number":     func(lines []batch.Line) { to(lines, func(m *intram.MobileMoney) { m.MSISDN = "22961000002" }) },
		"operator":   func(lines []batch.Line) { to(lines, func(m *intram.MobileMoney) { m.ProviderCode = intram.MoovBenin }) },
		"country":    func(lines []batch.Line) { to(lines, func(m *intram.MobileMoney) { m.CountryCode = "BJ" }) },
		"first name": func(lines []batch.Line) { to(lines, func(m *intram.MobileMoney) { m.AccountName = "Ada" }) },
		"surname":    func(lines []batch.Line) { to(lines, func(m *intram.MobileMoney) { m.AccountSurname = "Ada" }) },
	} {
		lines := twoLines()
		change(lines)
		assert.NotEqual(t, want.Keys, keysOf(t, lines).Keys, name)
	}
	assert.NotEqual(t, want.Keys, keysOf(t, twoLines()[:1]).Keys, "a line less")
	moved := twoLines()
	moved[1].Number = 9
	assert.NotEqual(t, want.SHA256, keysOf(t, moved).SHA256, "the journal names lines by their numbers")
}

func amount(t *testing.T, text string) intram.Amount {
	t.Helper()
	a, err := intram.ParseAmount(text)
	require.NoError(t, err)
	return a
}

// Stored formats: another key for the same line is a second payout.
func TestTheKeysOfABatchNeverChange(t *testing.T) {
	t.Parallel()
	bank := []batch.Line{{Number: 2, Params: intram.PayoutParams{
		Reference: "B & Ö", Amount: amount(t, "1500.50"), Currency: intram.XOF, Note: `a, "b" <c>`,
		Destination: intram.BankAccount{AccountNumber: "BJ0610", SWIFT: "ECOCBJBJ", AccountName: "Ada", AccountSurname: "L"},
	}}}
	moov := []batch.Line{{Number: 2, Params: intram.PayoutParams{
		Reference: "X", Amount: intram.NewAmount(1),
		Destination: intram.MobileMoney{ProviderCode: intram.MoovBenin, MSISDN: "22994000000", CountryCode: "BJ", AccountName: "Ada"},
	}}}
	for _, test := range []struct {
		lines                                    []batch.Line
		keys, numbered, reference, first, second string
	}{
		{twoLines(), "6cf91bee49635600f0a50c5e176a5d7e91c73f1c921c465fc102ee02cf6cc30c", "95efaea3fa38405bd4733fa69d90741cef311a60d8a4d5fb777fc9157d40cacd", "PAY-1", "idem_2cbbda2781b0658d7b2a579c3e3a52dc20f6d59d9598d48bfe99b21e3c2a8880", "idem_4dfb397a13c9312b8ee4d7d691e799bb8c76b2b66f717a7419f1857aeb6e72f3"},
		{twoLines(), "6cf91bee49635600f0a50c5e176a5d7e91c73f1c921c465fc102ee02cf6cc30c", "95efaea3fa38405bd4733fa69d90741cef311a60d8a4d5fb777fc9157d40cacd", "ÉTÉ", "idem_29d5868a2108061de24090a5526671e075b33173683fc23bc02aad11a2f87144", "idem_e2416d7ce43480453caa5adba3b8b0dc9639a2af4d47e1b9c98f4362f4eae807"},
		// The same reference, whose accents are characters of their own, has the same
		// key.
		{twoLines(), "6cf91bee49635600f0a50c5e176a5d7e91c73f1c921c465fc102ee02cf6cc30c", "95efaea3fa38405bd4733fa69d90741cef311a60d8a4d5fb777fc9157d40cacd", "E\u0301TE\u0301", "idem_29d5868a2108061de24090a5526671e075b33173683fc23bc02aad11a2f87144", "idem_e2416d7ce43480453caa5adba3b8b0dc9639a2af4d47e1b9c98f4362f4eae807"},
		{bank, "f7beee86fa732e9aa0ff0d20bef6f5629922846a9ab8d01fc61ae588dcc94f26", "0ea3bbe7ff6694d1b53ac8c377356fae52863b8283f628bc22c39669e98ef32a", "B & Ö", "idem_81f1e8158fd1b975afbac90ce8b8abf54c4ebf316ac90af96856e2e2dec9a224", "idem_e0ce9569c6a9b7c56345d65148a65e21ebebfdf0ac9946af5a5f15ad74f0dfaf"},
		{moov, "6ddde541a19c9eaa74e4835c544d6372243fd6347baa49f8fcefabec7d789c8f", "c135e7ebd00ffaa7b2cdbf93da0ab7dea5d6282825d781b24e6d6640f2495b89", "X", "idem_3162aa2810cf88b895e68ba25a1027693e43a8e53040cb92ebcd02af61a1beec", "idem_1964865b3b40ceabc27ed962c2463437791b670737e4bb8530d99b9d6738c872"},
	} {
		binding := keysOf(t, test.lines)
		assert.Equal(t, test.keys, binding.Keys)
		assert.Equal(t, test.numbered, binding.SHA256)
		for generation, want := range []string{test.first, test.second} {
			key, err := batch.KeyOf(binding, test.reference, generation)
			require.NoError(t, err)
			assert.Equal(t, want, key)
		}
	}
}

func TestCopiesThatRunAtOncePayEachLineOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 12)
	elsewhere := *b
	elsewhere.path = filepath.Join(t.TempDir(), "journal")
	elsewhere.lines = slices.Clone(b.lines)
	slices.Reverse(elsewhere.lines)
	first, _ := b.start(t)
	second, _ := elsewhere.start(t)
	done := make(chan error, 1)
	go func() { done <- second.Pay(t.Context()) }()
	require.NoError(t, first.Pay(t.Context()))
	require.NoError(t, <-done)
	b.requireOnceEach(t)
	assert.Equal(t, map[batch.State]int{batch.Paid: 12}, statuses(second))
}

// beganWith010 writes a journal as intram 0.1.0 did: bound to the bytes of the file,
// records without checksums.
func beganWith010(t *testing.T, b *bench, records map[int]string) {
	t.Helper()
	db, err := bolt.Open(b.path, 0o600, &bolt.Options{NoFreelistSync: true})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		require.NoError(t, err)
		lines, err := tx.CreateBucket([]byte("lines"))
		require.NoError(t, err)
		for line, record := range records {
			require.NoError(t, lines.Put(binary.BigEndian.AppendUint64(nil, uint64(line)), []byte(record)))
		}
		return meta.Put([]byte("binding"), fmt.Appendf(nil, `{"version":1,"sha256":%q,"lines":%d,"environment":"sandbox","public_key":%q}`,
			fileSHA256, len(b.lines), b.server.PublicKey))
	}))
	require.NoError(t, db.Close())
}

func TestABatchBegunByVersion010GoesOnWithItsKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, 4)
	// 0.1.0 derived the key like this, and its first line was executed before the
	// response was lost.
	key := func(line, generation int) string {
		key, err := intram.DeriveIdempotencyKey(fmt.Sprintf("payouts batch %s %d", fileSHA256, generation), b.lines[line].Params.Reference)
		require.NoError(t, err)
		return key
	}
	client := b.server.Client()
	intent, err := client.Payouts.Prepare(b.lines[0].Params, intram.WithIdempotencyKey(key(0, 0)))
	require.NoError(t, err)
	saved, err := json.Marshal(intent)
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), b.lines[0].Params, intram.WithIntent(intent))
	require.NoError(t, err)
	paid, err := client.Payouts.Create(t.Context(), b.lines[1].Params, intram.WithIdempotencyKey(key(1, 0)))
	require.NoError(t, err)
	_, err = client.Payouts.Create(t.Context(), b.lines[2].Params, intram.WithIdempotencyKey(key(2, 0)))
	require.NoError(t, err)
	beganWith010(t, b, map[int]string{
		b.lines[0].Number: `{"state":"intended","intent":` + string(saved) + `}`,
		b.lines[1].Number: `{"state":"paid","operation_id":"` + paid.ID + `"}`,
		// The record of the third line was lost with the disk: the key that 0.1.0 derived
		// is derived again.
	})
	run, done := b.start(t)
	require.True(t, run.Begun())
	require.NoError(t, run.Pay(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 4}, statuses(run))
	b.requireOnceEach(t)
	done()

	for _, sum := range []string{"", strings.Repeat("0", 64)} { // 0.1.0 bound it to the bytes
		_, err = batch.Open(t.Context(), client, boltjournal.At(b.path), b.lines, batch.WithFileSHA256(sum))
		require.ErrorIs(t, err, batch.ErrOtherBatch)
	}
}

// The journal was written by intram 0.1.0 itself, and is what it left when it did not
// wait.
func TestTheJournalOfVersion010IsRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "begun-0.1.0.csv"))
	require.NoError(t, err)
	written, err := os.ReadFile(filepath.Join("testdata", "begun-0.1.0.csv.journal"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, written, 0o600))
	sum := sha256.Sum256(data)
	lines := []batch.Line{pay(2, "PAY-1", 1000, "22961000000"), pay(3, "ÉTÉ", 0, "22994000000")}
	lines[1].Params.Amount = amount(t, "25000.00")
	lines[1].Params.Destination = intram.MobileMoney{ProviderCode: intram.MoovBenin, MSISDN: "22994000000"}
	old, err := intram.NewClient("pk_sandbox_6b5b4845b0ef2641454cd3db", "sk_sandbox_1")
	require.NoError(t, err)
	run, err := batch.Open(t.Context(), old, boltjournal.At(path), lines, batch.WithFileSHA256(hex.EncodeToString(sum[:])))
	require.NoError(t, err)
	records, err := run.Held().Records(t.Context())
	require.NoError(t, err)
	require.Len(t, records, 2)
	for i, want := range []struct{ key, id string }{
		{"idem_e38a31df8f48aa7159ba2dabaf222701791ff7eb74b5f17d0b713dbef816a44e", "op_f70dd66fc031355b"},
		{"idem_2dab8562cf1c8ca22be01d3e607e71beb25d998f13de29faf85b056f6c05fbfe", "op_b9a9a1f637443a1f"},
	} {
		record := records[lines[i].Number]
		assert.Equal(t, batch.Accepted, record.State)
		assert.Equal(t, want.id, record.OperationID)
		assert.Equal(t, want.key, record.Intent.IdempotencyKey)
		key, err := run.Key(lines[i].Params.Reference, 0)
		require.NoError(t, err)
		assert.Equal(t, want.key, key, "a lost record would be derived again")
	}
	// The intents are of the bytes that 0.1.0 sent: an amount with two decimals among
	// them.
	server := intramtest.NewServer(t, intramtest.WithFrozenClock(records[2].Intent.FirstSentAt.Add(time.Minute)))
	for _, line := range lines {
		_, err := server.Client().Payouts.Resume(t.Context(), line.Params, records[line.Number].Intent)
		require.NoError(t, err)
	}
	assert.Contains(t, string(server.Requests()[1].Body), `"amount":25000.00`)
	// What is written now is in its format, so that 0.1.0 can go on too.
	record := records[2]
	record.State = batch.Paid
	require.NoError(t, run.Held().Put(t.Context(), 2, record))
	require.NoError(t, run.Close())
	db, err := bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bolt.Tx) error {
		assert.True(t, json.Valid(tx.Bucket([]byte("lines")).Get(binary.BigEndian.AppendUint64(nil, 2))))
		return nil
	}))
	require.NoError(t, db.Close())
}

func TestADamagedJournalIsNamedAndNeverAPanic(t *testing.T) {
	t.Parallel()
	b := newBench(t, 400)
	run, done := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	done()
	good, err := os.ReadFile(b.path)
	require.NoError(t, err)
	binding := b.binding()
	// open is a run's first steps; they must refuse the file, or find in it what was
	// written.
	open := func(t *testing.T, data []byte) error {
		t.Helper()
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		journal, err := acquire(t, path, binding)
		if err != nil {
			return err
		}
		records, err := journal.Records(t.Context())
		if err == nil {
			for number, record := range records {
				// Where the newest header is damaged, the one before it counts, as after
				// a crash.
				assert.Contains(t, []batch.State{batch.Accepted, batch.Paid}, record.State, "line %d", number)
			}
			assert.Len(t, records, 400)
		}
		return errors.Join(err, journal.Release())
	}
	require.NoError(t, open(t, good))
	for name, data := range map[string][]byte{
		"empty": {}, "one byte": good[:1], "the headers": good[:4096*2], "an eighth": good[:len(good)/8], "half": good[:len(good)/2], "a page less": good[:len(good)-4096],
		"random": []byte(strings.Repeat("\x13\x37\xff\x00z", 20000)), "text": []byte(strings.Repeat("no journal ", 1000)), "zeros": make([]byte, len(good)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := open(t, data); !slices.Contains([]string{"half", "a page less"}, name) || err != nil { // those pages may be free ones
				require.ErrorIs(t, err, batch.ErrDamaged)
			}
		})
	}
	// A byte here and there: of the headers, of the pages' own, and of records.
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		refused := 0
		for at := 0; at < len(good); at += max(len(good)/100, 1) {
			data := append([]byte(nil), good...)
			for _, offset := range []int{at, at/4096*4096 + at%20} { // the second is in the head of a page
				data[offset] ^= 0x55
			}
			if open(t, data) != nil {
				refused++
			}
		}
		assert.Greater(t, refused, 10)
	})
}

func TestARecordThatIsNotAsItWasWrittenIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	run, done := b.start(t)
	require.NoError(t, run.Pay(t.Context()))
	done()
	good, err := os.ReadFile(b.path)
	require.NoError(t, err)
	key := func(line int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(line)) }
	for name, change := range map[string]func(lines *bolt.Bucket) error{
		"another digit": func(lines *bolt.Bucket) error {
			return lines.Put(key(2), []byte(strings.Replace(string(lines.Get(key(2))), "op_", "oq_", 1)))
		},
		"another checksum": func(lines *bolt.Bucket) error {
			data := append([]byte(nil), lines.Get(key(2))...)
			data[0] ^= 1 // another hexadecimal digit
			return lines.Put(key(2), data)
		},
		"no checksum": func(lines *bolt.Bucket) error { return lines.Put(key(2), []byte(`{"state":"paid"}`)) },
		"empty":       func(lines *bolt.Bucket) error { return lines.Put(key(2), nil) },
		"gone":        func(lines *bolt.Bucket) error { return lines.Delete(key(3)) },
		"one more":    func(lines *bolt.Bucket) error { return lines.Put(key(9), lines.Get(key(2))) },
		"another key": func(lines *bolt.Bucket) error { return lines.Put([]byte("x"), lines.Get(key(2))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal")
			require.NoError(t, os.WriteFile(path, good, 0o600))
			db, err := bolt.Open(path, 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket([]byte("lines"))) }))
			require.NoError(t, db.Close())
			journal, err := acquire(t, path, b.binding())
			require.NoError(t, err)
			_, err = journal.Records(t.Context())
			require.ErrorIs(t, err, batch.ErrDamaged)
			require.NoError(t, journal.Release())
		})
	}
}

func TestAFileOfAnotherProgramIsNoJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	db, err := bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("users")); return err }))
	require.NoError(t, db.Close())
	binding := keysOf(t, twoLines())
	_, err = acquire(t, path, binding)
	require.ErrorIs(t, err, batch.ErrDamaged)
	require.ErrorContains(t, err, "belongs to another program")

	// What a later version wrote is named too.
	path = filepath.Join(t.TempDir(), "journal")
	journal, err := acquire(t, path, binding)
	require.NoError(t, err)
	require.NoError(t, journal.Release())
	db, err = bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("binding"), []byte(`{"version":3,"sha256":"l","environment":"sandbox","public_key":"pk_sandbox_1"}`))
	}))
	require.NoError(t, db.Close())
	client, err := intram.NewClient("pk_sandbox_1", "sk_sandbox_1")
	require.NoError(t, err)
	_, err = batch.Open(t.Context(), client, boltjournal.At(path), twoLines())
	require.ErrorIs(t, err, batch.ErrOtherBatch)
	require.ErrorContains(t, err, "another version")
}

func TestARunThatWasCutOffBeforeItWroteAnythingIsANewOne(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	db, err := bolt.Open(b.path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	run, _ := b.start(t)
	assert.False(t, run.Begun())
	require.NoError(t, run.Pay(t.Context()))
	b.requireOnceEach(t)
}

func TestReferencesAreComparedWhateverTheirAccentsAreMadeOf(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	client := server.Client()
	composed, decomposed := "PAYÉ-1", "PAYE\u0301-1"
	lines := []batch.Line{pay(2, composed, 100, "22961000000"), pay(3, decomposed, 200, "22961000001")}
	problems := batch.Check(client, lines, batch.Rules{})
	require.Len(t, problems, 1)
	assert.Equal(t, "line 3: reference: the same as in line 2", problems[0].String())

	for i := range lines {
		other := intramtest.NewServer(t).Client()
		_, err := other.Payouts.Create(t.Context(), lines[i].Params)
		require.NoError(t, err)
		known, err := batch.CheckHistory(t.Context(), other, lines[1-i:2-i], server.Clock().Now().Add(-time.Hour))
		require.NoError(t, err)
		require.Len(t, known, 1, "the API has it with the other form of its accent")
	}
	var sent []byte
	b := &bench{server: server, lines: lines[1:], path: filepath.Join(t.TempDir(), "journal")}
	run, _ := b.start(t, b.hooked(func(r *http.Request) error {
		if r.Method == http.MethodPost {
			body, err := r.GetBody()
			if err != nil {
				return err
			}
			sent = make([]byte, r.ContentLength)
			_, err = body.Read(sent)
			return err
		}
		return nil
	}))
	require.NoError(t, run.Pay(context.WithoutCancel(t.Context())))
	assert.Contains(t, string(sent), decomposed, "it is sent as it was written")
}
