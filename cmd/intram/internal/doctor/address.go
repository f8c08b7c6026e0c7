package doctor

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Known is an address that the documentation names.
type Known struct {
	Host  string
	Paths []string // that the host has, without a slash at the end
}

// Merchant is where the Merchant API is, and Payin where payin sessions are.
var (
	Merchant = []Known{{"api.intram.org", []string{"/v1", "/api/v1/merchant"}}}
	Payin    = []Known{{"business.novasend.app", []string{""}}, {"sandbox.novasend.app", []string{""}}}
)

// endpoints are what a base URL ends with when an endpoint's address was copied.
var endpoints = []string{"/balance", "/payouts", "/payment-requests", "/refunds", "/transactions", "/operations", "/webhooks", "/payin/sessions", "/v1/payin", "/health"}

// Host shows a host in a text: in public only if the documentation names it, or it is
// this machine.
func Host(host string) any {
	if IsLoopback(host) || slices.ContainsFunc(slices.Concat(Merchant, Payin), func(k Known) bool { return k.Host == host }) {
		return host
	}
	return Own("host", host)
}

// IsLoopback reports whether a host is this machine.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Place shows where a URL leads, without user, query and fragment.
func Place(u *url.URL) Text {
	if u.Port() != "" {
		return Say("%s://%s:%s%s", u.Scheme, bracketed(u.Hostname()), u.Port(), path(u))
	}
	return Say("%s://%s%s", u.Scheme, bracketed(u.Hostname()), path(u))
}

// path shows the path of a URL: in public only if it is one of the API's.
func path(u *url.URL) any {
	if p := u.EscapedPath(); p != "" && p != "/v1" && p != "/api/v1/merchant" {
		return Own("path", p)
	}
	return u.EscapedPath()
}

// bracketed is Host with the brackets of an IPv6 address in a URL.
func bracketed(host string) any {
	if !strings.Contains(host, ":") {
		return Host(host)
	}
	if IsLoopback(host) {
		return "[" + host + "]"
	}
	return Own("host", "["+host+"]")
}

// BaseURL judges the base URL of an API. from is its source, known are the documented
// addresses, other those of the other API.
func BaseURL(name, raw string, from Text, known, other []Known) (Check, *url.URL) {
	fail := func(what, do Text) (Check, *url.URL) {
		return Failure(name, Setting, Say("%s: %s", from, what), do), nil
	}
	example := "https://" + known[0].Host + known[0].Paths[0]
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return fail(Say("not a URL"), Say("write %s", example))
	case u.Scheme == "" || u.Opaque != "" || u.Hostname() == "":
		return fail(Say("not an absolute URL"), Say("write it with https:// and the host: %s", example))
	case !validPort(u.Port()):
		return fail(Say("the port is not 1 to 65535"), Say("write %s", example))
	case u.User != nil:
		return fail(Say("there is a user or a password in the URL"), Say("remove it: keys are sent in headers"))
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fail(Say("there is a query or a fragment in the URL"), Say("remove what follows ? or #"))
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return fail(Say("%s is not encrypted; http:// is for this machine only", Place(u)), Say("write https:// instead of http://"))
	case u.Scheme != "https" && u.Scheme != "http":
		return fail(Say("it does not begin with https://"), Say("write %s", example))
	}
	u.Host = strings.ToLower(u.Host)
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	if slices.ContainsFunc(other, func(k Known) bool { return k.Host == u.Hostname() }) {
		return fail(Say("%s is the other API", Place(u)), Say("write %s", example))
	}
	for _, k := range known {
		switch {
		case u.Hostname() == k.Host:
			if k.Paths[0] != "" && u.Path == "" || slices.Contains(k.Paths, u.Path) {
				return Good(name, Say("%s, from %s", Place(u), from)), u
			}
			return fail(Say("%s: %s has no such path", Place(u), k.Host), Say("write %s", strings.Join(examples(k), " or ")))
		case Near(u.Hostname(), k.Host):
			return fail(Say("the host %s looks like a mistyped %s", Host(u.Hostname()), k.Host), Say("write %s", strings.Join(examples(k), " or ")))
		}
	}
	for _, endpoint := range endpoints {
		if strings.HasSuffix(u.Path, endpoint) {
			return fail(Say("%s is the address of an endpoint", Place(u)), Say("remove %s from its end", endpoint))
		}
	}
	if strings.HasSuffix(u.Path, "/v1/v1") {
		return fail(Say("%s has /v1 twice", Place(u)), Say("write /v1 once"))
	}
	if IsLoopback(u.Hostname()) {
		return Good(name, Say("%s on this machine, from %s", Place(u), from)), u
	}
	return Warning(name, Say("%s is no address of the documentation, from %s", Place(u), from),
		Say("if it is no proxy or fake of yours, write %s", example)), u
}

// validPort reports whether a URL has no port, or one that exists.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func examples(k Known) []string {
	urls := make([]string, len(k.Paths))
	for i, p := range k.Paths {
		urls[i] = "https://" + k.Host + p
	}
	return urls
}

// Near reports whether two different words are alike: two letters changed, left out or
// added, or two neighbours exchanged.
func Near(a, b string) bool {
	return a != b && len(a) < 64 && distance(strings.ToLower(a), strings.ToLower(b)) <= 2
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// unreachable reports whether an address cannot be called from the internet.
func unreachable(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
}
