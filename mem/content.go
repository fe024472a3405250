package mem

// Content says how many bytes a payload owns in each kind of memory, and whether
// they could be moved to a slower one. It counts only what spilling or releasing
// this payload would free: bytes that the payload shares with others, or borrows,
// are theirs to report. The zero Content is that of a plain Go value.
type Content struct {
	Bytes     Amount // never negative
	Spillable bool
}

// In returns the bytes of one kind.
func (c Content) In(k Kind) int64 { return c.Bytes[k] }

// Total returns the bytes of all kinds together.
func (c Content) Total() int64 { return c.Bytes.Total() }

// Plus returns what two payloads own together. The sum is spillable when both are.
func (c Content) Plus(other Content) Content {
	return Content{Bytes: c.Bytes.Plus(other.Bytes), Spillable: c.Spillable && other.Spillable}
}
