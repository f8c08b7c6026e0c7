//go:build unix

package cli

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A pipe that nothing is written to blocks its reader: the doctor goes on without it.
func TestTheDoctorGivesUpAPipe(t *testing.T) {
	t.Parallel()
	for _, variable := range []string{"INTRAM_CONFIG", "INTRAM_WEBHOOK_SECRET_FILE"} {
		b := newBench(t)
		pipe := filepath.Join(b.home, "pipe")
		require.NoError(t, syscall.Mkfifo(pipe, 0o600))
		t.Cleanup(func() { // lets the reader end
			if w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				_ = w.Close()
			}
		})
		b.env[variable] = pipe
		steps := 0
		b.edit = func(a *app) {
			a.within = func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
				if steps++; steps == 1 { // reading the configuration
					d = 0
				}
				return context.WithTimeout(ctx, d)
			}
		}
		var report examined
		r := b.json(t, &report, "doctor")
		status, message, do := report.of("configuration")
		assert.Equal(t, "fail", status)
		assert.Contains(t, message, "a pipe that nothing is written to")
		assert.Contains(t, do, "INTRAM_CONFIG")
		assert.Equal(t, exitUsage, r.code)
		status, _, _ = report.of("public_key")
		assert.Equal(t, "skipped", status)
	}
}
