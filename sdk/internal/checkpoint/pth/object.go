package pth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// hostile are modules, and functions of Python itself, that no checkpoint has a reason to name. Nothing depends on the
// list being complete, since no name is ever called; but whoever meets one should not open the file elsewhere.
var hostile = []string{"os", "posix", "nt", "subprocess", "sys", "shutil", "runpy", "importlib", "pty", "socket", "ctypes", "webbrowser",
	"builtins.eval", "builtins.exec", "builtins.compile", "builtins.getattr", "builtins.open", "builtins.__import__",
	"__builtin__.eval", "__builtin__.exec", "__builtin__.execfile", "__builtin__.getattr", "__builtin__.open", "__builtin__.__import__"}

// object executes the opcodes that, in Python, call functions and make objects.
func (m *machine) object(op byte) error {
	switch op {
	case opGlobal, opStackGlobal:
		return m.global(op)
	case opBinPersID:
		return m.persistent()
	case opBuild: // state of an object: attributes, which nobody asks for
		_, err := m.pop()
		if err == nil {
			_, err = m.top()
		}
		return err
	case opNewObjEx: // class, arguments, named arguments
		if _, err := m.pop(); err != nil {
			return err
		}
	}
	both, err := m.popN(2)
	if err != nil {
		return err
	}
	args, ok := both[1].(*tuple)
	if !ok {
		return corrupt("pickle calls %s with %s, expected a tuple", describe(both[0]), describe(both[1]))
	}
	return m.push(call(both[0], args.items))
}

// call gives the value of the few functions that make tensors and dicts, and an opaque one for any other.
func call(function any, args []any) any {
	g, ok := function.(*global)
	if !ok {
		return &opaque{"a call of " + describe(function)}
	}
	switch g.name {
	case "collections.OrderedDict":
		if len(args) == 0 {
			return &dict{}
		}
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return newView(args)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state": // the tensor, and whether it is trained
		if len(args) > 0 {
			return args[0]
		}
	}
	return &opaque{"a " + g.name}
}

// global pushes a name.
func (m *machine) global(op byte) error {
	var module, name string
	var err error
	if op == opGlobal {
		if module, err = m.line(); err == nil {
			name, err = m.line()
		}
	} else {
		both, e := m.popN(2)
		if e != nil {
			return e
		}
		var ok1, ok2 bool
		module, ok1 = both[0].(string)
		name, ok2 = both[1].(string)
		if !ok1 || !ok2 {
			return corrupt("pickle names %s of %s, expected two strings", describe(both[1]), describe(both[0]))
		}
	}
	if err != nil {
		return err
	}
	full := module + "." + name
	if !printable(full) {
		return corrupt("pickle refers to %.50q, expected up to %d printable characters", full, maxName)
	}
	root, _, _ := strings.Cut(module, ".")
	if slices.Contains(hostile, root) || slices.Contains(hostile, full) {
		return fmt.Errorf("pickle refers to %q, which runs code; nothing was run, and the file should not be opened by other programs: %w", full, checkpoint.ErrCorrupt)
	}
	return m.push(&global{full})
}

// persistent pushes the storage that an id names.
func (m *machine) persistent() error {
	id, err := m.pop()
	if err != nil {
		return err
	}
	v := newStorage(id)
	if s, ok := v.(*storage); ok {
		if first := m.storages[s.key]; first != nil {
			if *first != *s {
				return corrupt("storage %q is %d of %s and %d of %s", s.key, first.elems, first.dtype, s.elems, s.dtype)
			}
			v = first
		} else {
			m.storages[s.key] = s
		}
	}
	return m.push(v)
}
