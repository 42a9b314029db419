package spirv

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// assemble builds a module from instructions of the form {opcode, operands...}.
func assemble(instructions ...[]uint32) []byte {
	words := []uint32{magic, 0x00010300, 0, 100, 0}
	for _, in := range instructions {
		words = append(words, uint32(len(in))<<16|in[0])
		words = append(words, in[1:]...)
	}
	code := make([]byte, 4*len(words))
	for i, w := range words {
		binary.LittleEndian.PutUint32(code[4*i:], w)
	}
	return code
}

var (
	entry    = []uint32{opEntryPoint, modelGLCompute, 1, 0x6e69616d, 0}
	floatTyp = []uint32{opTypeFloat, 10, 32}
	intTyp   = []uint32{opTypeInt, 11, 32, 1}
	uintTyp  = []uint32{opTypeInt, 12, 32, 0}
)

// buffer declares storage buffer variable id at a binding, its type IDs being id+1 (struct) and id+2 (pointer).
func buffer(id, binding uint32, memberDecorations ...uint32) [][]uint32 {
	in := [][]uint32{
		{opDecorate, id, decorationDescriptorSet, 0}, {opDecorate, id, decorationBinding, binding},
		{opTypeStruct, id + 1, 10}, {opTypePointer, id + 2, classStorageBuffer, id + 1},
		{opVariable, id + 2, id, classStorageBuffer},
	}
	for _, d := range memberDecorations {
		in = append(in, []uint32{opMemberDecorate, id + 1, 0, d})
	}
	return in
}

func texels(id, binding, component uint32) [][]uint32 {
	return [][]uint32{
		{opDecorate, id, decorationDescriptorSet, 0}, {opDecorate, id, decorationBinding, binding},
		{opTypeImage, id + 1, component, 5, 0, 0, 0, 1, 0}, {opTypeSampledImage, id + 2, id + 1},
		{opTypePointer, id + 3, classUniformConstant, id + 2}, {opVariable, id + 3, id, classUniformConstant},
	}
}

func join(parts ...[][]uint32) [][]uint32 {
	all := [][]uint32{entry, floatTyp, intTyp, uintTyp}
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestReflect(t *testing.T) {
	none := [3]int{-1, -1, -1}
	storage := func(a shaders.Access) shaders.Binding { return shaders.Binding{Access: a} }
	tests := []struct {
		name string
		in   [][]uint32
		want Module
	}{
		{"nothing bound", join(), Module{LocalIDs: none}},
		{"capability and literal size", join([][]uint32{{opCapability, 1}, {opExecutionMode, 1, modeLocalSize, 64, 2, 1}}),
			Module{Capabilities: []uint32{1}, Local: [3]uint32{64, 2, 1}, LocalIDs: none}},
		{"access", join(buffer(20, 2), buffer(30, 0, decorationNonWritable), buffer(40, 1, decorationNonReadable)),
			Module{LocalIDs: none, Bindings: []shaders.Binding{storage(shaders.Read), storage(shaders.Write), storage(shaders.ReadWrite)}}},
		{"two views of a binding", join(buffer(20, 0, decorationNonWritable), buffer(30, 0, decorationNonReadable)),
			Module{LocalIDs: none, Bindings: []shaders.Binding{storage(shaders.ReadWrite)}}},
		{"texels", join(texels(20, 0, 10), texels(30, 1, 11), texels(40, 2, 12)), Module{LocalIDs: none, Bindings: []shaders.Binding{
			{Access: shaders.Read, Kind: shaders.FloatTexels}, {Access: shaders.Read, Kind: shaders.IntTexels}, {Access: shaders.Read, Kind: shaders.UintTexels}}}},
		{"push constants", join([][]uint32{
			{opConstant, 12, 50, 3}, {opTypeVector, 51, 10, 4}, {opTypeArray, 52, 12, 50}, {opDecorate, 52, decorationArrayStride, 4},
			{opTypeStruct, 53, 12, 51, 52}, {opMemberDecorate, 53, 1, decorationOffset, 16}, {opMemberDecorate, 53, 2, decorationOffset, 32},
			{opTypePointer, 54, classPushConstant, 53}, {opVariable, 54, 55, classPushConstant}}),
			Module{PushBytes: 44, LocalIDs: none}},
		{"specialised workgroup", join([][]uint32{
			{opDecorate, 60, decorationSpecID, 3}, {opSpecConstant, 12, 60, 128}, {opDecorate, 61, decorationSpecID, 3}, {opSpecConstant, 12, 61, 1},
			{opDecorate, 62, decorationSpecID, 1}, {opSpecConstantTrue, 13, 62}, {opConstant, 12, 63, 1},
			{opDecorate, 64, decorationBuiltIn, builtInWorkgroupSize}, {opSpecConstantComposite, 14, 64, 61, 63, 63}}),
			Module{Spec: []shaders.SpecConstant{{ID: 1, Value: 1}, {ID: 3, Value: 128}}, Local: [3]uint32{1, 1, 1}, LocalIDs: [3]int{3, -1, -1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Reflect(assemble(tt.in...))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nexpected %+v", got, err, tt.want)
			}
		})
	}
}

func TestReflectRejects(t *testing.T) {
	tests := []struct {
		name string
		code []byte
	}{
		{"empty", nil},
		{"odd length", make([]byte, 21)},
		{"wrong magic", make([]byte, 20)},
		{"no entry point", assemble(floatTyp)},
		{"fragment shader", assemble([]uint32{opEntryPoint, 4, 1, 0})},
		{"instruction past the end", append(assemble(entry), 17, 0, 9, 0)},
		{"instruction of no words", append(assemble(entry), 17, 0, 0, 0)},
		{"missing operand", assemble(entry, []uint32{opTypeFloat, 1})},
		{"gap in bindings", assemble(join(buffer(20, 1))...)},
		{"descriptor set 1", assemble(join(buffer(20, 0), [][]uint32{{opDecorate, 20, decorationDescriptorSet, 1}})...)},
		{"uniform block", assemble(join([][]uint32{{opDecorate, 20, decorationBinding, 0}, {opTypeStruct, 21, 10},
			{opTypePointer, 22, classUniform, 21}, {opVariable, 22, 20, classUniform}})...)},
		{"two kinds at one binding", assemble(join(buffer(20, 0), texels(30, 0, 10))...)},
		{"two defaults", assemble(join([][]uint32{{opDecorate, 60, decorationSpecID, 3}, {opSpecConstant, 12, 60, 1},
			{opDecorate, 61, decorationSpecID, 3}, {opSpecConstant, 12, 61, 2}})...)},
		{"a type that contains itself", assemble(join([][]uint32{{opTypeStruct, 53, 53},
			{opTypePointer, 54, classPushConstant, 53}, {opVariable, 54, 55, classPushConstant}})...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := Reflect(tt.code); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %+v, %v, expected ErrInvalid", m, err)
			}
		})
	}
}

func FuzzReflect(f *testing.F) {
	f.Add(assemble(join(buffer(20, 0), texels(30, 1, 11))...))
	files, err := filepath.Glob("../../spirv/*.spv")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files[:min(4, len(files))] {
		code, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		m, err := Reflect(code)
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatalf("untyped error %v", err)
		}
		if len(m.Bindings) > maxBindings || m.PushBytes > maxPushBytes {
			t.Fatalf("beyond the limits: %d bindings, %d push bytes", len(m.Bindings), m.PushBytes)
		}
	})
}
