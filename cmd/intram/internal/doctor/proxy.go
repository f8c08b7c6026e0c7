package doctor

import (
	"net/url"
	"slices"
)

// Proxy checks the variables of proxies, for the APIs at these URLs. It shows no user and
// no password.
func (m *Machine) Proxy(apis ...*url.URL) Check {
	const name = "proxy"
	var used []any
	for _, v := range [][2]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}} {
		value, from := m.proxyEnv(v[0], v[1])
		if value == "" {
			continue
		}
		switch u := parseProxy(value); {
		case u == nil:
			return Warning(name, Say("%s is not the address of a proxy, and is ignored", from), Say("write http://HOST:PORT, or remove the variable"))
		case !usableProxy(u):
			return Failure(name, Setting, Say("%s is not the address of a proxy that can be used", from), Say("write http://HOST:PORT, or remove the variable"))
		}
	}
	for _, u := range apis {
		if u == nil {
			continue
		}
		proxy, err := m.proxy(u)
		if err != nil {
			return Failure(name, Setting, Say("the proxy for %s cannot be used: %w", Host(u.Hostname()), err), Say("correct HTTPS_PROXY and NO_PROXY"))
		}
		if proxy == nil {
			continue
		}
		text := Say("%s is called through the proxy %s", Host(u.Hostname()), Own("host", proxy.Host))
		if proxy.User != nil {
			text = Say("%s (with a user or a password, which is not shown)", text)
		}
		used = append(used, text)
	}
	_, all := m.proxyEnv("ALL_PROXY", "all_proxy")
	_, plain := m.proxyEnv("HTTP_PROXY", "http_proxy")
	_, secure := m.proxyEnv("HTTPS_PROXY", "https_proxy")
	_, except := m.proxyEnv("NO_PROXY", "no_proxy")
	switch {
	case len(used) == 1:
		return Good(name, Say("%s", used[0]))
	case len(used) > 1:
		return Good(name, Say("%s; %s", used[0], used[1]))
	case secure != "" && except != "":
		return Good(name, Say("%s is set, and %s or the loopback is excepted from it", secure, except))
	case secure != "":
		return Good(name, Say("%s is set, and is not for the loopback", secure))
	case plain != "":
		return Good(name, Say("%s is set, and is not for https: the API is called directly", plain))
	case all != "":
		return Warning(name, Say("%s is set, which Go programs do not use: the API is called directly", all), Say("if there is no other way out, set HTTPS_PROXY"))
	}
	return Good(name, Say("none in the environment"))
}

// parseProxy reads a variable as net/http does, which ignores a value that is no URL. It
// returns nil for that.
func parseProxy(value string) *url.URL {
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" {
		if u, err = url.Parse("http://" + value); err != nil {
			return nil
		}
	}
	return u
}

// usableProxy reports whether a proxy of that kind can be called.
func usableProxy(u *url.URL) bool {
	return slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) && !slices.Contains([]string{"", "http", "https"}, u.Hostname())
}
