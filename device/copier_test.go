package device

import (
	"bytes"
	"testing"
	"testing/synctest"
)

// state returns how many work, and how many jobs have pieces that nobody has taken.
func (c *copier) state() (working, jobs int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.working, len(c.mu.jobs[Normal]) + len(c.mu.jobs[High])
}

func TestLargeCopiesShareTheWorkersAndAllArrive(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			c := copier{workers: workers}
			for i := range 8 {
				go func() {
					n := pieceBytes*(i%5) + pieceBytes/2 + i
					src, dst := make([]byte, n), make([]byte, n)
					fill(src, byte(i+1))
					for range 5 {
						clear(dst)
						c.copy(dst, src, Priority(i%2))
						if !bytes.Equal(dst, src) {
							t.Errorf("copy %d did not arrive", i)
						}
					}
				}()
			}
			synctest.Wait()
			if working, jobs := c.state(); working != 0 || jobs != 0 {
				t.Errorf("of %d workers %d still work at the end, on %d jobs", workers, working, jobs)
			}
		})
	}
}

func TestPiecesOfHighPriorityGoFirst(t *testing.T) {
	c := copier{workers: 1}
	normal, high := &copyJob{dst: make([]byte, 3*pieceBytes)}, &copyJob{dst: make([]byte, 2*pieceBytes)}
	c.mu.jobs[Normal] = append(c.mu.jobs[Normal], normal)
	take := func() *copyJob {
		p, some := c.next(nil)
		if !some {
			return nil
		}
		return p.job
	}
	got := []*copyJob{take()}
	c.mu.jobs[High] = append(c.mu.jobs[High], high)
	for range 5 {
		got = append(got, take())
	}
	for i, want := range []*copyJob{normal, high, high, normal, normal, nil} {
		if got[i] != want {
			t.Errorf("piece %d is of the wrong job", i)
		}
	}
}

func TestCopyingNeverHasMoreWorkersThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := copier{workers: 3}
		c.mu.working = 3 // others are at it
		j := &copyJob{dst: make([]byte, 4*pieceBytes)}
		done := make(chan struct{})
		go func() {
			c.run(j, Normal)
			close(done)
		}()
		synctest.Wait()
		if working, jobs := c.state(); working != 3 || jobs != 1 {
			t.Errorf("%d workers at %d jobs, although all three were busy", working, jobs)
		}
		c.work(nil) // one of the others comes by
		<-done
		if working, jobs := c.state(); working != 2 || jobs != 0 {
			t.Errorf("%d workers at %d jobs, want 2 at none", working, jobs)
		}
	})
}
