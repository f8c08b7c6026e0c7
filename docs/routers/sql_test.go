package routers_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/docs/routers"
	"github.com/intram/intram-go/inbox/pginbox"
	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/mariatest"
	"github.com/intram/intram-go/internal/pgtest"
)

func deliver(handler http.Handler, event string, second int) int {
	body := fmt.Sprintf(`{"event":%q,"operation_id":"op_1","occurred_at":"2026-05-20T10:31:%02d.000Z","data":{"amount":1}}`, event, second)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header = intram.SignWebhook(secret, time.Now(), []byte(body))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

// A late payout.queued does not undo completed, whatever writes the row.
func TestThePayoutsOfEachLibraryAreKeptInOrder(t *testing.T) {
	t.Parallel()
	dsn := mariatest.New(t).DSN()
	admin, err := sql.Open("mysql", dsn+"/")
	require.NoError(t, err)
	defer func() { _ = admin.Close() }()
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	for name, handler := range map[string]func(dsn string, inbox *sqlinbox.Inbox) (http.Handler, error){
		"plain": func(_ string, inbox *sqlinbox.Inbox) (http.Handler, error) {
			return routers.MySQL(t.Context(), inbox.DB(), verifier)
		},
		"orm": func(dsn string, inbox *sqlinbox.Inbox) (http.Handler, error) {
			db, err := gorm.Open(mysql.Open(dsn), new(gorm.Config))
			if err != nil {
				return nil, err
			}
			pool, err := db.DB()
			t.Cleanup(func() { _ = pool.Close() })
			return routers.GORM(db, inbox, verifier), err
		},
		"sqlx": func(dsn string, inbox *sqlinbox.Inbox) (http.Handler, error) {
			db, err := sqlx.Open("mysql", dsn)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { _ = db.Close() })
			return routers.SQLX(db, inbox, verifier), nil
		},
	} {
		_, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
		require.NoError(t, err)
		db, err := sql.Open("mysql", dsn+"/"+name)
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		db.SetMaxOpenConns(2)
		_, err = db.ExecContext(t.Context(), "CREATE TABLE payouts (operation_id varchar(64) NOT NULL PRIMARY KEY, progress JSON NOT NULL)")
		require.NoError(t, err)
		require.NoError(t, sqlinbox.Migrate(t.Context(), db, sqlinbox.MySQL))
		inbox, err := sqlinbox.New(db, sqlinbox.MySQL)
		require.NoError(t, err)
		receive, err := handler(dsn+"/"+name, inbox)
		require.NoError(t, err)
		assert.Equal(t, 200, deliver(receive, "payout.completed", 14), name)
		assert.Equal(t, 200, deliver(receive, "payout.queued", 10), name)
		assert.Equal(t, 200, deliver(receive, "payout.completed", 14), name)
		var event string
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT JSON_VALUE(progress, '$.event') FROM payouts").Scan(&event))
		assert.Equal(t, "payout.completed", event, name)

		// In the transaction of the completion, and in no other: both are rolled back.
		_, err = db.ExecContext(t.Context(), "DELETE FROM payouts")
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), "UPDATE intram_sqlinbox SET completed_us = NULL, leased_until_us = 0")
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), "CREATE TRIGGER refuse BEFORE UPDATE ON intram_sqlinbox FOR EACH ROW "+
			"IF NEW.completed_us IS NOT NULL THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no completion'; END IF")
		require.NoError(t, err)
		assert.Equal(t, 500, deliver(receive, "payout.completed", 14), name)
		var left int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM payouts").Scan(&left))
		assert.Zero(t, left, name)
	}
}

func TestAFileKeepsTheEffectWithTheEvent(t *testing.T) {
	t.Parallel()
	verifier, err := intram.NewWebhookVerifier(secret)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "intram.db")
	handler, err := routers.File(t.Context(), path, verifier)
	require.NoError(t, err)
	assert.Equal(t, 200, deliver(handler, "payout.completed", 14))
	assert.Equal(t, 200, deliver(handler, "payout.completed", 14))
	inbox, err := sqlinbox.OpenSQLite(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, inbox.Close()) }()
	var n int
	require.NoError(t, inbox.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM news WHERE operation_id = 'op_1'").Scan(&n))
	assert.Equal(t, 1, n)
}

// What pginbox remembers is remembered by sqlinbox after the statement of the
// documentation.
func TestWhatOneInboxRemembersGoesIntoAnother(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t).URL()
	pool, err := pgxpool.New(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, pginbox.Migrate(t.Context(), pool))
	old, err := pginbox.New(pool)
	require.NoError(t, err)
	claim := func(inbox intram.Inbox, key string) intram.Claim {
		claim, err := inbox.Claim(t.Context(), key, time.Minute)
		require.NoError(t, err)
		return claim
	}
	done, held := claim(old, "done"), claim(old, "held")
	done.Note = "1779273074000 5f3a"
	require.NoError(t, old.Complete(t.Context(), done))

	db, err := sql.Open("pgx", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	require.NoError(t, sqlinbox.Migrate(t.Context(), db, sqlinbox.PostgreSQL))
	doc, err := os.ReadFile("../inboxes.md")
	require.NoError(t, err)
	_, statement, ok := strings.Cut(string(doc), "```sql\n")
	require.True(t, ok)
	statement, _, _ = strings.Cut(statement, "```")
	_, err = db.ExecContext(t.Context(), statement)
	require.NoError(t, err)

	inbox, err := sqlinbox.New(db, sqlinbox.PostgreSQL)
	require.NoError(t, err)
	again := claim(inbox, "done")
	assert.Equal(t, intram.ClaimDone, again.State)
	assert.Equal(t, done.Note, again.Note)
	busy := claim(inbox, "held")
	assert.Equal(t, intram.ClaimBusy, busy.State)
	assert.Greater(t, busy.RetryIn, 30*time.Second)
	assert.LessOrEqual(t, busy.RetryIn, time.Minute)
	require.NoError(t, inbox.Complete(t.Context(), held), "its holder completes it there")
	deleted, err := inbox.Prune(t.Context(), intram.InboxRetention)
	require.NoError(t, err)
	assert.Zero(t, deleted, "none of it is old")
}
