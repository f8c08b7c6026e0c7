package fidelity

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	intram "github.com/intram/intram-go"
)

// errLive ends a run: a response says that it is of the live environment.
var errLive = errors.New("the API says that these keys are of the live environment; nothing more was sent")

// Check refuses what is not a sandbox, before anything is sent: by the keys, and by the
// addresses.
func (c *Config) Check() error {
	for _, key := range []struct{ name, value, prefix string }{
		{"public key", c.PublicKey, "pk_sandbox_"}, {"secret key", c.SecretKey, "sk_sandbox_"},
	} {
		if !strings.HasPrefix(key.value, key.prefix) {
			return fmt.Errorf("the %s must be of the sandbox (%s…): probes are never sent with live keys", key.name, key.prefix)
		}
	}
	if err := checkAddress("base URL", c.BaseURL, intram.BaseURL, intram.BaseURLDirect); err != nil {
		return err
	}
	if c.Payin != nil {
		return checkAddress("base URL of payin sessions", c.Payin.BaseURL, intram.PayinBaseURLSandbox)
	}
	return nil
}

// checkAddress takes the documented addresses and those of this machine. Nothing tells
// whether another one is live.
func checkAddress(name, address string, documented ...string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("the %s must be an absolute URL", name)
	}
	if OnThisMachine(address) && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	for _, known := range documented {
		k, _ := url.Parse(known)
		if u.Scheme == k.Scheme && strings.EqualFold(u.Host, k.Host) && strings.TrimRight(u.Path, "/") == k.Path {
			return nil
		}
	}
	return fmt.Errorf("the %s must be %s, or an address of this machine: nothing tells whether another address is live", name, strings.Join(documented, " or "))
}

// OnThisMachine reports whether an address is of the loopback, where a fake is.
func OnThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
