package serve

import (
	"crypto/rand"
	"math/big"
)

// serialNumber is drawn, so that two certificates of one machine are told apart.
func serialNumber() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}
