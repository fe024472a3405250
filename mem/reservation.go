package mem

// A Reservation is a promise of bytes, taken before they are allocated. A nil
// *Reservation means unaccounted: what is allocated under it counts against no
// limit. Functions that take a *Reservation accept nil.
//
// Limits are not enforced yet, and nothing in this version makes a Reservation that
// counts; the type is here so that payloads can be written against the signatures
// that will stay. Pass nil.
type Reservation struct {
	_ [0]func() // not comparable: what it holds is to come
}
