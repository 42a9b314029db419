//go:build !invariants

package sdk

const invariants = false
