package table

import (
	"math"
	"testing"
)

func TestAPartitionIsSplitIntoSoManyThatFitAndNotManyMore(t *testing.T) {
	b := budget{limit: 64 << 20}
	const fits = 1 << 20
	for _, tables := range []int64{1, 2, 7, 50} {
		n := int64(b.partsFor(tables*fits, fits))
		if n < max(2, tables+1) || n > 2+tables+tables/4 {
			t.Errorf("%d partitions of what fits %d tables", n, tables)
		}
	}
}

func TestNoMorePartitionsAreMadeThanGetAPieceOfSomeSize(t *testing.T) {
	for _, limit := range []int64{1 << 20, 16 << 20, 1 << 40} {
		b := budget{limit: limit}
		n := b.partsFor(1<<50, 1)
		if n < 8 || n > 256 || n > 8 && limit/32/int64(n) < leastPiece {
			t.Errorf("%d partitions in %d bytes", n, limit)
		}
	}
}

func TestGroupsArePassedOnInSmallPiecesHoweverMuchMemoryThereIs(t *testing.T) {
	for _, limit := range []int64{64 << 10, 64 << 20, 1 << 40, math.MaxInt64} {
		from := budget{limit: limit}
		s := newSpillway(t.Context(), "groups", &groupPlan{}, from, 0)
		if s.opts.PieceBytes > 128<<10 || s.opts.PieceBytes > from.piece() || s.opts.PieceBytes < 1 {
			t.Errorf("limit %d: pieces of %d bytes", limit, s.opts.PieceBytes)
		}
	}
}
