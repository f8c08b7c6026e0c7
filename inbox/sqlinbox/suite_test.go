package sqlinbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/inbox/sqlinbox"
	"github.com/intram/intram-go/internal/mariatest"
	"github.com/intram/intram-go/internal/pgtest"
	"github.com/intram/intram-go/intramtest"
)

func TestEveryDatabasePassesTheSuite(t *testing.T) {
	t.Parallel()
	for name, with := range setups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intramtest.TestInbox(t, func(t *testing.T) intramtest.InboxStore {
				var s *store
				var restart func(*testing.T)
				switch ownServer := strings.HasSuffix(t.Name(), "restart_of_the_store"); { // not under the feet of the others
				case ownServer && with.dialect == sqlinbox.PostgreSQL:
					server := pgtest.New(t)
					s, restart = with.on(t, server.URL()), func(t *testing.T) { require.NoError(t, server.Restart()) }
				case ownServer && with.dialect == sqlinbox.MySQL:
					server := mariatest.New(t)
					s, restart = with.on(t, server.DSN()), func(t *testing.T) { require.NoError(t, server.Restart()) }
				default:
					s = with.empty(t)
				}
				s.migrate(t)
				db := s.pool(t)
				return intramtest.InboxStore{
					Open:    func(t *testing.T) intram.Inbox { return s.inbox(t) },
					Pass:    func(t *testing.T, d time.Duration) { s.pass(t, db, d) },
					Restart: restart,
				}
			})
		})
	}
}
