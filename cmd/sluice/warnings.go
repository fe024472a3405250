package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// warnings prints what a network logs, such as a stall report, which is of several lines, as
// the rest of what the command says.
type warnings struct{ to io.Writer }

func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (w warnings) Handle(_ context.Context, r slog.Record) error {
	_, err := fmt.Fprintf(w.to, "warning: %s\n", strings.TrimRight(r.Message, "\n"))
	return err
}

// WithAttrs drops what the message says already: the network and the cycle.
func (w warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

func (w warnings) WithGroup(string) slog.Handler { return w }
