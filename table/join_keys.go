package table

// joinStrip is how many rows are hashed and looked up together.
const joinStrip = 1024

// joinKeys hashes the keys of rows, a strip at a time. It belongs to one goroutine.
type joinKeys struct {
	hash    *keyHash
	views   []view     // of the batch, in the form in which they are compared
	numbers [][]uint64 // by key and row of the strip: equal for equal values
	hashes  [joinStrip]uint64
	null    [joinStrip]bool // a key is null
	nulls   bool            // any

	slots [joinStrip]joinSlot // what a table has where the hashes begin to look, once it was asked
}

func newJoinKeys(keys int) *joinKeys {
	k := &joinKeys{hash: newKeyHash(keys), numbers: make([][]uint64, keys)}
	for i := range k.numbers {
		k.numbers[i] = make([]uint64, joinStrip)
	}
	return k
}

// strip hashes the rows from from up to to, which are at most joinStrip.
func (k *joinKeys) strip(from, to int) {
	hashes := k.hashes[:to-from]
	for i := range hashes {
		hashes[i] = keySeed
	}
	k.nulls = false
	for c := range k.views {
		v := &k.views[c]
		numbers := k.numbers[c][:to-from]
		k.hash.column(c, v, from, to, numbers)
		for i, n := range numbers {
			hashes[i] = mix(hashes[i]^mixKeys, n^keySeed)
		}
		if v.valid != nil {
			k.hide(v, from, to)
		}
	}
}

func (k *joinKeys) hide(v *view, from, to int) {
	if !k.nulls {
		clear(k.null[:to-from])
		k.nulls = true
	}
	for i := range to - from {
		k.null[i] = k.null[i] || v.null(from+i)
	}
}
