package mockapi

import (
	"encoding/base64"

	"rsc.io/qr"
)

// qrCode is a QR code of a URL as a PNG data URL. It is empty for a URL too long for any
// QR code, which a gateway URL never is.
func qrCode(url string) string {
	code, err := qr.Encode(url, qr.M)
	if err != nil {
		return ""
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())
}
