package table

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

const (
	joinParts    = 32 // partitions of inputs of unknown size, at most
	mostSplits   = 8  // how often partitions are split again, at most
	joinProgress = 10 // a split that leaves more than all but a tenth of the rows in one partition was no use
)

// partitioned splits both inputs, what was kept and what is still to come, and joins partition by partition.
func (j *joining) partitioned(ctx context.Context) (err error) {
	var both [2]*shuffle.Shuffle
	defer func() {
		for _, s := range both {
			if s != nil {
				s.Close()
			}
		}
	}()
	for s := range both {
		both[s], err = shuffle.New(ctx, shuffle.Options{
			Name: fmt.Sprintf("%v rows of node %q", side(s), j.name), By: j.partitioner(side(s)),
			Parts: j.parts(joinParts), Producers: j.workers,
		})
		if err != nil {
			return err
		}
	}
	err = inParallel(ctx, j.workers, func(ctx context.Context, _ int) error { return j.insert(ctx, both) })
	if err != nil {
		return err
	}
	return j.partitions(ctx, both, 0, [2]int64{})
}

// parts is how many partitions to make if n would do: fewer where the limit is so small that
// pieces of them, which a shuffle makes of a thirty-second of it, would be tiny.
func (j *joining) parts(n int64) int {
	return int(max(2, min(n, joinParts, max(8, j.budget.limit/32/(16<<10)))))
}

// partitioner splits rows of a side such that those which are equal to rows of the other go the same way.
func (j *joining) partitioner(s side) *KeyPartitioner {
	names := make([]string, len(j.plan.keys[s]))
	for i, column := range j.plan.keys[s] {
		names[i] = j.plan.inputs[s].Field(column).Name
	}
	by := ByKey(names...)
	by.forms = j.plan.forms[s]
	return by
}

// insert gives rows to the shuffles until there are no more: one of several that do.
func (j *joining) insert(ctx context.Context, both [2]*shuffle.Shuffle) error {
	for s := range both {
		for c := j.kept[s].pop(); c != nil; c = j.kept[s].pop() {
			if err := j.keeper.take(ctx, c); err != nil {
				c.release()
				return err
			}
			if err := give(ctx, both[s], c.chunk); err != nil {
				return err
			}
		}
	}
	for {
		i, m, err := sluice.RecvAny(ctx, j.in[:]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		chunk, err := j.take(side(i), &m)
		m.Release()
		if err == nil {
			chunk, err = j.sift(ctx, side(i), chunk)
		}
		if err == nil && chunk != nil {
			err = give(ctx, both[i], chunk)
		}
		if err != nil {
			return err
		}
	}
	for _, s := range both {
		if err := s.Finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// give inserts a chunk, or releases it.
func give(ctx context.Context, into *shuffle.Shuffle, chunk *Chunk) error {
	err := into.Insert(ctx, chunk)
	if err != nil {
		chunk.Release()
	}
	return err
}

// partitions joins what two shuffles give out. whole are the rows of each side before the split
// that made it so many, if there was one.
func (j *joining) partitions(ctx context.Context, both [2]*shuffle.Shuffle, splits int, whole [2]int64) error {
	for {
		var parts [2]*shuffle.Partition
		for s := range both {
			part, err := both[s].Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			parts[s] = part
		}
		err := j.partition(ctx, parts, splits, whole)
		for _, part := range parts {
			part.Release()
		}
		if err != nil {
			return err
		}
	}
}

// partition joins a partition of the left with that of the right that has the same keys.
func (j *joining) partition(ctx context.Context, parts [2]*shuffle.Partition, splits int, whole [2]int64) error {
	rows := [2]int64{parts[0].Rows(), parts[1].Rows()}
	if j.plan.kind.barren(rows[leftSide] > 0, rows[rightSide] > 0) {
		return nil
	}
	build := leftSide
	if parts[rightSide].Bytes() < parts[leftSide].Bytes() {
		build = rightSide
	}
	bytes := parts[build].Bytes()
	switch {
	case j.fits(build, rows[build], bytes):
		return j.joinPart(ctx, parts, build)
	case splits == mostSplits, splits > 0 && rows[build] > whole[build]-whole[build]/joinProgress:
		return j.blocks(ctx, parts, build)
	}
	return j.split(ctx, parts, splits, 2*(bytes+j.plan.tableBytes(build, rows[build]))/max(1, j.share))
}

// split splits both partitions again, into n each.
func (j *joining) split(ctx context.Context, parts [2]*shuffle.Partition, splits int, n int64) (err error) {
	rows := [2]int64{parts[0].Rows(), parts[1].Rows()}
	var both [2]*shuffle.Shuffle
	defer func() {
		for _, s := range both {
			if s != nil {
				s.Close()
			}
		}
	}()
	for s, part := range parts {
		if both[s], err = part.Split(ctx, j.parts(n)); err != nil {
			return err
		}
	}
	return j.partitions(ctx, both, splits+1, rows)
}

// keepAll takes the payloads of a partition and keeps them.
func (j *joining) keepAll(ctx context.Context, part *shuffle.Partition, into *keptChunks) error {
	for {
		payload, err := part.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		into.add(j.keeper.keep(payload.(*Chunk)))
	}
}

// joinPart joins partitions of which one fits.
func (j *joining) joinPart(ctx context.Context, parts [2]*shuffle.Partition, build side) error {
	var kept keptChunks
	defer kept.release()
	if err := j.keepAll(ctx, parts[build], &kept); err != nil {
		return err
	}
	chunks := kept.popAll()
	table, err := j.build(ctx, build, chunks)
	if err != nil {
		for _, c := range chunks {
			kept.add(c)
		}
		if errors.Is(err, mem.ErrNoMemory) { // others keep much, too
			j.lower()
			return j.blocksOf(ctx, &kept, parts[build.other()], build)
		}
		return err
	}
	defer func() {
		table.release()
		for _, c := range chunks {
			c.release()
		}
	}()
	probe := parts[build.other()]
	return j.lead(ctx, table, true, func(ctx context.Context) (*keptChunk, error) {
		payload, err := probe.Next(ctx)
		if err != nil {
			return nil, err
		}
		return &keptChunk{chunk: payload.(*Chunk)}, nil
	}, (*keptChunk).release)
}

// blocks joins partitions of which neither fits.
func (j *joining) blocks(ctx context.Context, parts [2]*shuffle.Partition, build side) error {
	var kept keptChunks
	defer kept.release()
	if err := j.keepAll(ctx, parts[build], &kept); err != nil {
		return err
	}
	return j.blocksOf(ctx, &kept, parts[build.other()], build)
}

// blocksOf makes one table after the other of as many chunks as fit, and leads all of the other partition
// past each of them. That one is kept meanwhile, and with it which of its rows have matched.
func (j *joining) blocksOf(ctx context.Context, kept *keptChunks, part *shuffle.Partition, build side) error {
	var probed keptChunks
	defer probed.release()
	if err := j.keepAll(ctx, part, &probed); err != nil {
		return err
	}
	share := j.share
	for last := false; !last; {
		var block []*keptChunk
		var rows, bytes int64
		for {
			c := kept.peek()
			if c == nil {
				last = true
				break
			}
			if n := int64(c.chunk.Rows()); len(block) > 0 && bytes+c.bytes+j.plan.tableBytes(build, rows+n) > share {
				break
			}
			kept.pop()
			rows, bytes, block = rows+int64(c.chunk.Rows()), bytes+c.bytes, append(block, c)
		}
		err := j.block(ctx, block, build, &probed, last)
		if errors.Is(err, errNoRoom) && len(block) > 1 {
			share, last = max(1, min(share, bytes)/2), false
			kept.unpop(block)
			continue
		}
		for _, c := range block {
			c.release()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errNoRoom says that there was no memory for a table, and nothing has happened.
var errNoRoom = errors.New("no room for a table")

// block leads all that is probed past a table of one block.
func (j *joining) block(ctx context.Context, block []*keptChunk, build side, probed *keptChunks, last bool) error {
	table, err := j.build(ctx, build, block)
	if errors.Is(err, mem.ErrNoMemory) {
		return fmt.Errorf("%w: %w", errNoRoom, err)
	}
	if err != nil {
		return err
	}
	defer table.release()
	var passed keptChunks
	defer func() { probed.unpop(passed.popAll()) }()
	return j.lead(ctx, table, last, func(ctx context.Context) (*keptChunk, error) {
		c := probed.pop()
		if c == nil {
			return nil, io.EOF
		}
		if err := j.keeper.take(ctx, c); err != nil {
			passed.add(c)
			return nil, err
		}
		return c, nil
	}, func(c *keptChunk) {
		j.keeper.offer(c)
		passed.add(c)
	})
}
