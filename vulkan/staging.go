//go:build linux && !android && cgo && !novulkan

package vulkan

import (
	"context"
	"sync"
)

// stagingBytes is the size of a copy between the host and memory it does not reach: long enough to hide the cost of
// a submission, short beside the memory of a small device.
const stagingBytes = 4 << 20

// staging carries data to and from memory that the host does not reach. Its buffer is made at first use.
type staging struct {
	mu     sync.Mutex
	buffer *Buffer
}

func (s *staging) write(dst *Buffer, offset int, p []byte) error {
	if err := dst.check("write", offset, len(p)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		part := p[:min(len(p), stagingBytes)]
		if err := s.ready(dst.d); err != nil {
			return err
		}
		if err := s.buffer.Write(0, part); err != nil {
			return err
		}
		if err := s.copy(Range{Buffer: dst, Offset: offset, Size: len(part)}, Range{Buffer: s.buffer, Size: len(part)}); err != nil {
			return err
		}
		offset, p = offset+len(part), p[len(part):]
	}
	return nil
}

func (s *staging) read(src *Buffer, offset int, p []byte) error {
	if err := src.check("read", offset, len(p)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		part := p[:min(len(p), stagingBytes)]
		if err := s.ready(src.d); err != nil {
			return err
		}
		if err := s.copy(Range{Buffer: s.buffer, Size: len(part)}, Range{Buffer: src, Offset: offset, Size: len(part)}); err != nil {
			return err
		}
		if err := s.buffer.Read(0, part); err != nil {
			return err
		}
		offset, p = offset+len(part), p[len(part):]
	}
	return nil
}

// fill zeroes a buffer.
func (s *staging) fill(dst *Buffer) error {
	zeros := make([]byte, min(dst.size, stagingBytes))
	for offset := 0; offset < dst.size; offset += len(zeros) {
		if err := s.write(dst, offset, zeros[:min(len(zeros), dst.size-offset)]); err != nil {
			return err
		}
	}
	return nil
}

func (s *staging) ready(d *Device) (err error) {
	if s.buffer == nil {
		s.buffer, err = d.NewBuffer("staging", stagingBytes, HostVisible)
	}
	return err
}

func (s *staging) copy(dst, src Range) error {
	r := dst.Buffer.d.NewRecorder()
	r.Copy(dst, src)
	rec, err := r.Finish()
	if err != nil {
		return err
	}
	defer rec.Close()
	return rec.Run(context.Background())
}
