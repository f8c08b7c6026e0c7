// Package local is the folder in which each running "intram serve" says where it is and
// with which keys, so that every other command finds it with --local.
package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// DefaultAddress is where "intram serve" listens unless told otherwise.
const DefaultAddress = "127.0.0.1:4010"

// DefaultSeed is what the keys of "intram serve" follow from unless told otherwise, so
// that they are the same on every machine and after every restart.
const DefaultSeed uint64 = 4010

// ErrNotRunning says that no server has written its state.
var ErrNotRunning = errors.New("no local server is known: start one with: intram serve")

// Keys are the credentials of one environment.
type Keys struct {
	PublicKey      string `json:"public_key"`
	SecretKey      string `json:"secret_key"`
	PayinAPIKey    string `json:"payin_api_key"`
	PayinAPIClient string `json:"payin_api_client"`
}

// Server is a running "intram serve".
type Server struct {
	// URL is the server's address without a path: http://127.0.0.1:4010.
	URL     string `json:"url"`
	Sandbox Keys   `json:"sandbox"`
	Live    Keys   `json:"live"`
	// CertificateFile is the PEM certificate to trust when URL is https, empty otherwise.
	CertificateFile string `json:"certificate_file,omitempty"`
	// PID is the process that serves.
	PID int `json:"pid,omitempty"`
}

// Format implements [fmt.Formatter]: the address, never a key.
func (s Server) Format(f fmt.State, _ rune) { fmt.Fprint(f, "local server "+s.URL) }

// Path is the folder in which each running server has a file: intram/servers under the
// user's cache directory.
func Path() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("the user's cache directory is unknown: %w", err)
	}
	return filepath.Join(dir, "intram", "servers"), nil
}

// Write says in the folder that a server runs, and returns the file to [Remove] at its
// end. Only the file's owner can read it. A file is one process's own, so that no server
// that starts or ends touches what another one has said; those of servers that were
// killed are removed.
func Write(dir string, s Server) (file string, err error) {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	known, err := all(dir)
	if err != nil {
		return "", err
	}
	for _, other := range known {
		if !other.listens() {
			_ = Remove(other.file) // the next server tries again
		}
	}
	f, err := os.CreateTemp(dir, ".server-*") // made with mode 0600
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, fmt.Sprintf("%s-%d.json", port(s.URL), s.PID))
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return file, nil
}

// Read finds the server that started last, of those that still listen. Without one the
// error is [ErrNotRunning].
func Read(dir string) (Server, error) {
	known, err := all(dir)
	if err != nil {
		return Server{}, err
	}
	if len(known) == 0 {
		return Server{}, ErrNotRunning
	}
	if len(known) > 1 { // the only one is called anyway, which tells how it is
		for _, s := range known {
			if s.listens() {
				return s.Server, nil
			}
		}
	}
	return known[0].Server, nil
}

// Remove forgets a server that has ended. A file that has gone is no error.
func Remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// announced is a server as its file has it.
type announced struct {
	Server

	file    string
	written time.Time
}

// listens reports whether something takes connections at the server's address.
func (s Server) listens() bool {
	address, err := url.Parse(s.URL)
	if err != nil {
		return false
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).Dial("tcp", address.Host)
	return err == nil && conn.Close() == nil
}

// dialTimeout is long for the loopback, which takes or refuses a connection at once.
const dialTimeout = time.Second

func port(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Port()
}

// all lists the servers of a folder, the last one that started first.
func all(dir string) ([]announced, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var known []announced
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".json" {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		info, err := entry.Info()
		var data []byte
		if err == nil {
			data, err = os.ReadFile(file) //nolint:gosec // the folder is the user's own
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			return nil, err
		}
		one := announced{file: file, written: info.ModTime()}
		if err := json.Unmarshal(data, &one.Server); err != nil || one.URL == "" {
			return nil, fmt.Errorf("%s is not what intram serve writes: remove it", file)
		}
		known = append(known, one)
	}
	slices.SortStableFunc(known, func(a, b announced) int { return b.written.Compare(a.written) })
	return known, nil
}
