package expr

import "github.com/apache/arrow-go/v18/arrow"

// narrowColumn returns the column that x is, nil if it is none, or none of a narrow type, or if y is no
// constant that it can be compared with: a value of the narrow type, too.
func narrowColumn(x, y node) *columnRef {
	c, ok := y.(*constant)
	if _, column := x.(*columnRef); !column || !ok || c.null || c.form == formFloat && c.vec.floats[0] != c.vec.floats[0] {
		return nil
	}
	return narrowed(x)
}

// compareNarrow writes how n rows of the column compare with the constant.
func (c *comparison) compareNarrow(out []uint64, a arrow.Array, first, n int) {
	y := &c.args[1].(*constant).vec
	switch c.narrow.typ.ID() {
	case arrow.INT8:
		compareLanes(out, c.order, fixed[int8](a)[first:first+n], int8(y.ints[0]))
	case arrow.INT16:
		compareLanes(out, c.order, fixed[int16](a)[first:first+n], int16(y.ints[0]))
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		compareNumbers(out, c.order, fixed[int32](a)[first:first+n], []int32{int32(y.ints[0])}, true)
	case arrow.UINT8:
		compareLanes(out, c.order, fixed[uint8](a)[first:first+n], uint8(y.ints[0]))
	case arrow.UINT16:
		compareLanes(out, c.order, fixed[uint16](a)[first:first+n], uint16(y.ints[0]))
	case arrow.UINT32:
		compareNumbers(out, c.order, fixed[uint32](a)[first:first+n], []uint32{uint32(y.ints[0])}, true)
	case arrow.FLOAT32:
		compareNumbers(out, c.order, fixed[float32](a)[first:first+n], []float32{float32(y.floats[0])}, true)
	}
}
