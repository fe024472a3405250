package table

import (
	"context"
	"math/bits"
	"slices"
)

// A sortSpace is where rows are put in order: their words, their places, and room for both again. It is used
// again and again, by one goroutine.
type sortSpace struct {
	words  []uint64
	places []place // of the row with that word
	ranks  []uint64

	otherWords  []uint64
	otherPlaces []place
}

// begin is for so many rows of a batch, in their order. Their words are 0.
func (s *sortSpace) begin(batch uint32, rows int) []place {
	s.words, s.places = slices.Grow(s.words[:0], rows)[:rows], slices.Grow(s.places[:0], rows)[:rows]
	clear(s.words)
	for row := range s.places {
		s.places[row] = place{batch, uint32(row)}
	}
	return s.places
}

func (s *sortSpace) empty() { s.words, s.places = s.words[:0], s.places[:0] }

// add adds the rows of a sequence from one on and before another.
func (s *sortSpace) add(of *sequence, from, to int) {
	s.words = append(s.words, of.words[from:to]...)
	for row := from; row < to; row++ {
		s.places = append(s.places, of.at(row))
	}
}

// sort puts the rows in order: by their words, and where those are equal by the keys from one on, and then as
// they came. Equal words must be in the order in which the rows came before. When ctx ends it returns its error soon,
// however many rows there are, and their order is of no use.
func (s *sortSpace) sort(ctx context.Context, k *kept, from int) error {
	s.byWord()
	if from == len(k.keys) {
		return ctx.Err()
	}
	// A sort by comparing cannot be stopped, but if all compare as equal there is little left to do.
	compared, ended := 0, false
	compare := func(a, b place) int {
		if compared++; compared%lookEvery == 0 {
			ended = ended || ctx.Err() != nil
		}
		if ended {
			return 0
		}
		return k.compare(from, a, b)
	}
	for i, n := 0, len(s.words); i < n; {
		end := i + 1
		for end < n && s.words[end] == s.words[i] {
			end++
		}
		if end > i+1 {
			slices.SortFunc(s.places[i:end], compare)
		}
		i = end
	}
	return ctx.Err()
}

// lookEvery is how many comparisons a sort makes between two looks at its
// context: about those for chunkRows rows.
const lookEvery = 16 * chunkRows

// byWord sorts by the words alone; rows of equal words stay as they are.
func (s *sortSpace) byWord() {
	n := len(s.words)
	s.otherWords, s.otherPlaces = slices.Grow(s.otherWords[:0], n)[:n], slices.Grow(s.otherPlaces[:0], n)[:n]
	wordRange{s.words, s.places[:n]}.sort(wordRange{s.otherWords, s.otherPlaces})
}

// A wordRange is words and the places that go with them.
type wordRange struct {
	words  []uint64
	places []place
}

// few is so many words that nothing is faster than to insert one after the other.
const few = 48

// sort is a radix sort by the highest bits in which words differ, lowest digit first: Knuth, volume 3, section 5.2.5. Two
// digits have about as many values as there are words, or more, so that few words are equal in them; those are sorted
// by the bits below. other is as long, and has anything in it afterwards.
func (r wordRange) sort(other wordRange) {
	if len(r.words) <= few {
		r.insert()
		return
	}
	or, and, last, sorted := uint64(0), ^uint64(0), uint64(0), true
	for _, w := range r.words {
		or |= w
		and &= w
		sorted = sorted && w >= last
		last = w
	}
	if sorted {
		return
	}
	digit := 11
	if len(r.words) < 1000 {
		digit = 8
	}
	differ := or &^ and
	top := bits.Len64(differ)
	at := max(0, top-2*digit)
	if top-at > digit {
		r.byDigit(other, at, digit)
		other.byDigit(r, at+digit, digit)
	} else {
		r.byDigit(other, at, digit)
		copy(r.words, other.words)
		copy(r.places, other.places)
	}
	if differ&(1<<at-1) == 0 {
		return
	}
	for from, n := 0, len(r.words); from < n; {
		to := from + 1
		for to < n && r.words[to]>>at == r.words[from]>>at {
			to++
		}
		if to > from+1 {
			r.slice(from, to).sort(other.slice(from, to))
		}
		from = to
	}
}

func (r wordRange) slice(from, to int) wordRange {
	return wordRange{r.words[from:to], r.places[from:to]}
}

// byDigit moves all to another range, in the order of so many bits from one on.
func (r wordRange) byDigit(other wordRange, at, digit int) {
	var ends [1 << 11]uint32
	mask := (uint64(1)<<digit - 1) & (1<<11 - 1)
	for _, w := range r.words {
		ends[w>>at&mask]++
	}
	end := uint32(0)
	for i := range ends[:mask+1] {
		ends[i], end = end, end+ends[i]
	}
	places := r.places[:len(r.words)]
	for i, w := range r.words {
		to := &ends[w>>at&mask]
		other.words[*to], other.places[*to] = w, places[i]
		*to++
	}
}

func (r wordRange) insert() {
	for i := 1; i < len(r.words); i++ {
		w, p := r.words[i], r.places[i]
		j := i
		for ; j > 0 && r.words[j-1] > w; j-- {
			r.words[j], r.places[j] = r.words[j-1], r.places[j-1]
		}
		r.words[j], r.places[j] = w, p
	}
}
