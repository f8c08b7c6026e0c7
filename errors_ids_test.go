package intram

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestScrubIDKeepsTheShapeOfIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"op_2f4a8b1c": "op_2f4a8b1c", "AB12CD34EF": "AB12CD34EF", "67e9a1b2c3d4e5f6a7b8c9d0": "67e9a1b2c3d4e5f6a7b8c9d0", "a.b:c-d": "a.b:c-d",
		"": "", "123456": "123456", "1234567": "•••••67", "22961234567": "•••••••••67",
		"op 1": "[malformed id]", "op\n1": "[malformed id]", "Ada Lovelace": "[malformed id]", "ada@example.com": "[malformed id]", "é": "[malformed id]",
	} {
		assert.Equal(t, want, scrubID(in))
	}
	assert.Equal(t, "[malformed id]", scrubID(string(make([]byte, 65))))
}

func TestHostOfAURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://shop.example.com:8443/hook?token=x": "shop.example.com:8443", "https://user:password@shop.example.com/": "shop.example.com",
		"https://[::1": "", "": "", "/path": "",
	} {
		assert.Equal(t, want, hostOf(in))
	}
}
