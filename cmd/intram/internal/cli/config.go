package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// shortSource names a source beside the file's own line.
func shortSource(source, file string) string {
	source, _, _ = strings.Cut(source, " (")
	source = strings.Replace(source, file+" ", "the file, ", 1)
	return strings.TrimPrefix(source, filepath.Dir(file)+string(filepath.Separator))
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Show the configuration, and where each value is from", Args: exactly(),
		Long: `Show the configuration that the other commands would use, and where each value comes
from: a flag, then the environment, then the file, then the default. Secrets are masked.

The file is TOML, in the place that this command names. Only its owner may be able to
read it (chmod 600), if there is a secret in it; a secret can also stand in a file of its own:

    profile = "sandbox"

    [profiles.sandbox]
    public_key = "pk_sandbox_..."
    secret_key_file = "sandbox.key"

    [profiles.live]
    public_key = "pk_live_..."
    secret_key_file = "/run/secrets/intram-live.key"

The other settings of a profile are base_url, payin_api_key, payin_api_client,
payin_base_url, webhook_secret and timeout. In the environment they are
INTRAM_PUBLIC_KEY, INTRAM_SECRET_KEY, INTRAM_BASE_URL and so on; INTRAM_SECRET_KEY_FILE
names a file with the secret, likewise for the other secrets.`,
		Example: `  intram config
  INTRAM_PROFILE=live intram config --json`,
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		s, err := a.settings()
		if err != nil {
			return err
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
				// Mistake is what is wrong with a key.
				Mistake string `json:"mistake,omitempty"`
			}
			all := map[string]line{}
			for _, one := range s.all() {
				if one.source != "" {
					all[one.name] = line{one.masked(), one.source, one.mistake()}
				}
			}
			return a.printValue(map[string]any{"file": path, "file_found": found, "settings": all})
		}
		if found {
			fmt.Fprintf(a.out, "File: %s\n", path)
		} else {
			fmt.Fprintf(a.out, "File: %s (there is none)\n", path)
		}
		t := a.newTable(a.out)
		for _, one := range s.all() {
			if one.name == "" || one.name == "certificate" && one.value == "" {
				continue
			}
			t.AppendRow(tableRow([]string{one.name, one.masked(), shortSource(one.source, path)}))
		}
		renderTable(a.out, t)
		for _, one := range s.all() {
			if mistake := one.mistake(); mistake != "" {
				a.say("%s of %s %s.", one.name, one.source, mistake)
			}
		}
		return nil
	}
	return a.calls(cmd)
}
