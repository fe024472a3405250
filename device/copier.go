package device

import "sync"

// A copier does the copies of all streams of a host device, with a bounded number of
// goroutines at work. Small ones are done where they are; large ones are cut into
// pieces for whoever is free, those of higher priority first.
//
// The stream that brings a copy works on it itself if not enough others do, so that
// with nothing else to do a copy of one piece costs no switch between goroutines.
type copier struct {
	workers int

	mu struct {
		sync.Mutex
		jobs    [High + 1][]*copyJob // with pieces that nobody has taken
		working int
	}
}

// A job is cut into pieces of pieceBytes: enough that taking one costs nothing in
// comparison, and that Go copies it in the way that is best for more than the cache
// holds. What is at most twice that is not worth waking somebody for.
const (
	pieceBytes = 1 << 20
	smallBytes = 2 * pieceBytes
)

// A copyJob copies src to dst, or fills dst if there is no src.
type copyJob struct {
	dst, src []byte
	value    byte
	taken    int // bytes, under the lock of the copier
	done     sync.WaitGroup
}

// A copyPiece is a part of a job.
type copyPiece struct {
	job      *copyJob
	from, to int
}

func (p *copyPiece) do() {
	dst := p.job.dst[p.from:p.to]
	if p.job.src != nil {
		copy(dst, p.job.src[p.from:p.to])
	} else {
		fill(dst, p.job.value)
	}
	p.job.done.Done()
}

func fill(dst []byte, value byte) {
	if value == 0 {
		clear(dst)
		return
	}
	const block = 4 << 10 // stays in the cache while it is copied on and on
	n := min(len(dst), block)
	for i := range dst[:n] {
		dst[i] = value
	}
	for at := n; at < len(dst); {
		at += copy(dst[at:], dst[:n])
	}
}

// copy copies src to dst, of one length.
func (c *copier) copy(dst, src []byte, p Priority) {
	if len(dst) <= smallBytes {
		copy(dst, src)
		return
	}
	c.run(&copyJob{dst: dst, src: src}, p)
}

// fill sets every byte of dst to value.
func (c *copier) fill(dst []byte, value byte, p Priority) {
	if len(dst) <= smallBytes {
		fill(dst, value)
		return
	}
	c.run(&copyJob{dst: dst, value: value}, p)
}

// run returns when the job, of more than one piece, is done.
func (c *copier) run(j *copyJob, p Priority) {
	pieces := (len(j.dst) + pieceBytes - 1) / pieceBytes
	j.done.Add(pieces)
	c.mu.Lock()
	c.mu.jobs[p] = append(c.mu.jobs[p], j)
	self := c.mu.working < c.workers
	more := min(c.workers-c.mu.working, pieces)
	c.mu.working += max(0, more)
	c.mu.Unlock()
	for range more - 1 {
		go c.work(nil)
	}
	if self {
		c.work(j)
	}
	j.done.Wait()
}

// work does pieces until there are none, or none of the job until.
func (c *copier) work(until *copyJob) {
	for {
		p, some := c.next(until)
		if !some {
			return
		}
		p.do()
	}
}

// next takes a piece, or ends the worker. A worker that ends because its own job needs
// it no longer leaves its place to another, if there is work.
func (c *copier) next(until *copyJob) (p copyPiece, some bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaves := until != nil && until.taken == len(until.dst)
	for priority := High; priority >= Normal; priority-- {
		jobs := c.mu.jobs[priority]
		if len(jobs) == 0 {
			continue
		}
		if leaves {
			go c.work(nil)
			return p, false
		}
		j := jobs[0]
		p = copyPiece{job: j, from: j.taken, to: min(j.taken+pieceBytes, len(j.dst))}
		j.taken = p.to
		if j.taken == len(j.dst) {
			jobs[0] = nil
			c.mu.jobs[priority] = jobs[1:]
		}
		return p, true
	}
	c.mu.working--
	return p, false
}
