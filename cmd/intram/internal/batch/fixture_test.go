package batch_test

import (
	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/cmd/intram/internal/batch"
)

func bindingOf(data []byte, lines []batch.Line, publicKey string) batch.Binding {
	return batch.Binding{Identity: batch.Identify(data, lines), Environment: intram.Sandbox, PublicKey: publicKey}
}

// readFile reads a file, and says what is wrong with it by itself.
func readFile(data []byte) ([]batch.Line, []batch.Problem) {
	file := batch.Read(data)
	return file.Lines, file.Problems
}
