package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"time"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/mockapi"
)

const (
	clockRunning = "running"
	clockFrozen  = "frozen"

	payinNewer = "newer"
	payinFirst = "first"
)

// options are the flags.
type options struct {
	addr        string
	allowRemote bool
	allowHosts  []string
	state       string
	seed        uint64
	seedSet     bool // by the user, and not the default
	clock       string
	work        string
	payin       string
	tls         bool
	forwardTo   string
	faults      []string
	balances    []string
	out         io.Writer
	lang        intram.Language
}

// check refuses what cannot work, naming the flag.
func (o options) check() error {
	return errors.Join(o.checkAddr(), o.checkClock(), o.checkForward(), o.checkBalances())
}

func (o options) checkAddr() error {
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return fmt.Errorf("--addr: %q is not HOST:PORT, as in 127.0.0.1:4010", o.addr)
	}
	addr, err := netip.ParseAddr(host)
	if loopback := host == "localhost" || err == nil && addr.IsLoopback(); !loopback && !o.allowRemote {
		return fmt.Errorf("--addr: %s can be reached from other machines, which would see your keys and could act: add --allow-remote if you mean it", o.addr)
	}
	return nil
}

func (o options) checkClock() error {
	if o.clock != clockRunning && o.clock != clockFrozen {
		return fmt.Errorf("--clock: %q, want running or frozen", o.clock)
	}
	if _, known := payinRevisions[o.payin]; !known && o.payin != "" {
		return fmt.Errorf("--payin-revision: %q, want newer or first", o.payin)
	}
	if o.seed == 0 {
		return errors.New("--seed: 0 stands for no seed, want any other number")
	}
	_, err := o.worker()
	return err
}

func (o options) checkForward() error {
	if o.forwardTo == "" {
		return nil
	}
	u, err := url.Parse(o.forwardTo)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--forward-to: %q is not a URL, as in http://localhost:3000/webhooks", o.forwardTo)
	}
	return nil
}

func (o options) checkBalances() error {
	_, err := o.openingBalances()
	return err
}

// payinRevisions are what --payin-revision may say.
var payinRevisions = map[string]mockapi.PayinRevision{payinNewer: mockapi.PayinNewer, payinFirst: mockapi.PayinFirst}

// worker is --work.
func (o options) worker() (mockapi.WorkerMode, error) {
	switch o.work {
	case "at-once":
		return mockapi.WorkAtOnce(), nil
	case "by-hand":
		return mockapi.WorkByHand(), nil
	}
	d, err := time.ParseDuration(o.work)
	if err != nil || d <= 0 {
		return mockapi.WorkerMode{}, fmt.Errorf("--work: %q, want at-once, by-hand or a duration such as 5s", o.work)
	}
	return mockapi.WorkAfter(d), nil
}
