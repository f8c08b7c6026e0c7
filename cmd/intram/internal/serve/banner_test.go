package serve

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// TestTheBannerInFrench keeps the lines that scripts look for, and says the others in
// French.
func TestTheBannerInFrench(t *testing.T) {
	t.Parallel()
	banner := func(lang intram.Language) []string {
		s := &server{
			options: options{seed: 7, clock: clockFrozen, payin: payinNewer, work: "at-once", forwardTo: "http://127.0.0.1:9/hooks", faults: []string{"slow"}, lang: lang},
			url:     "http://127.0.0.1:4010", certFile: "/tls/localhost.pem",
		}
		require.NoError(t, s.makeCore(nil))
		t.Cleanup(s.close)
		s.store, s.resumed = &store{path: "/state.json"}, true
		return strings.Split(s.banner(), "\n")
	}
	english, french := banner(intram.English), banner(intram.French)
	require.Len(t, french, len(english))
	var said []string
	for i, line := range french {
		if line != english[i] {
			said = append(said, strings.ReplaceAll(line, "\u00a0", " "))
		}
	}
	require.Len(t, said, 6)
	assert.Equal(t, []string{"État : /state.json, repris", "Pannes : slow", "Les webhooks vont à http://127.0.0.1:9/hooks", "Un appel signé, à coller :", "Pour arrêter : Ctrl-C."},
		append(said[:1:1], said[2:]...))
	assert.Regexp(t, `^L'horloge est arrêtée à .+Z jusqu'à ce que vous l'avanciez\.$`, said[1])
	assert.Equal(t, english[:2], french[:2], "the addresses")
}
