//go:build invariants

package sdk

// invariants makes Runtime.Close report device memory that nobody freed.
const invariants = true
