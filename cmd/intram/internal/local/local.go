// Package local is the file in which a running "intram serve" says where it is and with which keys, so that
// every other command finds it with --local.
package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// DefaultAddress is where "intram serve" listens unless told otherwise.
const DefaultAddress = "127.0.0.1:4010"

// DefaultSeed is what the keys of "intram serve" follow from unless told otherwise, so that they are the same on every
// machine and after every restart.
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

// Path is where the state file is: intram/local.json under the user's cache directory.
func Path() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("the user's cache directory is unknown: %w", err)
	}
	return filepath.Join(dir, "intram", "local.json"), nil
}

// Write replaces the state file in one step. Only its owner can read it.
func Write(path string, s Server) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".local-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Read reads the state file. Without one the error is [ErrNotRunning].
func Read(path string) (Server, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the path is the user's own cache directory
	if errors.Is(err, fs.ErrNotExist) {
		return Server{}, ErrNotRunning
	}
	if err != nil {
		return Server{}, err
	}
	var s Server
	if err := json.Unmarshal(data, &s); err != nil || s.URL == "" {
		return Server{}, fmt.Errorf("%s is not what intram serve writes: start intram serve again", path)
	}
	return s, nil
}

// Remove removes the state file if it still is that of the server at url. A server that has gone, or was followed by another
// one, is no error.
func Remove(path, url string) error {
	s, err := Read(path)
	if err != nil || s.URL != url {
		return nil //nolint:nilerr // there is nothing of ours to remove
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
