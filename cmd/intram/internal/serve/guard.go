package serve

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guard serves only requests to one of the server's own names. A page of another site
// whose name points here (DNS rebinding) uses that site's name, and is refused.
type guard struct {
	names []string // besides the loopback's
	// addresses lets every IP address pass, which cannot be rebound: it is set when the
	// server is open to the network.
	addresses bool
	next      http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.knows(r.Host) {
		http.Error(w, "This server has not the name in the Host header. "+
			"Call it by its address, or start it with --allow-host.", http.StatusMisdirectedRequest)
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) knows(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort // without a port
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "."))
	if host == "localhost" || slices.Contains(g.names, host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (g.addresses || addr.IsLoopback())
}
