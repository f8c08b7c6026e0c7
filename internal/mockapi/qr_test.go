package mockapi

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func qrPNG(t *testing.T, dataURL string) []byte {
	t.Helper()
	encoded, ok := strings.CutPrefix(dataURL, "data:image/png;base64,")
	require.True(t, ok)
	image, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	return image
}

func TestQRCodeIsAPNGWithItsFinderPatterns(t *testing.T) {
	t.Parallel()
	img, err := png.Decode(bytes.NewReader(qrPNG(t, qrCode("https://api.intram.test/gateway/AB12CD34EF"))))
	require.NoError(t, err)
	size := img.Bounds().Dx()
	require.Equal(t, size, img.Bounds().Dy())
	const scale, quiet = 8, 4
	modules := size/scale - 2*quiet
	black := func(x, y int) bool {
		r, _, _, _ := img.At((x+quiet)*scale, (y+quiet)*scale).RGBA()
		return r == 0
	}
	// Three corners hold a black ring of seven, a white one of five and a black square of
	// three.
	for _, corner := range [][2]int{{0, 0}, {modules - 7, 0}, {0, modules - 7}} {
		for y := range 7 {
			for x := range 7 {
				ring := min(x, y, 6-x, 6-y)
				assert.Equal(t, ring != 1, black(corner[0]+x, corner[1]+y))
			}
		}
	}
	assert.Empty(t, qrCode(strings.Repeat("x", 5000)), "too long for a QR code")
}

// What a phone's camera reads is the gateway URL. The reader is zbarimg: it must be there
// in CI.
func TestQRCodeReadsAsTheGatewayURL(t *testing.T) {
	t.Parallel()
	zbarimg, err := exec.LookPath("zbarimg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("zbarimg is not installed, and CI must have it")
		}
		t.Skip("zbarimg is not installed on this machine") //nolint:forbidigo // on a laptop only: CI has failed above
	}
	f := newFixture(t, Config{})
	id, _ := f.requestPayment(1000, mtnBenin, "")
	op := f.operation(id)
	file := filepath.Join(t.TempDir(), "qr.png")
	require.NoError(t, os.WriteFile(file, qrPNG(t, op.text("data.result.qr_code")), 0o600))
	out, err := exec.CommandContext(t.Context(), zbarimg, "--raw", "--quiet", file).Output()
	require.NoError(t, err)
	assert.Equal(t, op.text("data.result.gateway_url"), strings.TrimSpace(string(out)))
}
