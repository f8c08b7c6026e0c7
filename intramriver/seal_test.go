package intramriver_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramriver"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func TestASealRotatesAndBindsToItsRow(t *testing.T) {
	t.Parallel()
	first, err := intramriver.NewAESGCM("2026", map[string][]byte{"2026": key(1)})
	require.NoError(t, err)
	text, row := []byte(`{"msisdn":"2290161000000"}`), []byte("row 1")
	sealed, err := first.Seal(text, row)
	require.NoError(t, err)
	assert.NotContains(t, string(sealed), "2290161000000")
	again, err := first.Seal(text, row)
	require.NoError(t, err)
	assert.NotEqual(t, sealed, again)

	rotated, err := intramriver.NewAESGCM("2027", map[string][]byte{"2026": key(1), "2027": key(2)})
	require.NoError(t, err)
	opened, err := rotated.Open(sealed, row)
	require.NoError(t, err)
	assert.Equal(t, text, opened)
	newer, err := rotated.Seal(text, row)
	require.NoError(t, err)
	_, err = first.Open(newer, row)
	require.ErrorIs(t, err, intramriver.ErrSealed)
	require.ErrorContains(t, err, `no key "2027"`)

	_, err = first.Open(sealed, []byte("row 2"))
	require.ErrorIs(t, err, intramriver.ErrSealed)
	for i := range sealed { // each byte counts, those of the head included
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := first.Open(changed, row)
		require.ErrorIs(t, err, intramriver.ErrSealed, "byte %d", i)
		_, err = first.Open(sealed[:i], row)
		require.ErrorIs(t, err, intramriver.ErrSealed, "length %d", i)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		assert.Equal(t, "intramriver.AESGCM(2026)", fmt.Sprintf(verb, first))
	}
	for says, try := range map[string]func() (*intramriver.AESGCM, error){
		`no key is named "x"`: func() (*intramriver.AESGCM, error) {
			return intramriver.NewAESGCM("x", map[string][]byte{"2026": key(1)})
		},
		"has 16 bytes": func() (*intramriver.AESGCM, error) {
			return intramriver.NewAESGCM("x", map[string][]byte{"x": key(1)[:16]})
		},
		"the id of a key": func() (*intramriver.AESGCM, error) { return intramriver.NewAESGCM("", map[string][]byte{"": key(1)}) },
	} {
		_, err := try()
		require.ErrorContains(t, err, says)
	}
}

func TestPruneForgetsAllButTheReference(t *testing.T) {
	t.Parallel()
	for name, sealed := range map[string]bool{"sealed": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			if !sealed {
				s.work = s.machine(func(c *intramriver.Config) { c.Seal = nil })
			}
			old := s.plan("PO-1", "000000")
			require.NoError(t, s.work.Send(t.Context(), old.ID))
			s.sweep()
			s.plan("PO-2", "000000") // it has not ended
			s.pass(40 * 24 * time.Hour)
			young := s.plan("PO-3", "000000")
			require.NoError(t, s.work.Send(t.Context(), young.ID))
			s.sweep()
			pruned, err := s.work.Prune(t.Context(), 30*24*time.Hour)
			require.NoError(t, err)
			assert.Equal(t, int64(1), pruned)
			assert.Equal(t, 1, s.count("SELECT count(*) FROM intram_records WHERE params IS NULL"))
			assert.Equal(t, !sealed, s.count("SELECT count(*) FROM intram_records WHERE intent IS NULL") == 1)

			again, err := s.work.Payout(t.Context(), payout("PO-1", "000000"))
			require.NoError(t, err)
			assert.Equal(t, old.ID, again.ID)
			dearer := payout("PO-1", "000000")
			dearer.Amount = intram.NewAmount(1)
			var mismatch *intramriver.MismatchError
			_, err = s.work.Payout(t.Context(), dearer)
			require.ErrorAs(t, err, &mismatch)
			assert.Contains(t, err.Error(), "pruned")
			elsewhere, err := s.work.Payout(t.Context(), payout("PO-1", "000001"))
			if sealed {
				require.ErrorAs(t, err, &mismatch, "the hash of the call stays, sealed")
			} else {
				require.NoError(t, err, "nothing is left to compare but amount and currency")
				assert.Equal(t, old.ID, elsewhere.ID)
			}
			assert.Equal(t, 3, s.count("SELECT count(*) FROM intram_records"))
			_, err = s.work.Prune(t.Context(), -time.Hour)
			require.ErrorContains(t, err, "olderThan")
		})
	}
}

// A row that was sealed under an old key is sent after the rotation.
func TestARotatedSealSendsWhatWasPlannedBefore(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.plan("PO-1", "000000")
	seal, err := intramriver.NewAESGCM("k2", map[string][]byte{"k1": key(7), "k2": key(8)})
	require.NoError(t, err)
	rotated := s.machine(func(c *intramriver.Config) { c.Seal = seal })
	_, err = rotated.Payout(t.Context(), payout("PO-1", "000000"))
	require.NoError(t, err)
	require.NoError(t, rotated.Send(t.Context(), r.ID))
	assert.Equal(t, intramriver.Accepted, s.state("PO-1"))
	lost, err := intramriver.NewAESGCM("k3", map[string][]byte{"k3": key(9)})
	require.NoError(t, err)
	blind := s.machine(func(c *intramriver.Config) { c.Seal = lost })
	other := s.plan("PO-2", "000000")
	require.ErrorIs(t, blind.Send(t.Context(), other.ID), intramriver.ErrSealed)
	assert.Equal(t, 1, s.posts())
}
