package batch_test

import (
	"crypto/sha256"
	"encoding/hex"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/batch"
)

func bindingOf(data []byte, lines int, publicKey string) batch.Binding {
	sum := sha256.Sum256(data)
	return batch.Binding{SHA256: hex.EncodeToString(sum[:]), Lines: lines, Environment: intram.Sandbox, PublicKey: publicKey}
}
