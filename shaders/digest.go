package shaders

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
)

// Digest identifies the table and all modules: what was found out about the kernels of one digest says nothing of another's.
var Digest = sync.OnceValues(func() (string, error) {
	sum := sha256.New()
	for _, k := range All() {
		code, err := k.Code()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d %v %d\n", k, k.Needs, k.Spec, len(code))
		sum.Write(code)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
})
