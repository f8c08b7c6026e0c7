package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	intram "github.com/intram/intram-go"
)

// shortSource names a source relative to the file and the profile.
func shortSource(source, file, profile string) string {
	source, _, _ = strings.Cut(source, " (")
	switch source {
	case file, file + " [profiles." + profile + "]":
		return "the file"
	default:
		return strings.TrimPrefix(source, filepath.Dir(file)+string(filepath.Separator))
	}
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Show the configuration and where it is from, or begin one", Args: noSuchCommand,
		Long: `Show the configuration that the other commands would use, and where each value comes
from: a flag, then the environment, then the file, then the default. Secrets are masked.

The file is TOML, in the place that this command names; "intram config init" begins one.
Only its owner may be able to read it (chmod 600), if there is a secret in it; a secret
can also stand in a file of its own:

    profile = "sandbox"

    [profiles.sandbox]
    public_key = "pk_sandbox_..."
    secret_key_file = "sandbox.key"

    [profiles.shop2]
    public_key = "pk_live_..."
    secret_key_file = "/run/secrets/shop2.key"

A profile has a name of your own, or is called sandbox or live. --profile chooses one, or
else INTRAM_PROFILE, or else the line profile of the file.

The other settings of a profile are base_url, payin_api_key, payin_api_client,
payin_base_url, webhook_secret, timeout, and environment, which its keys tell in most
cases. In the environment they are INTRAM_PUBLIC_KEY, INTRAM_SECRET_KEY, INTRAM_BASE_URL
and so on; INTRAM_SECRET_KEY_FILE names a file with the secret, likewise for the other
secrets.

The language is that of --lang, or else of INTRAM_LANG, or else of LC_ALL, LC_MESSAGES or LANG. Windows sets none of
these three: there, give --lang or INTRAM_LANG.`,
		Example: `  intram config
  INTRAM_PROFILE=live intram config --json`,
	}
	show := &cobra.Command{
		Use: "show", Short: "Show the configuration, and where each value is from", Args: exactly(),
		Long:    `The same as "intram config": the configuration, where each value is from, and no secret.`,
		Example: `  intram config show --profile shop2`,
	}
	cmd.RunE = func(*cobra.Command, []string) error { return a.showConfig() }
	show.RunE = cmd.RunE
	cmd.AddCommand(show, a.configInitCommand())
	return a.calls(cmd)
}

// showConfig prints the configuration without its secrets.
func (a *app) showConfig() error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	var profiles []string
	if !a.connection.local {
		file, _, err := a.readConfig()
		if err != nil {
			return err
		}
		profiles = slices.Sorted(maps.Keys(file.Profiles))
	}
	path := a.configPath()
	found := path != ""
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		found = false
	}
	if a.asJSON {
		type line struct {
			Value  string `json:"value"`
			Source string `json:"source"`
			// Mistake says what is wrong with a key.
			Mistake string `json:"mistake,omitempty"`
		}
		all := map[string]line{}
		for _, one := range s.all() {
			if one.source != "" {
				all[one.name] = line{one.masked(), one.source, one.mistake()}
			}
		}
		return a.printValue(map[string]any{"file": path, "file_found": found, "profiles": profiles, "settings": all})
	}
	if found {
		fmt.Fprint(a.out, a.inLanguage(fmt.Sprintf("File: %s\n", path)))
	} else {
		fmt.Fprint(a.out, a.inLanguage(fmt.Sprintf("File: %s (missing; create it with intram config init)\n", path)))
	}
	if len(profiles) > 0 {
		a.say("Its profiles: %s", join(profiles))
	}
	t := a.newTable(a.out)
	for _, one := range s.all() {
		if one.name == "" || one.name == "certificate" && one.value == "" {
			continue
		}
		t.AppendRow(tableRow([]string{one.name, a.inLanguage(one.masked()), a.inLanguage(shortSource(one.source, path, s.profile.value))}))
	}
	renderTable(a.out, t)
	for _, one := range s.all() {
		if mistake := one.mistake(); mistake != "" {
			if a.lang == intram.French {
				a.say("%s (%s) %s.", one.name, one.source, a.inLanguage(mistake))
				continue
			}
			a.say("%s of %s %s.", one.name, one.source, mistake)
		}
	}
	return nil
}
