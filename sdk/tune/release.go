package tune

import "runtime/debug"

const modulePath = "github.com/edgeadapt/edgeadapt"

// release is the version of this library in the program: another one may sum in another order.
func release() string {
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
