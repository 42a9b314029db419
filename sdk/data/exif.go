package data

import (
	"bytes"
	"encoding/binary"
)

// exifHeader precedes the TIFF block in JPEG files, and in some WebP files.
var exifHeader = []byte("Exif\x00\x00")

// jpegExif finds the TIFF block in the first APP1 segment that holds one.
func jpegExif(file []byte) []byte {
	for at := 2; at+4 <= len(file) && file[at] == 0xff; {
		marker := file[at+1]
		switch {
		case marker == 0xff: // fill byte
			at++
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7: // no payload
			at += 2
			continue
		case marker == 0xda || marker == 0xd9: // pixels begin, or the file ends
			return nil
		}
		size := int(binary.BigEndian.Uint16(file[at+2:])) // counts itself
		if size < 2 || at+2+size > len(file) {
			return nil
		}
		payload := file[at+4 : at+2+size]
		if block, ok := bytes.CutPrefix(payload, exifHeader); ok && marker == 0xe1 {
			return block
		}
		at += 2 + size
	}
	return nil
}

// pngExif finds the eXIf chunk.
func pngExif(file []byte) []byte {
	return chunk(file, 8, func(head []byte) (string, uint32, int) {
		return string(head[4:8]), binary.BigEndian.Uint32(head), 4 // a checksum follows the payload
	}, "eXIf")
}

// webpExif finds the EXIF chunk.
func webpExif(file []byte) []byte {
	block := chunk(file, 12, func(head []byte) (string, uint32, int) {
		size := binary.LittleEndian.Uint32(head[4:])
		return string(head[:4]), size, int(size & 1) // padded to an even size
	}, "EXIF")
	return bytes.TrimPrefix(block, exifHeader)
}

// chunk walks chunks of 8 header bytes, a payload and a tail, from offset at, to the one called name.
func chunk(file []byte, at int, parse func(head []byte) (name string, size uint32, tail int), name string) []byte {
	for at+8 <= len(file) {
		n, size, tail := parse(file[at : at+8])
		at += 8
		if int64(size) > int64(len(file)-at) {
			return nil
		}
		if n == name {
			return file[at : at+int(size)]
		}
		at += int(size) + tail
	}
	return nil
}

// orientation reads tag 0x0112 of the first image directory of a TIFF block: 1 (upright) to 8, and 1 for anything that
// is missing, damaged or out of range, as viewers do.
func orientation(tiff []byte) int {
	const tag, short, long, entryBytes = 0x0112, 3, 4, 12
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	count := int(order.Uint16(tiff[at:]))
	entries := tiff[at+2:]
	for ; count > 0 && len(entries) >= entryBytes; count-- {
		if order.Uint16(entries) == tag {
			var v uint32
			switch order.Uint16(entries[2:]) {
			case short:
				v = uint32(order.Uint16(entries[8:]))
			case long:
				v = order.Uint32(entries[8:])
			}
			if v < 1 || v > 8 {
				return 1
			}
			return int(v)
		}
		entries = entries[entryBytes:]
	}
	return 1
}

// orient turns a picture upright. o is the EXIF orientation: where the stored rows and columns run.
func (m *RGB) orient(o int) *RGB {
	if o <= 1 || o > 8 {
		return m
	}
	out := newRGB(m.Width, m.Height)
	stepX, stepY, origin := 3, 3*m.Width, 0
	if o == 2 || o == 3 || o == 7 || o == 8 { // columns run from right to left
		origin += (m.Width - 1) * stepX
		stepX = -stepX
	}
	if o == 3 || o == 4 || o == 6 || o == 7 { // rows run from bottom to top
		origin += (m.Height - 1) * stepY
		stepY = -stepY
	}
	if o >= 5 { // rows are stored as columns
		stepX, stepY = stepY, stepX
		out.Width, out.Height = m.Height, m.Width
	}
	dst := out.Pix
	for y := range out.Height {
		for at, x := origin+y*stepY, 0; x < out.Width; at, x = at+stepX, x+1 {
			copy(dst[:3], m.Pix[at:at+3])
			dst = dst[3:]
		}
	}
	return out
}
