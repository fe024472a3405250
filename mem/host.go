package mem

import (
	"github.com/seed14ed4225/sluice/internal/arena"
	"github.com/seed14ed4225/sluice/internal/machine"
)

// hostMemory is where buffers of the kind Host lie. It has no limit of its own: whoever
// allocates has been counted before. What nobody uses is kept for the next, as long as
// no more is mapped than the limit of the kind, or half of the machine where there
// is none.
type hostMemory struct{ arena.Arena }

func (h *hostMemory) init(limit int64) {
	h.Init(Unlimited.bytes, min(limit, machine.Memory()/2))
}

// close unmaps everything. Nobody may touch a buffer afterwards.
func (h *hostMemory) close() { h.Close() }
