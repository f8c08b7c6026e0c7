package mockapi_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
)

// The QR code is for a customer's telephone: a scanner that we did not write must read the checkout page's
// address in it.
func TestAScannerReadsTheCheckoutAddressFromTheQRCode(t *testing.T) {
	t.Parallel()
	needPrograms(t, "zbarimg")
	server := newForeignServer(t)
	client := newStoryClient(t, server, nil)
	accepted, err := client.PaymentRequests.Create(t.Context(), intram.PaymentRequestParams{
		Invoice: intram.Invoice{Amount: intram.NewAmount(12000), Currency: intram.XOF},
	})
	require.NoError(t, err)
	result, err := client.PaymentRequests.Wait(t.Context(), accepted.ID)
	require.NoError(t, err)

	encoded, ok := strings.CutPrefix(result.QRCode, "data:image/png;base64,")
	require.True(t, ok, "the QR code is a PNG data URL, not %.40q", result.QRCode)
	picture, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "qr.png")
	require.NoError(t, os.WriteFile(path, picture, 0o600))

	command := exec.CommandContext(t.Context(), "zbarimg", "--quiet", "--raw", path)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	read, err := command.Output()
	require.NoError(t, err, stderr.String())
	require.Equal(t, result.GatewayURL, strings.TrimSpace(string(read)))
}
