package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	intram "github.com/intram/intram-go"
)

func (a *app) configInitCommand() *cobra.Command {
	var secret string
	cmd := &cobra.Command{
		Use: "init", Short: "Begin a configuration, or add a profile to it", Args: exactly(),
		Long: `Write a configuration file that only you can read, or add a profile to the one that is
there. What is in it stays as it is: a profile that it has is not written again.

The keys are those of --public-key and --secret, or of INTRAM_PUBLIC_KEY and
INTRAM_SECRET_KEY, or else a person is asked for them, without showing the secret. Without
any, the file has lines to fill in. The profile is that of --profile, or else sandbox or
live, as the keys say.`,
		Example: `  intram config init
  intram config init --profile shop2 --public-key pk_live_4f1c --secret @shop2.key`,
	}
	cmd.Flags().StringVar(&secret, "secret", "", "the secret key: `@FILE` or env:NAME")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if a.connection.local {
			return usagef("--local has the keys of the local server: there is nothing to write")
		}
		keys, err := a.keysToWrite(cmd.Context(), secret)
		if err != nil {
			return err
		}
		return a.initConfig(keys)
	}
	return cmd
}

// keyPair holds the keys of a profile that will be written.
type keyPair struct{ public, secret setting }

// keysToWrite takes the keys from where they are given, or asks for them.
func (a *app) keysToWrite(ctx context.Context, secret string) (keyPair, error) {
	k := keyPair{
		public: a.layered("public_key", a.connection.publicKey, "--public-key", "INTRAM_PUBLIC_KEY", "", "", ""),
		secret: setting{name: "secret_key", secret: true},
	}
	var err error
	if secret != "" {
		k.secret.source = "--secret"
		k.secret.value, err = a.readSecretArgument("--secret", secret)
	} else {
		k.secret, err = a.layeredSecret("secret_key", "INTRAM_SECRET_KEY", "", "", "", "")
	}
	if err != nil {
		return k, err
	}
	if a.isTerminal(a.in) {
		if err := a.askForKeys(ctx, &k); err != nil {
			return k, err
		}
	}
	for _, key := range []setting{k.public, k.secret} {
		if mistake := key.mistake(); mistake != "" {
			return k, usagef("%s of %s %s. Nothing was written", key.name, key.source, mistake)
		}
	}
	public, _ := environmentOf(k.public.value)
	if of, _ := environmentOf(k.secret.value); public != "" && of != "" && of != public {
		return k, usagef("the public key is of the %s, and the secret key of the %s side. Nothing was written", public, of)
	}
	return k, nil
}

// askForKeys asks a person for the missing keys. An empty line leaves a key out. The
// secret comes first: if two lines are pasted at once, the terminal shows the second one.
func (a *app) askForKeys(ctx context.Context, k *keyPair) error {
	if k.secret.value == "" {
		a.sayError("Secret key (sk_..., is not shown):")
		secret, err := a.readHidden(ctx)
		if ctx.Err() != nil {
			return &exitError{exitInterrupted, errors.New("interrupted; nothing was written")}
		}
		if err != nil {
			return usagef("no secret key was read; nothing was written")
		}
		k.secret.value, k.secret.source = strings.TrimSpace(secret), "what was typed"
	}
	if k.public.value == "" {
		a.sayError("Public key (pk_...):")
		line, err := readLine(a.in)
		if err != nil {
			return usagef("no public key was read; nothing was written")
		}
		k.public.value, k.public.source = strings.TrimSpace(line), "what was typed"
	}
	return nil
}

// readHidden reads a line from the terminal without showing it. After Ctrl-C the terminal
// shows typed text again.
func readHidden(ctx context.Context) (string, error) {
	terminal := int(os.Stdin.Fd())
	state, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		lines <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", term.Restore(terminal, state)
	case l := <-lines:
		return string(l.text), l.err
	}
}

// readLine reads one line and not a byte more: other readers may need what follows.
func readLine(r io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := r.Read(one)
		if n == 1 && one[0] == '\n' || errors.Is(err, io.EOF) && len(line) > 0 {
			return string(line), nil
		}
		if n == 1 {
			line = append(line, one[0])
		}
		if err != nil {
			return "", err
		}
	}
}

// initConfig writes the profile into the configuration.
func (a *app) initConfig(keys keyPair) error {
	path := a.configPath()
	if path == "" {
		return usagef("no folder for the configuration: name the file with --config")
	}
	name := a.profileToWrite(keys)
	if !profileName.MatchString(name) {
		return usagef("--profile: invalid profile name: use only letters, digits, - and _. Nothing was written")
	}
	before, err := os.ReadFile(path) //nolint:gosec // the user's own choice
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return usagef("the configuration cannot be read: %w", err)
	}
	text := profileText(name, keys)
	if isNew {
		text = fmt.Sprintf(configHead, name) + text
	} else if text, err = addedTo(before, path, name, text); err != nil {
		return err
	}
	if err := write(path, text, isNew); err != nil {
		return usagef("the configuration cannot be written: %w", err)
	}
	if a.asJSON {
		return a.printValue(map[string]any{"file": path, "profile": name, "created": isNew})
	}
	a.say("The profile %s is written to", name)
	fmt.Fprintln(a.out, path)
	if keys.public.value == "" || keys.secret.value == "" {
		a.say("Write your keys into it.")
		return nil
	}
	a.say("Only you can read it. To try it: intram balance --profile %s", name)
	return nil
}

// profileToWrite returns the requested name, or else the environment of the keys.
func (a *app) profileToWrite(keys keyPair) string {
	if name := a.layered("profile", a.connection.profile, "--profile", "INTRAM_PROFILE", "", "", "").value; name != "" {
		return name
	}
	for _, key := range []setting{keys.public, keys.secret} {
		if of, _ := environmentOf(key.value); of != "" {
			return string(of)
		}
	}
	return string(intram.Sandbox)
}

// configHead is the beginning of a new file.
const configHead = `# The configuration of the intram command. Only its owner may be able to read it.
# A flag comes first, then the environment (INTRAM_...), then this file: intram config --help

# The profile that is used without --profile and INTRAM_PROFILE.
profile = "%s"
`

// profileText returns a profile as the file writes it.
func profileText(name string, keys keyPair) string {
	line := func(name, value, example string) string {
		if value == "" {
			return fmt.Sprintf("# %s = %q\n", name, example)
		}
		return fmt.Sprintf("%s = %q\n", name, value)
	}
	return "\n[profiles." + name + "]\n" +
		line("public_key", keys.public.value, "pk_...") + line("secret_key", keys.secret.value, "sk_...") +
		`# secret_key_file = "` + name + `.key"   # instead: a file with the secret alone, beside this one
# webhook_secret = "whsec_..."
# payin_api_key = "..."       # payin sessions have keys of their own
# payin_api_client = "..."
# timeout = "30s"
`
}

// addedTo returns what to append to a file for a new profile.
func addedTo(before []byte, path, name, text string) (string, error) {
	file, err := parseConfig(before, path)
	if err != nil {
		return "", err
	}
	if _, there := file.Profiles[name]; there {
		return "", usagef("%s has a profile %s, which stays as it is: name another one with --profile, or edit the file", path, name)
	}
	if err := onlyOwner(path); err != nil {
		return "", usagef("the configuration will contain a secret: %w", err)
	}
	if len(before) > 0 && before[len(before)-1] != '\n' {
		text = "\n" + text
	}
	_, err = parseConfig(append(before, text...), path) // before it is written
	return text, err
}

// write creates the file, or appends to an existing one. It never overwrites anything.
func write(path, text string, isNew bool) error {
	how := os.O_APPEND
	if isNew {
		how = os.O_CREATE | os.O_EXCL
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|how, 0o600) //nolint:gosec // the user's own choice
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
