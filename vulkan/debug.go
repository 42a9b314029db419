//go:build linux && !android && cgo && !novulkan

package vulkan

/*
#include "shim.h"
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

// messenger passes the validation layer's messages on to Options.OnMessage.
type messenger struct {
	id       C.uint64_t
	receiver cgo.Handle // of func(severity, text string)
}

func newMessenger(instance vk.Instance, receive func(severity, text string)) (*messenger, error) {
	m := &messenger{receiver: cgo.NewHandle(receive)}
	result := C.ea_create_messenger(unsafe.Pointer(instance), C.uintptr_t(m.receiver), &m.id)
	if err := check("vkCreateDebugUtilsMessengerEXT", Result(result)); err != nil {
		m.receiver.Delete()
		return nil, err
	}
	return m, nil
}

func (m *messenger) close(instance vk.Instance) {
	C.ea_destroy_messenger(unsafe.Pointer(instance), m.id)
	m.receiver.Delete()
}

// edgeadaptVulkanMessage is called by the validation layer, through the shim, on whatever thread made the mistake.
//
//export edgeadaptVulkanMessage
func edgeadaptVulkanMessage(severity C.uint32_t, text *C.char, user C.uintptr_t) {
	const errorBit = 0x1000
	name := "warning"
	if severity&errorBit != 0 {
		name = "error"
	}
	cgo.Handle(user).Value().(func(severity, text string))(name, C.GoString(text))
}
