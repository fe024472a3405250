package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/wait"
	"github.com/seed14ed4225/sluice/mem"
)

// ErrFinished is returned by [Shuffle.Insert] and [Shuffle.Finish] when all producers have
// finished: Options.Producers says too few, or somebody goes on after Finish.
var ErrFinished = errors.New("all producers have finished")

// Options say how to shuffle.
type Options struct {
	Name  string // in errors and reports
	By    Partitioner
	Parts int // how many partitions; at least 1

	// Level chooses how keys are hashed, see [Parts]. To split a partition again there is
	// [Partition.Split], which takes the next one.
	Level int

	// Producers is how many call Finish. The default is 1.
	Producers int

	// PieceBytes is how large the payloads of partitions should be: as many bytes are split
	// together as there are partitions, times this. The default is 256 KiB. Under a limit of
	// memory it is a thirty-second of that at most which is split together.
	PieceBytes int64

	// Credits bound the bytes that were inserted and are not yet split, as Measure gives
	// them. One payload always fits. The default is what is split together, for each producer
	// and once more.
	Credits int64
}

func (o *Options) check() error {
	switch {
	case o.By == nil:
		return errors.New("no partitioner: set By")
	case o.Parts < 1:
		return fmt.Errorf("%d partitions: there must be at least 1", o.Parts)
	case o.Producers < 0:
		return fmt.Errorf("%d producers: there must be at least 1", o.Producers)
	case o.PieceBytes < 0:
		return fmt.Errorf("pieces of %d bytes: leave PieceBytes out for the default", o.PieceBytes)
	case o.Credits < 0:
		return fmt.Errorf("credits of %d bytes: leave Credits out for the default", o.Credits)
	case o.Level < 0:
		return fmt.Errorf("level %d: the first is 0", o.Level)
	}
	return nil
}

// A Shuffle collects payloads and gives them out again by partition. Producers call Insert,
// and Finish once; consumers call Next; whoever made it calls Close in the end, however it
// ends. Methods are safe for concurrent use, but a producer makes one call at a time.
type Shuffle struct {
	opts     Options
	batch    int64 // bytes to split together
	splitter *splitter
	stop     context.Context // ends when the shuffle is closed
	cancel   context.CancelFunc
	over     chan struct{} // closed when all is split, or the shuffle is closed

	mu struct {
		sync.Mutex
		collected []*item   // to be split together
		bytes     int64     // of these
		again     [][]*item // what could not be split, to be tried before anything else
		used      int64     // of the credits: by what is collected, to be tried again, or being split
		splits    []uint64  // the order of the first payload of each split that is going on
		line      line
		inserted  uint64 // payloads
		producing int    // producers that have not finished

		partitions []*Partition
		given      int  // of these
		complete   bool // all is split
		ended      error
	}
}

// New returns a shuffle that takes its memory from [mem.FromContext]. When ctx ends nothing is
// spilled any more. The errors are of options that make no sense.
func New(ctx context.Context, opts Options) (*Shuffle, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("shuffle %q: %w", opts.Name, err)
	}
	if opts.Producers == 0 {
		opts.Producers = 1
	}
	if opts.PieceBytes == 0 {
		opts.PieceBytes = wantedPiece
	}
	s := &Shuffle{opts: opts, over: make(chan struct{})}
	packing := newPacking(s, mem.FromContext(ctx).Limit(mem.Host))
	s.splitter = newSplitter(ctx, opts.Name, opts.By, Parts{N: opts.Parts, Level: opts.Level}, packing)
	s.batch = s.splitter.batch(opts.PieceBytes)
	if s.opts.Credits == 0 {
		s.opts.Credits = s.batch * int64(opts.Producers+1)
	}
	s.stop, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.mu.producing = opts.Producers
	s.mu.partitions = make([]*Partition, opts.Parts)
	for i := range s.mu.partitions {
		s.mu.partitions[i] = &Partition{from: s, index: i}
	}
	return s, nil
}

// Name returns the name that the shuffle was made with.
func (s *Shuffle) Name() string { return s.opts.Name }

// Insert gives a payload to the shuffle, and owns it no more. Before that it splits what has
// come together, if that is enough, and waits for memory for it; and if there are no credits it
// splits what there is, or waits for those who do. Producers are served in order. So memory
// must not be reserved by who calls it.
//
// On an error the payload is still the caller's, but it may have been spilled: what the partitioner says,
// ctx.Err() if ctx ended while Insert waited, a [*mem.NoMemoryError], [ErrFinished], or the
// cause of [Shuffle.Abort]. Others' payloads that could not be split are kept, and tried again.
func (s *Shuffle) Insert(ctx context.Context, payload any) error {
	size, err := s.opts.By.Measure(payload)
	if err != nil {
		return fmt.Errorf("shuffle %q: %w", s.opts.Name, err)
	}
	return s.insert(ctx, payload, size)
}

func (s *Shuffle) insert(ctx context.Context, payload any, size Size) error {
	it := newItem(payload, size)
	var w waiter
	for {
		s.mu.Lock()
		work, err := s.ready(&w, size.Bytes)
		if err == nil && work == nil && !w.waits {
			s.add(it)
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		s.splitter.shelf.put(it) // so many who wait here need not find room for what they bring
		if work != nil {
			err = s.split(ctx, work)
		} else if err == nil {
			err = await(ctx, w.woken, wait.Wait{On: s, Reason: wait.ToSend})
		}
		if err != nil {
			s.mu.Lock()
			s.mu.line.leave(&w)
			s.mu.Unlock()
			s.splitter.shelf.takeBack(it)
			return err
		}
	}
}

// ready says what a producer has to do that wants to insert so many bytes: split something; or
// wait in line, if w.waits; or go on, with the credits. Callers hold the lock.
func (s *Shuffle) ready(w *waiter, bytes int64) (work []*item, err error) {
	w.waits = false
	switch {
	case s.mu.ended != nil:
		return nil, s.mu.ended
	case s.mu.producing == 0:
		return nil, fmt.Errorf("shuffle %q: %w", s.opts.Name, ErrFinished)
	case s.mu.bytes >= s.batch || len(s.mu.again) > 0:
		return s.work(), nil
	case s.mu.line.first(w) && (s.mu.used == 0 || bytes <= s.opts.Credits-s.mu.used):
		s.mu.line.leave(w)
		return nil, nil
	case s.mu.line.first(w) && len(s.mu.collected) > 0:
		return s.work(), nil
	}
	s.mu.line.join(w)
	return nil, nil
}

// work takes something to split, if there is anything. Callers hold the lock, and call split.
func (s *Shuffle) work() (items []*item) {
	if n := len(s.mu.again); n > 0 {
		items = s.mu.again[n-1]
		s.mu.again = s.mu.again[:n-1]
	} else {
		items = s.mu.collected
		s.mu.collected, s.mu.bytes = nil, 0
	}
	if items != nil {
		s.mu.splits = append(s.mu.splits, items[0].order)
	}
	return items
}

// add adds a payload, for which there are credits. Callers hold the lock.
func (s *Shuffle) add(it *item) {
	s.mu.inserted++
	it.order = s.mu.inserted
	s.splitter.shelf.put(it)
	s.mu.collected = append(s.mu.collected, it)
	s.mu.bytes += it.size.Bytes
	s.mu.used += it.size.Bytes
	s.mu.line.wake() // there is something to split for who has no credits
}

// split splits what work has given. What could not be split is there to be tried again.
func (s *Shuffle) split(ctx context.Context, items []*item) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stop, cancel)()
	left, first := items, items[0].order
	defer func() { s.settle(first, left) }() // also when a method of a payload or of the partitioner panics
	_, err := s.splitter.split(ctx, items, func(done, pieces []*item) {
		left = left[len(done):]
		s.deliver(done, pieces)
	})
	if err != nil && s.stop.Err() != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.mu.ended
	}
	return err
}

// deliver adds pieces to their partitions, and takes back the credits of what they are made of.
func (s *Shuffle) deliver(done, pieces []*item) {
	s.splitter.shelf.put(pieces...)
	s.mu.Lock()
	ended := s.mu.ended != nil
	if !ended {
		for _, piece := range pieces {
			s.mu.partitions[piece.row-1].add(piece)
		}
	}
	s.mu.used -= bytesOf(done)
	s.mu.line.wake()
	s.mu.Unlock()
	if ended {
		s.splitter.shelf.discard(pieces...)
	}
}

// settle ends a split, of items from that order on, that has left some of them over.
func (s *Shuffle) settle(first uint64, left []*item) {
	s.mu.Lock()
	ended := s.mu.ended != nil
	if len(left) > 0 && !ended {
		s.mu.again = append(s.mu.again, left)
	}
	i := slices.Index(s.mu.splits, first)
	s.mu.splits = slices.Delete(s.mu.splits, i, i+1)
	s.mu.line.wake()
	s.finished()
	s.mu.Unlock()
	if ended {
		s.splitter.shelf.discard(left...)
	}
}

// Finish says that a producer will insert nothing more. The last one to do so splits what is
// left, and waits for memory for it; after that the partitions are given out. The errors are
// those of Insert; then the producer has not finished, and may call Finish again.
func (s *Shuffle) Finish(ctx context.Context) error {
	for {
		s.mu.Lock()
		var work []*item
		switch {
		case s.mu.ended != nil:
			defer s.mu.Unlock()
			return s.mu.ended
		case s.mu.producing == 0:
			defer s.mu.Unlock()
			return fmt.Errorf("shuffle %q: %w", s.opts.Name, ErrFinished)
		case s.mu.bytes >= s.batch || len(s.mu.again) > 0 || s.mu.producing == 1:
			work = s.work()
		}
		if work == nil {
			s.mu.producing--
			s.finished()
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		if err := s.split(ctx, work); err != nil {
			return err
		}
	}
}

// finished completes the partitions if nothing can come any more: all at once, because the last
// batch has rows of any of them. Callers hold the lock.
func (s *Shuffle) finished() {
	if s.mu.producing > 0 || len(s.mu.splits) > 0 || len(s.mu.again) > 0 || s.mu.complete || s.mu.ended != nil {
		return
	}
	s.mu.complete = true
	for _, p := range s.mu.partitions {
		sortPieces(p.pieces)
	}
	close(s.over)
}

// Next returns a partition that is complete, and waits until there is one; io.EOF after the
// last. Every partition is given out once, in order, also those without rows, which are the
// same ones of two shuffles that are made alike. The other errors are ctx.Err() if ctx ended
// while Next waited, and the cause of [Shuffle.Abort].
//
// The partition is the caller's to release. It goes with the shuffle, at the latest.
func (s *Shuffle) Next(ctx context.Context) (*Partition, error) {
	if err := s.awaitOver(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.ended != nil:
		return nil, s.mu.ended
	case s.mu.given == len(s.mu.partitions):
		return nil, io.EOF
	}
	s.mu.given++
	return s.mu.partitions[s.mu.given-1], nil
}

func (s *Shuffle) awaitOver(ctx context.Context) error {
	return await(ctx, s.over, wait.Wait{On: s, Reason: wait.ToReceive})
}

// Close releases everything that nobody has taken, partitions included that were given out.
// It waits for spills in progress, which it cancels. What an Insert or Finish in progress splits is
// released when that returns, with an error. Whoever waits gets [sluice.ErrClosed]. Once is
// enough.
func (s *Shuffle) Close() { s.Abort(sluice.ErrClosed) }

// Abort is Close because something failed: whoever waits, and whoever calls later, gets an
// error that wraps cause, or [sluice.ErrAborted] if that is nil.
func (s *Shuffle) Abort(cause error) {
	if cause == nil {
		cause = sluice.ErrAborted
	}
	s.mu.Lock()
	if s.mu.ended != nil {
		s.mu.Unlock()
		return
	}
	s.mu.ended = fmt.Errorf("shuffle %q: %w", s.opts.Name, cause)
	var items []*item
	items = append(items, s.mu.collected...)
	for _, again := range s.mu.again {
		items = append(items, again...)
	}
	for _, p := range s.mu.partitions {
		items = append(items, p.pieces...)
		p.pieces = nil
	}
	s.mu.collected, s.mu.again = nil, nil
	if !s.mu.complete {
		close(s.over)
	}
	s.mu.line.wake()
	s.mu.Unlock()

	s.cancel()
	s.splitter.shelf.close()
	s.splitter.shelf.discard(items...)
}
