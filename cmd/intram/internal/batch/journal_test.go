package batch_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/batch"
	"github.com/intram/intram-go/intramtest"
)

const twoLines = "reference,amount,provider,msisdn\nPAY-1,100,MTN_BENIN_229,22961000000\nÉTÉ,25000,MTN_BENIN_229,22961000001\n"

// identity reads a file, and says what it asks for.
func identity(t *testing.T, file string) batch.Identity {
	t.Helper()
	lines, problems := readFile([]byte(file))
	require.Empty(t, problems)
	return batch.Identify([]byte(file), lines)
}

func TestCopiesOfAFileAskForTheSamePayouts(t *testing.T) {
	t.Parallel()
	want := identity(t, twoLines)
	for name, file := range map[string]string{
		"line breaks of Windows":    strings.ReplaceAll(twoLines, "\n", "\r\n"),
		"a mark in front":           "\ufeff" + twoLines,
		"semicolons":                strings.ReplaceAll(twoLines, ",", ";"),
		"no line break at its end":  strings.TrimSuffix(twoLines, "\n"),
		"other columns":             "msisdn,provider_code,reference,amount,note\n22961000000,MTN_BENIN_229,PAY-1,100,\n22961000001,MTN_BENIN_229,ÉTÉ,25000,\n",
		"sorted":                    "reference,amount,provider,msisdn\nÉTÉ,25000,MTN_BENIN_229,22961000001\nPAY-1,100,MTN_BENIN_229,22961000000\n",
		"blank lines":               strings.ReplaceAll(twoLines, "\n", "\n\n"),
		"decimals of a database":    strings.ReplaceAll(twoLines, "25000", "25000.00"),
		"accents in two characters": strings.ReplaceAll(twoLines, "ÉTÉ", "E\u0301TE\u0301"),
	} {
		assert.Equal(t, want.Keys, identity(t, file).Keys, name)
	}
	for name, file := range map[string]string{
		"amount": strings.ReplaceAll(twoLines, "25000", "2500"), "number": strings.ReplaceAll(twoLines, "61000001", "61000002"),
		"reference": strings.ReplaceAll(twoLines, "PAY-1", "PAY-2"), "operator": strings.ReplaceAll(twoLines, "MTN_BENIN_229,22961000001", "MOOV_AFRICA_BENIN_229,22961000001"),
		"a line less": strings.Split(twoLines, "ÉTÉ")[0],
	} {
		assert.NotEqual(t, want.Keys, identity(t, file).Keys, name)
	}
	moved := identity(t, strings.Replace(twoLines, "ÉTÉ", "\nÉTÉ", 1))
	assert.Equal(t, want.Keys, moved.Keys)
	assert.NotEqual(t, want.Lines, moved.Lines, "the journal names lines by their numbers")
}

// Stored formats: another key for the same line is a second payout.
func TestTheKeysOfABatchNeverChange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ file, keys, lines, reference, first, second string }{
		{twoLines, "6cf91bee49635600f0a50c5e176a5d7e91c73f1c921c465fc102ee02cf6cc30c", "95efaea3fa38405bd4733fa69d90741cef311a60d8a4d5fb777fc9157d40cacd", "PAY-1", "idem_2cbbda2781b0658d7b2a579c3e3a52dc20f6d59d9598d48bfe99b21e3c2a8880", "idem_4dfb397a13c9312b8ee4d7d691e799bb8c76b2b66f717a7419f1857aeb6e72f3"},
		{twoLines, "6cf91bee49635600f0a50c5e176a5d7e91c73f1c921c465fc102ee02cf6cc30c", "95efaea3fa38405bd4733fa69d90741cef311a60d8a4d5fb777fc9157d40cacd", "ÉTÉ", "idem_29d5868a2108061de24090a5526671e075b33173683fc23bc02aad11a2f87144", "idem_e2416d7ce43480453caa5adba3b8b0dc9639a2af4d47e1b9c98f4362f4eae807"},
		{
			"reference,amount,currency,account_number,swift,account_name,account_surname,note\nB & Ö,1500.50,XOF,BJ0610,ECOCBJBJ,Ada,L,\"a, \"\"b\"\" <c>\"\n",
			"f7beee86fa732e9aa0ff0d20bef6f5629922846a9ab8d01fc61ae588dcc94f26", "0ea3bbe7ff6694d1b53ac8c377356fae52863b8283f628bc22c39669e98ef32a", "B & Ö", "idem_81f1e8158fd1b975afbac90ce8b8abf54c4ebf316ac90af96856e2e2dec9a224", "idem_e0ce9569c6a9b7c56345d65148a65e21ebebfdf0ac9946af5a5f15ad74f0dfaf",
		},
		{
			"reference,amount,provider,msisdn,country,account_name\nX,1,MOOV_AFRICA_BENIN_229,22994000000,BJ,Ada\n",
			"6ddde541a19c9eaa74e4835c544d6372243fd6347baa49f8fcefabec7d789c8f", "c135e7ebd00ffaa7b2cdbf93da0ab7dea5d6282825d781b24e6d6640f2495b89", "X", "idem_3162aa2810cf88b895e68ba25a1027693e43a8e53040cb92ebcd02af61a1beec", "idem_1964865b3b40ceabc27ed962c2463437791b670737e4bb8530d99b9d6738c872",
		},
	} {
		id := identity(t, test.file)
		assert.Equal(t, test.keys, id.Keys)
		assert.Equal(t, test.lines, id.Lines)
		journal, err := batch.OpenJournal(filepath.Join(t.TempDir(), "j"), batch.Binding{Identity: id, Environment: intram.Sandbox, PublicKey: "pk_sandbox_1"})
		require.NoError(t, err)
		for generation, want := range []string{test.first, test.second} {
			key, err := journal.Key(test.reference, generation)
			require.NoError(t, err)
			assert.Equal(t, want, key)
		}
		require.NoError(t, journal.Close())
	}
}

func TestCopiesThatRunAtOncePayEachLineOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 12)
	windows := *b
	windows.data = []byte(strings.ReplaceAll(string(b.data), "\n", "\r\n"))
	windows.path = filepath.Join(t.TempDir(), "journal")
	first, _ := b.start(t)
	second, _ := windows.start(t)
	done := make(chan error, 1)
	go func() { done <- second.Do(t.Context()) }()
	require.NoError(t, first.Do(t.Context()))
	require.NoError(t, <-done)
	b.requireOnceEach(t)
	assert.Equal(t, map[batch.State]int{batch.Paid: 12}, statuses(second))
}

// beganWith010 writes a journal as intram 0.1.0 did: bound to the bytes of the file, records without checksums.
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
			batch.Identify(b.data, b.lines).File, len(b.lines), b.server.PublicKey))
	}))
	require.NoError(t, db.Close())
}

func TestABatchBegunByVersion010GoesOnWithItsKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, 4)
	// 0.1.0 derived the key like this, and its first line was executed before the answer was lost.
	key := func(line, generation int) string {
		key, err := intram.DeriveIdempotencyKey(fmt.Sprintf("payouts batch %s %d", batch.Identify(b.data, b.lines).File, generation), b.lines[line].Params.Reference)
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
		// The record of the third line was lost with the disk: the key that 0.1.0 derived is derived again.
	})
	run, done := b.start(t)
	require.True(t, run.Touched())
	require.NoError(t, run.Do(t.Context()))
	assert.Equal(t, map[batch.State]int{batch.Paid: 4}, statuses(run))
	b.requireOnceEach(t)
	done()

	changed := *b
	changed.data = append([]byte("\ufeff"), b.data...)
	_, err = batch.OpenJournal(b.path, bindingOf(changed.data, changed.lines, b.server.PublicKey))
	require.ErrorIs(t, err, batch.ErrOtherFile, "0.1.0 bound it to the bytes")
}

// The journal was written by intram 0.1.0 itself, and is what it left when it did not wait.
func TestTheJournalOfVersion010IsRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "begun-0.1.0.csv"))
	require.NoError(t, err)
	written, err := os.ReadFile(filepath.Join("testdata", "begun-0.1.0.csv.journal"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, written, 0o600))
	lines, problems := readFile(data)
	require.Empty(t, problems)
	const publicKey = "pk_sandbox_6b5b4845b0ef2641454cd3db"
	journal, err := batch.OpenJournal(path, bindingOf(data, lines, publicKey))
	require.NoError(t, err)
	records, err := journal.Records()
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
		key, err := journal.Key(lines[i].Params.Reference, 0)
		require.NoError(t, err)
		assert.Equal(t, want.key, key, "a lost record would be derived again")
	}
	// The intents are of the bytes that 0.1.0 sent: an amount with two decimals among them.
	server := intramtest.NewServer(t, intramtest.WithFrozenClock(records[2].Intent.FirstSentAt.Add(time.Minute)))
	for _, line := range lines {
		_, err := server.Client().Payouts.Resume(t.Context(), line.Params, records[line.Number].Intent)
		require.NoError(t, err)
	}
	assert.Contains(t, string(server.Requests()[1].Body), `"amount":25000.00`)
	// What is written now is in its format, so that 0.1.0 can go on too.
	record := records[2]
	record.State = batch.Paid
	require.NoError(t, journal.Put(2, record))
	require.NoError(t, journal.Close())
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
	require.NoError(t, run.Do(t.Context()))
	done()
	good, err := os.ReadFile(b.path)
	require.NoError(t, err)
	binding := bindingOf(b.data, b.lines, b.server.PublicKey)
	// open is a run's first steps; they must refuse the file, or find in it what was written.
	open := func(t *testing.T, data []byte) error {
		t.Helper()
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		journal, err := batch.OpenJournal(path, binding)
		if err != nil {
			return err
		}
		records, err := journal.Records()
		if err == nil {
			for number, record := range records {
				// Where the newest header is damaged, the one before it counts, as after a crash.
				assert.Contains(t, []batch.State{batch.Accepted, batch.Paid}, record.State, "line %d", number)
			}
			assert.Len(t, records, 400)
		}
		return errors.Join(err, journal.Close())
	}
	require.NoError(t, open(t, good))
	for name, data := range map[string][]byte{
		"empty": {}, "one byte": good[:1], "the headers": good[:4096*2], "half": good[:len(good)/2], "a page less": good[:len(good)-4096],
		"random": []byte(strings.Repeat("\x13\x37\xff\x00z", 20000)), "text": []byte(strings.Repeat("no journal ", 1000)), "zeros": make([]byte, len(good)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := open(t, data); name != "a page less" || err != nil { // the last page may be a free one
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
	require.NoError(t, run.Do(t.Context()))
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
			journal, err := batch.OpenJournal(path, bindingOf(b.data, b.lines, b.server.PublicKey))
			require.NoError(t, err)
			_, err = journal.Records()
			require.ErrorIs(t, err, batch.ErrDamaged)
			require.NoError(t, journal.Close())
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
	binding := batch.Binding{Identity: batch.Identity{Keys: "k", Lines: "l"}, Environment: intram.Sandbox, PublicKey: "pk_sandbox_1"}
	_, err = batch.OpenJournal(path, binding)
	require.ErrorIs(t, err, batch.ErrDamaged)
	require.ErrorContains(t, err, "another program's")

	// What a later version wrote is named too.
	path = filepath.Join(t.TempDir(), "journal")
	journal, err := batch.OpenJournal(path, binding)
	require.NoError(t, err)
	require.NoError(t, journal.Close())
	db, err = bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("binding"), []byte(`{"version":3,"sha256":"l","environment":"sandbox","public_key":"pk_sandbox_1"}`))
	}))
	require.NoError(t, db.Close())
	_, err = batch.OpenJournal(path, binding)
	require.ErrorContains(t, err, "another version of intram")
}

func TestARunThatWasCutOffBeforeItWroteAnythingIsANewOne(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2)
	db, err := bolt.Open(b.path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	run, _ := b.start(t)
	assert.False(t, run.Touched())
	require.NoError(t, run.Do(t.Context()))
	b.requireOnceEach(t)
}

func TestReferencesAreComparedWhateverTheirAccentsAreMadeOf(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	client := server.Client()
	composed, decomposed := "PAYÉ-1", "PAYE\u0301-1"
	file := batch.Read([]byte("reference,amount,provider,msisdn\n" + composed + ",100,MTN_BENIN_229,22961000000\n" + decomposed + ",200,MTN_BENIN_229,22961000001\n"))
	require.Empty(t, file.Problems)
	problems := batch.Check(client, file, batch.Rules{})
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].Text(), "reference: it is the one of line 2")

	lines := file.Lines
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
	require.NoError(t, run.Do(context.WithoutCancel(t.Context())))
	assert.Contains(t, string(sent), decomposed, "it is sent as it was written")
}
