package ptx

import (
	"reflect"
	"testing"
)

func TestKernelsAreReadFromTheText(t *testing.T) {
	for _, c := range []struct {
		text string
		want []Kernel
	}{
		{"", nil},
		{"\x7fELF .entry no(", nil},
		{".visible .entry none()\n{ ret; }", []Kernel{{Name: "none", Known: true}}},
		{".entry bare { ret; }", []Kernel{{Name: "bare", Known: true}}},
		{`// .entry commented(
			/* .entry commented, too( // */
			.func (.param .b32 out) helper(.param .f32 in) { }
			.visible .entry axpy( // the usual
				.param .u64 axpy_param_0,
				.param .f32 axpy_param_1,
				.param .u64 .ptr .global .align 4 axpy_param_2 /* x */
			)
			.maxntid 256, 1, 1
			{ .reg .f32 %f<3>; ret; }
			.weak .entry other(.param .align 8 .b8 o[24],.param .f64 d, .param .s32 i, .param .b16 h)`,
			[]Kernel{
				{Name: "axpy", Known: true, Params: []Param{{8, Integer}, {4, Float}, {8, Integer}}},
				{Name: "other", Known: true, Params: []Param{{24, Bits}, {8, Float}, {4, Integer}, {2, Bits}}},
			}},
		{".entry textured(.param .u32 a, .param .texref t)", []Kernel{{Name: "textured"}}},
		{".entry cut(.param .u32 a, ", []Kernel{{Name: "cut"}}},
		{".entry huge(.param .b8 a[99999999999999999999])", []Kernel{{Name: "huge"}}},
		{".entry", nil},
	} {
		if got := Kernels([]byte(c.text)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q has %+v, want %+v", c.text, got, c.want)
		}
	}
}

func FuzzKernels(f *testing.F) {
	f.Add([]byte(".entry a(.param .u32 a, .param .b8 b[7]) { } // .entry c"))
	f.Add([]byte(".entry/**/(/*"))
	f.Fuzz(func(t *testing.T, image []byte) {
		for _, k := range Kernels(image) {
			if k.Name == "" || !k.Known && k.Params != nil {
				t.Errorf("%+v", k)
			}
			for _, p := range k.Params {
				if p.Bytes <= 0 {
					t.Errorf("%+v", k)
				}
			}
		}
	})
}
