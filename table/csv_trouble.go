package table

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// csvTrouble counts what a scan has left out.
type csvTrouble struct {
	mu struct {
		sync.Mutex
		rows, values       int64
		firstRow, firstNil error // by the time they were found
	}
}

func (t *csvTrouble) skipped(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.rows++; t.mu.rows == 1 {
		t.mu.firstRow = why
	}
}

func (t *csvTrouble) nulled(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.values++; t.mu.values == 1 {
		t.mu.firstNil = why
	}
}

// report warns of what was left out, if anything was.
func (t *csvTrouble) report(ctx context.Context, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.rows > 0 {
		log.WarnContext(ctx, fmt.Sprintf("skipped %s of CSV, such as %v", plural(int(t.mu.rows), "row"), t.mu.firstRow))
	}
	if t.mu.values > 0 {
		log.WarnContext(ctx, fmt.Sprintf("read %s of CSV as null, such as %v", plural(int(t.mu.values), "value"), t.mu.firstNil))
	}
}
