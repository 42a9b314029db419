// Package release knows which version of this library is in the program.
package release

import "runtime/debug"

// modulePath is this library's.
const modulePath = "github.com/edgeadapt/edgeadapt"

// Version is the version of this library in the program: another one may sum in another order.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path == modulePath && info.Main.Version != "" {
		return info.Main.Version
	}
	for _, m := range info.Deps {
		if m.Path == modulePath {
			return m.Version
		}
	}
	return "(devel)"
}
