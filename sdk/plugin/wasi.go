package plugin

import (
	"context"
	"math/rand/v2"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// The runtimes of Go, C and Rust import functions of WASI preview 1 whether a program needs them or not. All exist here,
// so that their modules load; those in wasiFunctions work on a system that is made up, and the rest answer an error:
// there are no files, arguments, variables or sockets.
const wasiModule = "wasi_snapshot_preview1"

// Error numbers of WASI.
const (
	errnoSuccess = 0
	errnoBadF    = 8  // no such file descriptor
	errnoFault   = 21 // a pointer outside of the memory
	errnoInval   = 28
	errnoNoSys   = 52 // the function does not exist
)

// wasiParams are the parameters of WASI's functions: i for i32, I for i64. Each returns an error number but proc_exit.
var wasiParams = map[string]string{
	"args_get": "ii", "args_sizes_get": "ii", "environ_get": "ii", "environ_sizes_get": "ii",
	"clock_res_get": "ii", "clock_time_get": "iIi",
	"fd_advise": "iIIi", "fd_allocate": "iII", "fd_close": "i", "fd_datasync": "i", "fd_fdstat_get": "ii",
	"fd_fdstat_set_flags": "ii", "fd_fdstat_set_rights": "iII", "fd_filestat_get": "ii", "fd_filestat_set_size": "iI",
	"fd_filestat_set_times": "iIIi", "fd_pread": "iiiIi", "fd_prestat_get": "ii", "fd_prestat_dir_name": "iii",
	"fd_pwrite": "iiiIi", "fd_read": "iiii", "fd_readdir": "iiiIi", "fd_renumber": "ii", "fd_seek": "iIii", "fd_sync": "i",
	"fd_tell": "ii", "fd_write": "iiii",
	"path_create_directory": "iii", "path_filestat_get": "iiiii", "path_filestat_set_times": "iiiiIIi", "path_link": "iiiiiii",
	"path_open": "iiiiiIIii", "path_readlink": "iiiiii", "path_remove_directory": "iii", "path_rename": "iiiiii",
	"path_symlink": "iiiii", "path_unlink_file": "iii",
	"poll_oneoff": "iiii", "proc_exit": "i", "proc_raise": "i", "sched_yield": "", "random_get": "ii",
	"sock_accept": "iii", "sock_recv": "iiiiii", "sock_send": "iiiii", "sock_shutdown": "ii",
}

var wasiSignatures = func() map[string]signature {
	all := map[string]signature{}
	for name, params := range wasiParams {
		s := signature{results: []api.ValueType{i32}}
		for _, p := range params {
			if p == 'I' {
				s.params = append(s.params, i64)
			} else {
				s.params = append(s.params, i32)
			}
		}
		if name == "proc_exit" {
			s.results = nil
		}
		all[name] = s
	}
	return all
}()

// system is what one instance sees of the world. It starts the same in every call, so that the same input gives the same
// output.
type system struct {
	now    uint64 // nanoseconds since 1970
	random *rand.ChaCha8
}

// The clock starts at the year 2000 and moves by one step whenever it is read.
const (
	clockStart = 946684800_000_000_000
	clockStep  = 1_000_000 // nanoseconds
)

func newSystem() *system { return &system{now: clockStart, random: rand.NewChaCha8([32]byte{})} }

type systemKey struct{}

// wasiFunctions are the functions that do something. a holds the parameters; the result is an error number.
var wasiFunctions = map[string]func(s *system, m api.Memory, a []uint64) uint64{
	"args_sizes_get":    sizesGet,
	"environ_sizes_get": sizesGet,
	"args_get":          nothing,
	"environ_get":       nothing,
	"sched_yield":       nothing,
	"clock_res_get":     clockRes,
	"clock_time_get":    clockTime,
	"random_get":        randomGet,
	"fd_write":          fdWrite,
	"poll_oneoff":       pollOneoff,
}

func nothing(*system, api.Memory, []uint64) uint64 { return errnoSuccess }

// fault is the error number of a write to the plug-in's memory.
func fault(ok bool) uint64 {
	if ok {
		return errnoSuccess
	}
	return errnoFault
}

// sizesGet says that there are no strings, of no bytes.
func sizesGet(_ *system, m api.Memory, a []uint64) uint64 {
	return fault(m.WriteUint32Le(uint32(a[0]), 0) && m.WriteUint32Le(uint32(a[1]), 0))
}

func clockRes(_ *system, m api.Memory, a []uint64) uint64 {
	return fault(m.WriteUint64Le(uint32(a[1]), clockStep))
}

func clockTime(s *system, m api.Memory, a []uint64) uint64 {
	s.now += clockStep
	return fault(m.WriteUint64Le(uint32(a[2]), s.now))
}

func randomGet(s *system, m api.Memory, a []uint64) uint64 {
	b, ok := m.Read(uint32(a[0]), uint32(a[1]))
	s.random.Read(b) // never fails
	return fault(ok)
}

// maxVectors is the most pieces of one write.
const maxVectors = 1024

// fdWrite takes what is written to the standard streams and drops it.
func fdWrite(_ *system, m api.Memory, a []uint64) uint64 {
	if fd := a[0]; fd != 1 && fd != 2 {
		return errnoBadF
	}
	if a[2] > maxVectors {
		return errnoInval
	}
	vectors, ok := m.Read(uint32(a[1]), 8*uint32(a[2])) // address and length each
	total := uint32(0)
	for ; len(vectors) > 0; vectors = vectors[8:] {
		total += le.Uint32(vectors[4:])
	}
	return fault(ok && m.WriteUint32Le(uint32(a[3]), total))
}

// Layout of poll_oneoff's records in bytes.
const (
	subscriptionBytes = 48 // userdata u64, kind u8 at 8, for clocks: timeout u64 at 24, flags u16 at 40
	eventBytes        = 32 // userdata u64, errno u16, kind u8 at 10
	maxSubscriptions  = 1024
)

// pollOneoff sleeps until the first of several times by moving the clock there. Files never become ready.
func pollOneoff(s *system, m api.Memory, a []uint64) uint64 {
	if a[2] > maxSubscriptions {
		return errnoInval
	}
	list, ok := m.Read(uint32(a[0]), subscriptionBytes*uint32(a[2]))
	var first []byte
	var wake uint64
	for ; len(list) > 0; list = list[subscriptionBytes:] {
		if kind := list[8]; kind != 0 {
			continue
		}
		at := le.Uint64(list[24:])
		if absolute := list[40]&1 == 1; !absolute {
			at += s.now
		}
		if first == nil || at < wake {
			first, wake = list, at
		}
	}
	if !ok {
		return errnoFault
	}
	if first == nil {
		return errnoNoSys
	}
	s.now = max(s.now, wake)
	var event [eventBytes]byte
	copy(event[:8], first)
	return fault(m.Write(uint32(a[1]), event[:]) && m.WriteUint32Le(uint32(a[3]), 1))
}

// instantiateWASI gives the modules of r the functions above.
func instantiateWASI(ctx context.Context, r wazero.Runtime) error {
	b := r.NewHostModuleBuilder(wasiModule)
	for name, s := range wasiSignatures {
		b = b.NewFunctionBuilder().WithGoModuleFunction(wasiFunction(name), s.params, s.results).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

func wasiFunction(name string) api.GoModuleFunc {
	if name == "proc_exit" {
		return func(ctx context.Context, m api.Module, stack []uint64) {
			code := uint32(stack[0])
			m.CloseWithExitCode(ctx, code)
			panic(sys.NewExitError(code)) // how the plug-in's frames are left; the call returns it as an error
		}
	}
	answer := uint64(errnoNoSys)
	if len(name) > 3 && name[:3] == "fd_" {
		answer = errnoBadF
	}
	f := wasiFunctions[name]
	return func(ctx context.Context, m api.Module, stack []uint64) {
		s, ok := ctx.Value(systemKey{}).(*system)
		if f == nil || !ok || m.Memory() == nil {
			stack[0] = answer
			return
		}
		params := stack[:len(wasiParams[name])]
		result := f(s, m.Memory(), params)
		if len(stack) > 0 {
			stack[0] = result
		}
	}
}
