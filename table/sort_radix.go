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

// byWord sorts by the words alone; rows of equal words stay as they are. It goes over all of them once for every
// few bits in which they differ, from the lowest on: Knuth, volume 3, section 5.2.5.
func (s *sortSpace) byWord() {
	words := s.words
	if slices.IsSorted(words) {
		return
	}
	if len(words) <= 48 {
		s.byInsertion()
		return
	}
	or, and := uint64(0), ^uint64(0)
	for _, w := range words {
		or |= w
		and &= w
	}
	differ := or &^ and
	digit := 11
	if len(words) < 1<<13 {
		digit = 8
	}
	s.otherWords, s.otherPlaces = slices.Grow(s.otherWords[:0], len(words)), slices.Grow(s.otherPlaces[:0], len(words))
	for at := 0; differ>>at != 0; at += digit {
		at += bits.TrailingZeros64(differ >> at)
		s.byDigit(at, digit)
	}
}

// byDigit sorts by some of the bits of the words.
func (s *sortSpace) byDigit(at, digit int) {
	var ends [1 << 11]uint32
	mask := uint64(1)<<digit - 1
	words, places := s.words, s.places[:len(s.words)]
	for _, w := range words {
		ends[w>>at&mask&(1<<11-1)]++
	}
	end := uint32(0)
	for i := range ends[:1<<digit] {
		ends[i], end = end, end+ends[i]
	}
	toWords, toPlaces := s.otherWords[:len(words)], s.otherPlaces[:len(words)]
	for i, w := range words {
		to := &ends[w>>at&mask&(1<<11-1)]
		toWords[*to], toPlaces[*to] = w, places[i]
		*to++
	}
	s.words, s.places, s.otherWords, s.otherPlaces = toWords, toPlaces, s.words, s.places
}

func (s *sortSpace) byInsertion() {
	for i := 1; i < len(s.words); i++ {
		w, p := s.words[i], s.places[i]
		j := i
		for ; j > 0 && s.words[j-1] > w; j-- {
			s.words[j], s.places[j] = s.words[j-1], s.places[j-1]
		}
		s.words[j], s.places[j] = w, p
	}
}
