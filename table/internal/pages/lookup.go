package pages

import "encoding/binary"

// codesAtATime is how many codes are unpacked before the values they stand for are looked up:
// as many as stay in the fastest cache.
const codesAtATime = 2048

// lookUp takes the values wanted of a page of codes from their dictionary.
func lookUp[T any](dst, dict []T, scratch *scratch[int32], want wanted, p page) error {
	r, over := codesOf(p, want.skip, len(dst))
	for len(dst) > 0 {
		if over == 0 {
			dst = dst[lookUpShort(dst, dict, &r):]
		}
		stretch, err := r.next()
		if err != nil {
			return err
		}
		n := stretch.count - over
		if n == 0 { // whatever code it repeats, no value has it
			continue
		}
		if stretch.packed == nil {
			if uint(stretch.value) >= uint(len(dict)) {
				return errNoEntry(stretch.value, len(dict))
			}
			fill(dst[:n], dict[stretch.value])
			dst = dst[n:]
		}
		for ; stretch.packed != nil && n > 0; n, over = n-codesAtATime, over+codesAtATime {
			codes := scratch.of(min(n, codesAtATime))
			unpackFrom(codes, over, stretch.packed, r.width)
			into := dst[:len(codes)]
			dst = dst[len(codes):]
			for i, code := range codes {
				if uint(code) >= uint(len(dict)) {
					return errNoEntry(uint32(code), len(dict))
				}
				into[i] = dict[code]
			}
		}
		over = 0
	}
	return nil
}

// mostShort is more than the most values of a run whose head is one byte, and a whole number of blocks.
const mostShort = 64

// block is how many values are written at a time where a run repeats one.
const block = 8

// lookUpShort does the part of lookUp that there is most of in columns that are sorted or nearly so: runs of a few
// values that are all the same, one after the other. It stops before the first run that is anything else, that has
// something wrong with it, or that is close to an end, and returns how many values it has set; it may have written on
// beyond them. As many of r's values have to be wanted as dst has room for.
//
// A run is written in blocks, the last of them beyond its end, where the run after it goes: how long a run of a few
// values is cannot be foreseen, so that to stop at its end would cost more than all the rest.
func lookUpShort[T any](dst, dict []T, r *runs) (set int) {
	src, at, size := r.src, r.at, int(r.width+7)/8
	mask := uint32(1<<(8*size) - 1)
	for len(dst)-set >= mostShort && len(src)-at > 4 {
		head, value := src[at], binary.LittleEndian.Uint32(src[at+1:])&mask
		if head&0x81 != 0 || uint(value) >= uint(len(dict)) {
			break
		}
		count := int(head >> 1)
		v, into := dict[value], dst[set:][:mostShort]
		for i := 0; i < count; i += block {
			*(*[block]T)(into[i:]) = [block]T{v, v, v, v, v, v, v, v}
		}
		set += count
		at += 1 + size
	}
	r.at, r.left = at, r.left-set
	return set
}
