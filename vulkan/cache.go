//go:build linux && !android && cgo && !novulkan

package vulkan

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/pkg/errors"
	vk "github.com/vulkan-go/vulkan"
)

// maxCacheBytes bounds what is read back: ours are well below 10 MB.
const maxCacheBytes = 256 << 20

// pipelineCache is a VkPipelineCache with a file behind it. The file is SHA-256 of the data, then the data: drivers
// trust their cache, so a damaged one must not reach them.
type pipelineCache struct {
	d      *Device
	handle vk.PipelineCache
	path   string // empty: no file
	grown  atomic.Bool
}

func openPipelineCache(d *Device) (*pipelineCache, error) {
	c := &pipelineCache{d: d}
	if d.options.CacheDir != "" {
		p := d.physical
		c.path = filepath.Join(d.options.CacheDir, fmt.Sprintf("vulkan-%04x-%04x-%08x-%s.bin", p.info.VendorID, p.info.DeviceID, p.driver, p.cacheUUID))
	}
	data := c.load()
	info := vk.PipelineCacheCreateInfo{SType: vk.StructureTypePipelineCacheCreateInfo, InitialDataSize: uint(len(data))}
	if len(data) > 0 {
		info.PInitialData = unsafe.Pointer(&data[0])
	}
	defer info.Free()
	var h vk.PipelineCache
	err := call("vkCreatePipelineCache", vk.CreatePipelineCache(d.handle, &info, nil, &h))
	c.handle = h
	runtime.KeepAlive(data)
	return c, err
}

// load returns the data of an intact file, else nothing: a cache only saves time.
func (c *pipelineCache) load() []byte {
	info, err := os.Stat(c.path)
	if c.path == "" || err != nil || info.Size() > maxCacheBytes {
		return nil
	}
	file, err := os.ReadFile(c.path)
	if err != nil {
		return nil
	}
	return c.d.physical.cacheData(file)
}

// cacheHeader is the length of what Vulkan prescribes at the beginning of a cache's data: that length, version 1, vendor, device
// and the UUID of the driver's cache.
const cacheHeader = 4*4 + 16

// cacheData is the data of a file that is whole and made by this device and driver, else nothing.
func (p physicalDevice) cacheData(file []byte) []byte {
	if len(file) < sha256.Size+cacheHeader {
		return nil
	}
	data := file[sha256.Size:]
	if sum := sha256.Sum256(data); !bytes.Equal(sum[:], file[:sha256.Size]) {
		return nil
	}
	want := make([]byte, 0, cacheHeader)
	for _, v := range []uint32{cacheHeader, 1, p.info.VendorID, p.info.DeviceID} {
		want = binary.LittleEndian.AppendUint32(want, v)
	}
	uuid, err := hex.DecodeString(p.cacheUUID)
	if err != nil || !bytes.HasPrefix(data, append(want, uuid...)) {
		return nil
	}
	return data
}

// close saves what was compiled since the cache was opened.
func (c *pipelineCache) close() error {
	defer vk.DestroyPipelineCache(c.d.handle, c.handle, nil)
	if c.path == "" || !c.grown.Load() || c.d.lost.Load() {
		return nil
	}
	data, err := c.data()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	return errors.Wrap(replaceFile(c.path, append(sum[:], data...)), "pipeline cache")
}

func (c *pipelineCache) data() ([]byte, error) {
	var n uint
	if err := call("vkGetPipelineCacheData", vk.GetPipelineCacheData(c.d.handle, c.handle, &n, nil)); err != nil || n == 0 {
		return nil, err
	}
	data := make([]byte, n)
	err := call("vkGetPipelineCacheData", vk.GetPipelineCacheData(c.d.handle, c.handle, &n, unsafe.Pointer(&data[0])))
	return data[:n], err
}

// replaceFile writes a file so that a reader, or a power cut, finds the old or the new one, never half of it.
func replaceFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".vulkan-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
