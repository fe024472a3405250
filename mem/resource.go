package mem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/internal/wait"
)

// A Resource is memory with limits. It counts what is taken of each kind, makes
// those wait who ask for more than there is, and makes room by spilling. See the
// documentation of the package for the rules. All methods are safe for concurrent use,
// and on a nil *Resource they do nothing: it has no limits.
type Resource struct {
	*pool
	name   string
	parent *Resource // nil unless this is a scope

	// Guarded by the lock of the pool.
	accounts map[*wait.Node]*account
	closed   bool
	turns    uint64 // changes whenever memory of the scope is given, given back or moved
}

// pool is what a resource and its scopes have in common.
type pool struct {
	limits   Amount
	diskDir  string // whose free space the limit for disk is a part of, by default; else ""
	setAside Amount // of the limits, for who has waited longest when everybody waits

	device     device.Device
	ownsDevice bool
	host       hostMemory
	frees      frees
	streams    streams // to move memory on
	staging    staging
	store      *extent.Store // nil if nothing is spilled to disk

	spilling spiller
	own      *account    // of the spiller
	demanded atomic.Bool // somebody waits
	looking  sync.Mutex  // held while members are asked whether they stand still

	mu struct {
		sync.Mutex
		used, reserved    Amount
		peak              Amount // of both together
		overbooked        Amount // the most by which a limit was exceeded
		spilled, restored Amount
		returned          Amount // ever, from those who used it
		queue             requests
		sources           registrations
		members           map[*member]struct{}
		scopes            map[*Resource]struct{} // that are open, or have leaked; the resource itself among them
		closed            bool

		relieving  bool // the spiller is there
		short      [Kinds]shortage
		spillError *SpillError // of the latest spill, nil if it went well
		stranded   Amount      // of the latest spill of each kind: what no slower one had room for
		outside    int64       // bytes taken by those who run in no node
		turns      uint64      // changes whenever memory is given or given back
		still      stillness   // that everybody has waited, with
		stillMoves uint64      // this many moves made
	}
}

// Compression says how spilled data is compressed on its way to disk.
type Compression = extent.Compression

// The ways to compress. Off is the fastest on a fast disk; LZ4 costs little; Zstd makes the
// least of a small or slow disk.
const (
	Off  = extent.Off
	LZ4  = extent.LZ4
	Zstd = extent.Zstd
)

// ParseCompression reads off, lz4 or zstd; the error for anything else lists them.
func ParseCompression(name string) (Compression, error) { return extent.ParseCompression(name) }

// A File is what spilled data is kept in.
type File = extent.File

// Options are what a resource is made with. The zero value works: it has half of the
// machine's memory, a quarter of it pinned, a host device, and does not spill to disk.
type Options struct {
	Name string // in errors and reports; default "memory"

	// Device is whose memory the kinds Device and Pinned are of. nil makes a host
	// device with those limits, which Close closes.
	Device device.Device

	// Limits are indexed by Kind. The default is a half of the device's memory for
	// Device, a quarter of the machine's for Pinned, a half of it for Host; for Disk it
	// is nine tenths of what is free in SpillDir, and nothing without a SpillDir.
	Limits [Kinds]Limit

	// SpillDir is the directory for files of spilled data: private to the process,
	// and gone when it ends, however it ends. A limit for Disk needs one.
	SpillDir string

	// Compress is how data is compressed on its way to disk.
	Compress Compression

	// Files opens the file for spilled data in a directory. nil makes private
	// files; others are for tests of what a disk can do wrong.
	Files func(dir string) (File, error)
}

// An OptionError says which option of [New] makes no sense, and what would work.
type OptionError struct {
	Option string // such as "limit for host memory" or "spill directory"
	Kind   Kind   // for the limit of a kind; else Kinds
	Err    error
}

func (e *OptionError) Error() string { return fmt.Sprintf("mem: %s: %v", e.Option, e.Err) }

func (e *OptionError) Unwrap() error { return e.Err }

// New makes a resource. It takes no memory yet, but tries whether the spill directory
// can be written. Errors are [*OptionError]s, all of them joined.
func New(opts Options) (*Resource, error) {
	p := &pool{}
	p.mu.members = map[*member]struct{}{}
	p.mu.scopes = map[*Resource]struct{}{}
	if err := p.configure(opts); err != nil {
		return nil, err
	}
	name := opts.Name
	if name == "" {
		name = "memory"
	}
	made := p.scope(name, nil)
	p.own = &account{scope: made, name: "the spiller"}
	return made, nil
}

func (p *pool) scope(name string, parent *Resource) *Resource {
	r := &Resource{pool: p, name: name, parent: parent, accounts: map[*wait.Node]*account{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.scopes[r] = struct{}{}
	return r
}

// Scope returns a resource that takes its memory from r but counts it apart, so that
// Close can say what of it was never released. A network runs in a scope of its own.
func (r *Resource) Scope(name string) *Resource {
	if r == nil {
		return nil
	}
	return r.scope(name, r)
}

// Limit returns how many bytes of a kind may be taken. It is the largest request that
// can be met.
func (r *Resource) Limit(k Kind) int64 {
	if r == nil {
		return Unlimited.bytes
	}
	return r.limits[k]
}

// Device returns the device that has the memory of the kinds Device and Pinned.
func (r *Resource) Device() device.Device {
	if r == nil {
		return nil
	}
	return r.device
}

// Close ends a resource or a scope, when nobody uses it any more: requests that still
// wait, and those to come, get [ErrClosed]. Closing a resource cancels spilling in progress.
// Close waits for that, and for memory whose free is queued on a stream, until ctx
// ends. If anything was never released it returns a [*LeakError], the resource also for its
// scopes; that memory stays usable, and so do the device and the file that it is in,
// which are not closed then.
func (r *Resource) Close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.refuseAll()
	if r.parent != nil {
		r.settleFrees(ctx)
		return r.leaks(r)
	}
	p := r.pool
	hangs := p.stopSpilling(ctx)
	r.settleFrees(ctx)
	p.mu.Lock()
	scopes := slices.Collect(maps.Keys(p.mu.scopes))
	used := p.mu.used
	p.mu.Unlock()
	err := errors.Join(hangs, r.leaks(scopes...))
	if hangs == nil && used[Host] == 0 && !p.freeing() { // else somebody may still look at it, or write it
		p.host.close()
	}
	p.streams.close()
	if p.store != nil && hangs == nil && used[Disk] == 0 {
		err = errors.Join(err, p.store.Close())
	}
	if p.ownsDevice && hangs == nil && used[Device]+used[Pinned] == 0 {
		err = errors.Join(err, p.device.Close())
	}
	return err
}

// refuseAll makes the scope, or the resource with all of its scopes, refuse requests.
func (r *Resource) refuseAll() {
	p := r.pool
	p.mu.Lock()
	r.closed = true
	if r.parent == nil {
		p.mu.closed = true
	}
	var woken []*request
	for q := p.mu.queue.first; q != nil; {
		next := q.next
		if r.parent == nil || q.account.scope == r {
			woken = append(woken, q)
			p.settle(q, nil, ErrClosed)
		}
		q = next
	}
	p.served() // those behind them may fit
	signal(woken)
}

// leaks returns what is still taken in scopes, as an error. A scope that leaks nothing is
// forgotten.
func (r *Resource) leaks(scopes ...*Resource) error {
	p := r.pool
	p.frees.sweep.Lock()
	defer p.frees.sweep.Unlock()
	queued := p.frees.queued()
	p.mu.Lock()
	defer p.mu.Unlock()
	var leaks []Leak
	for _, scope := range scopes {
		before := len(leaks)
		for _, a := range scope.accounts {
			if a.used != (Amount{}) || a.reserved != (Amount{}) {
				leaks = append(leaks, Leak{
					Node: a.name, Used: a.used.Minus(queued[a]), Reserved: a.reserved, Queued: queued[a], Where: a.allocations.String(),
				})
			}
		}
		if scope.parent != nil && len(leaks) == before {
			delete(p.mu.scopes, scope)
		}
	}
	if leaks == nil {
		return nil
	}
	sortLeaks(leaks)
	return &LeakError{Resource: r.name, Leaks: leaks}
}

type resourceKey struct{}

// NewContext returns a context that carries the resource, for nodes and the functions
// they call. A network does this for its nodes.
func NewContext(parent context.Context, r *Resource) context.Context {
	return context.WithValue(parent, resourceKey{}, r)
}

// FromContext returns the resource of the network that a node runs in. It is nil, and as
// good as one without limits, if the network has none.
func FromContext(ctx context.Context) *Resource {
	r, _ := ctx.Value(resourceKey{}).(*Resource)
	return r
}
