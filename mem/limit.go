package mem

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed14ed4225/sluice/internal/size"
)

// A Limit is how much of a kind of memory may be taken: a number of bytes, or a share
// of what there is. The zero Limit stands for the default of its kind, see [Options].
type Limit struct {
	bytes int64
	share float64
	set   bool
}

// Bytes is a limit of n bytes. None is fine: such memory is not used then.
func Bytes(n int64) Limit { return Limit{bytes: n, set: true} }

// Share is a limit of a part of what the machine has, between 0 and 1: of its memory
// for the kinds Host and Pinned, of the device's memory for Device, of what is free in the file
// system of the spill directory for Disk.
func Share(part float64) Limit { return Limit{share: part, set: true} }

// Unlimited is no limit: what is taken is counted, and nobody ever waits.
var Unlimited = Bytes(math.MaxInt64)

// ParseLimit reads a limit as people write it: a size, such as 256MiB, a share, such
// as 25%, or "unlimited".
func ParseLimit(text string) (Limit, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "unlimited" {
		return Unlimited, nil
	}
	if percent, ok := strings.CutSuffix(trimmed, "%"); ok {
		part, err := strconv.ParseFloat(strings.TrimSpace(percent), 64)
		if err != nil || !(part > 0 && part <= 100) {
			return Limit{}, fmt.Errorf("limit %q: a share is more than 0%% and at most 100%%", text)
		}
		return Share(part / 100), nil
	}
	n, err := size.Parse(trimmed)
	if err != nil {
		if strings.HasSuffix(err.Error(), "?") { // it knows what was meant
			return Limit{}, err
		}
		return Limit{}, fmt.Errorf("%w; or write a share such as 25%%, or unlimited", err)
	}
	return Bytes(n), nil
}

// IsZero reports whether the limit is not set.
func (l Limit) IsZero() bool { return !l.set }

// Bytes returns the limit in bytes, or false if it is not set or a share.
func (l Limit) Bytes() (n int64, ok bool) { return l.bytes, l.set && l.share == 0 }

// String writes the limit as [ParseLimit] reads it; "default" if it is not set.
func (l Limit) String() string {
	switch {
	case !l.set:
		return "default"
	case l == Unlimited:
		return "unlimited"
	case l.share != 0:
		return strconv.FormatFloat(l.share*100, 'g', -1, 64) + "%"
	default:
		return size.Format(l.bytes)
	}
}

// check returns what makes no sense about the limit.
func (l Limit) check() error {
	switch {
	case l.bytes < 0:
		return fmt.Errorf("%d bytes: a limit cannot be negative", l.bytes)
	case math.IsNaN(l.share) || l.share < 0 || l.share > 1:
		return fmt.Errorf("a share of %v: it must lie between 0 and 1", l.share)
	}
	return nil
}

// of returns the limit in bytes where there are so many. have is called for shares only.
func (l Limit) of(have func() (int64, error)) (int64, error) {
	if l.share == 0 {
		return l.bytes, nil
	}
	there, err := have()
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, errors.New("a share of something whose size this system does not tell; give a size instead")
	}
	if err != nil {
		return 0, err
	}
	return int64(l.share * float64(there)), nil
}
