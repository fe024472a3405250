package mem

import (
	"context"
	"time"
)

// CPUTime is the processor time that the process has used.
func CPUTime() time.Duration { return cpuTime() }

// SettleFrees waits until what was released has come back.
func (r *Resource) SettleFrees(ctx context.Context) { r.settleFrees(ctx) }

// Mapped returns how many bytes of host memory are mapped.
func (r *Resource) Mapped() int64 { return r.host.Mapped() }
