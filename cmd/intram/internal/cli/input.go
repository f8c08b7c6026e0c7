package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/intram/intram-go/internal/credential"
)

// maxInput is larger than any request of the API.
const maxInput = 4 << 20

// readArgument reads the value of a flag: for @file the file's bytes, for @- those of the
// standard input, otherwise the value itself.
func (a *app) readArgument(flag, value string) ([]byte, error) {
	path, isFile := strings.CutPrefix(value, "@")
	if !isFile {
		return []byte(value), nil
	}
	data, err := a.readFile(path)
	if err != nil {
		return nil, usagef("%s: %w", flag, err)
	}
	if credential.UTF16(data) {
		return nil, usagef("%s: %s %s", flag, path, utf16Mistake)
	}
	return data, nil
}

// readFile reads a file, or the standard input for "-".
func (a *app) readFile(path string) ([]byte, error) {
	r := a.in
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the user's own choice
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("more than %d bytes", maxInput)
	}
	return data, err
}

// readSecretArgument reads the value of a flag that stands for a secret: @file or
// env:NAME. It refuses the secret itself, which would be visible in the list of processes
// and in the shell's history.
func (a *app) readSecretArgument(flag, value string) (string, error) {
	if name, ok := strings.CutPrefix(value, "env:"); ok {
		secret, _ := a.lookupEnv(name)
		if secret == "" {
			return "", usagef("%s: the environment variable %s is not set", flag, name)
		}
		return secret, nil
	}
	if path, ok := strings.CutPrefix(value, "@"); ok {
		secret, err := readSecretFile(path)
		if err != nil {
			return "", usagef("%s: %w", flag, err)
		}
		return secret, nil
	}
	return "", usagef("%s takes no secret itself, since the list of processes and the shell's history would show it: "+
		"write it to a file of yours (chmod 600) and give %s @FILE, or set a variable and give %s env:NAME. "+
		"If it was a real one, replace it", flag, flag, flag)
}

// readObject reads a JSON object that a call carries for its caller, such as --metadata.
func (a *app) readObject(flag, value string) (map[string]any, error) {
	if value == "" {
		return nil, nil //nolint:nilnil // none was given, which is none to send
	}
	data, err := a.readArgument(flag, value)
	if err != nil {
		return nil, err
	}
	return parseObject(flag, data)
}

// parseObject parses the JSON object of a flag, keeping every digit.
func parseObject(flag string, data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	var object map[string]any
	err := decoder.Decode(&object)
	if err == nil && decoder.More() {
		err = errors.New("more than one value")
	}
	if err != nil || object == nil {
		return nil, usagef(`%s must be a JSON object, such as '{"order": 42}', or @FILE with one`, flag)
	}
	return object, nil
}
