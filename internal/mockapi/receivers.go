package mockapi

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// receivers are webhook receivers in this process, by host. A delivery to one needs no
// socket, so that a test with webhooks can run in a synctest bubble.
type receivers struct {
	next   int
	byHost map[string]http.Handler
}

func newReceivers() receivers { return receivers{byHost: map[string]http.Handler{}} }

// Receive registers a receiver and returns its URL, without a path.
func (s *Server) Receive(h http.Handler) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receivers.next++
	host := "receiver-" + strconv.Itoa(s.receivers.next) + ".intram.test"
	s.receivers.byHost[host] = h
	return "https://" + host
}

// roundTripper is the way to a receiver: in this process when the host is registered,
// else over the network.
func (s *Server) roundTripper(host string) http.RoundTripper {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.receivers.byHost[host]; ok {
		return &inProcess{handler: h, remote: "192.0.2.1:443"}
	}
	return s.outgoing
}

// newOutgoing is the network side of deliveries. No connection is kept, so that nothing
// is left to close, and no proxy of the environment comes between the fake and a receiver
// on this machine.
func newOutgoing() http.RoundTripper {
	return &http.Transport{
		DisableKeepAlives:      true,
		DialContext:            (&net.Dialer{Timeout: deliveryTimeout}).DialContext,
		MaxResponseHeaderBytes: 64 << 10,
		TLSHandshakeTimeout:    10 * time.Second,
	}
}
